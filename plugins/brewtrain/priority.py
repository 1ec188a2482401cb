"""Which task gets a free slot of a pool first, where backfills and scheduled runs share it.

Airflow hands slots out by priority weight, then by logical date, oldest first: without this a
backfill of the past would keep today's retraining waiting until its last interval has begun.
Registered by the plugin: every Airflow component must know it. Must not import boto3 or a hook: DAG
files are serialized with it.

Source: "Priority Weights", Custom Weight Rule, in Airflow's documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.utils.types import DagRunType

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

BEFORE_BACKFILLS = 1000
"""More than any retrain DAG has tasks, so that the order inside a run never outweighs it."""


class ScheduledBeforeBackfill(PriorityWeightStrategy):
    """Scheduled and triggered runs before backfills; within either, runs that have begun first.

    Airflow passes only the DAG run's id. So a scheduled run that a backfill runs again keeps its
    place.
    """

    def get_weight(self, ti: TaskInstance) -> int:
        """Return a task instance's weight; Airflow runs higher weights first."""
        task = ti.task
        assert task is not None
        weight = task.priority_weight + len(task.get_flat_relative_ids(upstream=True))
        return weight if DagRunType.from_run_id(ti.run_id) is DagRunType.BACKFILL_JOB else weight + BEFORE_BACKFILLS


SCHEDULED_BEFORE_BACKFILL = f"{ScheduledBeforeBackfill.__module__}.{ScheduledBeforeBackfill.__qualname__}"
"""The name under which the plugin registers it, for an operator's ``weight_rule``."""
