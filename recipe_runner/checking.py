"""Validate raw steps into typed steps, and report every fault of a recipe at once.

It needs only the declarations of the actions, no data. An undeclared parameter is an error that
suggests the nearest name and is never ignored: recipes with invented operations are common.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from recipe_runner import actions  # noqa: F401 - importing it fills ACTIONS
from recipe_runner.errors import RecipeErrors, StepError
from recipe_runner.language.conditions import parse_condition
from recipe_runner.language.declaration import ACTIONS, OTHER_NAMES, Action, Condition, Step
from recipe_runner.language.parameters import IGNORED_PARAMETERS, Kind
from recipe_runner.language.reader import RawStep, read_conditions, read_steps


def check_document(document: Any, *, to_run: bool = True) -> tuple[list[Step], list[StepError]]:
    """Validate a parsed recipe document.

    :param document: the recipe.
    :param to_run: whether the recipe is to run here: then operations that only the service can do
        are errors too.
    :returns: the valid steps, and all errors in the order of the steps.
    """
    raw_steps, errors = read_steps(document)
    steps: list[Step] = []
    for raw in raw_steps:
        step, step_errors = check_step(raw, to_run=to_run)
        errors.extend(step_errors)
        if step is not None:
            steps.append(step)
    errors.sort(key=lambda error: error.step)
    return steps, errors


def typed_steps(document: Any) -> list[Step]:
    """Return the validated steps of a document.

    :raises RecipeErrors: the recipe has faults; the error has all of them.
    """
    steps, errors = check_document(document)
    if errors:
        raise RecipeErrors(errors)
    return steps


def check_step(raw: RawStep, *, to_run: bool = True) -> tuple[Step | None, list[StepError]]:
    """Validate one step; None in place of a step with errors.

    :param raw: the step as the recipe has it.
    :param to_run: as in `check_document`.
    """
    found = ACTIONS.get(OTHER_NAMES.get(raw.operation, raw.operation))
    if found is None:
        near = get_close_matches(raw.operation.upper(), ACTIONS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "see docs/recipe-coverage.md for all operations."
        return None, [StepError(raw.number, raw.operation, "", f"there is no operation {raw.operation!r}; {hint}")]
    errors: list[StepError] = []
    if found.refusal and to_run:
        errors.append(
            StepError(raw.number, raw.operation, "", f"the operation cannot be done locally: {found.refusal}")
        )
    try:
        arguments = _arguments(raw, found, errors)
        conditions = _conditions(raw, found, arguments, errors)
    except RecursionError:
        errors.append(
            StepError(raw.number, raw.operation, "", "the JSON in the step is nested too deeply; write a flat list")
        )
        return None, errors
    if not errors and found.check is not None:
        errors.extend(StepError(raw.number, raw.operation, "", message) for message in found.check(arguments))
    if errors:
        return None, errors
    return Step(raw.number, found, arguments, tuple(conditions)), []


def _arguments(raw: RawStep, found: Action, errors: list[StepError]) -> dict[str, Any]:
    arguments: dict[str, Any] = {p.name: p.default for p in found.declared.parameters}
    given: set[str] = set()
    for name, value in raw.parameters.items():
        parameter = found.declared.find(name)
        if parameter is None:
            if name[:1].lower() + name[1:] in IGNORED_PARAMETERS:
                continue
            near = get_close_matches(name, found.declared.names(), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(found.declared.names()) or 'none'}"
            errors.append(StepError(raw.number, raw.operation, "", f"there is no parameter {name!r}; {hint}"))
            continue
        if value is None:
            continue
        if value == "" and not parameter.required and parameter.kind not in (Kind.TEXT, Kind.SCALAR, Kind.PATTERN):
            continue
        if value in ([], "[]") and not parameter.required and parameter.kind is Kind.COLUMNS:
            continue
        if parameter.name in given:
            errors.append(StepError(raw.number, raw.operation, "", f"the parameter {parameter.name!r} is given twice"))
            continue
        given.add(parameter.name)
        try:
            arguments[parameter.name] = parameter.parse(value)
        except ValueError as problem:
            errors.append(StepError(raw.number, raw.operation, "", str(problem)))
    errors.extend(
        StepError(raw.number, raw.operation, "", f"the parameter {p.name!r} ({p.describe()}) is missing")
        for p in found.declared.parameters
        if p.required and p.name not in given
    )
    errors.extend(
        StepError(raw.number, raw.operation, "", f"one of the parameters {', '.join(group)} is needed")
        for group in found.declared.one_of
        if not given.intersection(group)
    )
    return arguments


def _conditions(raw: RawStep, found: Action, arguments: Mapping[str, Any], errors: list[StepError]) -> list[Condition]:
    conditions: list[Condition] = []
    # UNNEST_STRUCT_N and JSON_TO_STRUCTS may have the conditions among their parameters.
    inner, shape_errors = read_conditions(raw.number, raw.operation, arguments.get("conditionExpressions") or [])
    errors.extend(shape_errors)
    for condition in (*raw.conditions, *inner):
        try:
            conditions.append(parse_condition(condition))
        except ValueError as problem:
            errors.append(StepError(raw.number, raw.operation, condition.column, str(problem)))
    if raw.conditions and not found.takes_conditions:
        errors.append(
            StepError(
                raw.number, raw.operation, "", "the operation acts on whole columns and takes no ConditionExpressions"
            )
        )
    if found.needs_condition and not raw.conditions:
        errors.append(
            StepError(
                raw.number,
                raw.operation,
                "",
                "the operation needs ConditionExpressions: without one it would remove every row",
            )
        )
    return conditions
