"""When a pipeline runs: its schedule, in which time zone, and its first day.

Must not import Airflow or boto3.
"""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from croniter import croniter
from pydantic import AfterValidator, BeforeValidator

PRESETS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}
"""Names of schedules that a file may use → cron."""


def _check_schedule(value: str) -> str:
    if value in PRESETS:
        return value
    advice = f"write one of {', '.join(PRESETS)} or cron of five fields such as '0 4 * * *'"
    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError(f"is not a schedule; {advice}")
    try:
        croniter(value, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
    except ValueError:
        raise ValueError(f"names a day that never comes; {advice}") from None
    return value


def _check_day(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if type(value) is date:
        return value
    raise ValueError(f"is {str(value)!r}; write a day such as 2024-01-31")


def _check_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(value, available_timezones(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"is not a time zone; write a name such as 'Europe/Berlin' or 'UTC'{hint}") from None
    return value


def cron_of(schedule: str) -> str:
    """Return a schedule as a cron expression of five fields."""
    return PRESETS.get(schedule, schedule)


Schedule = Annotated[str, AfterValidator(_check_schedule)]
TimeZone = Annotated[str, AfterValidator(_check_timezone)]
Day = Annotated[date, BeforeValidator(_check_day)]
