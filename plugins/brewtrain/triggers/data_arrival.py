"""The wait for a run's newest partition, in the triggerer and without a worker.

All waits for one bucket share one poll (see :mod:`brewtrain.triggers.arrival_watch`). Must not
import boto3 or a hook at module level.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Hashable
from contextlib import aclosing
from datetime import UTC, date, datetime
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from brewtrain.domain.input.completeness import WaitedPartition
from brewtrain.domain.pipeline.arrival import CompleteWhen
from brewtrain.triggers.arrival_outcome import ArrivalOutcome, DataArrived, DataLate, WaitImpossible, serialize
from brewtrain.triggers.arrival_watch import ArrivalWatch, watch_for, watch_key

# Airflow 3.3.2 takes a task that is resumed before its scheduler has seen the end of the process
# that deferred it for one that was killed, and tries it again
# (SchedulerJobRunner.process_executor_events knows the case in the state scheduled, not in
# running). So no wait ends sooner. Can go when Airflow knows it in every state.
SETTLED_SECONDS = 5.0


class DataArrivalTrigger(BaseEventTrigger):
    """Waits until a partition is complete, or until it is too late.

    It only looks: nothing has to be stopped when it is killed, and whoever rebuilds it from its
    arguments goes on with the same wait. Every end resumes the task on a worker.

    :param aws_conn_id: Airflow connection of type ``aws``.
    :param bucket: The bucket of the source.
    :param pattern: ``source.path``'s key.
    :param day: The day, ``YYYY-MM-DD``.
    :param timezone: Name of the pipeline's time zone.
    :param complete_when: ``source.complete_when``, as JSON.
    :param until: When the wait ends, ISO 8601 with its offset.
    """

    def __init__(
        self,
        aws_conn_id: str,
        bucket: str,
        pattern: str,
        day: str,
        timezone: str,
        complete_when: dict[str, Any],
        until: str,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aws_conn_id = aws_conn_id
        self.bucket = bucket
        self.pattern = pattern
        self.day = day
        self.timezone = timezone
        self.complete_when = complete_when
        self.until = until

    @classmethod
    def of(cls, partition: WaitedPartition, *, aws_conn_id: str, bucket: str, until: datetime) -> DataArrivalTrigger:
        """Return the trigger that waits for a partition.

        :param until: When the wait ends, aware.
        """
        return cls(
            aws_conn_id=aws_conn_id,
            bucket=bucket,
            pattern=partition.pattern,
            day=partition.day.isoformat(),
            timezone=partition.timezone,
            complete_when=partition.complete_when.model_dump(mode="json", exclude_none=True),
            until=until.isoformat(),
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which a triggerer makes the trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "aws_conn_id": self.aws_conn_id,
                "bucket": self.bucket,
                "pattern": self.pattern,
                "day": self.day,
                "timezone": self.timezone,
                "complete_when": self.complete_when,
                "until": self.until,
            },
        )

    @property
    def partition(self) -> WaitedPartition:
        """What is waited for."""
        when = CompleteWhen.model_validate(self.complete_when)
        return WaitedPartition(self.pattern, date.fromisoformat(self.day), self.timezone, when)

    def shared_stream_key(self) -> Hashable | None:
        """Share the poll with every wait for the same bucket over the same connection."""
        return watch_key(self.aws_conn_id, self.bucket)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Look for all members of the group; see :meth:`ArrivalWatch.stream`."""
        async for tick in watch_for(watch_key(kwargs["aws_conn_id"], kwargs["bucket"])).stream():
            yield tick

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Wait for ticks of the poll that the group shares."""
        watch = watch_for(watch_key(self.aws_conn_id, self.bucket))
        async for event in self._wait(watch, shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait with a poll for this trigger alone, as in ``dag.test()``."""
        watch = ArrivalWatch(self.aws_conn_id, self.bucket)
        async with aclosing(watch.stream()) as ticks:
            async for event in self._wait(watch, ticks):
                yield event

    async def _wait(self, watch: ArrivalWatch, ticks: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        partition, until = self.partition, datetime.fromisoformat(self.until)
        begun = time.monotonic()
        with watch.interest(partition):
            async for _ in ticks:
                outcome = _outcome(watch, partition, until)
                if outcome is not None and time.monotonic() - begun >= SETTLED_SECONDS:
                    self.log.info("s3://%s/%s: %s", self.bucket, partition.prefix, outcome)
                    yield TriggerEvent(serialize(outcome))  # type: ignore[no-untyped-call]
                    return


def _outcome(watch: ArrivalWatch, partition: WaitedPartition, until: datetime) -> ArrivalOutcome | None:
    seen = watch.views.get(partition)
    if seen is not None and partition.judge(seen).complete:
        return DataArrived()
    if watch.problem is not None:
        return WaitImpossible(watch.problem)
    return DataLate() if datetime.now(UTC) >= until else None
