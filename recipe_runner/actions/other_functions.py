"""Other functions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.other.html)."""

from __future__ import annotations

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.declaration import Step, action, function_page
from recipe_runner.language.parameters import columns, new_column
from recipe_runner.tables.datatypes import as_text
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Other functions"


@action(
    "COALESCE",
    FAMILY,
    columns(),
    new_column(),
    ambiguities=[
        ("Sources of different types", "numbers as doubles, else texts", "one column has one type"),
        ("Place of the new column", "right of the last source listed", "seen on the service for one source"),
    ],
)
def coalesce(step: Step, table: Table) -> Change:
    """Write the first value of each row that is not null into a new column."""
    names = step["sourceColumns"]
    types = {table.dtype(name) for name in names} - {pl.Null()}  # a column without values takes any type
    same = len(types) <= 1 or all(dtype.is_numeric() for dtype in types)
    items = [pl.col(name) if same else as_text(pl.col(name), table.dtype(name)) for name in names]
    return Columns([NewColumn(step["targetColumn"], pl.coalesce(items), names[-1])])


def _session_only(name: str, page: str) -> None:
    @action(
        name,
        FAMILY,
        refusal="it asks a console session for an earlier result, and a recipe job has no session, here or on AWS",
        page=function_page(page),
    )
    def refuse(step: Step, table: Table) -> Change:
        raise RecipeError("the operation works only in a console session")


_session_only("GET_ACTION_RESULT", "GET_ACTION_RESULT")
_session_only("GET_STEP_DATAFRAME", "GET_STEP_DATAFRAME")
