"""A task's own look at the partition that its run waits for.

Called by tasks when they run: must not be imported while DAG files are parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from brewtrain.domain.input.completeness import Sighting, StoredObject, Verdict, WaitedPartition, sight
from brewtrain.domain.input.late_data import LateData, days_before, lateness
from brewtrain.domain.run.limits import data_wait
from brewtrain.hooks.s3_arrival import S3ArrivalHook

if TYPE_CHECKING:
    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.run_context import RunContext


@dataclass
class PartitionWait:
    """The newest partition of a run, and what is known of it.

    :param pipeline: The pipeline file.
    :param dag_run_id: Airflow's id of the DAG run.
    :param bucket: The source's bucket.
    :param partition: What has to be complete.
    """

    pipeline: Pipeline
    dag_run_id: str
    bucket: str
    partition: WaitedPartition
    _hook: S3ArrivalHook = field(repr=False)
    _seen: Sighting | None = None

    @classmethod
    def of(cls, pipeline: Pipeline, run: RunContext, aws_conn_id: str) -> PartitionWait | None:
        """Return what a run waits for.

        :returns: ``None`` if the pipeline file asks for no wait and no condition, or if the run's
            newest day is before its start_date, which the check refuses.
        """
        if not data_wait(pipeline) and pipeline.source.complete_when.any_file:
            return None
        day = pipeline.data_days.newest(run.interval.end)
        if day < pipeline.start_date:
            return None
        hook = S3ArrivalHook(aws_conn_id)
        bucket = pipeline.source.bucket(pipeline.bucket_name(hook.account))
        return cls(pipeline, run.dag_run_id, bucket, _partition(pipeline, day), hook)

    @property
    def path(self) -> str:
        """Where the partition is."""
        return f"s3://{self.bucket}/{self.partition.prefix}"

    def look(self) -> Verdict:
        """List the partition once, and say what is missing.

        :raises DeploymentError: If AWS refuses.
        :raises TransientError: If AWS could not be asked.
        """
        prefix = self.partition.looked_for
        listing = self._hook.list_each(self.bucket, [prefix], enough=_never, at_most=1)
        self._seen = sight(self._seen, listing.found[prefix], listing.at or datetime.now(UTC))
        return self.partition.judge(self._seen)

    def late(self, since: datetime, until: datetime) -> LateData:
        """Return what is to be told of a partition that is too late.

        :param since: From when it was waited for.
        :param until: Until when.
        """
        days = self.pipeline.data_days
        before = {day: _partition(self.pipeline, day) for day in days_before(self.partition.day, days)}
        wanted = [self.partition.prefix, *(one.looked_for for one in before.values())]
        listing = self._hook.list_each(self.bucket, wanted, enough=_never, at_most=len(wanted))
        seen = sight(None, listing.found[self.partition.prefix], listing.at or datetime.now(UTC))
        written: dict[date, list[datetime]] = {
            day: [item.modified_at for item in listing.found.get(one.looked_for, ())] for day, one in before.items()
        }
        return LateData(
            pipeline=self.pipeline.name,
            run_id=self.dag_run_id,
            bucket=self.bucket,
            partition=self.partition,
            seen=seen,
            verdict=self.partition.judge(self._seen or seen),
            since=since,
            until=until,
            before=lateness(written),
            days=days,
        )


def _partition(pipeline: Pipeline, day: date) -> WaitedPartition:
    source = pipeline.source
    return WaitedPartition(source.layout.pattern, day, pipeline.timezone, source.complete_when)


def _never(prefix: str, objects: Sequence[StoredObject]) -> bool:
    return False
