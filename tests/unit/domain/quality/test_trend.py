"""The trend of each rule: a run stands in it once, in the order of the data."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from brewtrain.domain.quality.report import QualityReport, read_report
from brewtrain.domain.quality.trend import KEPT, with_results
from tests.fixtures.quality import rules_of, validation_report

DAY = date(2024, 3, 4)
RULES = rules_of("{between: {age: [17, 98]}}")
KEY = "age between · age"


def report(failing: int) -> QualityReport:
    result = {"name": "age between", "failedCount": failing, "status": "FAILED" if failing else "SUCCEEDED"}
    return read_report(RULES, validation_report(result))


def test_a_run_that_is_validated_again_replaces_its_result() -> None:
    first = with_results(None, report(5), run_id="r1", data_date=DAY)
    second = with_results(first, report(0), run_id="r1", data_date=DAY)
    assert first["rules"][KEY][0]["failing_rows"] == 5
    assert second["rules"][KEY] == [
        {"run": "r1", "data_date": "2024-03-04", "outcome": "passed", "rows": 1000, "failing_rows": 0}
    ]


def test_a_backfill_goes_to_the_place_of_its_data() -> None:
    trend: dict[str, Any] | None = None
    for run, days in (("b", 1), ("c", 2), ("a", 0)):
        trend = with_results(trend, report(0), run_id=run, data_date=DAY + timedelta(days=days))
    assert trend is not None
    assert [point["run"] for point in trend["rules"][KEY]] == ["a", "b", "c"]


def test_the_trend_does_not_grow_for_ever() -> None:
    trend: dict[str, Any] | None = None
    for number in range(KEPT + 5):
        trend = with_results(trend, report(0), run_id=f"r{number}", data_date=DAY + timedelta(days=number))
    assert trend is not None
    assert [point["run"] for point in trend["rules"][KEY]][::KEPT - 1] == ["r5", f"r{KEPT + 4}"]  # fmt: skip


def test_a_rule_that_is_gone_keeps_what_it_had() -> None:
    trend = with_results(None, report(0), run_id="r1", data_date=DAY)
    assert with_results(trend, QualityReport(10, ()), run_id="r2", data_date=DAY) == trend


@pytest.mark.parametrize("document", [None, [], {}, {"version": 2, "rules": {}}, {"version": 1, "rules": {"a": 1}}])
def test_what_cannot_be_read_begins_a_new_trend(document: object) -> None:
    assert list(with_results(document, report(0), run_id="r1", data_date=DAY)["rules"]) == [KEY]
