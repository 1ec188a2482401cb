"""Reads what a profile job with validation wrote: which rules hold, and on how many rows they fail.

The job's own status says nothing about the rules: it has SUCCEEDED although they failed. Whatever
the report does not say passed has not passed. Must not import Airflow or boto3.

Sources: AWS Glue DataBrew Developer Guide, "Validating data quality" (the statuses SUCCEEDED,
FAILED and ERROR, the object's name), "Building a profile job configuration" (members of the
profile). The members of the validation report are documented nowhere; they are those of two public
reports of the real service, version 1.0 (Customer_Dataset_123 and _124, of April 2022):
``sampleSize``, ``rulesetResults[].ruleResults[]`` with ``name``, ``status``, ``failedCount`` where
rows are checked, and ``columnResults[]`` where ColumnSelectors choose columns. Assumptions: an
element of ``columnResults`` has its own ``failedCount``, and ``errorMessage`` says why a status is
ERROR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from brewtrain.domain.quality.rules import CheckRule, ColumnRule, NotNull, OnFail, Rule, Unique

PASSED = "SUCCEEDED"
Outcome = Literal["passed", "warned", "blocked"]


@dataclass(frozen=True)
class RuleResult:
    """What became of a rule, or of a rule on one column where it is applied to several.

    :param rule: The rule's name.
    :param column: The column; ``None`` where the report does not name one.
    :param outcome: ``warned`` and ``blocked``: the rule does not hold, or could not be checked.
    :param expectation: What the rule demands, for people.
    :param reason: Why it did not pass, for people; empty if it passed.
    :param rows: Rows that were looked at.
    :param failing_rows: Rows that fail; ``None`` where neither report nor profile says it.
    """

    rule: str
    column: str | None
    outcome: Outcome
    expectation: str
    reason: str
    rows: int
    failing_rows: int | None

    @property
    def failing_share(self) -> float | None:
        """Share of the rows that fail, 0 to 1; ``None`` where it is not known."""
        return None if self.failing_rows is None or not self.rows else self.failing_rows / self.rows


@dataclass(frozen=True)
class QualityReport:
    """What became of all rules.

    :param rows: Rows that were looked at.
    :param results: In the order of the rules.
    :param problems: What is wrong with the report or the data as a whole; each blocks.
    """

    rows: int
    results: tuple[RuleResult, ...]
    problems: tuple[str, ...] = ()

    @property
    def blocked(self) -> tuple[RuleResult, ...]:
        """Results because of which no model may be trained."""
        return tuple(result for result in self.results if result.outcome == "blocked")

    @property
    def warned(self) -> tuple[RuleResult, ...]:
        """Results that a person should know about."""
        return tuple(result for result in self.results if result.outcome == "warned")

    @property
    def outcome(self) -> Outcome:
        """The worst of all."""
        if self.problems or self.blocked:
            return "blocked"
        return "warned" if self.warned else "passed"

    def document(self) -> dict[str, Any]:
        """Return the report as JSON values, for S3 and the run's result."""
        return {
            "outcome": self.outcome,
            "rows": self.rows,
            "problems": list(self.problems),
            "results": [
                {
                    "rule": result.rule,
                    "column": result.column,
                    "outcome": result.outcome,
                    "expectation": result.expectation,
                    "reason": result.reason,
                    "failing_rows": result.failing_rows,
                    "failing_share": result.failing_share,
                }
                for result in self.results
            ],
        }


@dataclass(frozen=True)
class ReportKeys:
    """Where a profile job writes, below its OutputLocation.

    :param profile: Key of the data profile.
    :param validation: Key of the validation report, written only if the job has a ruleset.
    """

    profile: str
    validation: str


def report_keys(prefix: str, dataset_name: str, run_id: str) -> ReportKeys:
    """Return the keys of a run's two documents, as the guide's example event names them.

    :param prefix: Key of the job's OutputLocation.
    :param dataset_name: Name of the DataBrew dataset.
    :param run_id: Id of the job run, such as ``db_f079…``.
    """
    folder = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    stem = f"{folder}{dataset_name}_{run_id.removeprefix('db_')}"
    return ReportKeys(profile=f"{stem}.json", validation=f"{stem}_dq-validation-report.json")


