"""A real Airflow on PostgreSQL with local AWS behind its endpoint, and a local AWS by itself.

Everything they start they stop, also when starting fails or the test run is killed.
``BREWTRAIN_KEEP=1`` keeps the folder with the logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.local_aws_clients import AwsClients, clients_of
from tests.integration.retraining.night import Night
from tests.integration.retraining.running import running_night
from tools.local_aws_process import start_local_aws
from tools.run.processes import Processes

HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder ``integration``, before workers get their tests."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a local AWS that no other file uses, since these tests deploy the shipped pipelines."""
    with Processes() as processes:
        yield start_local_aws(processes, tmp_path_factory.mktemp("local_aws") / "local_aws.log")


@pytest.fixture(scope="module")
def aws_client(local_aws: str) -> Iterator[AwsClients]:
    """Give boto3 clients of that local AWS: ``aws_client("s3")``."""
    with clients_of(local_aws) as clients:
        yield clients


@pytest.fixture(scope="package")
def night() -> Iterator[Night]:
    """Start Airflow, PostgreSQL and local AWS with the accounts of the tests' pipelines.

    One for all tests of this folder that share a worker. It stops with the last of them, since an
    idle Airflow slows down whatever follows.
    """
    with running_night() as night:
        yield night
