"""Validation reports: what does not say that it passed has not passed."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.quality.report import RuleResult, read_report, report_keys
from tests.fixtures.quality import rules_of, validation_report

PASSED = {"name": "age between", "failedCount": 0, "status": "SUCCEEDED"}
BETWEEN = "{between: {age: [17, 98]}}"


def outcomes(results: tuple[RuleResult, ...]) -> list[tuple[str | None, str, int | None]]:
    return [(result.column, result.outcome, result.failing_rows) for result in results]


def test_the_rows_that_fail_are_those_of_the_report() -> None:
    failed = {"name": "age between", "failedCount": 762, "status": "FAILED"}
    report = read_report(rules_of(BETWEEN), validation_report(failed, rows=20_000))
    (result,) = report.results
    assert (result.column, result.outcome, result.failing_rows, result.failing_share) == ("age", "blocked", 762, 0.0381)
    assert (result.expectation, result.reason) == ("age must be between 17 and 98", "The rule does not hold.")
    assert (report.outcome, report.rows, report.blocked, report.warned) == ("blocked", 20_000, (result,), ())


def test_a_rule_that_only_warns_does_not_block() -> None:
    rules = rules_of("{between: {age: [17, 98]}, on_fail: warn}")
    report = read_report(rules, validation_report({**PASSED, "failedCount": 1, "status": "FAILED"}))
    assert (report.outcome, len(report.warned), report.blocked) == ("warned", 1, ())


def test_rows_that_the_threshold_allows_are_counted_and_pass() -> None:
    report = read_report(rules_of(BETWEEN), validation_report({**PASSED, "failedCount": 7}))
    assert (report.outcome, outcomes(report.results)) == ("passed", [("age", "passed", 7)])


def test_missing_and_repeated_values_are_counted_by_the_profile() -> None:
    rules = rules_of("{not_null: age}", "{unique: id}")
    report = validation_report(
        {"name": "age not_null", "columnResults": [{"name": "age", "status": "FAILED"}], "status": "FAILED"},
        {"name": "id unique", "columnResults": [{"name": "id", "status": "FAILED"}], "status": "FAILED"},
    )
    profile = {
        "sampleSize": 1000,
        "columns": [
            {"name": "age", "missingValuesCount": 160, "distinctValuesCount": 60},
            {"name": "id", "missingValuesCount": 10, "distinctValuesCount": 900},
        ],
    }
    assert outcomes(read_report(rules, report, profile).results) == [("age", "blocked", 160), ("id", "blocked", 90)]
    assert outcomes(read_report(rules, report).results) == [("age", "blocked", None), ("id", "blocked", None)]


def test_a_rule_on_several_columns_has_a_result_for_each() -> None:
    rules = rules_of("{check: AGG(MEAN) > 3, columns: [a, b], columns_matching: 'c.*', name: mean}")
    columns = [{"name": "a", "status": "SUCCEEDED"}, {"name": "b", "status": "FAILED"},
               {"name": "c1", "status": "ERROR", "errorMessage": "no such statistic"}]  # fmt: skip
    report = read_report(rules, validation_report({"name": "mean", "columnResults": columns, "status": "ERROR"}))
    assert outcomes(report.results) == [("a", "passed", None), ("b", "blocked", None), ("c1", "blocked", None)]
    assert report.results[2].reason == "DataBrew could not check the rule (status ERROR): no such statistic"


NOT_GREEN: dict[str, tuple[str, Any]] = {
    "no report": (BETWEEN, None),
    "not JSON's object": (BETWEEN, ["x"]),
    "an empty report": (BETWEEN, {}),
    "no results": (BETWEEN, validation_report()),
    "another rule's result": (BETWEEN, validation_report({**PASSED, "name": "plan in"})),
    "an unknown status": (BETWEEN, validation_report({**PASSED, "status": "SKIPPED"})),
    "no status": (BETWEEN, validation_report({"name": "age between"})),
    "an error": (BETWEEN, validation_report({**PASSED, "status": "ERROR"})),
    "no rows": (BETWEEN, validation_report(PASSED, rows=0)),
    "no number of rows": (BETWEEN, {**validation_report(PASSED), "sampleSize": None}),
    "results of another kind": (BETWEEN, {"sampleSize": 1, "rulesetResults": {"ruleResults": [PASSED]}}),
    "no result for the column": ("{not_null: age}", validation_report({"name": "age not_null", "status": "SUCCEEDED"})),
    "a result for another column": (
        "{not_null: age}",
        validation_report(
            {"name": "age not_null", "columnResults": [{"name": "b", "status": "SUCCEEDED"}], "status": "SUCCEEDED"}
        ),
    ),
    "a rule that fails though its columns pass": (
        "{not_null: age}",
        validation_report(
            {"name": "age not_null", "columnResults": [{"name": "age", "status": "SUCCEEDED"}], "status": "FAILED"}
        ),
    ),
    "no column that matches": (
        "{check: AGG(MEAN) > 3, columns_matching: 'c.*', name: mean}",
        validation_report({"name": "mean", "status": "SUCCEEDED"}),
    ),
}


@pytest.mark.parametrize(("rule", "report"), NOT_GREEN.values(), ids=NOT_GREEN)
def test_what_the_report_does_not_say_passed_has_not(rule: str, report: Any) -> None:
    assert read_report(rules_of(rule), report).outcome == "blocked"


def test_there_is_a_case_for_each_gap_in_a_report() -> None:
    assert len(NOT_GREEN) == 15


def test_a_profile_without_rules_passes_if_it_has_rows() -> None:
    assert read_report((), None, {"sampleSize": 10, "columns": []}).outcome == "passed"
    assert read_report((), None, {"sampleSize": 0, "columns": []}).problems == ("The data has no rows.",)


def test_the_document_is_what_people_and_later_runs_read() -> None:
    document = read_report(rules_of(BETWEEN), validation_report(PASSED)).document()
    assert document == {
        "outcome": "passed",
        "rows": 1000,
        "problems": [],
        "results": [
            {
                "rule": "age between",
                "column": "age",
                "outcome": "passed",
                "expectation": "age must be between 17 and 98",
                "reason": "",
                "failing_rows": 0,
                "failing_share": 0.0,
            }
        ],
    }


@pytest.mark.parametrize(
    ("prefix", "stem"), [("", ""), ("q", "q/"), ("a/q/", "a/q/")], ids=["none", "without a slash", "with a slash"]
)
def test_the_objects_are_named_as_in_the_guides_example(prefix: str, stem: str) -> None:
    keys = report_keys(prefix, "MyDataset", "db_f079")
    assert keys.profile == f"{stem}MyDataset_f079.json"
    assert keys.validation == f"{stem}MyDataset_f079_dq-validation-report.json"
