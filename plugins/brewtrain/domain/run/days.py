"""Which days of data a run reads.

Must not import Airflow or boto3. A day is a label of a partition, such as ``2026-11-30``; it has
ended when the clocks of the pipeline's time zone show the next one. docs/schedules.md has a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from brewtrain.domain.run.interval import DataInterval

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


@dataclass(frozen=True)
class Window:
    """The days that a model is trained on.

    :param first: First day, included.
    :param last: Last day, included; the newest day of the run.
    """

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """Every day of the window, oldest first."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class DataDays:
    """The days of a pipeline.

    :param timezone: Name of the IANA time zone whose midnights divide the days.
    :param lag_days: Days by which the data is behind: 1 where yesterday's arrives tomorrow.
    :param weekdays: Days of the week that have a partition, of :data:`WEEKDAYS`.
    :param window_days: Calendar days that a model is trained on.
    :param start_date: First day that may be trained on.
    """

    timezone: str = "UTC"
    lag_days: int = 0
    weekdays: tuple[Weekday, ...] = WEEKDAYS
    window_days: int = 1
    start_date: date = date.min

    def newest(self, interval_end: datetime) -> date:
        """Return the newest day of the run whose data interval ends then.

        It is the newest day that has ended by the interval's end, less the lag, and from there back
        to one that has a partition.

        :param interval_end: Aware time, exclusive: a day that ends exactly then has ended.
        """
        day = interval_end.astimezone(ZoneInfo(self.timezone)).date() - timedelta(days=1 + self.lag_days)
        while WEEKDAYS[day.weekday()] not in self.weekdays:
            day -= timedelta(days=1)
        return day

    def begins(self, day: date) -> datetime:
        """Return when a day begins, in UTC.

        :param day: The day.
        """
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)

    def ends(self, day: date) -> datetime:
        """Return when a day may be the newest: it has ended, and the lag is over. UTC.

        :param day: The day.
        """
        return self.begins(day + timedelta(days=1 + self.lag_days))

    def of_interval(self, interval: DataInterval) -> list[date]:
        """Return the days that became the newest one during the interval, newest first.

        Each day belongs to exactly one interval of a schedule. An interval in which none has ended,
        such as most hours, has the newest day from before it.
        """
        newest, before = self.newest(interval.end), self.newest(interval.start)
        days = [newest - timedelta(days=number) for number in range((newest - before).days)]
        return [day for day in days if WEEKDAYS[day.weekday()] in self.weekdays] or [newest]

    def window(self, newest: date) -> Window:
        """Return the days on which the run with this newest day trains.

        :param newest: From :meth:`newest`.
        """
        first = newest - timedelta(days=self.window_days - 1)
        return Window(first=min(max(first, self.start_date), newest), last=newest)
