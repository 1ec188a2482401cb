"""Schedules and the days that their runs read: the tests' cases, and docs/schedules.md's table.

``python -m tests.unit.domain.run.schedule_cases`` writes the page's table; a test holds the page
against this.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "schedules.md"
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
_TABLE = re.compile(r"(?s)(?<=<!-- cases -->\n).*?(?=<!-- /cases -->)")


@dataclass(frozen=True)
class Case:
    """A run of a pipeline, and what it reads.

    :param what: The run, for the page.
    :param at: When it runs, ISO 8601, UTC.
    :param interval: Start and end of its data interval, ISO 8601, UTC.
    :param newest: Its newest day.
    :param first: First day of a window of seven days.
    :param days: The days that became the newest one during the interval, newest first; those of
        which a partition must be there.
    """

    what: str
    schedule: str
    at: str
    interval: tuple[str, str]
    newest: str
    first: str
    days: tuple[str, ...]
    timezone: str = "UTC"
    lag_days: int = 0
    weekdays: tuple[str, ...] = field(default=())

    @property
    def fields(self) -> str:
        """The pipeline file's fields, as the page shows them."""
        shown = [f'`schedule: "{self.schedule}"`']
        if self.timezone != "UTC":
            shown.append(f"`timezone: {self.timezone}`")
        if self.lag_days:
            shown.append(f"`source.lag_days: {self.lag_days}`")
        if self.weekdays:
            shown.append(f"`source.days: [{', '.join(self.weekdays)}]`")
        return "<br>".join(shown)


CASES = [
    Case(
        "every night", "@daily", "2026-11-30T00:00", ("2026-11-29T00:00", "2026-11-30T00:00"),
        "2026-11-29", "2026-11-23", ("2026-11-29",),
    ),
    Case(
        "every morning", "0 4 * * *", "2026-11-30T04:00", ("2026-11-29T04:00", "2026-11-30T04:00"),
        "2026-11-29", "2026-11-23", ("2026-11-29",),
    ),
    Case(
        "every morning, data a day behind", "0 4 * * *", "2026-11-30T04:00",
        ("2026-11-29T04:00", "2026-11-30T04:00"), "2026-11-28", "2026-11-22", ("2026-11-28",), lag_days=1,
    ),
    Case(
        "a Monday", "0 6 * * 1-5", "2026-11-30T06:00", ("2026-11-27T06:00", "2026-11-30T06:00"),
        "2026-11-29", "2026-11-23", ("2026-11-29", "2026-11-28", "2026-11-27"),
    ),
    Case(
        "a Monday, no data at weekends", "0 6 * * 1-5", "2026-11-30T06:00",
        ("2026-11-27T06:00", "2026-11-30T06:00"), "2026-11-27", "2026-11-21", ("2026-11-27",), weekdays=WORKDAYS,
    ),
    Case(
        "a Tuesday, no data at weekends", "0 6 * * 1-5", "2026-12-01T06:00",
        ("2026-11-30T06:00", "2026-12-01T06:00"), "2026-11-30", "2026-11-24", ("2026-11-30",), weekdays=WORKDAYS,
    ),
    Case(
        "every night, no data at weekends: a Sunday", "@daily", "2026-11-30T00:00",
        ("2026-11-29T00:00", "2026-11-30T00:00"), "2026-11-27", "2026-11-21", ("2026-11-27",), weekdays=WORKDAYS,
    ),
    Case(
        "every hour, at noon", "@hourly", "2026-11-30T12:00", ("2026-11-30T11:00", "2026-11-30T12:00"),
        "2026-11-29", "2026-11-23", ("2026-11-29",),
    ),
    Case(
        "every hour, the first after midnight", "@hourly", "2026-11-30T00:00",
        ("2026-11-29T23:00", "2026-11-30T00:00"), "2026-11-29", "2026-11-23", ("2026-11-29",),
    ),
    Case(
        "every week", "@weekly", "2026-11-29T00:00", ("2026-11-22T00:00", "2026-11-29T00:00"),
        "2026-11-28", "2026-11-22", tuple(f"2026-11-{day}" for day in range(28, 21, -1)),
    ),
    Case(
        "every month", "@monthly", "2026-11-01T00:00", ("2026-10-01T00:00", "2026-11-01T00:00"),
        "2026-10-31", "2026-10-25", tuple(f"2026-10-{day:02}" for day in range(31, 0, -1)),
    ),
    Case(
        "by hand, in the afternoon", "0 4 * * *", "2026-11-30T15:20", ("2026-11-29T04:00", "2026-11-30T04:00"),
        "2026-11-29", "2026-11-23", ("2026-11-29",),
    ),
    Case(
        "by hand, before the morning's run", "0 4 * * *", "2026-11-30T03:59",
        ("2026-11-28T04:00", "2026-11-29T04:00"), "2026-11-28", "2026-11-22", ("2026-11-28",),
    ),
    Case(
        "at midnight in Berlin, in winter", "@daily", "2026-11-29T23:00", ("2026-11-28T23:00", "2026-11-29T23:00"),
        "2026-11-29", "2026-11-23", ("2026-11-29",), timezone="Europe/Berlin",
    ),
    Case(
        "in Berlin, the day of 23 hours", "0 4 * * *", "2026-03-29T02:00", ("2026-03-28T03:00", "2026-03-29T02:00"),
        "2026-03-28", "2026-03-22", ("2026-03-28",), timezone="Europe/Berlin",
    ),
    Case(
        "in Berlin, the day after it", "0 4 * * *", "2026-03-30T02:00", ("2026-03-29T02:00", "2026-03-30T02:00"),
        "2026-03-29", "2026-03-23", ("2026-03-29",), timezone="Europe/Berlin",
    ),
    Case(
        "in Berlin, the day of 25 hours", "0 0 * * *", "2026-10-25T23:00", ("2026-10-24T22:00", "2026-10-25T23:00"),
        "2026-10-25", "2026-10-19", ("2026-10-25",), timezone="Europe/Berlin",
    ),
    Case(
        "in Berlin, at a time that does not exist that night", "30 2 * * *", "2026-03-29T01:30",
        ("2026-03-28T01:30", "2026-03-29T01:30"), "2026-03-28", "2026-03-22", ("2026-03-28",),
        timezone="Europe/Berlin",
    ),
    Case(
        "in Los Angeles, in the evening of UTC's day", "0 20 * * *", "2026-12-01T04:00",
        ("2026-11-30T04:00", "2026-12-01T04:00"), "2026-11-29", "2026-11-23", ("2026-11-29",),
        timezone="America/Los_Angeles",
    ),
]  # fmt: skip


def at(text: str) -> datetime:
    """Return the instant of a text in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def table() -> str:
    """Return the page's table."""
    rows = [
        "| run | pipeline file | at (UTC) | newest day | a window of 7 days |",
        "|---|---|---|---|---|",
        *(
            f"| {case.what} | {case.fields} | {_shown(case.at)} | **{_day(case.newest)}** "
            f"| {_day(case.first)} to {_day(case.newest)} |"
            for case in CASES
        ),
    ]
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    """Return the page with its table made anew.

    :param text: The page as it is.
    """
    return _TABLE.sub(lambda _: table(), text)


def _shown(text: str) -> str:
    return f"{at(text):%a %Y-%m-%d %H:%M}"


def _day(text: str) -> str:
    return f"{date.fromisoformat(text):%a %Y-%m-%d}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
