"""What the DAGs of all kinds have in common, so that a DAG file says only what differs.

Imported while DAG files are parsed: must not import a hook or boto3.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from brewtrain.retry_policy import RetryTransientErrors

if TYPE_CHECKING:
    from brewtrain.domain.pipeline.file import Pipeline


class DagDefaults(TypedDict):
    """Arguments of :class:`airflow.sdk.DAG` that every DAG of the package has."""

    dag_id: str
    catchup: bool
    tags: list[str]


def dag_defaults(pipeline: Pipeline, kind: str) -> DagDefaults:
    """Return what every DAG is given.

    :param pipeline: The pipeline file.
    :param kind: What the DAG does, e.g. ``retrain``: the DAG is called ``<pipeline>__<kind>``.
    """
    return {"dag_id": f"{pipeline.name}__{kind}", "catchup": False, "tags": ["brewtrain", kind, pipeline.name]}


def task_defaults(pipeline: Pipeline, **more: Any) -> dict[str, Any]:
    """Return the ``default_args`` of a DAG: owner, retries and time limit of its tasks.

    :param pipeline: The pipeline file.
    :param more: What is different in this DAG, or further defaults.
    """
    return {
        "owner": pipeline.owner,
        "retries": 3,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": 2.0,
        "retry_policy": RetryTransientErrors(),
        # Of the tasks that run on a worker; the waits for a stage have a limit of their own.
        "execution_timeout": timedelta(minutes=10),
        **more,
    }
