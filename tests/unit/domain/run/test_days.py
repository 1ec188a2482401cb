"""Which days a run reads, for schedules as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.run.days import WEEKDAYS, DataDays
from brewtrain.domain.run.interval import DataInterval, Schedule
from tests.unit.domain.run.schedule_cases import CASES, PAGE, Case, at, page, table

PRESETS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}
SCHEDULES = (
    *PRESETS.values(), "0 4 * * *", "0 6 * * 1-5", "30 2 * * *", "0 0 */3 * *", "15 */6 * * *", "0 22 * * 5",
)  # fmt: skip
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "America/Sao_Paulo", "America/Havana",
    "Asia/Kolkata", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati",
)  # fmt: skip


def days_of(case: Case) -> DataDays:
    return DataDays(timezone=case.timezone, lag_days=case.lag_days, weekdays=case.weekdays or WEEKDAYS, window_days=7)


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_run_reads_the_days_of_the_table(case: Case) -> None:
    cron = PRESETS.get(case.schedule, case.schedule)
    interval = Schedule(cron, case.timezone).newest_complete(at(case.at))
    assert interval == DataInterval(at(case.interval[0]), at(case.interval[1]))
    days = days_of(case)
    newest = days.newest(interval.end)
    window = days.window(newest)
    assert (newest.isoformat(), window.first.isoformat(), window.last) == (case.newest, case.first, newest)
    assert tuple(day.isoformat() for day in days.of_interval(interval)) == case.days


def test_the_page_has_the_table_of_the_tests() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run python -m tests.unit.domain.run.schedule_cases"
    assert table().count("\n| ") == len(CASES)


def test_a_case_has_a_name_of_its_own() -> None:
    assert len({case.what for case in CASES}) == len(CASES) == 19


moments = st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
weekdays = st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda found: tuple(sorted(found, key=WEEKDAYS.index)))


@given(
    cron=st.sampled_from(SCHEDULES), zone=st.sampled_from(ZONES), since=moments, lag_days=st.integers(0, 40),
    on=weekdays,
)  # fmt: skip
def test_every_day_becomes_the_newest_in_exactly_one_interval(
    cron: str, zone: str, since: datetime, lag_days: int, on: tuple[str, ...]
) -> None:
    schedule, days = Schedule(cron, zone), DataDays(timezone=zone, lag_days=lag_days, weekdays=on)
    interval = schedule.newest_complete(since)
    seen = [days.newest(interval.end)]
    for _ in range(40):
        following = DataInterval(interval.end, schedule.next(interval.end))
        assert schedule.newest_complete(following.end) == following, "no interval is skipped"
        assert schedule.newest_complete(following.end - timedelta(seconds=1)) == interval
        found = days.of_interval(following)
        seen += [day for day in reversed(found) if day != seen[-1]]
        interval = following
    expected = [seen[0] + timedelta(days=number) for number in range((seen[-1] - seen[0]).days + 1)]
    assert seen == [day for day in expected if WEEKDAYS[day.weekday()] in on]


@given(zone=st.sampled_from(ZONES), end=moments)
def test_the_newest_day_is_the_last_one_that_has_ended(zone: str, end: datetime) -> None:
    newest = DataDays(timezone=zone).newest(end)
    local = end.astimezone(ZoneInfo(zone))
    assert local.date() == newest + timedelta(days=1), "the day after it has begun, and has not ended"


@given(newest=st.dates(date(2000, 1, 1), date(2040, 1, 1)), window_days=st.integers(1, 1200))
def test_a_window_has_each_of_its_days_once(newest: date, window_days: int) -> None:
    found = DataDays(window_days=window_days).window(newest)
    assert (found.days[0], found.days[-1]) == (found.first, newest)
    assert len(found.days) == len(set(found.days)) == window_days


def test_a_window_begins_no_earlier_than_the_start_date() -> None:
    days = DataDays(window_days=365, start_date=date(2026, 11, 20))
    assert days.window(date(2026, 11, 29)).first == date(2026, 11, 20)


def test_a_day_that_ends_with_the_interval_has_ended() -> None:
    days = DataDays(timezone="America/New_York")
    assert days.newest(at("2026-11-30T05:00")) == date(2026, 11, 29)
    assert days.newest(at("2026-11-30T04:59:59")) == date(2026, 11, 28)


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        pytest.param("UTC", "2026-11-30T00:00", id="UTC"),
        pytest.param("Asia/Tokyo", "2026-11-29T15:00", id="a zone that is ahead"),
        pytest.param("America/New_York", "2026-11-30T05:00", id="a zone that is behind"),
    ],
)
def test_a_day_begins_at_midnight_in_its_zone_and_may_be_read_when_it_and_the_lag_are_over(
    zone: str, begins: str
) -> None:
    day = date(2026, 11, 30)
    assert DataDays(timezone=zone).begins(day) == at(begins)
    assert DataDays(timezone=zone).begins(day).tzinfo is UTC
    for lag_days in (0, 2):
        days = DataDays(timezone=zone, lag_days=lag_days)
        assert days.ends(day) == at(begins) + timedelta(days=1 + lag_days)
        assert days.newest(days.ends(day)) == day
        assert days.newest(days.ends(day) - timedelta(seconds=1)) == day - timedelta(days=1)
