"""Aggregate functions, which compute one value from several columns of each row.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.aggregate.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from recipe_runner.language.declaration import Step, action, function_page
from recipe_runner.language.parameters import choice, columns, integer, new_column
from recipe_runner.tables.datatypes import as_text, to_double
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Aggregate functions"
PLACE = ("Place of the new column", "right of the last source listed", "seen on the service for one source")
NONE_LEFT = ("A row without any number", "null", "there is nothing to aggregate")


def numbers_of(step: Step, table: Table) -> tuple[pl.Expr, pl.DataType]:
    """Return the row's numbers as a list without nulls, and the list's element type.

    The numbers are whole if every source column is. A value that is not a number is left out.
    """
    types = {table.dtype(name) for name in step["sourceColumns"]} - {pl.Null()}  # columns without values say nothing
    whole = bool(types) and all(dtype.is_integer() for dtype in types)
    items = [
        pl.col(name).cast(pl.Int64) if whole else _number(pl.col(name), table.dtype(name))
        for name in step["sourceColumns"]
    ]
    return pl.concat_list(items).list.drop_nulls(), pl.Int64() if whole else pl.Float64()


def _number(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.Boolean or dtype.is_nested() or dtype.is_temporal():
        return pl.lit(None, dtype=pl.Float64)
    number = to_double(value, dtype)
    return pl.when(number.is_nan()).then(None).otherwise(number)


def _values_of(step: Step, table: Table) -> pl.Expr:
    """Return the row's values as a list of texts, without nulls and empty texts."""
    items = [as_text(pl.col(name), table.dtype(name)) for name in step["sourceColumns"]]
    return pl.concat_list([pl.when(item != "").then(item) for item in items]).list.drop_nulls()


def _declare(
    name: str,
    change: Callable[[pl.Expr], pl.Expr],
    ambiguities: Sequence[tuple[str, str, str]] = (),
    page: str = "",
    *,
    of_none: int | None = None,
) -> None:
    @action(
        name,
        FAMILY,
        columns(),
        new_column(),
        ambiguities=[PLACE, *([NONE_LEFT] if of_none is None else []), *ambiguities],
        page=function_page(page or name),
    )
    def apply(step: Step, table: Table) -> Change:
        table.require(*step["sourceColumns"])
        values, _ = numbers_of(step, table)
        result = pl.when(values.list.len() > 0).then(change(values)).otherwise(of_none)
        return Columns([NewColumn(step["targetColumn"], result, step["sourceColumns"][-1])])


SAMPLE = (
    "Sample or population",
    "sample (n - 1), null for a single number",
    "as in Spark and in the guide's profile statistics",
)
_declare("AVERAGE", lambda values: values.list.mean())
_declare("MAX", lambda values: values.list.max())
_declare("MEDIAN", lambda values: values.list.median())
_declare("MIN", lambda values: values.list.min())
_declare(
    "STANDARD_DEVIATION",
    lambda values: values.list.std(ddof=0),
    [("Sample or population", "population (n)", "the root of VARIANCE as the guide defines it")],
    "STDDEV",
)
# The page: any non-number is treated as 0.
_declare("SUM", lambda values: values.list.sum(), of_none=0)
# The page defines it: Sum((X - mean(X))^2) / Count(X).
_declare("VARIANCE", lambda values: values.list.var(ddof=0), page="VAR")


@action(
    "ANY",
    FAMILY,
    columns(),
    new_column(),
    page=function_page("ANY"),
    ambiguities=[
        PLACE,
        ("Which value", "the first that is neither null nor empty, in the order listed", "a run must be repeatable"),
        ("Sources of different types", "a text", "one column has one type"),
    ],
)
def any_value(step: Step, table: Table) -> Change:
    """Write the first value of each row that is neither null nor empty into a new column."""
    names = step["sourceColumns"]
    table.require(*names)
    types = {table.dtype(name) for name in names} - {pl.Null()}
    if len(types) == 1 and next(iter(types)) != pl.String:
        return Columns([NewColumn(step["targetColumn"], pl.coalesce(*(pl.col(name) for name in names)), names[-1])])
    return Columns([NewColumn(step["targetColumn"], _values_of(step, table).list.first(), names[-1])])


@action("COUNT", FAMILY, columns(), new_column(), page=function_page("COUNT"), ambiguities=[PLACE])
def count(step: Step, table: Table) -> Change:
    """Count the values of each row that are neither null nor empty."""
    table.require(*step["sourceColumns"])
    return Columns(
        [NewColumn(step["targetColumn"], _values_of(step, table).list.len().cast(pl.Int64), step["sourceColumns"][-1])]
    )


@action(
    "COUNT_DISTINCT",
    FAMILY,
    columns(),
    new_column(),
    page=function_page("COUNT_DISTINCT"),
    ambiguities=[
        PLACE,
        (
            "1 and 1.0 in two columns",
            "equal if every source is a number, else compared as texts",
            "equal numbers are equal",
        ),
    ],
)
def count_distinct(step: Step, table: Table) -> Change:
    """Count the distinct values of each row that are neither null nor empty."""
    names = step["sourceColumns"]
    table.require(*names)
    values = numbers_of(step, table)[0] if all(table.is_numeric(name) for name in names) else _values_of(step, table)
    return Columns([NewColumn(step["targetColumn"], values.list.n_unique().cast(pl.Int64), names[-1])])


def _kth(name: str, ranked: Callable[[pl.Expr], pl.Expr]) -> None:
    @action(
        name,
        FAMILY,
        columns(),
        new_column(),
        integer("value", minimum=1),
        page=function_page(name),
        ambiguities=[PLACE, ("Fewer than k numbers", "null", "there is no k-th number")],
    )
    def apply(step: Step, table: Table) -> Change:
        table.require(*step["sourceColumns"])
        values, _ = numbers_of(step, table)
        largest_first = ranked(values).list.sort(descending=True)
        return Columns(
            [
                NewColumn(
                    step["targetColumn"],
                    largest_first.list.get(step["value"] - 1, null_on_oob=True),
                    step["sourceColumns"][-1],
                )
            ]
        )


_kth("KTH_LARGEST", lambda values: values)
_kth("KTH_LARGEST_UNIQUE", lambda values: values.list.unique())

MODE_TYPES = ("NONE", "MINIMUM", "MAXIMUM", "AVERAGE")
MODE_NONE = (
    "modeType NONE, or absent, and several modes",
    "the smallest",
    "the smallest does not depend on the order of the rows",
)


def mode_of(values: pl.Expr, mode_type: str | None) -> pl.Expr:
    """Return the mode of an aggregated column without its nulls; `mode_type` resolves ties."""
    modes = values.drop_nulls().mode()
    if mode_type == "MAXIMUM":
        return modes.max()
    return modes.mean() if mode_type == "AVERAGE" else modes.min()


@action(
    "MODE",
    FAMILY,
    columns(),
    new_column(),
    choice("modeType", *MODE_TYPES, required=False),
    page=function_page("MODE"),
    ambiguities=[PLACE, MODE_NONE],
)
def mode(step: Step, table: Table) -> Change:
    """Write the most frequent number of each row into a new column."""
    table.require(*step["sourceColumns"])
    values, dtype = numbers_of(step, table)
    result_type = pl.Float64() if step["modeType"] == "AVERAGE" else dtype
    result = values.list.eval(mode_of(pl.element(), step["modeType"])).list.first().cast(result_type)
    return Columns([NewColumn(step["targetColumn"], result, step["sourceColumns"][-1])])
