"""Data quality actions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.data-quality.html)."""

from __future__ import annotations

import polars as pl

from local_aws.recipes.declaration import Step, action
from local_aws.recipes.parameters import column
from local_aws.recipes.table import Change, RemoveRows, Table

FAMILY = "Data quality"


@action(
    "REMOVE_VALUES",
    FAMILY,
    column(),
    needs_condition=True,
    page="https://docs.aws.amazon.com/databrew/latest/dg/recipes.html",
    ambiguities=[("Null in the condition's column", "the row stays", "a null meets no condition but IS_MISSING")],
)
def remove_values(step: Step, table: Table) -> Change:
    table.require(step["sourceColumn"])
    return RemoveRows(pl.lit(True))
