"""Operands that many actions share: a column or a constant, and the parameters that name them.

Knows no action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from recipe_runner.language.declaration import Step
from recipe_runner.language.parameters import Parameter, column, number, scalar, to_number
from recipe_runner.tables.datatypes import as_text, to_timestamp
from recipe_runner.tables.table import Table

SOURCE_OR_VALUE: tuple[Parameter, ...] = (column(required=False), scalar("value", required=False))
ONE_OF_SOURCE_OR_VALUE = (("sourceColumn", "value"),)
PAIR: tuple[Parameter, ...] = (
    column("sourceColumn1", required=False),
    scalar("value1", required=False),
    column("sourceColumn2", required=False),
    scalar("value2", required=False),
)
NUMBER_PAIR: tuple[Parameter, ...] = (
    column("sourceColumn1", required=False),
    number("value1", required=False),
    column("sourceColumn2", required=False),
    number("value2", required=False),
)
PAIR_NAMES = ("sourceColumn1", "value1", "sourceColumn2", "value2")


def check_source_or_value(arguments: Mapping[str, Any]) -> Sequence[str]:
    """Return a message if both sourceColumn and a value that is not empty are given."""
    if arguments["sourceColumn"] is not None and arguments["value"] not in (None, ""):
        return ["give either sourceColumn or value, not both"]
    return []


def check_pair(arguments: Mapping[str, Any]) -> Sequence[str]:
    """Return a message unless exactly two of the four operands are given."""
    given = _given(arguments)
    if len(given) != 2:
        return [f"the operation needs two operands among {', '.join(PAIR_NAMES)}; it has {len(given)}"]
    return []


def pair_names(step: Step) -> list[str]:
    """Return the names of the two parameters that hold a pair's operands, in order."""
    return _given(step.arguments)


def _given(arguments: Mapping[str, Any]) -> list[str]:
    """Return the names of the given operands; of more than two, empty ones do not count."""
    names = [name for name in PAIR_NAMES if arguments[name] is not None]
    return names if len(names) <= 2 else [name for name in names if arguments[name] != ""]


def last_source(step: Step) -> str | None:
    """Return the column to whose right a pair's result goes."""
    sources = [step[name] for name in pair_names(step) if name.startswith("source")]
    return sources[-1] if sources else None


def text_operand(step: Step, table: Table, source: str = "sourceColumn", value: str = "value") -> pl.Expr:
    """Return the operand as text."""
    if step[source] is not None:
        return as_text(pl.col(step[source]), table.dtype(step[source]))
    return pl.lit(constant_text(step[value]), dtype=pl.String)


def constant_text(value: Any) -> str:
    """Return a constant as text, booleans in lower case."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def number_operand(step: Step, table: Table, name: str) -> pl.Expr:
    """Return an operand of a pair as a number, widened so that a sum cannot wrap around at 2^31."""
    if name.startswith("source"):
        expression = table.numeric(step[name])
        return expression.cast(pl.Int64) if table.dtype(step[name]).is_integer() else expression
    value = to_number(step[name])
    return pl.lit(value, dtype=pl.Int64 if isinstance(value, int) else pl.Float64)


def timestamp_operand(step: Step, table: Table, source: str = "sourceColumn", value: str = "value") -> pl.Expr:
    """Return the operand as a timestamp; null if it is not a date."""
    if step[source] is not None:
        return to_timestamp(pl.col(step[source]), table.dtype(step[source]))
    return to_timestamp(pl.lit(constant_text(step[value]), dtype=pl.String), pl.String())


def per_value(function: Callable[[Any], Any], expression: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Apply a Python function to each value that is not null, where polars has no expression."""

    def batch(values: pl.Series) -> pl.Series:
        return pl.Series(values.name, [None if value is None else function(value) for value in values], dtype=dtype)

    return expression.map_batches(batch, return_dtype=dtype, is_elementwise=True)
