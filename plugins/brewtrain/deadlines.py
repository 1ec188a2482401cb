"""From when on the time of a run is counted until its model is late.

Airflow's own reference for this, DAGRUN_QUEUED_AT, makes the api-server answer 500 to every clear
of a failed run in 3.3.2 (``_recalculate_dagrun_queued_at_deadlines`` takes the stored interval for
a number), so that nobody could mend the run. It can go when Airflow has mended that. Must not
import boto3; the scheduler loads it through the plugin.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class RunAfterDeadline(BaseDeadlineReference):
    """When the run was due, as Airflow's ``run_after`` says; never for backfills, which nobody awaits."""

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
