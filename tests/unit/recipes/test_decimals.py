"""Columns of decimals, which CHANGE_DATA_TYPE makes, in the functions that polars has nothing for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from local_aws.recipes.checking import typed_steps
from local_aws.recipes.plan import build_plan
from local_aws.recipes.table import Table
from tests.unit.recipes.conftest import step

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


def test_mod_of_two_decimals() -> None:
    assert column_t([Decimal("0.30")], "MOD", sourceColumn1="a", sourceColumn2="a") == [0.0]


@pytest.mark.parametrize("key", ["4", "4.0", "4.00"])
def test_a_map_finds_decimals_however_many_places_they_have(key: str) -> None:
    found = column_t(VALUES, "CATEGORICAL_MAPPING", sourceColumn="a", categoryMap=f'{{"{key}":"x","7.5":"y"}}')
    assert found == ["y", None, "x", None, None]


def test_even_and_odd() -> None:
    assert column_t(VALUES, "IS_EVEN", sourceColumn="a") == ["False", "False", "True", "False", None]
    assert column_t(VALUES, "IS_ODD", sourceColumn="a") == ["False", "False", "False", "True", None]
