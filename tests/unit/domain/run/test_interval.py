"""Data intervals of DAG runs, and days of a training window."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from brewtrain.domain.run.interval import (
    DataInterval,
    days_newest_first,
    first_day,
    newest_complete,
    newest_day,
    resolve,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "now", "start", "end"),
    [
        ("0 0 * * *", "2010-11-29T00:00:00", "2010-11-28T00:00", "2010-11-29T00:00"),
        ("0 0 * * *", "2010-11-29T00:00:00.999999", "2010-11-28T00:00", "2010-11-29T00:00"),
        ("0 0 * * *", "2010-11-28T23:59:59.999999", "2010-11-27T00:00", "2010-11-28T00:00"),
        ("0 4 * * *", "2010-11-29T03:59:59", "2010-11-27T04:00", "2010-11-28T04:00"),
        ("0 * * * *", "2010-11-29T03:10:00", "2010-11-29T02:00", "2010-11-29T03:00"),
        ("0 0 * * 0", "2010-11-30T00:00:00", "2010-11-21T00:00", "2010-11-28T00:00"),
        ("0 0 1 * *", "2010-03-31T00:00:00", "2010-02-01T00:00", "2010-03-01T00:00"),
    ],
)
def test_newest_complete(cron: str, now: str, start: str, end: str) -> None:
    assert newest_complete(cron, at(now)) == DataInterval(at(start), at(end))


def test_other_time_zones_mean_the_same_instant() -> None:
    now = datetime(2010, 11, 29, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert newest_complete("0 0 * * *", now).end == at("2010-11-28T00:00")


def test_a_dated_run_keeps_its_interval() -> None:
    found = resolve(at("2010-11-01T00:00"), at("2010-11-02T00:00"), cron="0 0 * * *", run_after=at("2026-01-01T00:00"))
    assert found == DataInterval(at("2010-11-01T00:00"), at("2010-11-02T00:00"))


def test_a_run_without_a_date_stands_for_the_newest() -> None:
    assert resolve(None, None, cron="0 0 * * *", run_after=at("2026-01-01T08:00")).end == at("2026-01-01T00:00")


@pytest.mark.parametrize(
    ("start", "end", "day"),
    [
        ("2010-11-28T00:00", "2010-11-29T00:00", date(2010, 11, 28)),
        ("2010-11-28T04:00", "2010-11-29T04:00", date(2010, 11, 29)),
        ("2010-11-29T02:00", "2010-11-29T03:00", date(2010, 11, 29)),
    ],
)
def test_newest_day(start: str, end: str, day: date) -> None:
    assert newest_day(DataInterval(at(start), at(end))) == day


@pytest.mark.parametrize(
    ("cron", "now", "newest", "oldest", "count"),
    [
        ("0 0 * * *", "2010-11-29T00:00", date(2010, 11, 28), date(2010, 11, 28), 1),
        ("0 6 * * *", "2010-11-29T06:00", date(2010, 11, 29), date(2010, 11, 29), 1),
        ("0 * * * *", "2010-11-29T03:00", date(2010, 11, 29), date(2010, 11, 29), 1),
        ("0 0 * * 0", "2010-11-28T00:00", date(2010, 11, 27), date(2010, 11, 21), 7),
        ("0 0 1 * *", "2010-03-01T00:00", date(2010, 2, 28), date(2010, 2, 1), 28),
        ("0 6 1 * *", "2010-03-01T06:00", date(2010, 3, 1), date(2010, 2, 2), 28),
    ],
)
def test_days_newest_first(cron: str, now: str, newest: date, oldest: date, count: int) -> None:
    days = days_newest_first(newest_complete(cron, at(now)))
    assert (days[0], days[-1], len(days)) == (newest, oldest, count)
    assert days == sorted(set(days), reverse=True)


def test_no_day_belongs_to_two_intervals() -> None:
    for cron in ("0 6 * * 1", "30 4 1 * *", "0 0 */3 * *"):
        end = at("2010-11-29T06:00")
        seen: list[date] = []
        for _ in range(10):
            interval = newest_complete(cron, end)
            seen += days_newest_first(interval)
            end = interval.start
        assert len(seen) == len(set(seen)), cron


def test_first_day() -> None:
    assert first_day(at("2010-11-01T00:00")) == date(2010, 11, 1)
    assert first_day(at("2010-11-01T00:00:01")) == date(2010, 11, 2)
