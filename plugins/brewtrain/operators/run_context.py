"""Which run a task works for, read from Airflow's context.

Must not import boto3 or a hook at module level: DAG files import the operators that use it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from brewtrain.domain.errors import InputError
from brewtrain.domain.run import interval as intervals
from brewtrain.domain.run.execution_input import DeployPolicy
from brewtrain.domain.run.ladder import RERUN_MODES, RerunMode
from brewtrain.domain.serving.promotion import BACKFILL_PATTERN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.interval import DataInterval

CONNECTION_ID = "brewtrain_aws"
PREPARE_RUN = "prepare_run"
START_EXECUTION = "start_execution"
DEPLOY_POLICIES: tuple[DeployPolicy, ...] = ("newest", "always", "never")


@dataclass(frozen=True)
class RunContext:
    """A DAG run as the tasks of the retrain DAG see it.

    :param dag_run_id: Airflow's id of the DAG run.
    :param clear_number: How often the DAG run has been cleared by now.
    :param backfill: Label of the backfill that the run is of, if it was given one.
    """

    dag_id: str
    dag_run_id: str
    clear_number: int
    run_type: str
    interval: DataInterval
    rerun_mode: RerunMode
    deploy_policy: DeployPolicy
    backfill: str | None = None


def read(context: Context, pipeline: Pipeline) -> RunContext:
    """Read the context.

    :raises InputError: If a param has a value that does not exist.
    """
    dag_run = context["dag_run"]
    assert dag_run is not None
    params = context["params"]
    run_type = getattr(dag_run.run_type, "value", dag_run.run_type)
    return RunContext(
        dag_id=dag_run.dag_id,
        dag_run_id=dag_run.run_id,
        clear_number=dag_run.clear_number or 0,
        run_type=str(run_type),
        interval=intervals.resolve(
            dag_run.data_interval_start, dag_run.data_interval_end, cron=pipeline.cron, run_after=dag_run.run_after
        ),
        rerun_mode=cast("RerunMode", _choice(params, "rerun_mode", RERUN_MODES)),
        deploy_policy=cast("DeployPolicy", _choice(params, "deploy_policy", DEPLOY_POLICIES)),
        backfill=_label(params),
    )


def _label(params: Any) -> str | None:
    value = params.get("backfill")
    if value is None or (isinstance(value, str) and re.fullmatch(BACKFILL_PATTERN, value)):
        return value
    raise InputError(
        f"param backfill is {value!r}; write a word of letters, digits, '.', '_' and '-', or leave it empty"
    )


def _choice(params: Any, name: str, known: tuple[str, ...]) -> str:
    value = params.get(name, known[0])
    if value not in known:
        raise InputError(f"param {name} is {value!r}; write one of {', '.join(known)}")
    return str(value)


def task_states(context: Context, task_ids: list[str]) -> dict[str, str | None]:
    """Return the present states of other tasks of the DAG run; a task without a state yet is ``None``."""
    instance = context["ti"]
    found = instance.get_task_states(dag_id=instance.dag_id, task_ids=task_ids, run_ids=[instance.run_id])
    states = found.get(instance.run_id, {})
    return {task_id: None if states.get(task_id) is None else str(states[task_id]) for task_id in task_ids}


def pull(context: Context, task_id: str) -> dict[str, Any] | None:
    """Return what a task of the DAG run returned; ``None`` if it has not."""
    value = context["ti"].xcom_pull(task_ids=task_id, map_indexes=-1)
    return value if isinstance(value, dict) else None
