"""Starts the Airflow of these tests, which kill its components and switch every state."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.fixtures.airflow_stacks import FASTER, guarded_folder
from tests.fixtures.local_aws_clients import clients_of
from tests.fixtures.places import INCLUDE
from tests.fixtures.switched_execution import SwitchedExecution
from tests.integration.retraining.night import (
    APPROVED,
    BACKFILLED,
    BOUNDED,
    CLOCKED,
    CLOCKED_SECONDS,
    HASTY,
    PATIENT,
    PIPELINES,
    STEERED,
    Night,
)
from tests.integration.retraining.whole_run import WHOLE_PIPELINES, pipeline_document
from tools.airflow_api import AirflowApi
from tools.local_stack import LocalStack, Ports

# Airflow looks for tasks that died with their scheduler every five minutes; the tests cannot wait
# that long.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
}
SWITCHED = (*PIPELINES, *BACKFILLED, APPROVED, STEERED, PATIENT, HASTY)
# The pipeline that is backfilled on real executions: any model is good enough.
DATED = "dated"
QUICK = {
    "window_days": 2,
    "training": {"hyperparameters": {"num_round": 5}},
    "gate": {
        "metrics": {"validation:auc": {"min": 0.0}},
        "better_than_majority": False,
        "minimum_rows": 1,
        "minimum_positives": 1,
        "champion_not_comparable": "ignore",
    },
}


def _write_include(folder: Path, switched: Sequence[str]) -> Path:
    """Copy include/ and add a pipeline for each of the tests' state machines."""
    include = folder / "include"
    shutil.copytree(INCLUDE, include)
    shipped = yaml.safe_load((include / "pipelines" / "bank_marketing.yaml").read_text())
    documents = {name: _switched_document(shipped, name) for name in switched}
    documents[APPROVED]["approval"] = "required"
    documents[PATIENT]["source"] |= {"wait": "1h", "complete_when": {"marker": "_SUCCESS"}}
    documents[HASTY]["source"] |= {"wait": "5s"}
    documents[DATED] = _switched_document(shipped, DATED) | QUICK
    documents |= {name: pipeline_document(shipped, name) for name in WHOLE_PIPELINES}
    for name, document in documents.items():
        (include / "pipelines" / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return include


def _switched_document(shipped: dict[str, Any], name: str) -> dict[str, Any]:
    return shipped | {
        "name": name,
        # As many at once as a test likes, except where the bound is what is tested.
        "pool": BOUNDED if name == BOUNDED else "default_pool",
        "endpoint": {**shipped["endpoint"], "name": name.replace("_", "-")},
        "source": {**shipped["source"], "path": f"s3://{{bucket}}/data/{name}/dt={{date}}/"},
    }


@contextlib.contextmanager
def running_night(more_pipelines: Sequence[str] = (), **overrides: str) -> Iterator[Night]:
    """Start Airflow, PostgreSQL and local AWS with the state machines that the tests switch.

    :param more_pipelines: Names of further pipelines with a state machine that is switched.
    :param overrides: Environment variables of the Airflow components.
    """
    from brewtrain.resources import load_pipeline

    switched = (*SWITCHED, *more_pipelines)
    with guarded_folder() as folder, contextlib.ExitStack() as opened:
        include = _write_include(folder, switched)
        settings = {**FASTER, **IMPATIENT, "BREWTRAIN_INCLUDE": str(include), **overrides}
        stack = LocalStack(folder, Ports.free(), overrides=settings)
        # The tests' own calls meet some of the faults that they inject.
        clients = opened.enter_context(clients_of(stack.aws_endpoint_url, attempts=5))
        accounts: dict[str, SwitchedExecution] = {}

        def deploy(endpoint_url: str) -> None:
            for name in (*switched, *WHOLE_PIPELINES):
                accounts[name] = SwitchedExecution(clients, load_pipeline(include / "pipelines" / f"{name}.yaml"))
            for name in switched:
                accounts[name].deploy(timeout_seconds=CLOCKED_SECONDS if name == CLOCKED else None)

        try:
            stack.start(prepare=deploy)
            yield Night(stack, AirflowApi(stack.api_url, stack.admin_password), accounts)
        finally:
            stack.stop()
