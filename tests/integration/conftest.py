"""A real Airflow on PostgreSQL, with local AWS behind its endpoint.

Everything it starts it stops, also when starting fails or the test run is killed.
``BREWTRAIN_KEEP=1`` keeps the folder with the logs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.local_aws_clients import clients_of
from tools.airflow_api import AirflowApi
from tools.airflow_env import LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY, REGION
from tools.bootstrap import bootstrap
from tools.local_aws_process import start_local_aws
from tools.local_stack import LocalStack, Ports
from tools.run.processes import Processes
from tools.stack_guard import start_guard

HERE = Path(__file__).resolve().parent
# What makes waiting and the machine's load less without changing what happens.
FASTER = {
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    # Parsed once: no file changes, and parsing all of them again and again takes half a core.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder ``integration``, before the tests are shared out between workers."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


def make_client_for(endpoint_url: str) -> Callable[[str], Any]:
    """A function that gives a boto3 client of local AWS by service name."""
    import boto3

    session = boto3.Session(
        region_name=REGION, aws_access_key_id=LOCAL_ACCESS_KEY_ID, aws_secret_access_key=LOCAL_SECRET_ACCESS_KEY
    )
    return lambda service: session.client(service, endpoint_url=endpoint_url)


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint URL of a local AWS that no other file uses: these tests deploy the shipped pipelines."""
    with Processes() as processes:
        yield start_local_aws(processes, tmp_path_factory.mktemp("local_aws") / "local_aws.log")


@pytest.fixture(scope="module")
def aws_client(local_aws: str) -> Iterator[Callable[..., Any]]:
    """``aws_client(service, **overrides)``: a boto3 client for that local AWS, cached per service."""
    with clients_of(local_aws) as make:
        yield make


@pytest.fixture(scope="module")
def airflow_stack() -> Iterator[LocalStack]:
    """The running stack, its account deployed. DAG files in ``tests/integration/dags`` are found as well."""
    # A short path: PostgreSQL's socket lives in it, and a socket's path is limited to 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="brewtrain-", dir="/tmp" if os.name == "posix" else None))
    folder.chmod(0o755)  # started as root, PostgreSQL runs as a user of its own
    own_dags = HERE / "dags"
    stack = LocalStack(
        folder, Ports.free(), dag_folders={"tests": own_dags} if own_dags.is_dir() else {}, overrides=FASTER
    )
    keep = bool(os.environ.get("BREWTRAIN_KEEP"))
    guard = start_guard(folder, delete=not keep)
    try:
        stack.start(prepare=lambda endpoint_url: bootstrap(make_client_for(endpoint_url)) and None)
        yield stack
    finally:
        stack.stop()
        guard.communicate()  # lets it go, and waits until it has looked after the folder


@pytest.fixture(scope="module")
def airflow_api(airflow_stack: LocalStack) -> AirflowApi:
    """Airflow's REST API as the user `admin`."""
    return AirflowApi(airflow_stack.api_url, airflow_stack.admin_password)


@pytest.fixture(scope="module")
def stack_client(airflow_stack: LocalStack) -> Callable[[str], Any]:
    """``stack_client(service)``: a boto3 client of the local AWS that this Airflow works against."""
    return make_client_for(airflow_stack.aws_endpoint_url)
