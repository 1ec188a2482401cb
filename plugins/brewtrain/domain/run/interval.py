"""Which data interval a DAG run has, and which days it trains on.

Must not import Airflow or boto3. A run that Airflow dated has an interval of its own; one triggered
without a logical date has none, and gets the newest complete interval of the time it was
triggered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from croniter import croniter


@dataclass(frozen=True)
class DataInterval:
    """A data interval.

    :param start: Inclusive, aware, UTC.
    :param end: Exclusive, aware, UTC.
    """

    start: datetime
    end: datetime


def newest_complete(cron: str, at: datetime) -> DataInterval:
    """Return the newest interval of a schedule that has ended.

    :param cron: Cron expression of five fields, in UTC.
    :param at: Aware time; an interval that ends exactly then counts as complete.
    """
    # get_prev excludes the time it is given, and a tick is a whole second: a time that is itself a
    # tick must be found.
    after = at.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    end = croniter(cron, after).get_prev(datetime)
    start = croniter(cron, end).get_prev(datetime)
    return DataInterval(start=start.replace(fold=0), end=end.replace(fold=0))


def resolve(start: datetime | None, end: datetime | None, *, cron: str, run_after: datetime) -> DataInterval:
    """Return the interval of a DAG run.

    :param start: The DAG run's data_interval_start, or ``None``.
    :param end: The DAG run's data_interval_end, or ``None``.
    :param cron: The pipeline's schedule.
    :param run_after: The DAG run's run_after.
    """
    if start is None or end is None:
        return newest_complete(cron, run_after)
    return DataInterval(start=start.astimezone(UTC), end=end.astimezone(UTC))


def newest_day(interval: DataInterval) -> date:
    """Return the newest day whose partition the interval covers, in UTC."""
    return (interval.end - timedelta(microseconds=1)).astimezone(UTC).date()


def days_newest_first(interval: DataInterval) -> list[date]:
    """Return the days whose partitions belong to the interval, newest first, in UTC.

    A day belongs to the interval that covers its midnight, so that no day belongs to two; an
    interval that covers no midnight, such as an hour, belongs to its day.
    """
    newest = newest_day(interval)
    count = max((newest - first_day(interval.start)).days, 0) + 1
    return [newest - timedelta(days=number) for number in range(count)]


def first_day(window_start: datetime) -> date:
    """Return the first day whose midnight is not before the training window's start, in UTC."""
    start = window_start.astimezone(UTC)
    day = start.date()
    return day if start.time() == datetime.min.time() else day + timedelta(days=1)
