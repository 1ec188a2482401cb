"""Fixtures for every kind of test: local AWS in this process, its clients, and the shared data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.fixtures.botocore_models import read_each_model_once
from tests.fixtures.places import PLUGINS
from tests.fixtures.shared_data import VARIABLE, shared_folder

if TYPE_CHECKING:
    from local_aws.core.server import ServerHandle
    from tests.fixtures.local_aws_clients import AwsClients

# Before Airflow's first import: a DAG is serialized with what the package's plugin has registered.
os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", str(PLUGINS))

read_each_model_once()

# Examples are the same in every run and nothing is measured: on a busy machine a slow draw says
# nothing about the code. `pytest --hypothesis-profile=default` searches at random and prints the
# seed of what it finds.
hypothesis.settings.register_profile(
    "brewtrain", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], database=None
)
hypothesis.settings.load_profile("brewtrain")


@pytest.fixture(scope="session")
def local_aws_server() -> Iterator[ServerHandle]:
    """Start the session's local AWS; its ``front`` holds the call log and the fault rules."""
    from local_aws.core import server

    handle = server.start(port=0)
    yield handle
    handle.stop()


@pytest.fixture(scope="session")
def local_aws(local_aws_server: ServerHandle) -> str:
    """Return the endpoint URL of the session's local AWS."""
    return local_aws_server.endpoint_url


@pytest.fixture(scope="session")
def aws_client(local_aws: str) -> Iterator[AwsClients]:
    """Give boto3 clients of the session's local AWS: ``aws_client("s3")``."""
    from tests.fixtures.local_aws_clients import clients_of

    with clients_of(local_aws) as make:
        yield make


@pytest.fixture(scope="session")
def bank_marketing_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of generated bank marketing rows, the same on every machine."""
    from tests.fixtures.bank_marketing import write_bank_marketing

    return write_bank_marketing(tmp_path_factory.mktemp("bank_marketing"))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of data and cases outside the repository; skip the test without it."""
    folder = shared_folder()
    if folder is None:
        pytest.skip(f"this test needs the shared data: set {VARIABLE} to its folder")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the shared folder ``shared``, so that CI can run it apart from the rest."""
    for item in items:
        if "shared_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")
