"""How many runs may be active at once, so that those that wait stop no others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from brewtrain.domain.run.active_runs import AT_MOST, WITHOUT_WAIT, bound, max_active_runs
from brewtrain.domain.run.interval import Schedule
from tests.fixtures.pipelines import smallest_pipeline

CASES = {
    "every night without a wait": ("0 0 * * *", timedelta(), 4),
    "every night": ("0 0 * * *", timedelta(hours=6), 4),
    "every night, for two days": ("0 0 * * *", timedelta(days=2), 6),
    "every hour without a wait": ("0 * * * *", timedelta(), 4),
    "every hour": ("0 * * * *", timedelta(hours=6), 10),
    "every hour, for less than one": ("0 * * * *", timedelta(minutes=30), 4),
    "in working hours": ("0 9-17 * * 1-5", timedelta(hours=3), 7),
    "every month": ("0 0 1 * *", timedelta(days=7), 4),
    "twice within a minute's wait": ("0,1 4 * * *", timedelta(minutes=1), 5),
    "every five minutes, for a day": ("*/5 * * * *", timedelta(days=1), AT_MOST),
}


@pytest.mark.parametrize("name", CASES)
def test_all_that_wait_have_room_and_some_more(name: str) -> None:
    cron, wait, expected = CASES[name]
    assert bound(wait, Schedule(cron)) == expected


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 10


def test_a_wait_never_makes_room_for_fewer() -> None:
    for cron, _, _ in CASES.values():
        bounds = [bound(timedelta(hours=hours), Schedule(cron)) for hours in (0, 1, 6, 24, 168)]
        assert bounds == sorted(bounds)
        assert bounds[0] == WITHOUT_WAIT


def test_it_is_derived_from_the_pipeline_file() -> None:
    source = {"path": "s3://{bucket}/data/x/dt={date}/", "wait": "6h"}
    assert max_active_runs(smallest_pipeline(schedule="@hourly", source=source)) == 10
    assert max_active_runs(smallest_pipeline()) == 4
