"""An Airflow of its own for the retrain DAG: these tests kill its components, and switch every state themselves."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fixtures.switched_execution import SwitchedExecution
from tests.integration.conftest import FASTER, make_client_for
from tests.integration.retraining.night import BACKFILLED, CLOCKED, CLOCKED_SECONDS, PIPELINES, Night
from tools.airflow_api import AirflowApi
from tools.airflow_env import ROOT
from tools.local_stack import LocalStack, Ports

# Airflow looks for tasks that died with their scheduler every five minutes; the tests cannot wait that long.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
}
# The pipeline whose state machine is the real one: any model is good enough.
QUICK = {
    "window_days": 2,
    "training": {"hyperparameters": {"num_round": 5}},
    "gate": {"metrics": {"validation:auc": {"min": 0.0}}, "better_than_majority": False},
}


def _write_include(folder: Path) -> Path:
    """Copy include/ and add a pipeline for each of the tests' state machines."""
    include = folder / "include"
    shutil.copytree(ROOT / "include", include)
    document = yaml.safe_load((include / "pipelines" / "bank_marketing.yaml").read_text())
    for name in (*PIPELINES, *BACKFILLED, "dated"):
        document |= {"name": name, "endpoint": {**document["endpoint"], "name": name.replace("_", "-")}}
        document["source"] = {**document["source"], "path": f"s3://{{bucket}}/data/{name}/dt={{date}}/"}
        if name == "dated":
            document |= QUICK
        (include / "pipelines" / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return include


@pytest.fixture(scope="session")
def night() -> Iterator[Night]:
    """A running Airflow with PostgreSQL and local AWS, and the state machines that the tests switch."""
    from brewtrain.resources import load_pipeline

    folder = Path(tempfile.mkdtemp(prefix="brewtrain-", dir="/tmp"))
    folder.chmod(0o755)  # started as root, PostgreSQL runs as a user of its own
    include = _write_include(folder)
    stack = LocalStack(folder, Ports.free(), overrides={**FASTER, **IMPATIENT, "BREWTRAIN_INCLUDE": str(include)})
    accounts: dict[str, SwitchedExecution] = {}

    def deploy(endpoint_url: str) -> None:
        for name in (*PIPELINES, *BACKFILLED):
            pipeline = load_pipeline(include / "pipelines" / f"{name}.yaml")
            accounts[name] = SwitchedExecution(make_client_for(endpoint_url), pipeline)
            accounts[name].deploy(timeout_seconds=CLOCKED_SECONDS if name == CLOCKED else None)

    try:
        stack.start(prepare=deploy)
        yield Night(stack, AirflowApi(stack.api_url, stack.admin_password), accounts)
    finally:
        stack.stop()
        if not os.environ.get("BREWTRAIN_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
