"""What runs have read: written before a run starts, and compared with what there is later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.input.changes import Changes, InputRecord, changes
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.hooks.s3_pipeline import S3PipelineHook

# Intervals without a recorded run that are passed over to find one.
_MOST_INTERVALS = 30


@dataclass(frozen=True)
class RecordedRun:
    """The newest run of an interval that was recorded.

    :param result: Its result document.
    :param interval_end: End of its data interval, aware.
    :param read: What it has read; ``None`` if that is not known, as of runs of earlier releases.
    """

    result: Mapping[str, Any]
    interval_end: datetime
    read: InputRecord | None

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return str(self.result["run_id"])


def recorded_runs(
    s3: S3PipelineHook, pipeline: Pipeline, bucket: str, *, up_to: datetime | None = None
) -> Iterator[RecordedRun]:
    """Yield the newest recorded run of each interval, newest interval first.

    :param s3: A hook of this task.
    :param pipeline: The pipeline file.
    :param bucket: The pipeline's bucket.
    :param up_to: Newest interval end that is asked for, aware; by default all.
    """
    intervals: defaultdict[datetime, list[str]] = defaultdict(list)
    for folder in s3.folders(bucket, names.runs_prefix(pipeline.name)):
        run_id = folder.rstrip("/").rpartition("/")[2]
        if names.is_run_id(pipeline.name, run_id):
            intervals[names.interval_end_of(run_id)].append(f"{folder}{names.RESULT_FILE}")
    for interval_end in sorted(intervals, reverse=True):
        if up_to is not None and interval_end > up_to:
            continue
        results = [result for _, result in s3.read_documents(bucket, intervals[interval_end])]
        newest = max(results, key=lambda result: str(result.get("recorded_at")), default=None)
        if newest is not None and "run_id" in newest:
            yield RecordedRun(newest, interval_end, _read(s3, bucket, newest))


def _read(s3: S3PipelineHook, bucket: str, result: Mapping[str, Any]) -> InputRecord | None:
    uri = (result.get("input") or {}).get("uri")
    key = str(uri or "").removeprefix(f"s3://{bucket}/")
    if not uri or key == uri:
        return None
    return next((InputRecord.of(document) for _, document in s3.read_documents(bucket, [key])), None)


def changed_since(
    s3: S3PipelineHook, pipeline: Pipeline, bucket: str, now: InputRecord, *, interval_end: datetime
) -> Changes | None:
    """Return what has changed since the newest recorded run, of this interval or an earlier one.

    :param now: What there is now.
    :param interval_end: End of the run's data interval, aware.
    :returns: ``None`` if no run was recorded, or it is not known what it has read.
    """
    recorded = recorded_runs(s3, pipeline, bucket, up_to=interval_end)
    found = next((one.read for one in islice(recorded, _MOST_INTERVALS) if one.read is not None), None)
    return None if found is None else changes(found, now.days, now.window)


def up_to_date(
    s3: S3PipelineHook, pipeline: Pipeline, bucket: str, now: InputRecord, *, interval_end: datetime
) -> str | None:
    """Return the id of the interval's recorded run if it has read the data as it is now.

    :param now: What there is now.
    :param interval_end: End of the run's data interval, aware.
    :returns: ``None`` if the interval has no recorded run, or its data is not that any more.
    """
    recorded = next(recorded_runs(s3, pipeline, bucket, up_to=interval_end), None)
    if recorded is None or recorded.interval_end != interval_end or recorded.read is None:
        return None
    read = recorded.read
    return recorded.run_id if (read.window, dict(read.days)) == (now.window, dict(now.days)) else None
