"""A pipeline of each test's own, with an account that has deployed it."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from brewtrain.domain.pipeline.file import Pipeline
from tests.fixtures.hosted_models import HostedModels
from tests.fixtures.pipelines import smallest_pipeline
from tests.fixtures.switched_execution import SwitchedExecution

# Importing Airflow makes a configuration file in its home: not in the developer's own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

REPOSITORY = Path(__file__).resolve().parents[3]
_numbers = itertools.count(1)


def lifecycle_pipeline(name: str, **more: Any) -> Pipeline:
    """Return a valid pipeline file that keeps two rollback targets."""
    fields = {
        "source": {"path": f"s3://{{bucket}}/data/{name}/dt={{date}}/", "delimiter": ";", "columns": ["age", "y"]},
        "window_days": 3,
        "label": {"column": "y_output"},
        "training": {"hyperparameters": {"num_round": 10}},
        "gate": {"metrics": {"validation:auc": {"min": 0.7}}},
        "retention": {"run_days": 30, "rollback_targets": 2},
        **more,
    }
    return smallest_pipeline(name, **fields)


@pytest.fixture(scope="module")
def connection(local_aws: str) -> Iterator[str]:
    """Id of the Airflow connection to local AWS."""
    # The faults injected here are answered at once instead of after botocore's pauses.
    fast = {"retries": {"mode": "standard", "total_max_attempts": 2}}
    extra = {"region_name": "us-east-1", "endpoint_url": local_aws, "config_kwargs": fast}
    value = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(value))
        yield "brewtrain_aws"


@pytest.fixture
def pipeline() -> Pipeline:
    """Return a pipeline of the test's own."""
    return lifecycle_pipeline(f"life_{next(_numbers)}")


@pytest.fixture
def hosted(aws_client: Callable[..., Any], connection: str, pipeline: Pipeline) -> Iterator[HostedModels]:
    """Return the pipeline's account: bucket, roles, state machine."""
    SwitchedExecution(aws_client, pipeline).deploy()
    made = HostedModels(aws_client, pipeline)
    yield made
    if made.serving() is not None:
        made.wait()
        made.sagemaker.delete_endpoint(EndpointName=made.endpoint)


@pytest.fixture
def deployed(hosted: HostedModels) -> HostedModels:
    """Return the same account with the committed state machine, whose waits are a test's."""
    definition = json.loads((REPOSITORY / "include" / "statemachine" / "retraining.asl.json").read_text("utf-8"))
    states = hosted.client("stepfunctions")
    machine = hosted.account.state_machine_arn(hosted.pipeline.name)
    version = states.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition), publish=True)
    states.update_state_machine_alias(
        stateMachineAliasArn=hosted.account.alias_arn(hosted.pipeline.name),
        routingConfiguration=[{"stateMachineVersionArn": version["stateMachineVersionArn"], "weight": 100}],
    )
    return hosted


class Context(dict[str, Any]):
    """What Airflow hands to a task, as much of it as the tasks read.

    :param xcoms: Task id → what it returned.
    """

    def __init__(
        self,
        *,
        xcoms: dict[str, Any] | None = None,
        states: dict[str, str] | None = None,
        clear_number: int = 0,
        **params: Any,
    ) -> None:
        self.xcoms = xcoms or {}
        self.pushed: dict[str, Any] = {}
        self.states = states or {}
        self.events: list[dict[str, Any]] = []
        number = next(_numbers)
        dag_run = SimpleNamespace(
            dag_id="life__x",
            run_id=f"manual__{number}",
            run_after=datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=number),
            start_date=datetime.now(UTC),
            clear_number=clear_number,
            run_type="manual",
            conf={},
        )
        instance = SimpleNamespace(
            dag_id="life__x",
            run_id=dag_run.run_id,
            task_id="task",
            try_number=1,
            xcom_pull=lambda task_ids, key="return_value", map_indexes=None: self.xcoms.get(task_ids),
            xcom_push=lambda key, value: self.pushed.update({key: value}),
            get_task_states=lambda dag_id, task_ids, run_ids: {run_ids[0]: self.states},
        )
        outlets = defaultdict(lambda: SimpleNamespace(add=lambda asset, extra: self.events.append(extra)))
        super().__init__(params=params, ti=instance, dag_run=dag_run, outlet_events=outlets)
