"""The 15 conditions that limit a step to some rows.

Rules of https://docs.aws.amazon.com/databrew/latest/dg/recipes.html (Using conditions): all
conditions of a step must hold. A null satisfies IS_MISSING only, as in the SQL below the service.
IS and IS_NOT take a JSON list in a string; the others a bare string, so that `[TEST]` is itself.
Knows no action.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.declaration import Condition
from recipe_runner.language.reader import RawCondition
from recipe_runner.tables.datatypes import as_text, parse_timestamp_text, to_double
from recipe_runner.tables.streaming import one_of
from recipe_runner.tables.table import Table, type_name

TEXT_CONDITIONS = ("CONTAINS", "NOT_CONTAINS", "STARTS_WITH", "NOT_STARTS_WITH", "ENDS_WITH", "NOT_ENDS_WITH")
ORDER_CONDITIONS = ("LESS_THAN", "LESS_THAN_EQUAL", "GREATER_THAN", "GREATER_THAN_EQUAL")
CONDITIONS = ("IS", "IS_NOT", "IS_BETWEEN", *TEXT_CONDITIONS, *ORDER_CONDITIONS, "IS_INVALID", "IS_MISSING")


def parse_condition(raw: RawCondition) -> Condition:
    """Validate a condition.

    :raises ValueError: the name is unknown or the value does not fit; the message says which.
    """
    name, value = raw.name, raw.value
    if name not in CONDITIONS:
        from difflib import get_close_matches

        near = get_close_matches(name.upper(), CONDITIONS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"the conditions are {', '.join(CONDITIONS)}"
        raise ValueError(f"there is no condition {name!r}; {hint}")
    if name in ("IS_INVALID", "IS_MISSING"):
        return Condition(name, None, raw.column)
    if value is None:
        raise ValueError(f"the condition {name} needs a Value")
    if name in ("IS", "IS_NOT"):
        return Condition(name, _value_list(name, value), raw.column)
    if name == "IS_BETWEEN":
        return Condition(name, _bounds(value), raw.column)
    if name in TEXT_CONDITIONS:
        # A real list of one text is how some exports write what the page shows as a bare string.
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return Condition(name, _scalar_text(name, value), raw.column)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return Condition(name, _unquoted(_scalar_text(name, value)), raw.column)


def _scalar_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"the condition {name} takes one text or number as its Value")


def _unquoted(text: str) -> str:
    """Return the bare text of `["5"]` and `"5"` for a condition that compares an order."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else text if isinstance(value, list | dict | bool | None) else str(value)


