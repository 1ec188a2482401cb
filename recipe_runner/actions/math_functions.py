"""Math functions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.math.html)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from recipe_runner.language.declaration import Step, action, function_page
from recipe_runner.language.operands import NUMBER_PAIR, check_pair, last_source, number_operand, pair_names
from recipe_runner.language.parameters import column, new_column, number, text
from recipe_runner.tables.datatypes import divided, remainder, to_double
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Math functions"
UNDEFINED = (
    "A result that mathematics does not define",
    "null",
    "as Spark; an infinity or NaN would spoil later steps",
)
# Aliases: FLOOR's page says sourceColumn1 and value, CEILING's sourceColumn and value1.
_SOURCE = column(required=False, aliases=("sourceColumn1",))
_VALUE = number("value", required=False, aliases=("value1",))


def _one(arguments: Mapping[str, Any]) -> Sequence[str]:
    if arguments["sourceColumn"] is not None and arguments["value"] is not None:
        return ["give either sourceColumn or value, not both"]
    return []


def finite(expression: pl.Expr) -> pl.Expr:
    """Replace NaN and infinities with null."""
    return pl.when(expression.is_finite()).then(expression)


def _function(
    name: str,
    change: Callable[[pl.Expr], pl.Expr],
    *,
    ambiguities: Sequence[tuple[str, str, str]] = (),
    keeps_whole: bool = False,
) -> None:
    @action(
        name,
        FAMILY,
        _SOURCE,
        _VALUE,
        new_column(),
        one_of=[("sourceColumn", "value")],
        check=_one,
        ambiguities=ambiguities,
        page=function_page(name),
    )
    def apply(step: Step, table: Table) -> Change:
        source = step["sourceColumn"]
        if source is not None:
            operand = table.numeric(source)
            whole = table.dtype(source).is_integer()
        else:
            whole = isinstance(step["value"], int)
            operand = pl.lit(step["value"], dtype=pl.Int64 if whole else pl.Float64)
        operand = operand.cast(pl.Int64) if whole and keeps_whole else to_double(operand, table.type_of(operand))
        return Columns([NewColumn(step["targetColumn"], change(operand), source)])


def _whole(expression: pl.Expr) -> pl.Expr:
    return expression.cast(pl.Int64, strict=False)


_function("ABSOLUTE", lambda x: x.abs(), keeps_whole=True)
_function("CEILING", lambda x: _whole(x.ceil()))
_function("DEGREES", lambda x: x.degrees())
_function("EXPONENT", lambda x: finite(x.exp()), ambiguities=[UNDEFINED])
_function(
    "FLOOR",
    lambda x: _whole(x.floor()),
    ambiguities=[
        (
            "The page says greater than or equal",
            "the largest whole number not above the value",
            "an error on the page: the name and every other system agree",
        )
    ],
)
_function("LN", lambda x: finite(x.log()), ambiguities=[UNDEFINED])
_function("NEGATE", lambda x: -x, keeps_whole=True)
_function("RADIANS", lambda x: x.radians())
_function(
    "ROUND",
    lambda x: _whole(x.round(0, mode="half_away_from_zero")),
    ambiguities=[
        ("-2.5", "-3: halves go away from zero", "Spark's HALF_UP"),
        ("Type of the result", "a whole number", "the page: to the nearest integer"),
    ],
)
_function("SIGN", lambda x: x.sign().cast(pl.Int32, strict=False))
_function("SQUARE_ROOT", lambda x: finite(x.sqrt()), ambiguities=[UNDEFINED])


def _pair(
    name: str,
    change: Callable[[pl.Expr, pl.Expr, list[pl.DataType]], pl.Expr],
    ambiguities: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Declare a function of two numbers; `change` gets both operands and their types."""

    @action(
        name, FAMILY, *NUMBER_PAIR, new_column(), check=check_pair, ambiguities=ambiguities, page=function_page(name)
    )
    def apply(step: Step, table: Table) -> Change:
        left, right = (number_operand(step, table, operand) for operand in pair_names(step))
        if table.type_of(left).is_integer() and table.type_of(right).is_integer():
            # 64 bits would silently wrap around to a wrong number; what does not fit becomes null.
            left, right = left.cast(pl.Int128), right.cast(pl.Int128)
        result = change(left, right, [table.type_of(left), table.type_of(right)])
        if table.type_of(result) == pl.Int128:
            result = result.cast(pl.Int64, strict=False)
        return Columns([NewColumn(step["targetColumn"], result, last_source(step))])


