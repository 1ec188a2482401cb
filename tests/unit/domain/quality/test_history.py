"""Rows of a day against the days before, and whether the newest day is new."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from brewtrain.domain.pipeline.quality import Freshness, RowCount
from brewtrain.domain.quality.history import (
    DayFiles,
    DayRows,
    judge_freshness,
    judge_row_count,
    usual_rows,
)
from tests.fixtures.quality import quality_of

MONDAY = date(2024, 3, 4)
DUE = datetime(2024, 3, 5, 4, tzinfo=UTC)


def days_before(day: date, rows: list[int]) -> list[DayRows]:
    """Return days up to the day before, the last number for yesterday."""
    return [DayRows(day - timedelta(days=len(rows) - place), number) for place, number in enumerate(rows)]


def row_count(section: str) -> RowCount:
    found = quality_of(f"row_count: {section}").row_count
    assert found is not None
    return found


def freshness(section: str = "{}") -> Freshness:
    found = quality_of(f"freshness: {section}").freshness
    assert found is not None
    return found


def test_the_usual_number_is_the_median_of_the_last_days() -> None:
    assert usual_rows(MONDAY, days_before(MONDAY, [100, 1, 110])) == 100
    assert usual_rows(MONDAY, days_before(MONDAY, [1] * 20 + [100] * 14)) == 100


def test_the_same_weekday_counts_alone_where_it_is_known_three_times() -> None:
    weeks = [day for week in range(3) for day in [900, 900, 900, 900, 900, 300, 100]]
    sunday = date(2024, 3, 3)
    history = days_before(sunday + timedelta(days=1), weeks)[:-1]
    assert usual_rows(sunday, history) == 900, "two Sundays are too few"
    history = days_before(sunday + timedelta(days=1), [*weeks, *weeks])[:-1]
    assert usual_rows(sunday, history) == 100


def test_the_day_itself_and_later_days_do_not_count() -> None:
    later = [DayRows(MONDAY, 5), DayRows(MONDAY + timedelta(days=1), 5)]
    assert usual_rows(MONDAY, later) is None
    assert usual_rows(MONDAY, [*later, DayRows(MONDAY - timedelta(days=1), 7)]) == 7


def test_a_day_that_was_corrected_counts_as_it_is_now() -> None:
    yesterday = MONDAY - timedelta(days=1)
    assert usual_rows(MONDAY, [DayRows(yesterday, 7), DayRows(yesterday, 9)]) == 9


ROW_COUNTS = {
    "half of the rows is allowed": ("{drop_max: 50%}", 50, "passed"),
    "less than half is not": ("{drop_max: 50%}", 49, "blocked"),
    "it may only warn": ("{drop_max: 50%, on_fail: warn}", 49, "warned"),
    "no rows": ("{drop_max: 99%}", 0, "blocked"),
    "growth has a bound of its own": ("{drop_max: 50%}", 10_000, "passed"),
    "three times as many is allowed": ("{grow_max: 200%}", 300, "passed"),
    "more than that is not": ("{grow_max: 200%}", 301, "blocked"),
    "the fewest": ("{min: 100}", 100, "passed"),
    "fewer than the fewest": ("{min: 100}", 99, "blocked"),
}


@pytest.mark.parametrize(("section", "rows", "outcome"), ROW_COUNTS.values(), ids=ROW_COUNTS)
def test_a_day_is_judged_by_the_usual_number_of_rows(section: str, rows: int, outcome: str) -> None:
    result = judge_row_count(row_count(section), DayRows(MONDAY, rows), days_before(MONDAY, [90, 100, 110]))
    assert (result.outcome, result.rows, bool(result.reason)) == (outcome, rows, outcome != "passed")


def test_there_is_a_case_for_each_bound() -> None:
    assert len(ROW_COUNTS) == 9


def test_the_first_day_is_judged_by_the_fewest_rows_alone() -> None:
    assert judge_row_count(row_count("{drop_max: 1%}"), DayRows(MONDAY, 1), []).outcome == "passed"
    assert judge_row_count(row_count("{min: 2}"), DayRows(MONDAY, 1), []).outcome == "blocked"


def test_the_sentence_has_the_day_the_numbers_and_the_bound() -> None:
    result = judge_row_count(row_count("{drop_max: 50%, min: 10}"), DayRows(MONDAY, 400), days_before(MONDAY, [1600]))
    assert result.reason == "2024-03-04 has 400 rows: 75% fewer than the usual 1,600."
    assert result.expectation == "a day must have at least 10 rows, at most 50% fewer than usual"


def files(day: date, *etags: str, written: datetime = DUE) -> DayFiles:
    return DayFiles(day, written, frozenset((etag, 10) for etag in etags))


def test_the_files_of_an_earlier_day_are_not_new() -> None:
    earlier = [files(MONDAY - timedelta(days=number), f"e{number}") for number in (1, 2, 3)]
    result = judge_freshness(freshness(), files(MONDAY, "e2"), earlier, due=DUE)
    assert result.outcome == "blocked"
    assert result.reason == (
        "2024-03-04 has exactly the files of 2024-03-02: the data was delivered again, or copied."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("section", "newest", "earlier"),
    [
        pytest.param("{}", ["e1", "e2"], ["e1"], id="one file more"),
        pytest.param("{}", [], [], id="no files on both days"),
        pytest.param("{same_as_earlier: allow, max_age_hours: 24}", ["e1"], ["e1"], id="allowed"),
    ],
)
def test_other_files_are_new(section: str, newest: list[str], earlier: list[str]) -> None:
    before = [files(MONDAY - timedelta(days=1), *earlier)]
    assert judge_freshness(freshness(section), files(MONDAY, *newest), before, due=DUE).outcome == "passed"


@pytest.mark.parametrize(
    ("hours", "outcome"),
    [
        pytest.param(-5, "passed", id="written after the run was due"),
        pytest.param(24, "passed", id="as old as allowed"),
        pytest.param(24.5, "warned", id="older"),
    ],
)
def test_the_age_is_counted_from_when_the_run_was_due(hours: float, outcome: str) -> None:
    newest = files(MONDAY, "e1", written=DUE - timedelta(hours=hours))
    result = judge_freshness(freshness("{max_age_hours: 24, on_fail: warn}"), newest, [], due=DUE)
    assert result.outcome == outcome


def test_the_sentence_about_old_files_says_when_they_were_written() -> None:
    newest = files(MONDAY, "e1", written=DUE - timedelta(hours=50))
    result = judge_freshness(freshness("{max_age_hours: 24}"), newest, [], due=DUE)
    assert result.reason == (
        "The last file of 2024-03-04 was written at 2024-03-03 02:00 UTC, 50 hours before the run was due."
    )
    assert result.expectation == (
        "the newest day's files must be written at most 24 hours before the run was due and other than every "
        "earlier day"
    )
