"""Steps over a table: one lazy plan, step by step, each fault placed in its step. Reads and writes no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from local_aws.recipes.conditions import combined
from local_aws.recipes.declaration import Step
from local_aws.recipes.errors import RecipeError, RecipeErrors, StepError
from local_aws.recipes.table import Columns, RemoveRows, Table, first_line


def apply_step(step: Step, table: Table) -> Table:
    """Table after a step.

    Raises:
        RecipeError: the step does not fit the table; it carries the step's number.
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
    """Table after all steps; stops at the first that does not fit.

    Raises:
        RecipeError: with the step's number.
    """
    for step in steps:
        table = apply_step(step, table)
    return table


def check_plan(steps: Sequence[Step], table: Table) -> list[StepError]:
    """Every step that does not fit the table, going on after each with the columns that it would have made."""
    errors: list[StepError] = []
    broken = False
    for step in steps:
        try:
            table = apply_step(step, table)
        except RecipeErrors as problem:
            errors.extend(problem.errors)
            broken = True
        except RecipeError as problem:
            if not (broken and _follows(problem)):
                errors.append(problem.detail)
            broken = True
            table = _with_placeholders(step, table)
    return errors


def _follows(problem: RecipeError) -> bool:
    # Types of placeholder columns are unknown, so a misfit of type after a first error says nothing.
    return "holds" in problem.message and "placeholder" in problem.column


def _with_placeholders(step: Step, table: Table) -> Table:
    target = step.arguments.get("targetColumn")
    if isinstance(target, str) and target not in table.schema:
        return replace(
            table,
            frame=table.frame.with_columns(pl.lit(None, dtype=pl.Null).alias(target)),
            schema={**table.schema, target: pl.Null()},
        )
    return table


def from_polars(problem: Exception) -> RecipeError:
    """A RecipeError out of what polars raised; an error raised inside a callback comes out as it was."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, RecipeError):
            return cause
        cause = cause.__cause__ or cause.__context__
    text = first_line(problem)
    if "RecipeError: " in text:
        return RecipeError(text.split("RecipeError: ", 1)[1])
    return RecipeError(f"the data does not fit the operation: {text}")