def read_report(rules: Sequence[Rule], report: object, profile: object = None) -> QualityReport:
    """Return what became of rules.

    :param rules: The rules that the job's ruleset was made of.
    :param report: The validation report, parsed; ``None`` if there is none.
    :param profile: The data profile, parsed: the share of missing or repeated values is only there.
    """
    document = _mapping(report)
    rows = _count(document.get("sampleSize"))
    if rows is None:
        rows = _count(_mapping(profile).get("sampleSize"))
    found = {str(result.get("name")): result for result in _rule_results(document)}
    profiled = _profiled_columns(profile)
    results = tuple(one for rule in rules for one in _results_of(rule, found.get(rule.name), rows or 0, profiled))
    return QualityReport(rows or 0, results, tuple(_problems(rules, report, rows)))


def _problems(rules: Sequence[Rule], report: object, rows: int | None) -> Iterator[str]:
    if rules and not isinstance(report, Mapping):
        yield "DataBrew wrote no validation report that can be read."
    elif rows is None:
        yield "The report does not say how many rows were looked at."
    if rows == 0:
        yield "The data has no rows."


def _rule_results(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for ruleset in _mappings(document.get("rulesetResults")):
        yield from _mappings(ruleset.get("ruleResults"))


def _results_of(
    rule: Rule, found: Mapping[str, Any] | None, rows: int, profiled: Mapping[str, Mapping[str, Any]]
) -> Iterator[RuleResult]:
    if found is None:
        yield _result(rule, _only_column(rule), rows, None, "The validation report does not have this rule.")
        return
    columns = {str(one.get("name")): one for one in _mappings(found.get("columnResults"))}
    if not columns and not rule.columns:
        reason = _reason(found)
        if not reason and isinstance(rule, CheckRule) and rule.matching is not None:
            reason = f"No column matches {rule.matching}."
        yield _result(rule, _only_column(rule), rows, _failing_rows(rule, found, profiled), reason)
        return
    parts = [
        _result(
            rule, name, rows, _failing_rows(rule, columns.get(name, {}), profiled, name), _part(found, columns, name)
        )
        for name in dict.fromkeys([*rule.columns, *columns])
    ]
    yield from parts
    if (reason := _reason(found)) and all(part.outcome == "passed" for part in parts):
        yield _result(rule, None, rows, None, reason)


def _part(found: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]], name: str) -> str:
    """Return why a rule has not passed on one column; empty if it has."""
    if name in columns:
        return _reason(columns[name])
    problem = found.get("errorMessage")
    return f"The validation report has no result for the column {name!r}." + (f" {problem}" if problem else "")


def _reason(found: Mapping[str, Any]) -> str:
    """Return why something has not passed; empty if it has."""
    status = found.get("status")
    if status == PASSED:
        return ""
    if status == "FAILED":
        return "The rule does not hold."
    problem = found.get("errorMessage")
    return f"DataBrew could not check the rule (status {status})" + (f": {problem}" if problem else ".")


def _result(rule: Rule, column: str | None, rows: int, failing: int | None, reason: str) -> RuleResult:
    return RuleResult(
        rule=rule.name,
        column=column,
        outcome=outcome_of(reason, rule.on_fail),
        expectation=rule.expectation,
        reason=reason,
        rows=rows,
        failing_rows=failing,
    )


def outcome_of(reason: str, on_fail: OnFail) -> Outcome:
    """Return what follows from a rule.

    :param reason: Why it has not passed; empty if it has.
    :param on_fail: What the pipeline file says.
    """
    if not reason:
        return "passed"
    return "blocked" if on_fail == "block" else "warned"


def _only_column(rule: Rule) -> str | None:
    return rule.column if isinstance(rule, ColumnRule) else None


def _failing_rows(
    rule: Rule, found: Mapping[str, Any], profiled: Mapping[str, Mapping[str, Any]], column: str = ""
) -> int | None:
    """Return how many rows fail: the report's number, or for a statistic the profile's."""
    counted = _count(found.get("failedCount"))
    if counted is not None:
        return counted
    facts = profiled.get(column, {})
    missing = _count(facts.get("missingValuesCount"))
    if isinstance(rule, NotNull):
        return missing
    distinct, rows = _count(facts.get("distinctValuesCount")), _count(facts.get("rows"))
    if not isinstance(rule, Unique) or missing is None or distinct is None or rows is None:
        return None
    return rows - missing - distinct


def _profiled_columns(profile: object) -> dict[str, Mapping[str, Any]]:
    """Return the profile's columns by name, each with the number of rows that it is about."""
    document = _mapping(profile)
    rows = document.get("sampleSize")
    return {str(column.get("name")): {**column, "rows": rows} for column in _mappings(document.get("columns"))}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