def _sum_like(
    operation: Callable[[pl.Expr, pl.Expr], pl.Expr],
) -> Callable[[pl.Expr, pl.Expr, list[pl.DataType]], pl.Expr]:
    """Wrap an operation of polars that needs a decimal beside a double as a double."""

    def change(left: pl.Expr, right: pl.Expr, types: list[pl.DataType]) -> pl.Expr:
        if any(dtype.is_decimal() for dtype in types) and any(dtype.is_float() for dtype in types):
            left, right = to_double(left, types[0]), to_double(right, types[1])
        return operation(left, right)

    return change


def _divide(left: pl.Expr, right: pl.Expr, types: list[pl.DataType]) -> pl.Expr:
    left, right = to_double(left, types[0]), to_double(right, types[1])
    return pl.when(right != 0).then(divided(left, right))


def _scaled(value: pl.Expr, scale: int) -> pl.Expr:
    """Return decimals as whole numbers of a given scale, which polars can divide."""
    return value.cast(pl.Decimal(38, scale)).to_physical()


def _modulo(left: pl.Expr, right: pl.Expr, types: list[pl.DataType]) -> pl.Expr:
    scales = [dtype.scale for dtype in types if isinstance(dtype, pl.Decimal)]
    if scales:
        scale = max(scales)
        return divided(_whole_remainder(_scaled(left, scale), _scaled(right, scale)).cast(pl.Float64), 10.0**scale)
    if any(dtype.is_float() for dtype in types):
        return remainder(left.cast(pl.Float64), right.cast(pl.Float64))
    return _whole_remainder(left, right)


