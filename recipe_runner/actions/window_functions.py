"""Window functions, which look at the rows before and after each row.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.window.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from recipe_runner.actions.aggregate_functions import MODE_NONE, MODE_TYPES, SAMPLE, mode_of
from recipe_runner.actions.date_functions import UNITS
from recipe_runner.language.conditions import combined
from recipe_runner.language.declaration import Step, action, function_page
from recipe_runner.language.parameters import Parameter, choice, column, columns, integer, new_column, number
from recipe_runner.tables.datatypes import to_timestamp
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Window functions"
MAX_WINDOW = 1_000_000
WINDOW: tuple[Parameter, ...] = (
    column(),
    integer("numRowsBefore", minimum=0, maximum=MAX_WINDOW),
    integer("numRowsAfter", minimum=0, maximum=MAX_WINDOW),
)
ORDER = ("Order of the rows", "the order at this step", "the page names none")
EDGE = ("A window that reaches beyond the first or last row", "holds the rows that exist", "as Spark's ROWS BETWEEN")
ROW = "\x00row"


def rolled(
    step: Step, table: Table, name: str, aggregate: pl.Expr, before: int, after: int, *, in_place: bool = False
) -> Table:
    """Add (or replace) a column with an aggregate of the rows around each row.

    The window reaches from `before` rows above to `after` rows below the row itself.
    """
    indexed = table.with_frame(table.lazy().with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64)))
    expression = aggregate.rolling(
        index_column=ROW, period=f"{before + after + 1}i", offset=f"{-before - 1}i", closed="right"
    )
    condition = combined(step.conditions, table)
    changed = indexed.with_columns(
        [NewColumn(name, expression, None if in_place else step["sourceColumn"], in_place=in_place)], condition
    )
    return changed.drop([ROW])


def _rolling(
    name: str,
    aggregate: Callable[[Step, pl.Expr], pl.Expr],
    *extra: Parameter,
    numeric: Callable[[Step], bool] = lambda step: True,
    ambiguities: Sequence[tuple[str, str, str]] = (),
) -> None:
    @action(
        name, FAMILY, *WINDOW, *extra, new_column(), page=function_page(name), ambiguities=[ORDER, EDGE, *ambiguities]
    )
    def apply(step: Step, table: Table) -> Change:
        source = step["sourceColumn"]
        value = table.numeric(source) if numeric(step) else pl.col(source)
        table.require(source)
        return rolled(
            step, table, step["targetColumn"], aggregate(step, value), step["numRowsBefore"], step["numRowsAfter"]
        )


def _kth(value: pl.Expr, k: int) -> pl.Expr:
    return value.drop_nulls().sort(descending=True).slice(k - 1, 1).first()


_rolling("ROLLING_AVERAGE", lambda step, value: value.mean())
_rolling("ROLLING_COUNT_A", lambda step, value: value.count().cast(pl.Int64), numeric=lambda step: False)
_rolling("ROLLING_KTH_LARGEST", lambda step, value: _kth(value, step["value"]), integer("value", minimum=1))
_rolling(
    "ROLLING_KTH_LARGEST_UNIQUE", lambda step, value: _kth(value.unique(), step["value"]), integer("value", minimum=1)
)
_rolling("ROLLING_MAX", lambda step, value: value.max())
_rolling("ROLLING_MIN", lambda step, value: value.min())
_rolling(
    "ROLLING_MODE",
    lambda step, value: mode_of(value, step["modeType"]),
    choice("modeType", *MODE_TYPES, required=False),
    # The page: the most common value. Only their average needs numbers.
    numeric=lambda step: bool(step["modeType"] == "AVERAGE"),
    ambiguities=[MODE_NONE],
)
_rolling("ROLLING_STANDARD_DEVIATION", lambda step, value: value.std(ddof=1), ambiguities=[SAMPLE])
_rolling(
    "ROLLING_SUM",
    lambda step, value: pl.when(value.count() > 0).then(value.sum()),
    ambiguities=[("A window of nulls only", "null", "as SQL's SUM")],
)
_rolling("ROLLING_VARIANCE", lambda step, value: value.var(ddof=1), ambiguities=[SAMPLE])


@action(
    "FILL",
    FAMILY,
    *WINDOW,
    new_column(),
    page=function_page("FILL"),
    ambiguities=[
        ORDER,
        (
            "Which value of the window",
            "the nearest above; if there is none, the nearest below",
            "the page: the most recent nonblank value",
        ),
    ],
)
def fill(step: Step, table: Table) -> Change:
    """Fill a missing value with the nearest value in the window, those above first."""
    source = step["sourceColumn"]
    value = pl.col(source)
    if table.dtype(source) == pl.String:
        value = pl.when(value != "").then(value)
    if step["numRowsBefore"]:
        value = value.forward_fill(limit=step["numRowsBefore"])
    if step["numRowsAfter"]:
        original = (
            pl.col(source) if table.dtype(source) != pl.String else pl.when(pl.col(source) != "").then(pl.col(source))
        )
        value = pl.coalesce(value, original.backward_fill(limit=step["numRowsAfter"]))
    return Columns([NewColumn(step["targetColumn"], value, source)])


def _shifted(name: str, sign: int) -> None:
    @action(
        name,
        FAMILY,
        column(),
        integer("numRows", minimum=0),
        new_column(),
        page=function_page(name),
        ambiguities=[ORDER, EDGE],
    )
    def apply(step: Step, table: Table) -> Change:
        table.require(step["sourceColumn"])
        return Columns(
            [
                NewColumn(
                    step["targetColumn"],
                    pl.col(step["sourceColumn"]).shift(sign * step["numRows"]),
                    step["sourceColumn"],
                )
            ]
        )


_shifted("NEXT", -1)
_shifted("PREV", 1)


def _over(value: pl.Expr, step: Step) -> pl.Expr:
    """Return the value within its group, in the given order; the rows stay where they are."""
    order = step["orderByColumns"] or None
    groups = step["groupByColumns"] or [pl.lit(1)]
    return value.over(groups, order_by=order) if order else value.over(groups)


@action(
    "ROW_NUMBER",
    FAMILY,
    columns("groupByColumns", required=False),
    columns("orderByColumns", required=False),
    new_column(),
    page=function_page("ROW_NUMBER"),
    ambiguities=[
        (
            "What it returns",
            "1, 2 … within each group, in the order asked; the rows stay where they are",
            "the name; the page repeats SESSION's text",
        ),
        ("Rows that compare equal", "in the order they are in", "stable"),
    ],
)
def row_number(step: Step, table: Table) -> Change:
    """Write the number of each row within its group into a new column."""
    table.require(*(step["groupByColumns"] or []), *(step["orderByColumns"] or []))
    if step["groupByColumns"] or step["orderByColumns"]:
        number = _over(pl.int_range(1, pl.len() + 1, dtype=pl.Int64), step)
    else:
        number = pl.row_index().cast(pl.Int64) + 1
    return Columns([NewColumn(step["targetColumn"], number)])


_SECONDS = {
    "WEEKS": 604800.0,
    "DAYS": 86400.0,
    "HOURS": 3600.0,
    "MINUTES": 60.0,
    "SECONDS": 1.0,
    "MILLISECONDS": 1e-3,
    "MICROSECONDS": 1e-6,
    "MONTHS": 2_629_746.0,
    "QUARTERS": 7_889_238.0,
    "YEARS": 31_556_952.0,
}


@action(
    "SESSION",
    FAMILY,
    column(),
    choice("units", *UNITS),
    number("value", minimum=0),
    columns("groupByColumns", required=False),
    columns("orderByColumns", required=False),
    new_column(),
    page=function_page("SESSION"),
    ambiguities=[
        (
            "When a session ends",
            "when the next row of the group is more than value units later",
            "the usual sessionization",
        ),
        ("The identifier", "1, 2 … within each group", "the page: a session identifier"),
        ("Length of a month", "a twelfth of the mean year", "sessions are lengths of time, not calendar dates"),
        ("orderByColumns absent", "the order of sourceColumn", "sessions follow time"),
    ],
)
def session(step: Step, table: Table) -> Change:
    """Write the number of each row's session; a new session starts after a gap in time."""
    source = step["sourceColumn"]
    table.require(*(step["groupByColumns"] or []), *(step["orderByColumns"] or []))
    moment = to_timestamp(pl.col(source), table.dtype(source))
    gap = moment.diff().abs().dt.total_microseconds() > step["value"] * _SECONDS[step["units"]] * 1e6
    number_of_session = gap.fill_null(False).cast(pl.Int64).cum_sum() + 1
    groups = step["groupByColumns"] or [pl.lit(1)]
    value = number_of_session.over(groups, order_by=step["orderByColumns"] or [source])
    return Columns([NewColumn(step["targetColumn"], value, source)])
