"""Which run a task works for, read from Airflow's context.

Must not import boto3 or a hook at module level: DAG files import the operators that use it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from brewtrain.airflow_names import PASSED_STATES
from brewtrain.domain.errors import InputError
from brewtrain.domain.run import interval as intervals
from brewtrain.domain.run.execution_input import DeployPolicy
from brewtrain.domain.run.ladder import RERUN_MODES, RerunMode
from brewtrain.domain.serving.promotion import BACKFILL_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context
    from airflow.sdk.types import DagRunProtocol

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.interval import DataInterval

# Letters, digits and punctuation, on one line. To browsers À to ɏ are no letters of \w.
REASON_PATTERN = r"^[\wÀ-ɏ .,:()/%+#'!?-]{1,500}(?!\n)$"
DEPLOY_POLICIES: tuple[DeployPolicy, ...] = ("newest", "always", "never")


@dataclass(frozen=True)
class RunContext:
    """A DAG run as the tasks of the retrain DAG see it.

    :param dag_run_id: Airflow's id of the DAG run.
    :param clear_number: How often the DAG run has been cleared so far.
    :param run_type: ``scheduled``, ``manual``, ``backfill`` …
    :param interval: The data interval that the run trains for.
    :param rerun_mode: The param.
    :param deploy_policy: The param.
    :param backfill: Label of the backfill that the run belongs to, if it has one.
    :param only_if_stale: The param: retrain only if the data has changed since the interval's last
        run.
    :param accept_quality: Why a person lets the run train on data that its quality rules block.
    :param user: Who triggered the run; ``None`` if nobody did, or Airflow does not tell.
    """

    dag_run_id: str
    clear_number: int
    run_type: str
    interval: DataInterval
    rerun_mode: RerunMode
    deploy_policy: DeployPolicy
    backfill: str | None = None
    only_if_stale: bool = False
    accept_quality: str | None = None
    user: str | None = None


def read(context: Context, pipeline: Pipeline) -> RunContext:
    """Read and check the context of a task of the retrain DAG.

    :raises InputError: If a param has a value that does not exist.
    """
    dag_run = dag_run_of(context)
    params = context["params"]
    only_if_stale = flag(context, "only_if_stale")
    rerun_mode = cast("RerunMode", _choice(params, "rerun_mode", RERUN_MODES))
    return RunContext(
        dag_run_id=dag_run.run_id,
        clear_number=dag_run.clear_number or 0,
        run_type=run_type_of(context),
        interval=intervals.resolve(
            dag_run.data_interval_start,
            dag_run.data_interval_end,
            schedule=pipeline.run_schedule,
            run_after=dag_run.run_after,
        ),
        # Else the run would find the execution that has read the old data.
        rerun_mode="fresh" if only_if_stale and rerun_mode == "auto" else rerun_mode,
        deploy_policy=cast("DeployPolicy", _choice(params, "deploy_policy", DEPLOY_POLICIES)),
        backfill=_label(params),
        only_if_stale=only_if_stale,
        accept_quality=_reason(params),
        user=getattr(dag_run, "triggering_user_name", None),
    )


def dag_run_of(context: Context) -> DagRunProtocol:
    """Return the task's DAG run; the context of a running task always has one."""
    return context["dag_run"]


def due_at(context: Context) -> datetime:
    """Return from when a run's data counts as late: when the run was due, or began after a clear.

    A backfilled run was due when its interval ended, a run that was triggered by hand when it was
    triggered. A clear of a run that has ended begins it again; one of a run that goes on does not.
    """
    dag_run = dag_run_of(context)
    due, begun = dag_run.run_after, dag_run.start_date
    return max(due, begun) if dag_run.clear_number and begun is not None else due


def run_type_of(context: Context) -> str:
    """Return the type of the task's DAG run as text, e.g. ``backfill``."""
    run_type = dag_run_of(context).run_type
    return str(getattr(run_type, "value", run_type))


def flag(context: Context, name: str) -> bool:
    """Return a param that is true or false; false if the run has no such param.

    :raises InputError: If it is neither: a text such as "false" would count as true, and an empty
        one as false.
    """
    value = context["params"].get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"param {name} is {value!r}; write true or false")
    return value


def _label(params: Any) -> str | None:
    value = params.get("backfill")
    if value is None or (isinstance(value, str) and re.fullmatch(BACKFILL_PATTERN, value)):
        return value
    raise InputError(
        f"param backfill is {value!r}; write a word of letters, digits, '.', '_' and '-', or leave it empty"
    )


def _reason(params: Any) -> str | None:
    value = params.get("accept_quality")
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(REASON_PATTERN, value) or not value.strip():
        raise InputError(
            f"param accept_quality is {value!r}; write why the data may be used, in at most 500 letters, digits and "
            ".,:()/%+#'!?-, or leave it empty"
        )
    return " ".join(value.split())


def _choice(params: Any, name: str, known: tuple[str, ...]) -> str:
    value = params.get(name, known[0])
    if value not in known:
        raise InputError(f"param {name} is {value!r}; write one of {', '.join(known)}")
    return str(value)


def first_not_passed(context: Context, task_ids: Iterable[str]) -> tuple[str, str | None] | None:
    """Return the first task of the DAG run that has neither succeeded nor been skipped.

    :param task_ids: The tasks to look at, in order.
    :returns: Its id and state (``None``: it has not run); ``None`` if all have passed.
    """
    states = task_states(context, list(task_ids))
    return next(((task_id, state) for task_id, state in states.items() if state not in PASSED_STATES), None)


def task_states(context: Context, task_ids: list[str]) -> dict[str, str | None]:
    """Return the present states of other tasks of the DAG run.

    :returns: Task id → state, in the order given; ``None`` for a task without a state yet.
    """
    instance = context["ti"]
    found = instance.get_task_states(dag_id=instance.dag_id, task_ids=task_ids, run_ids=[instance.run_id])
    states = found.get(instance.run_id, {})
    return {task_id: None if states.get(task_id) is None else str(states[task_id]) for task_id in task_ids}


def pull(context: Context, task_id: str) -> dict[str, Any] | None:
    """Return what a task of the DAG run returned; ``None`` if it has returned nothing."""
    value = context["ti"].xcom_pull(task_ids=task_id, map_indexes=-1)
    return value if isinstance(value, dict) else None


def pulled(task_id: str, field: str) -> str:
    """Return the template of one field of what a task of the DAG run returned.

    With map_indexes, since the triggerer cannot ask for a sequence of XComs: without it the pull
    never returns.
    """
    return f"{{{{ (ti.xcom_pull(task_ids='{task_id}', map_indexes=-1) or {{}}).get('{field}') }}}}"
