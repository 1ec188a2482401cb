"""What Airflow knows of the task that a trigger waits for, asked from the triggerer.

All of it blocks: call it in a thread. Must not import boto3 or a hook at module level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brewtrain.airflow_names import REPORTED_FAILURE, RETURN_VALUE

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance


class WaitingTask:
    """A task that is deferred while its trigger waits.

    :param instance: The task instance that Airflow gives the trigger.
    """

    def __init__(self, instance: TaskInstance) -> None:
        self._instance = instance

    def state(self) -> str | None:
        """Return the task's present state; ``None`` while it has none, as after a clear."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        instance = self._instance
        states = RuntimeTaskInstance.get_task_states(
            dag_id=instance.dag_id, task_ids=[instance.task_id], run_ids=[instance.run_id]
        )
        state = states.get(instance.run_id, {}).get(instance.task_id)
        return None if state is None else str(state)

    def reported_failure(self) -> Mapping[str, Any]:
        """Return which failure an earlier try of the task has reported; empty if none has."""
        return self._xcom(REPORTED_FAILURE, self._instance.task_id)

    def returned_by(self, task_id: str) -> Mapping[str, Any]:
        """Return what another task of the DAG run has returned; empty if nothing."""
        return self._xcom(RETURN_VALUE, task_id)

    def _xcom(self, key: str, task_id: str) -> Mapping[str, Any]:
        from airflow.sdk.bases.xcom import BaseXCom

        instance = self._instance
        value = BaseXCom.get_one(key=key, dag_id=instance.dag_id, task_id=task_id, run_id=instance.run_id, map_index=-1)
        return value if isinstance(value, Mapping) else {}
