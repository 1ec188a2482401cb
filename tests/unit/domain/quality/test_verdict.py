"""What follows from reports: the worst counts, an acceptance is about rules, no value is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from brewtrain.domain.names import RunIdentity
from brewtrain.domain.quality.report import Outcome, QualityReport, RuleResult
from brewtrain.domain.quality.verdict import (
    MARKED_SUCCESS,
    Acceptance,
    Verdict,
    document,
    line_of,
    merged,
    summary,
    summary_line,
)
from brewtrain.domain.run.days import Window

ACCEPTED = Acceptance("a known fault", "nina")
IDENTITY = RunIdentity("churn", datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), "0")
NOW = datetime(2026, 12, 1, 1, tzinfo=UTC)


def result(outcome: Outcome, *, column: str | None = "age", failing: int | None = 3, rows: int = 1000) -> RuleResult:
    reason = "" if outcome == "passed" else "The rule does not hold."
    return RuleResult("range", column, outcome, "age must be between 17 and 98", reason, rows, failing)


def report(*outcomes: Outcome, problems: tuple[str, ...] = ()) -> QualityReport:
    return QualityReport(1000, tuple(result(outcome) for outcome in outcomes), problems)


PROBLEM = ("The data has no rows.",)
DECISIONS: dict[str, tuple[Verdict, str]] = {
    "all-hold": (Verdict(report("passed")), "passed"),
    "no-rules": (Verdict(report()), "passed"),
    "a-warning": (Verdict(report("passed", "warned")), "warned"),
    "a-rule-that-blocks": (Verdict(report("warned", "blocked")), "blocked"),
    "accepted": (Verdict(report("warned", "blocked"), ACCEPTED), "accepted"),
    "accepted-for-nothing": (Verdict(report("warned"), ACCEPTED), "warned"),
    "nothing-is-known": (Verdict(report(problems=PROBLEM)), "blocked"),
    "nothing-is-known-and-accepted": (Verdict(report("blocked", problems=PROBLEM), ACCEPTED), "blocked"),
}


@pytest.mark.parametrize(("verdict", "decision"), DECISIONS.values(), ids=DECISIONS)
def test_what_follows_from_a_report(verdict: Verdict, decision: str) -> None:
    assert verdict.decision == decision
    assert verdict.stops == (decision == "blocked")


def test_so_many_cases_are_decided() -> None:
    assert len(DECISIONS) == 8


def test_the_summary_has_names_and_the_acceptance_only_where_it_was_needed() -> None:
    bad = Verdict(report("blocked", "warned"), ACCEPTED)
    found = summary({"input": Verdict(report("passed"), ACCEPTED), "data": bad})
    assert found == {
        "outcome": "accepted",
        "passed": 1,
        "warned": ["range · age"],
        "blocked": ["range · age"],
        "accepted": {"reason": "a known fault", "user": "nina"},
    }
    assert summary({"data": Verdict(report("passed"), ACCEPTED)})["accepted"] is None
    assert summary_line(found) == (
        "quality accepted: 1 rules hold; warnings: range · age; failed: range · age; accepted by nina: a known fault"
    )


def test_of_several_tasks_the_worst_counts() -> None:
    passed = summary({"input": Verdict(report("passed"))})
    warned = summary({"data": Verdict(report("warned", "passed"))})
    both = merged([passed, warned])
    assert both is not None
    assert (both["outcome"], both["passed"], both["warned"]) == ("warned", 2, ["range · age"])
    by_hand = merged([passed, MARKED_SUCCESS])
    assert by_hand is not None
    assert by_hand["outcome"] == "marked success by hand"
    assert merged([]) is None


def written(verdicts: dict[str, Verdict], earlier: object = None, dag_run_id: str = "scheduled__1") -> dict[str, Any]:
    return document(IDENTITY, dag_run_id, verdicts, judged_at=NOW, days=Window(NOW.date(), NOW.date()), earlier=earlier)


def test_the_document_keeps_what_the_same_dag_run_has_written() -> None:
    before = written({"input": Verdict(report("warned"))})
    after = written({"data": Verdict(report("passed"))}, before)
    assert (after["outcome"], after["passed"], after["warned"]) == ("warned", 1, ["range · age"])
    assert after["input"] == before["input"]
    again = written({"data": Verdict(report("blocked"))}, after)
    assert (again["outcome"], again["data"]["outcome"]) == ("blocked", "blocked")


@pytest.mark.parametrize("earlier", [None, [], {}, {"dag_run_id": "manual__2", "input": {"outcome": "blocked"}}])
def test_the_document_keeps_nothing_else(earlier: object) -> None:
    found = written({"data": Verdict(report("passed"))}, earlier)
    assert found["outcome"] == "passed"
    assert "input" not in found


LINES = {
    "passed": (result("passed"), "ok      range · age"),
    "blocked": (
        result("blocked"),
        "FAILED  range · age (column age): The rule does not hold. 3 of 1,000 rows fail (0.3%). "
        "Demanded: age must be between 17 and 98.",
    ),
    "hardly-any": (
        result("warned", failing=1, rows=2_000_000),
        "warning range · age (column age): The rule does not hold. 1 of 2,000,000 rows fail (less than 0.1%). "
        "Demanded: age must be between 17 and 98.",
    ),
    "a-statistic": (
        result("blocked", column=None, failing=None),
        "FAILED  range: The rule does not hold. Demanded: age must be between 17 and 98.",
    ),
}


@pytest.mark.parametrize(("one", "line"), LINES.values(), ids=LINES)
def test_a_result_is_one_line(one: RuleResult, line: str) -> None:
    assert line_of(one) == line
