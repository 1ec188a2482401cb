"""Column structure actions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.column-structure.html)."""

from __future__ import annotations

import polars as pl

from local_aws.recipes.datatypes import as_text
from local_aws.recipes.declaration import Step, action
from local_aws.recipes.parameters import choice, column, new_column, pattern, text
from local_aws.recipes.patterns import Pattern
from local_aws.recipes.table import Change, Columns, NewColumn, Table

FAMILY = "Column structure"


@action(
    "FLAG_COLUMN_FROM_PATTERN",
    FAMILY,
    column(),
    new_column(),
    choice("flagType", "Pattern", required=False),
    pattern(),
    text("trueString", default="True"),
    text("falseString", default="False"),
    ambiguities=[
        ("Full match or search", "search", "the page speaks of the presence of a pattern"),
        ("Null in the source", "falseString", "the pattern is not present in it"),
    ],
)
def flag_column_from_pattern(step: Step, table: Table) -> Change:
    source = step["sourceColumn"]
    found = Pattern(step["pattern"]).contains(as_text(pl.col(source), table.dtype(source)))
    flag = pl.when(found).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag, source)])


@action(
    "FLAG_COLUMN_FROM_NULL",
    FAMILY,
    column(),
    new_column(),
    choice("flagType", "Null values", required=False),
    text("trueString", default="True"),
    text("falseString", default="False"),
    ambiguities=[("An empty text", "is not null: falseString", "the page speaks of null values only")],
)
def flag_column_from_null(step: Step, table: Table) -> Change:
    source = step["sourceColumn"]
    table.require(source)
    flag = pl.when(pl.col(source).is_null()).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag, source)])
