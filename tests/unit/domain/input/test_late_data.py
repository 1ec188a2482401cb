"""The card of data that is late: what was looked for, what is there, and what was late before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from brewtrain.domain.input.late_data import LateData, days_before, lateness
from brewtrain.domain.run.days import DataDays
from tests.fixtures.partitions import DAY, NOON, PREFIX, partition, seen, stored

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)


def late(*objects: Any, **more: Any) -> LateData:
    """Return data that was waited for from midnight until six."""
    waited = partition(marker="_SUCCESS", minimum_bytes=100)
    fields = {
        "pipeline": "churn",
        "run_id": "scheduled__2026-12-01",
        "bucket": "lake",
        "partition": waited,
        "seen": seen(*objects),
        "verdict": waited.judge(seen(*objects)),
        "since": MIDNIGHT,
        "until": MIDNIGHT + timedelta(hours=6),
        "before": {},
        "days": DataDays(),
    }
    return LateData(**{**fields, **more})


def row(card: LateData, label: str) -> str:
    (line,) = [line for line in card.render().splitlines() if line.startswith(f"  {label} ")]
    return line.removeprefix(f"  {label}").strip()


def test_it_says_what_was_looked_for_and_for_how_long() -> None:
    card = late()
    assert card.render().splitlines()[1] == "ON CALL ┄ churn: check_input failed (the data of 2026-11-30 is late)"
    assert row(card, "looked for") == "s3://lake/churn/dt=2026-11-30/"
    assert row(card, "complete when") == "marker: _SUCCESS, minimum_bytes: 100"
    assert row(card, "waited") == "6 h, from 2026-12-01 00:00 UTC until 2026-12-01 06:00 UTC"
    assert row(card, "missing") == (f"the marker {PREFIX}_SUCCESS is missing; there are 0 of at least 100 bytes")
    assert row(card, "runbook") == "docs/runbooks/data-late.md"


def test_it_says_what_is_there_instead() -> None:
    assert row(late(), "there is") == "nothing"
    files = late(stored(f"{PREFIX}a.csv"), stored(f"{PREFIX}b.csv", minutes_old=5))
    assert row(files, "there is") == "2 file(s) with 20 bytes; the newest is of 2026-12-01 11:55 UTC"
    staging = late(stored(f"{PREFIX}_temporary/a.csv"))
    assert row(staging, "there is").startswith(
        f"0 file(s) with 0 bytes and 1 other object(s), such as {PREFIX}_temporary/a.csv; the newest is of"
    )
    mixed = late(stored(f"{PREFIX}a.csv"), stored(f"{PREFIX}_temporary/b.csv"))
    assert f"such as {PREFIX}_temporary/b.csv" in row(mixed, "there is"), "what is no data is named, not a file"


def test_it_says_what_was_late_before() -> None:
    before = {
        date(2026, 11, 29): datetime(2026, 11, 30, 2, 10, tzinfo=UTC),
        date(2026, 11, 28): datetime(2026, 11, 29, 3, 45, tzinfo=UTC),
    }
    assert row(late(before=before), "before") == (
        "the last writes of the last 2 day(s) were 2 h 10 min after to 3 h 45 min after the day's end (the latest: "
        "that of 2026-11-28)"
    )
    early = {date(2026, 11, 29): datetime(2026, 11, 29, 23, 30, tzinfo=UTC)}
    assert row(late(before=early), "before").startswith("the last writes of the last 1 day(s) were 30 min before the")
    assert row(late(), "before") == "none of the 7 days before has what is looked for"


def test_a_late_day_of_another_zone_or_with_a_lag_is_late_from_its_own_end() -> None:
    written = {date(2026, 11, 29): datetime(2026, 12, 1, tzinfo=UTC)}
    tokyo = late(before=written, days=DataDays(timezone="Asia/Tokyo"))
    assert "were 1 d 9 h after" in row(tokyo, "before")
    assert "were 0 s after" in row(late(before=written, days=DataDays(lag_days=1)), "before")


def test_without_a_wait_it_speaks_of_none() -> None:
    card = late(until=MIDNIGHT)
    assert card.sentence.startswith("s3://lake/churn/dt=2026-11-30/ is not complete: the marker ")
    assert card.sentence.endswith("deliver the partition of 2026-11-30, then clear check_input")
    assert row(card, "waited") == "not at all: the pipeline file has no source.wait"
    assert "waits again" not in row(card, "what to do")


def test_the_error_is_one_sentence() -> None:
    assert late().sentence == (
        f"s3://lake/{PREFIX} is not complete after a wait of 6 h, until 2026-12-01 06:00 UTC: the marker "
        f"{PREFIX}_SUCCESS is missing; there are 0 of at least 100 bytes; deliver the partition of 2026-11-30, then "
        "clear check_input"
    )


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param(DataDays(), [29, 28, 27, 26, 25, 24, 23], id="a week"),
        pytest.param(DataDays(weekdays=("mon", "fri")), [27, 23, 20, 16, 13, 9, 6], id="days of the week"),
        pytest.param(DataDays(start_date=date(2026, 11, 28)), [29, 28], id="since the start date"),
        pytest.param(DataDays(start_date=DAY), [], id="the first day"),
    ],
)
def test_the_days_before_are_those_that_the_pipeline_has(days: DataDays, expected: list[int]) -> None:
    assert [day.day for day in days_before(DAY, days)] == expected


def test_a_day_counts_by_its_last_write() -> None:
    hour = timedelta(hours=1)
    assert lateness({DAY: [NOON, NOON + hour], date(2026, 11, 29): []}) == {DAY: NOON + hour}
