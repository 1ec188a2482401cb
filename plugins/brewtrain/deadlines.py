"""The time from which it is counted how late a model is.

Airflow's own reference for this, DAGRUN_QUEUED_AT, makes the api-server answer 500 to every clear
of a failed run in 3.3.2 (``_recalculate_dagrun_queued_at_deadlines`` reads the stored interval as a
number), so that nobody could rerun it. This module can go when Airflow has fixed that. Must not
import boto3; the scheduler loads it through the plugin.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class RunAfterDeadline(BaseDeadlineReference):
    """When the run was due (``run_after``); never for backfills, which nobody waits for."""

    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str, **_: Any) -> datetime | None:
        from airflow.models import DagRun
        from airflow.utils.types import DagRunType
        from sqlalchemy import select

        run = session.execute(
            select(DagRun.run_after, DagRun.run_type).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        ).one_or_none()
        if run is None or run.run_type == DagRunType.BACKFILL_JOB:
            return None
        due: datetime = run.run_after
        return due