def _whole_remainder(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    # Polars' remainder has the divisor's sign; Java's has the dividend's.
    size = left.abs() % right.abs()
    return pl.when(right != 0).then(pl.when(left < 0).then(0 - size).otherwise(size))


OVERFLOW = ("A whole number beyond 64 bits", "null", "Spark wraps around to a wrong number, which nobody wants")
_pair("ADD", _sum_like(operator.add), [OVERFLOW])
_pair("SUBTRACT", _sum_like(operator.sub), [OVERFLOW])
_pair("MULTIPLY", _sum_like(operator.mul), [OVERFLOW])
_pair(
    "DIVIDE",
    _divide,
    [("Division by zero", "null", "as Spark"), ("Two whole numbers", "a double", "as Spark's division")],
)
_pair(
    "MOD",
    _modulo,
    [
        (
            "What MOD is",
            "the remainder, with the sign of the dividend",
            "the page's sentence on percent is an error; the remainder is Java's",
        ),
        ("A decimal as one of the two", "a double, of the exact remainder", "as DIVIDE"),
    ],
)


@action(
    "LOG",
    FAMILY,
    _SOURCE,
    _VALUE,
    new_column(),
    number("base", default=10, minimum=0),
    one_of=[("sourceColumn", "value")],
    check=_one,
    ambiguities=[UNDEFINED],
    page=function_page("LOG"),
)
def log(step: Step, table: Table) -> Change:
    """Write a logarithm to any base into a new column; null where it is undefined."""
    value = table.double(step["sourceColumn"]) if step["sourceColumn"] else pl.lit(float(step["value"]))
    base = step["base"]
    result = (
        value.log10()
        if base == 10
        else divided(value.log(), math.log(base))
        if base > 0 and base != 1
        else pl.lit(None, dtype=pl.Float64)
    )
    return Columns([NewColumn(step["targetColumn"], finite(result), step["sourceColumn"])])


@action(
    "POWER",
    FAMILY,
    _SOURCE,
    _VALUE,
    new_column(),
    number("exponent"),
    one_of=[("sourceColumn", "value")],
    check=_one,
    ambiguities=[UNDEFINED],
    page=function_page("POWER"),
)
def power(step: Step, table: Table) -> Change:
    """Raise a number to a power; null where the result is undefined."""
    operand = table.double(step["sourceColumn"]) if step["sourceColumn"] else pl.lit(float(step["value"]))
    return Columns(
        [
            NewColumn(
                step["targetColumn"],
                finite(operand.pow(float(step["exponent"]))),
                step["sourceColumn"],
            )
        ]
    )


@action("PI", FAMILY, new_column(), page=function_page("PI"))
def pi(step: Step, table: Table) -> Change:
    """Write the constant pi into a new column."""
    return Columns([NewColumn(step["targetColumn"], pl.lit(math.pi))])


def _parity(name: str, remainder: int, page: str) -> None:
    @action(
        name,
        FAMILY,
        _SOURCE,
        _VALUE,
        new_column(),
        text("trueString", default="True"),
        text("falseString", default="False"),
        one_of=[("sourceColumn", "value")],
        check=_one,
        page=function_page(page),
        ambiguities=[("trueString and falseString absent", "True and False", "as the flag actions")],
    )
    def apply(step: Step, table: Table) -> Change:
        source = step["sourceColumn"]
        operand = table.numeric(source) if source else pl.lit(step["value"])
        dtype = table.type_of(operand)
        if isinstance(dtype, pl.Decimal):
            one = 10**dtype.scale
            flag = _scaled(operand, dtype.scale).abs() % (2 * one) == remainder * one
        else:
            flag = operand.abs() % 2 == remainder
        value = pl.when(flag).then(pl.lit(step["trueString"])).when(~flag).then(pl.lit(step["falseString"]))
        return Columns([NewColumn(step["targetColumn"], value, source)])


_parity("IS_EVEN", 0, "ISEVEN")
_parity("IS_ODD", 1, "ISODD")

SEEDED = (
    "Whether two runs give the same numbers",
    "yes: they follow from the run's seed, the step and the row",
    "a run must be repeatable",
)


def uniform(step: Step, table: Table) -> pl.Expr:
    """Draw a number in [0, 1) per row that depends only on seed, step and row."""
    row = pl.row_index().cast(pl.UInt64)
    return shares(row.hash(table.context.seed, step.number, 2, 3))


def shares(hashes: pl.Expr) -> pl.Expr:
    """Return hashes as numbers in [0, 1): their upper 53 bits, which a double holds exactly."""
    return (hashes // 2048).cast(pl.Float64) / float(1 << 53)


@action("RANDOM", FAMILY, new_column(), ambiguities=[SEEDED], page=function_page("RANDOM"))
def random(step: Step, table: Table) -> Change:
    """Write a random number between 0 and 1 into a new column."""
    return Columns([NewColumn(step["targetColumn"], uniform(step, table))])


def _check_bounds(arguments: Mapping[str, Any]) -> Sequence[str]:
    return ["lowerBound must not be above upperBound"] if arguments["lowerBound"] > arguments["upperBound"] else []


def between(step: Step, table: Table, salt: pl.Expr | None = None) -> pl.Expr:
    """Draw numbers from lowerBound to upperBound; whole numbers if both bounds are whole."""
    low, high = step["lowerBound"], step["upperBound"]
    share = uniform(step, table) if salt is None else salt
    if isinstance(low, int) and isinstance(high, int):
        return (pl.lit(low) + (share * (high - low + 1)).floor().cast(pl.Int64)).clip(low, high)
    return pl.lit(float(low)) + share * (float(high) - float(low))


@action(
    "RANDOM_BETWEEN",
    FAMILY,
    number("lowerBound"),
    number("upperBound"),
    new_column(),
    check=_check_bounds,
    ambiguities=[
        SEEDED,
        ("Whole or fractional", "whole where both bounds are whole", "the bounds are said to be inclusive"),
    ],
    page=function_page("RANDOM_BETWEEN"),
)
def random_between(step: Step, table: Table) -> Change:
    """Write a random number between two bounds into a new column."""
    return Columns([NewColumn(step["targetColumn"], between(step, table))])
