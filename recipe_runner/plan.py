"""Apply steps to a table as one lazy plan, and report a fault with its step.

Neither reads nor writes files.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from recipe_runner.errors import RecipeError, RecipeErrors, StepError
from recipe_runner.language.conditions import combined
from recipe_runner.language.declaration import Step
from recipe_runner.tables.table import Columns, RemoveRows, Table, first_line


def apply_step(step: Step, table: Table) -> Table:
    """Return the table after a step.

    :raises RecipeError: the step does not fit the table; it carries the step's number.
    """
    try:
        condition = combined(step.conditions, table)
        change = step.action.function(step, table)
        if isinstance(change, Columns):
            table = table.with_columns(change.columns, condition)
            return table.drop(change.drop) if change.drop else table
        if isinstance(change, RemoveRows):
            where = change.where.fill_null(False)
            return table.filter(~(where if condition is None else where & condition))
        return change
    except RecipeError as problem:
        raise problem.at(step.number, step.operation) from problem
    except (pl.exceptions.PolarsError, OverflowError) as problem:
        raise from_polars(problem).at(step.number, step.operation) from problem


def build_plan(steps: Sequence[Step], table: Table) -> Table:
    """Return the table after all steps; stop at the first that does not fit.

    :raises RecipeError: a step does not fit; the error has the step's number.
    """
    for step in steps:
        table = apply_step(step, table)
    return table


def check_plan(steps: Sequence[Step], table: Table, *, skipped: bool = False) -> list[StepError]:
    """Return the fault of every step that does not fit the table.

    A faulty step is skipped. The columns it would have made are then unknown, and a later step that
    uses them is not reported for that.

    :param steps: validated steps.
    :param table: the input.
    :param skipped: whether invalid steps are missing from `steps`; an unknown column may be theirs.
    """
    errors: list[StepError] = []
    unknown: set[str] = set()
    for step in steps:
        try:
            table = apply_step(step, table)
        except RecipeErrors as problem:
            errors.extend(problem.errors)
        except RecipeError as problem:
            absent = problem.column and problem.column not in table.schema
            if not (absent and (skipped or problem.column in unknown)):
                errors.append(problem.detail)
            unknown.update(str(value) for name, value in step.arguments.items() if name.startswith("target") and value)
    return errors


def from_polars(problem: Exception) -> RecipeError:
    """Turn an error of polars into a RecipeError; one raised in a callback is returned as is."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, RecipeError):
            return _without_context(cause)
        cause = cause.__cause__ or cause.__context__
    text = first_line(problem)
    if "RecipeError: " in text:
        return RecipeError(text.split("RecipeError: ", 1)[1])
    return RecipeError(f"the data does not fit the operation: {text}")


def _without_context(error: RecipeError) -> RecipeError:
    """Return the error without the note on an expression that polars adds in a callback."""
    message, added, _ = error.message.partition("\n\nThis error occurred in")
    if not added:
        return error
    return RecipeError(message, step=error.step, operation=error.operation, column=error.column)
