"""Columns of decimals, which CHANGE_DATA_TYPE makes, in functions that polars does not have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from recipe_runner.checking import typed_steps
from recipe_runner.files.outputs import printable
from recipe_runner.plan import build_plan
from recipe_runner.tables.table import Table
from tests.fixtures.recipe_steps import step

VALUES = [Decimal("7.50"), Decimal("-7.50"), Decimal("4.00"), Decimal("-3.00"), None]


def column_t(values: list[Any], operation: str, **parameters: Any) -> list[Any]:
    table = Table.of(pl.LazyFrame({"a": values}, schema={"a": pl.Decimal(20, 2)}))
    steps = typed_steps([step(operation, targetColumn="t", **parameters)])
    result = build_plan(steps, table)
    frame = result.lazy().collect()
    assert dict(frame.schema) == dict(result.schema)
    return frame["t"].to_list()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", [1.5, -1.5, 0.0, -1.0, None]), ("-2", [1.5, -1.5, 0.0, -1.0, None]), ("0", [None] * 5)],
)
def test_mod_is_exact_and_has_the_sign_of_the_dividend(value: str, expected: list[float | None]) -> None:
    assert column_t(VALUES, "MOD", sourceColumn1="a", value2=value) == expected


def test_mod_of_equal_decimals_is_zero() -> None:
    assert column_t([Decimal("0.30")], "MOD", sourceColumn1="a", sourceColumn2="a") == [0.0]


@pytest.mark.parametrize("key", ["4", "4.0", "4.00"])
def test_a_map_finds_decimals_however_many_places_they_have(key: str) -> None:
    found = column_t(VALUES, "CATEGORICAL_MAPPING", sourceColumn="a", categoryMap=f'{{"{key}":"x","7.5":"y"}}')
    assert found == ["y", None, "x", None, None]


def test_a_decimal_with_a_fraction_is_neither_even_nor_odd() -> None:
    assert column_t(VALUES, "IS_EVEN", sourceColumn="a") == ["False", "False", "True", "False", None]
    assert column_t(VALUES, "IS_ODD", sourceColumn="a") == ["False", "False", "False", "True", None]


SHOWN = [890.822, 483.863, -384.919, 100000000000.0, None]


def shown(operation: str, conditions: list[dict[str, str]] | None = None, **parameters: Any) -> list[dict[str, Any]]:
    """Return rows as JSON shows them, for doubles converted to decimals before the step."""
    table = Table.of(pl.LazyFrame({"a": SHOWN}, schema={"a": pl.Float64}))
    steps = typed_steps(
        [
            step("CHANGE_DATA_TYPE", sourceColumn="a", columnDataType="decimal"),
            step(operation, conditions, **parameters),
        ]
    )
    return printable(build_plan(steps, table), "JSON").collect().to_dicts()


def test_a_decimal_shows_what_the_double_showed() -> None:
    assert [row["a"] for row in shown("ABSOLUTE", sourceColumn="a", targetColumn="t")] == SHOWN
    for kind in ("double", "decimal"):
        assert [row["a"] for row in shown("CHANGE_DATA_TYPE", sourceColumn="a", columnDataType=kind)] == SHOWN


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("ADD", {"sourceColumn1": "a", "value2": "2.5"}, [893.322, 486.363, -382.419, 100000000002.5, None]),
        ("DIVIDE", {"sourceColumn1": "a", "value2": "2.5"}, [356.3288, 483.863 / 2.5, -384.919 / 2.5, 4e10, None]),
        ("BINARIZATION", {"sourceColumn": "a", "threshold": "890.822"}, [0, 0, 0, 1, None]),
        (
            "BOOLEAN_OPERATION",
            {"valueExpression": "`a` = 890.822", "trueValueExpression": "1", "falseValueExpression": "0"},
            [1, 0, 0, 0, 0],
        ),
        (
            "CASE_OPERATION",
            {"valueExpression": "case when `a` > 0 then `a` else 1.5 end"},
            [*SHOWN[:2], 1.5, 1e11, 1.5],
        ),
    ],
)
def test_a_result_on_decimals_equals_that_on_doubles(
    operation: str, parameters: dict[str, str], expected: list[Any]
) -> None:
    assert [row["t"] for row in shown(operation, targetColumn="t", **parameters)] == expected


@pytest.mark.parametrize(
    ("condition", "value", "met"),
    [("IS", '["890.822"]', [0]), ("GREATER_THAN", "890.822", [3]), ("LESS_THAN_EQUAL", "890.822", [0, 1, 2])],
)
def test_a_condition_finds_the_value_that_is_shown(condition: str, value: str, met: list[int]) -> None:
    rows = shown(
        "PI",
        [{"Condition": condition, "Value": value, "TargetColumn": "a"}],
        targetColumn="t",
    )
    assert [index for index, row in enumerate(rows) if row["t"] is not None] == met


def test_filling_one_value_leaves_the_others_as_they_are() -> None:
    for operation in ("FILL_WITH_AVERAGE", "FILL_WITH_MEDIAN", "FILL_WITH_SUM"):
        assert [row["a"] for row in shown(operation, sourceColumn="a")][:-1] == SHOWN[:-1]
    filled = [row["a"] for row in shown("FILL_WITH_CUSTOM", sourceColumn="a", value="0.1", columnDataType="number")]
    assert filled == [*SHOWN[:-1], 0.1]


def test_a_decimal_converted_to_a_whole_number_loses_its_fraction() -> None:
    assert [row["a"] for row in shown("CHANGE_DATA_TYPE", sourceColumn="a", columnDataType="long")] == [
        890,
        483,
        -384,
        100000000000,
        None,
    ]