def _value_list(name: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as problem:
                raise ValueError(
                    f"the Value of {name} must be a JSON list; it is malformed at character {problem.pos + 1}"
                ) from None
        else:
            value = [value]
    if not isinstance(value, list):
        value = [value]
    if not value:
        raise ValueError(f"the Value of {name} must be a JSON list of at least one value")
    if any(isinstance(item, list | dict) for item in value):
        raise ValueError(f"the Value of {name} must be a JSON list of texts, numbers or booleans")
    return list(value)


def _bounds(value: Any) -> tuple[str, str]:
    """Return the lower and the upper bound, both inclusive, from any plausible encoding."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = value.split(",")
    if isinstance(value, dict):
        lowered = {str(key).upper(): item for key, item in value.items()}
        value = [
            lowered.get("GREATER_THAN_EQUAL", lowered.get("MIN")),
            lowered.get("LESS_THAN_EQUAL", lowered.get("MAX")),
        ]
    if (
        not isinstance(value, list)
        or len(value) != 2
        or any(item is None or isinstance(item, list | dict) for item in value)
    ):
        raise ValueError(
            'the Value of IS_BETWEEN must be two bounds: ["1","5"] or {"GREATER_THAN_EQUAL":"1","LESS_THAN_EQUAL":"5"}'
        )
    return str(value[0]).strip(), str(value[1]).strip()


def combined(conditions: Sequence[Condition], table: Table) -> pl.Expr | None:
    """Return one expression that is true where all conditions hold and never null; None if none."""
    if not conditions:
        return None
    expressions = [condition_expression(condition, table).fill_null(False) for condition in conditions]
    result = expressions[0]
    for expression in expressions[1:]:
        result = result & expression
    return result


def condition_expression(condition: Condition, table: Table) -> pl.Expr:
    """Return a condition as an expression; null where the value is null, but for IS_MISSING.

    :raises RecipeError: there is no such column, or the value cannot be compared with its type.
    """
    name, value = condition.name, condition.value
    dtype = table.dtype(condition.column)
    column = pl.col(condition.column)
    if name == "IS_MISSING":
        return (column.is_null() | (column == "")) if dtype == pl.String else column.is_null()
    if name == "IS_INVALID":
        return (column.is_nan() | column.is_infinite()) if dtype.is_float() else pl.lit(False)
    if name in TEXT_CONDITIONS:
        text = as_text(column, dtype)
        if name.endswith("CONTAINS"):
            found = text.str.contains(pl.lit(value), literal=True)
        elif name.endswith("STARTS_WITH"):
            found = text.str.starts_with(pl.lit(value))
        else:
            found = text.str.ends_with(pl.lit(value))
        return ~found if name.startswith("NOT_") else found
    if name in ("IS", "IS_NOT"):
        found = _any_of(column, dtype, value, condition.column)
        return ~found if name == "IS_NOT" else found
    if name == "IS_BETWEEN":
        return _compare(column, dtype, ">=", value[0], condition.column) & _compare(
            column, dtype, "<=", value[1], condition.column
        )
    sign = {"LESS_THAN": "<", "LESS_THAN_EQUAL": "<=", "GREATER_THAN": ">", "GREATER_THAN_EQUAL": ">="}[name]
    return _compare(column, dtype, sign, value, condition.column)


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        return int(str(value).strip())
    except ValueError:
        try:
            return float(str(value).strip())
        except ValueError:
            return None


def _any_of(column: pl.Expr, dtype: pl.DataType, values: list[Any], name: str) -> pl.Expr:
    if dtype.is_numeric():
        found = [number for number in map(_number, values) if number is not None]
        if dtype.is_integer():
            whole = [int(number) for number in found if float(number).is_integer() and abs(number) < 2**63]
            return one_of(column.cast(pl.Int64, strict=False), whole, pl.Int64())
        return one_of(to_double(column, dtype), [float(number) for number in found], pl.Float64())
    if dtype == pl.Boolean:
        wanted = {str(value).strip().lower() for value in values}
        truths = [flag for flag, spellings in ((True, {"true", "yes"}), (False, {"false", "no"})) if wanted & spellings]
        return one_of(column, truths, pl.Boolean())
    if dtype.is_temporal():
        expression = _compare(column, dtype, "=", str(values[0]), name)
        for value in values[1:]:
            expression = expression | _compare(column, dtype, "=", str(value), name)
        return expression
    texts = ["true" if v is True else "false" if v is False else str(v) for v in values if v is not None]
    return one_of(as_text(column, dtype), texts, pl.String())


def _compare(column: pl.Expr, dtype: pl.DataType, sign: str, value: str, name: str) -> pl.Expr:
    left: pl.Expr
    right: pl.Expr
    if dtype.is_nested():
        raise RecipeError(
            f"the column holds {type_name(dtype)}, which cannot be ordered; extract a value from it first",
            column=name,
        )
    if dtype.is_temporal():
        moment = parse_timestamp_text(value)
        if moment is None:
            raise RecipeError(
                f"the condition's value {value!r} is not a date, but the column holds {type_name(dtype)}", column=name
            )
        left, right = column.cast(pl.Datetime("us")), pl.lit(moment)
    else:
        number = _number(value)
        if dtype.is_numeric():
            if number is None:
                raise RecipeError(
                    f"the condition's value {value!r} is not a number, but the column holds {type_name(dtype)}",
                    column=name,
                )
            left, right = to_double(column, dtype) if dtype.is_decimal() else column, pl.lit(number)
        elif number is not None:
            left, right = to_double(column, dtype), pl.lit(number)
        else:
            left, right = as_text(column, dtype), pl.lit(value)
    if sign == "<":
        return left < right
    if sign == "<=":
        return left <= right
    if sign == ">":
        return left > right
    if sign == ">=":
        return left >= right
    return left == right
