"""Data intervals of DAG runs, compared with those of Airflow's timetable."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from brewtrain.domain.run.interval import DataInterval, Schedule, resolve
from tests.fixtures.time_zones import machine_in
from tests.unit.domain.run.schedule_cases import at

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Kolkata", "Asia/Tehran",
    "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca",
)  # fmt: skip
CRONS = (
    "0 0 * * *", "0 4 * * *", "30 2 * * *", "0 * * * *", "*/15 * * * *", "15 */2 * * *", "0 6 * * 1-5", "0 0 * * 0",
    "0 0 1 * *", "30 0 * * *", "0 23 * * *",
)  # fmt: skip


@pytest.mark.parametrize(
    ("cron", "now", "start", "end"),
    [
        pytest.param("0 0 * * *", "2010-11-29T00:00:00", "2010-11-28T00:00", "2010-11-29T00:00", id="on the tick"),
        pytest.param(
            "0 0 * * *", "2010-11-29T00:00:00.999999", "2010-11-28T00:00", "2010-11-29T00:00", id="in the tick's second"
        ),
        pytest.param(
            "0 0 * * *", "2010-11-28T23:59:59.999999", "2010-11-27T00:00", "2010-11-28T00:00", id="just before the tick"
        ),
        pytest.param("0 4 * * *", "2010-11-29T03:59:59", "2010-11-27T04:00", "2010-11-28T04:00", id="morning"),
        pytest.param("0 * * * *", "2010-11-29T03:10:00", "2010-11-29T02:00", "2010-11-29T03:00", id="hourly"),
        pytest.param("0 0 * * 0", "2010-11-30T00:00:00", "2010-11-21T00:00", "2010-11-28T00:00", id="weekly"),
        pytest.param("0 0 1 * *", "2010-03-31T00:00:00", "2010-02-01T00:00", "2010-03-01T00:00", id="monthly"),
    ],
)
def test_the_newest_complete_interval(cron: str, now: str, start: str, end: str) -> None:
    assert Schedule(cron).newest_complete(at(now)) == DataInterval(at(start), at(end))


def test_a_moment_in_another_zone_is_the_same_instant() -> None:
    now = datetime(2010, 11, 29, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert Schedule("0 0 * * *").newest_complete(now).end == at("2010-11-28T00:00")


def test_a_dated_run_keeps_its_interval() -> None:
    found = resolve(
        at("2010-11-01T00:00"), at("2010-11-02T00:00"), schedule=Schedule("0 0 * * *"), run_after=at("2026-01-01T00:00")
    )
    assert found == DataInterval(at("2010-11-01T00:00"), at("2010-11-02T00:00"))


def test_a_run_without_a_date_takes_the_newest() -> None:
    found = resolve(None, None, schedule=Schedule("0 0 * * *"), run_after=at("2026-01-01T08:00"))
    assert found.end == at("2026-01-01T00:00")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(None, at("2010-11-02T00:00"), id="no start"),
        pytest.param(at("2010-11-01T00:00"), None, id="no end"),
    ],
)
def test_half_an_interval_is_none(start: datetime | None, end: datetime | None) -> None:
    found = resolve(start, end, schedule=Schedule("0 0 * * *"), run_after=at("2026-01-01T08:00"))
    assert found == DataInterval(at("2025-12-31T00:00"), at("2026-01-01T00:00"))


@pytest.mark.parametrize("machine", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_zone_of_the_machine_makes_no_difference(machine: str) -> None:
    there = timezone(timedelta(hours=9))
    start, end = at("2010-11-28T00:00").astimezone(there), at("2010-11-29T00:00").astimezone(there)
    with machine_in(machine):
        assert Schedule("0 0 * * *").newest_complete(at("2010-11-29T20:00")).end == at("2010-11-29T00:00")
        found = resolve(start, end, schedule=Schedule("0 0 * * *"), run_after=at("2026-01-01T00:00"))
        assert (found.start.tzinfo, found.end.tzinfo) == (UTC, UTC)


def changes_of_clocks(zone: str) -> list[datetime]:
    """Return moments within six hours after the clocks of a zone were changed, 2005 to 2026."""
    found, moment = [], datetime(2005, 1, 1, tzinfo=UTC)
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    while moment.year < 2027:
        moment += timedelta(hours=6)
        after = moment.astimezone(ZoneInfo(zone)).utcoffset()
        if after != offset:
            found.append(moment)
        offset = after
    return found or [datetime(2020, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("zone", ZONES)
def test_ticks_are_those_of_airflows_timetable(zone: str) -> None:
    import pendulum
    from airflow.timetables.interval import CronDataIntervalTimetable

    seed = 20261130
    source = random.Random(seed)
    near = changes_of_clocks(zone)
    compared = 0
    for cron in CRONS:
        schedule = Schedule(cron, zone)
        timetable = CronDataIntervalTimetable(cron, timezone=zone)
        for _ in range(60):
            moment = source.choice(near) + timedelta(minutes=15 * source.randrange(-200, 200))
            assert schedule.next(moment) == timetable._get_next(pendulum.instance(moment)), (seed, cron, moment)
            before = timetable._get_prev(pendulum.instance(moment))
            # Airflow's is the moment itself where the clocks were put forward over the tick.
            if before < moment:
                assert schedule.previous(moment) == before, (seed, cron, moment)
                compared += 1
    assert compared > 60 * len(CRONS) * 0.95


@pytest.mark.parametrize("zone", ZONES)
def test_a_manual_run_has_the_interval_that_airflow_would_give_it(zone: str) -> None:
    import pendulum
    from airflow.timetables.interval import CronDataIntervalTimetable

    source, compared = random.Random(7), 0
    for cron in CRONS:
        timetable = CronDataIntervalTimetable(cron, timezone=zone)
        for _ in range(20):
            moment = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(seconds=source.randrange(22 * 365 * 86400))
            given = timetable.infer_manual_data_interval(run_after=pendulum.instance(moment))
            found = Schedule(cron, zone).newest_complete(moment)
            assert found.end == given.end, (cron, moment)
            # Airflow's is empty where the clocks were put forward over the tick.
            assert found.start == given.start or given.start == given.end, (cron, moment)
            compared += given.start < given.end
    assert compared > 20 * len(CRONS) * 0.95
