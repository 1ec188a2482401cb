"""Which days a run of a pipeline reads: ``make days PIPELINE=churn AT=2026-11-30T04:00``.

Asks neither AWS nor Airflow. docs/schedules.md has the rules and a table.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, timedelta

from brewtrain import resources
from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.interval import DataInterval

_YEARS = range(1970, 9999)


def newest_interval(pipeline: Pipeline, last: date) -> DataInterval:
    """Return the newest data interval whose run reads no day after the last one that there is.

    :param pipeline: The pipeline file.
    :param last: Day of the newest partition.
    """
    schedule, days = pipeline.run_schedule, pipeline.data_days
    interval = schedule.newest_complete(schedule.next(days.ends(last) - timedelta(seconds=1)))
    while days.newest(interval.end) > last:
        interval = schedule.newest_complete(interval.end - timedelta(seconds=1))
    return interval


def report(pipeline: Pipeline, at: datetime) -> list[str]:
    """Return what a run at a time reads, one ``name: value`` a line.

    :param pipeline: The pipeline file.
    :param at: When the run is triggered or due; aware.
    """
    interval = pipeline.run_schedule.newest_complete(at)
    newest = pipeline.data_days.newest(interval.end)
    window = pipeline.data_days.window(newest)
    return [
        f"interval_start: {interval.start:%Y-%m-%dT%H:%M:%SZ}",
        f"interval_end: {interval.end:%Y-%m-%dT%H:%M:%SZ}",
        f"newest_day: {newest}",
        f"first_day: {window.first}",
        f"last_day: {window.last}",
    ]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write one such as 2026-11-30T04:00") from None
    if moment.year not in _YEARS:
        raise argparse.ArgumentTypeError(f"{text!r} is outside the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> int:
    """Print the days of one run.

    :param arguments: The command line's; default: the process's.
    :returns: The exit code: 2 for a pipeline file that is missing or not valid.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.days", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipeline", help="name of the pipeline")
    parser.add_argument(
        "--at", type=_moment, default=datetime.now(UTC), metavar="TIME",
        help="when the run is triggered or due, ISO 8601, in UTC unless it says otherwise (default: now)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        pipeline = resources.find_pipeline(options.pipeline)
    except PipelineFileError as error:
        print(f"days: {error}", file=sys.stderr)
        return 2
    lines = report(pipeline, options.at)
    print("\n".join(lines))
    newest = date.fromisoformat(lines[-1].removeprefix("last_day: "))
    if newest < pipeline.start_date:
        print(f"days: this run is refused: {newest} is before start_date {pipeline.start_date}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
