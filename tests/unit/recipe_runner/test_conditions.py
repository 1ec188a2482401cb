"""The 15 conditions over numbers, texts and dates; which rows REMOVE_VALUES takes away."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from recipe_runner.checking import typed_steps
from recipe_runner.errors import RecipeError
from recipe_runner.language.conditions import CONDITIONS
from recipe_runner.plan import build_plan
from recipe_runner.tables.table import Table
from tests.fixtures.recipe_steps import step

NUMBERS = [1, 5, 10, None]
TEXTS = ["apple", "[TEST]x", "pear", "", None]
FLOATS = [1.0, 2.5, float("nan"), None]
ROWS: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("IS", '["1","10"]', NUMBERS, [5, None]),
    ("IS", "5", NUMBERS, [1, 10, None]),
    ("IS", ["apple"], TEXTS, ["[TEST]x", "pear", "", None]),
    ("IS", '["1"]', [1.0, 2.5], [2.5]),
    ("IS", '["true"]', [True, False, None], [False, None]),
    ("IS_NOT", '["1"]', NUMBERS, [1, None]),
    ("IS_NOT", '["apple"]', TEXTS, ["apple", None]),
    ("IS_BETWEEN", '["1","5"]', NUMBERS, [10, None]),
    ("IS_BETWEEN", "1,5", NUMBERS, [10, None]),
    ("IS_BETWEEN", '{"GREATER_THAN_EQUAL":"5","LESS_THAN_EQUAL":"10"}', NUMBERS, [1, None]),
    ("CONTAINS", "pp", TEXTS, ["[TEST]x", "pear", "", None]),
    ("CONTAINS", ".", ["a.b", "ab"], ["ab"]),
    ("NOT_CONTAINS", "pp", TEXTS, ["apple", None]),
    ("STARTS_WITH", "[TEST]", TEXTS, ["apple", "pear", "", None]),
    ("NOT_STARTS_WITH", "[TEST]", TEXTS, ["[TEST]x", None]),
    ("ENDS_WITH", "r", TEXTS, ["apple", "[TEST]x", "", None]),
    ("NOT_ENDS_WITH", "r", TEXTS, ["pear", None]),
    ("LESS_THAN", "5", NUMBERS, [5, 10, None]),
    ("LESS_THAN_EQUAL", "5", NUMBERS, [10, None]),
    ("GREATER_THAN", '["5"]', NUMBERS, [1, 5, None]),
    ("GREATER_THAN", "true", ["a", "z"], ["a"]),
    ("LESS_THAN", "null", ["a", "z"], ["z"]),
    ("GREATER_THAN_EQUAL", "5", NUMBERS, [1, None]),
    ("LESS_THAN", "9", ["10", "2", "x"], ["10", "x"]),
    ("IS_INVALID", None, FLOATS, [1.0, 2.5, None]),
    ("IS_MISSING", None, NUMBERS, [1, 5, 10]),
    ("IS_MISSING", None, TEXTS, ["apple", "[TEST]x", "pear"]),
]  # fmt: skip


def remaining(condition: str, value: Any, values: list[Any]) -> list[Any]:
    entry = {"Condition": condition, "TargetColumn": "a"} | ({} if value is None else {"Value": value})
    table = Table.of(pl.LazyFrame({"a": values}, strict=False))
    return (
        build_plan(typed_steps([step("REMOVE_VALUES", [entry], sourceColumn="a")]), table)
        .lazy()
        .collect()["a"]
        .to_list()
    )


@pytest.mark.parametrize(("condition", "value", "values", "kept"), ROWS)
def test_a_condition_removes_the_rows_that_meet_it(
    condition: str, value: Any, values: list[Any], kept: list[Any]
) -> None:
    assert remaining(condition, value, values) == kept


def test_every_condition_is_tested() -> None:
    assert {row[0] for row in ROWS} == set(CONDITIONS)
    assert len(CONDITIONS) == 15


def test_dates_are_compared_as_dates() -> None:
    dates = pl.LazyFrame({"a": ["2021-01-01", "2021-06-01"]}).with_columns(pl.col("a").str.to_date())
    steps = typed_steps(
        [
            step(
                "REMOVE_VALUES",
                [{"Condition": "LESS_THAN", "Value": "03/01/2021", "TargetColumn": "a"}],
                sourceColumn="a",
            )
        ]
    )
    assert len(build_plan(steps, Table.of(dates)).lazy().collect()) == 1


def test_all_conditions_must_hold_and_may_look_at_other_columns() -> None:
    table = Table.of(pl.LazyFrame({"a": [1, 2, 3], "b": ["x", "x", "y"]}))
    conditions = [
        {"Condition": "GREATER_THAN", "Value": "1", "TargetColumn": "a"},
        {"Condition": "IS", "Value": '["x"]', "TargetColumn": "b"},
    ]
    assert build_plan(typed_steps([step("REMOVE_VALUES", conditions, sourceColumn="a")]), table).lazy().collect()[
        "a"
    ].to_list() == [1, 3]


def test_a_new_column_is_null_and_a_changed_one_keeps_its_value_where_the_condition_fails() -> None:
    table = Table.of(pl.LazyFrame({"a": ["x", "y"], "b": [1, 2]}))
    only_one = [{"Condition": "IS", "Value": '["1"]', "TargetColumn": "b"}]
    steps = typed_steps(
        [step("UPPER_CASE", only_one, sourceColumn="a"), step("LEN", only_one, sourceColumn="a", targetColumn="n")]
    )
    frame = build_plan(steps, table).lazy().collect()
    assert frame["a"].to_list() == ["X", "y"]
    assert frame["n"].to_list() == [1, None]


@pytest.mark.parametrize("name", ["LESS_THAN", "GREATER_THAN_EQUAL", "IS_BETWEEN"])
def test_a_nested_value_has_no_order(name: str) -> None:
    table = Table.of(pl.LazyFrame({"a": [[1], [2]], "b": ["p", "q"]}))
    condition = [{"Condition": name, "Value": '["1","2"]' if name == "IS_BETWEEN" else "1", "TargetColumn": "a"}]
    steps = typed_steps([step("UPPER_CASE", condition, sourceColumn="b")])
    with pytest.raises(RecipeError, match="the column holds array, which cannot be ordered") as problem:
        build_plan(steps, table)
    assert (problem.value.detail.step, problem.value.detail.column) == (1, "a")


@pytest.mark.parametrize("as_text", [False, True], ids=["as a list", "as JSON text"])
def test_conditions_among_the_parameters_of_unnest_struct_n_count_as_the_steps_own(as_text: bool) -> None:
    table = Table.of(pl.LazyFrame({"a": [{"x": 1}, {"x": 2}], "b": ["p", "q"]}))
    only_p: Any = [{"Condition": "IS", "Value": '["p"]', "TargetColumn": "b"}]
    given = json.dumps(only_p) if as_text else only_p
    steps = typed_steps([step("UNNEST_STRUCT_N", sourceColumns='["a"]', conditionExpressions=given)])
    assert build_plan(steps, table).lazy().collect()["a.x"].to_list() == [1, None]


def test_a_struct_made_in_place_leaves_null_where_the_condition_fails() -> None:
    table = Table.of(pl.LazyFrame({"a": ['{"x":1}', '{"x":2}'], "b": ["p", "q"]}))
    only_p = [{"Condition": "IS", "Value": '["p"]', "TargetColumn": "b"}]
    steps = typed_steps([step("JSON_TO_STRUCTS", only_p, sourceColumns='["a"]', removeSourceColumn="true")])
    assert build_plan(steps, table).lazy().collect()["a"].to_list() == [{"x": 1}, None]


def test_a_malformed_condition_among_the_parameters_is_an_error() -> None:
    with pytest.raises(RecipeError, match="A condition needs Condition and TargetColumn"):
        typed_steps([step("UNNEST_STRUCT_N", sourceColumns='["a"]', conditionExpressions='[{"Condition":"IS"}]')])


def test_a_value_of_the_wrong_type_is_an_error() -> None:
    with pytest.raises(
        RecipeError,
        match=r"step 1 \(REMOVE_VALUES\), column 'a': the condition's value 'x' is not a number",
    ):
        remaining("LESS_THAN", "x", NUMBERS)


MOMENT = datetime(2020, 1, 2, 3, 4, 5)
KEPT: list[tuple[str, dict[str, str], Any, Any]] = [
    ("UPPER_CASE", {}, MOMENT, "2020-01-02 03:04:05"),
    ("UPPER_CASE", {}, MOMENT.date(), "2020-01-02"),
    ("UPPER_CASE", {}, [1, 2], "[1,2]"),
    ("UPPER_CASE", {}, {"x": 2}, '{"x":2}'),
    ("UPPER_CASE", {}, 1.5, "1.5"),
    ("CHANGE_DATA_TYPE", {"columnDataType": "double"}, MOMENT, "2020-01-02 03:04:05"),
    ("CHANGE_DATA_TYPE", {"columnDataType": "date"}, 5, "5"),
    ("CHANGE_DATA_TYPE", {"columnDataType": "double"}, 5, 5.0),
    ("CHANGE_DATA_TYPE", {"columnDataType": "timestamp"}, MOMENT.date(), datetime(2020, 1, 2)),
]


@pytest.mark.parametrize(("operation", "parameters", "value", "kept"), KEPT)
def test_a_value_that_does_not_meet_the_condition_stays_when_the_type_changes(
    operation: str, parameters: dict[str, str], value: Any, kept: Any
) -> None:
    table = Table.of(pl.LazyFrame({"a": [value, value], "b": [1, None]}))
    condition = {"Condition": "IS_MISSING", "TargetColumn": "b"}
    result = build_plan(typed_steps([step(operation, [condition], sourceColumn="a", **parameters)]), table)
    assert result.lazy().collect()["a"].to_list()[0] == kept
    assert dict(result.lazy().collect_schema()) == dict(result.schema)


def test_values_are_shuffled_among_the_rows_that_meet_the_condition() -> None:
    table = Table.of(pl.LazyFrame({"a": list(range(40)), "b": [1, 2] * 20}))
    condition = {"Condition": "IS", "Value": '["1"]', "TargetColumn": "b"}
    shuffled = build_plan(typed_steps([step("SHUFFLE_ROWS", [condition], sourceColumns='["a"]')]), table)
    values = shuffled.lazy().collect()["a"].to_list()
    assert values[1::2] == list(range(1, 40, 2))
    assert values[::2] != list(range(0, 40, 2))
    assert sorted(values[::2]) == list(range(0, 40, 2))
