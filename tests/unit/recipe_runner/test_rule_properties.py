"""Rules over random tables: the engine's results are those of a plain reading in Python."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from brewtrain.domain.quality.rules import ColumnRule, ruleset
from recipe_runner.api import DatasetFiles, run_profile
from tests.fixtures.quality import rule_of

PROPERTY = settings(
    max_examples=100,
    deadline=None,
    print_blob=True,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
STARTED = datetime(2024, 5, 1, tzinfo=UTC)
WORDS = ["a", "ab", "b", "ba", "Ä€", "a b", "a.b", "x'y", "0 - 20K €"]
Value = int | float | str | None

integers = st.one_of(st.none(), st.integers(-20, 20))
numbers = st.one_of(st.none(), st.integers(-40, 40).map(lambda quarter: quarter / 4))
texts = st.one_of(st.none(), st.sampled_from([*WORDS, ""]))
COLUMNS = {"whole": integers, "half": numbers, "text": texts}
tables = st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=25)
Rows = Sequence[dict[str, Value]]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
TEXT_CONDITIONS: dict[str, Callable[[str, str], bool]] = {
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": lambda value, part: part in value,
}
THRESHOLDS = {
    "GREATER_THAN_OR_EQUAL": COMPARISONS[">="],
    "LESS_THAN_OR_EQUAL": COMPARISONS["<="],
    "GREATER_THAN": COMPARISONS[">"],
    "LESS_THAN": COMPARISONS["<"],
}


class Condition:
    """One check of a row: what DataBrew is told, and what it means."""

    def __init__(self, text: str, values: dict[str, str], holds: Callable[[dict[str, Value]], bool]) -> None:
        self.text, self.values, self.holds = text, values, holds


@st.composite
def conditions(draw: st.DrawFn, number: int) -> Condition:
    column, low, high = f":c{number}", f":l{number}", f":h{number}"
    kind = draw(st.sampled_from(["compare", "between", "length", "in", "text", "column"]))
    negated = draw(st.booleans())
    word = "not " if negated else ""

    def known(name: str, test: Callable[[Any], bool]) -> Callable[[dict[str, Value]], bool]:
        # A missing value satisfies no check, nor its opposite. An empty text is a text.
        return lambda row: row[name] is not None and test(row[name]) != negated

    if kind == "compare":
        negated = False
        name, sign, bound = (
            draw(st.sampled_from(["whole", "half"])),
            draw(st.sampled_from([*COMPARISONS])),
            draw(st.integers(-20, 20)),
        )
        return Condition(
            f"{column} {sign} {low}",
            {column: f"`{name}`", low: str(bound)},
            known(name, lambda value: COMPARISONS[sign](value, bound)),
        )
    if kind == "column":
        negated = False
        sign = draw(st.sampled_from([*COMPARISONS]))
        return Condition(
            f"{column} {sign} {low}",
            {column: "`whole`", low: "`half`"},
            lambda row: (
                row["whole"] is not None and row["half"] is not None and COMPARISONS[sign](row["whole"], row["half"])
            ),
        )
    if kind in ("between", "length"):
        a, b = sorted(draw(st.tuples(st.integers(-20, 20), st.integers(-20, 20))))
        name = "text" if kind == "length" else draw(st.sampled_from(["whole", "half"]))
        left = f"length({column})" if kind == "length" else column
        return Condition(
            f"{left} {word}is_between {low} and {high}",
            {column: f"`{name}`", low: str(a), high: str(b)},
            known(name, lambda value: a <= (len(value) if kind == "length" else value) <= b),
        )
    if kind == "in":
        name = draw(st.sampled_from(["whole", "text"]))
        chosen = draw(st.lists(st.integers(-20, 20) if name == "whole" else st.sampled_from(WORDS), min_size=1))
        return Condition(
            f"{column} {word}IN {low}",
            {column: f"`{name}`", low: json.dumps([str(one) for one in chosen], ensure_ascii=False)},
            known(name, lambda value: value in chosen),
        )
    condition, part = draw(st.sampled_from([*TEXT_CONDITIONS])), draw(st.sampled_from(WORDS))
    return Condition(
        f"{column} {word}{condition} {low}", {column: "`text`", low: part},
        known("text", lambda value: TEXT_CONDITIONS[condition](value, part)),
    )  # fmt: skip


@st.composite
def row_rules(draw: st.DrawFn) -> tuple[dict[str, Any], Callable[[dict[str, Value]], bool]]:
    parts = [draw(conditions(number)) for number in range(draw(st.integers(1, 3)))]
    word = draw(st.sampled_from(["and", "or"]))
    combine = all if word == "and" else any
    rule: dict[str, Any] = {
        "Name": "r",
        "CheckExpression": f" {word} ".join(part.text for part in parts),
        "SubstitutionMap": {name: value for part in parts for name, value in part.values.items()},
    }
    if draw(st.booleans()):
        unit = draw(st.sampled_from(["COUNT", "PERCENTAGE"]))
        rule["Threshold"] = {
            "Type": draw(st.sampled_from([*THRESHOLDS])),
            "Unit": unit,
            "Value": draw(st.integers(0, 25 if unit == "COUNT" else 100)),
        }
    return rule, lambda row: combine(part.holds(row) for part in parts)


def evaluated(rows: Rows, rule: dict[str, Any], folder: Path) -> dict[str, Any]:
    frame = pl.DataFrame(rows, schema={"whole": pl.Int64, "half": pl.Float64, "text": pl.String})
    frame.write_parquet(folder / "table.parquet")
    report = run_profile(
        DatasetFiles([folder / "table.parquet"], "PARQUET"),
        job_name="j",
        started_at=STARTED,
        job_sample={"Mode": "FULL_DATASET"},
        configuration={"ProfileColumns": [{"Name": "whole"}]},
        rulesets=[{"Name": "rs", "Rules": [rule]}],
    )
    (result,) = report["rulesetResults"][0]["ruleResults"]
    return dict(result)


@PROPERTY
@given(rows=tables, drawn=row_rules())
def test_a_check_of_rows_fails_on_the_rows_that_it_says(
    rows: Rows, drawn: tuple[dict[str, Any], Callable[[dict[str, Value]], bool]], tmp_path: Path
) -> None:
    rule, holds = drawn
    result = evaluated(rows, rule, tmp_path)
    passing = sum(holds(row) for row in rows)
    assert result["failedCount"] == len(rows) - passing, rule
    threshold = rule.get("Threshold") or {"Type": "GREATER_THAN_OR_EQUAL", "Unit": "COUNT", "Value": len(rows)}
    observed = passing if threshold["Unit"] == "COUNT" else 100 * passing / len(rows)
    expected = THRESHOLDS[threshold["Type"]](observed, threshold["Value"])
    assert result["status"] == ("SUCCEEDED" if expected else "FAILED"), rule


def _present(rows: Rows, column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] not in (None, "")]


def _repeated(values: Sequence[Any]) -> int:
    return len(values) - len(set(values))


COUNTS: dict[str, Callable[[Rows, str], float]] = {
    "MISSING_VALUES": lambda rows, column: len(rows) - len(_present(rows, column)),
    "VALID_VALUES": lambda rows, column: len(_present(rows, column)),
    "DISTINCT_VALUES": lambda rows, column: len(set(_present(rows, column))),
    "DUPLICATE_VALUES": lambda rows, column: _repeated(_present(rows, column)),
    "UNIQUE_VALUES": lambda rows, column: [*Counter(_present(rows, column)).values()].count(1),
}
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "MIN": min,
    "MAX": max,
    "MEAN": statistics.fmean,
    "MEDIAN": statistics.median,
    "SUM": sum,
    "MEDIAN_ABSOLUTE_DEVIATION": lambda values: statistics.median(
        abs(value - statistics.median(values)) for value in values
    ),
}  # fmt: skip


@PROPERTY
@given(
    rows=tables,
    column=st.sampled_from(["whole", "half", "text"]),
    statistic=st.sampled_from([*COUNTS]),
    unit=st.sampled_from(["COUNT", "PERCENTAGE"]),
    sign=st.sampled_from([*COMPARISONS]),
    bound=st.integers(0, 25),
)
def test_a_statistic_of_counts_is_compared_as_it_says(
    rows: Rows, column: str, statistic: str, unit: str, sign: str, bound: int, tmp_path: Path
) -> None:
    value = COUNTS[statistic](rows, column)
    value = value if unit == "COUNT" else 100 * value / len(rows)
    rule = {
        "Name": "r",
        "CheckExpression": f"AGG({statistic}_{unit}) {sign} :v",
        "SubstitutionMap": {":v": str(bound)},
        "ColumnSelectors": [{"Regex": f"^{column}$"}],
    }
    result = evaluated(rows, rule, tmp_path)
    expected = "SUCCEEDED" if COMPARISONS[sign](value, bound) else "FAILED"
    assert result["columnResults"] == [{"name": column, "status": expected}]


@PROPERTY
@given(rows=tables, column=st.sampled_from(["whole", "half"]), statistic=st.sampled_from([*STATISTICS]),
       sign=st.sampled_from(["<", ">", "<=", ">="]), bound=st.integers(-20, 20))  # fmt: skip
def test_a_statistic_of_numbers_is_compared_as_it_says(
    rows: Rows, column: str, statistic: str, sign: str, bound: int, tmp_path: Path
) -> None:
    values = _present(rows, column)
    rule = {
        "Name": "r",
        "CheckExpression": f"AGG({statistic}) {sign} :v",
        "SubstitutionMap": {":v": str(bound)},
        "ColumnSelectors": [{"Name": column}],
    }
    status = evaluated(rows, rule, tmp_path)["status"]
    if not values:
        # A statistic of no values does not exist, so that no comparison holds; a sum is 0.
        assert statistic == "SUM" or status == "FAILED"
        return
    value = STATISTICS[statistic](values)
    if math.isclose(value, bound, rel_tol=1e-9) and value != bound:
        return
    assert status == ("SUCCEEDED" if COMPARISONS[sign](value, bound) else "FAILED")


@PROPERTY
@given(rows=tables, sign=st.sampled_from([*COMPARISONS]), bound=st.integers(0, 25))
def test_repeated_rows_are_counted(rows: Rows, sign: str, bound: int, tmp_path: Path) -> None:
    rule = {
        "Name": "r",
        "CheckExpression": f"AGG(DUPLICATE_ROWS_COUNT) {sign} :v",
        "SubstitutionMap": {":v": str(bound)},
    }
    value = _repeated([tuple(row.values()) for row in rows])
    assert evaluated(rows, rule, tmp_path)["status"] == ("SUCCEEDED" if COMPARISONS[sign](value, bound) else "FAILED")


whole_values = st.integers(-20, 20).map(str)
written_values = st.one_of(
    st.lists(st.one_of(st.sampled_from(["", *WORDS]), whole_values), min_size=1, max_size=30),
    st.lists(st.one_of(st.just(""), whole_values), min_size=1, max_size=30),
    st.lists(st.integers(-40, 40).map(lambda quarter: str(quarter / 4)), min_size=1, max_size=30),
)
SHORT_FORMS = [
    "{not_null: v}", "{unique: v}", "{in: {v: [3, a, 'a b', -1.5]}}", "{between: {v: [-3, 4.5]}}",
    "{at_least: {v: 2}}", "{at_most: {v: -2}}", "{matches: {v: '-?[0-9]+|a.*'}}",
]  # fmt: skip


@PROPERTY
@given(values=written_values, form=st.sampled_from(SHORT_FORMS))
@example(values=["3", "3.0"], form="{unique: v}")
@example(values=["3", "3.0"], form="{in: {v: [3]}}")
def test_the_card_shows_values_of_the_rows_that_databrew_counts(values: list[str], form: str, tmp_path: Path) -> None:
    rule = rule_of(form)
    assert isinstance(rule, ColumnRule)
    (tmp_path / "table.csv").write_text("v,w\n" + "".join(f"{value},1\n" for value in values), encoding="utf-8")
    report = run_profile(
        DatasetFiles([tmp_path / "table.csv"], "CSV"),
        job_name="j",
        started_at=STARTED,
        rulesets=[{"Name": "rs", "Rules": ruleset([rule])}],
    )
    (result,) = report["rulesetResults"][0]["ruleResults"]
    failing = list(rule.failing(values))
    assert result["status"] == ("FAILED" if failing else "SUCCEEDED")
    assert result.get("failedCount", len(failing)) == len(failing)
