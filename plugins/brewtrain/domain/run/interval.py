"""Which data interval a DAG run stands for.

Must not import Airflow or boto3, and computes what Airflow's ``CronDataIntervalTimetable`` does: a
test compares the two. A run that Airflow dated has an interval; one triggered without a logical
date has none, and takes the newest interval that had ended by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter


@dataclass(frozen=True)
class DataInterval:
    """A data interval.

    :param start: Inclusive, aware, UTC.
    :param end: Exclusive, aware, UTC.
    """

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Schedule:
    """When a pipeline runs.

    Where the clocks are put forward, a time that does not exist is the same time after the gap;
    where they are put back, a time that comes twice is the second one. A schedule of every hour
    runs in both hours. Source: Airflow's ``CronMixin``.

    :param cron: Cron expression of five fields.
    :param timezone: Name of the IANA time zone in which the expression is meant.
    """

    cron: str
    timezone: str = "UTC"

    def newest_complete(self, at: datetime) -> DataInterval:
        """Return the newest interval that has ended.

        :param at: Aware time; an interval that ends exactly then is complete.
        """
        # croniter excludes the time it is given, and a tick is a whole second: a time that is
        # itself a tick must be found.
        end = self.previous(at.replace(microsecond=0) + timedelta(seconds=1))
        return DataInterval(start=self.previous(end), end=end)

    def previous(self, moment: datetime) -> datetime:
        """Return the last tick before a moment, in UTC.

        :param moment: Aware time, excluded.
        """
        return self._tick(moment, later=False)

    def next(self, moment: datetime) -> datetime:
        """Return the first tick after a moment, in UTC.

        :param moment: Aware time, excluded.
        """
        return self._tick(moment, later=True)

    def _tick(self, moment: datetime, *, later: bool) -> datetime:
        zone = ZoneInfo(self.timezone)
        moment = moment.astimezone(UTC)
        start = local = moment.astimezone(zone).replace(tzinfo=None, fold=0)
        while True:
            ticks = croniter(self.cron, local)
            local = ticks.get_next(datetime) if later else ticks.get_prev(datetime)
            # By the clock, an hour that comes twice would be one hour to a schedule of every hour.
            every_hour = ticks.expanded[1] == ["*"]
            tick = moment + (local - start) if every_hour else _instant(local, zone)
            if tick > moment if later else tick < moment:
                return tick


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the clocks of a zone show a time; see :class:`Schedule`."""
    instant = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def resolve(start: datetime | None, end: datetime | None, *, schedule: Schedule, run_after: datetime) -> DataInterval:
    """Return the interval of a DAG run.

    :param start: The DAG run's data_interval_start, or ``None``.
    :param end: The DAG run's data_interval_end, or ``None``.
    :param schedule: The pipeline's schedule.
    :param run_after: The DAG run's run_after.
    """
    if start is None or end is None:
        return schedule.newest_complete(run_after)
    return DataInterval(start=start.astimezone(UTC), end=end.astimezone(UTC))
