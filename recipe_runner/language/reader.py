"""Read recipe files of every dialect in use, and bring them into one shape.

Accepted (https://docs.aws.amazon.com/databrew/latest/dg/recipes.html and exports seen in public): a
list of steps, or an object that holds one under Steps; a step bare or wrapped as RecipeStep; the
action as Action, RecipeAction or flat; JSON and YAML; PascalCase (API), camelCase (CDK). Parameter
names and values stay as they are: `parameters` types them. Must not import polars: `check` reads
recipes without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_runner.errors import RecipeError, StepError

MAX_STEPS = 100


@dataclass(frozen=True)
class RawCondition:
    """One entry of ConditionExpressions as written.

    :param name: name of the condition.
    :param value: its value; None if absent.
    :param column: the column it looks at.
    """

    name: str
    value: Any
    column: str


@dataclass(frozen=True)
class RawStep:
    """One step as written.

    :param number: position in the recipe, from 1.
    :param operation: name of the operation.
    :param parameters: its parameters.
    :param conditions: conditions that must all hold.
    """

    number: int
    operation: str
    parameters: Mapping[str, Any]
    conditions: tuple[RawCondition, ...]


def _member(document: Mapping[str, Any], *names: str) -> Any:
    """Return the value of the first of `names` that is present, in either case; None if none is."""
    for name in names:
        for spelling in (name, name[0].lower() + name[1:]):
            if spelling in document:
                return document[spelling]
    return None


def _unknown_members(document: Mapping[str, Any], *known: str) -> list[str]:
    spellings = {spelling for name in known for spelling in (name, name[0].lower() + name[1:])}
    return [str(key) for key in document if key not in spellings]


def _unwrap(step: Any) -> Any:
    while isinstance(step, Mapping) and len(step) == 1 and _member(step, "RecipeStep", "Step") is not None:
        step = _member(step, "RecipeStep", "Step")
    return step


def read_steps(document: Any) -> tuple[list[RawStep], list[StepError]]:
    """Bring a parsed recipe document into raw steps.

    :param document: a list of steps, an object with `Steps` (CreateRecipe, CloudFormation, CDK), or
        one step.
    :returns: the well-formed steps, numbered from 1, and an error for each malformed one.
    """
    items = _step_list(document)
    if items is None:
        return [], [StepError(0, "", "", "This document is not a recipe: a recipe is a list of steps.")]
    errors: list[StepError] = []
    if len(items) > MAX_STEPS:
        errors.append(
            StepError(MAX_STEPS + 1, "", "", f"A recipe has at most {MAX_STEPS} steps; this one has {len(items)}.")
        )
    steps: list[RawStep] = []
    for number, item in enumerate(items, start=1):
        step, step_errors = _read_step(number, item)
        errors.extend(step_errors)
        if step is not None:
            steps.append(step)
    return steps, errors


def _step_list(document: Any) -> Sequence[Any] | None:
    """Return the steps inside any document that holds a recipe; None if it holds none."""
    if isinstance(document, Mapping):
        inner = _member(document, "Steps", "RecipeSteps")
        for around in ("Properties", "Recipe"):
            if inner is None and isinstance(_member(document, around), Mapping):
                inner = _member(_member(document, around), "Steps")
        document = inner if inner is not None else [document]
    return document if isinstance(document, Sequence) and not isinstance(document, str | bytes) else None


def _read_step(number: int, item: Any) -> tuple[RawStep | None, list[StepError]]:
    """Read one step; None in place of a malformed one, whose errors come with it."""
    step = _unwrap(item)
    if not isinstance(step, Mapping):
        message = "A step must be an object with Action and, optionally, ConditionExpressions."
        return None, [StepError(number, "", "", message)]
    action = _member(step, "Action", "RecipeAction")
    if action is None and _member(step, "Operation") is not None:
        # The guide's YAML examples leave Action empty and write its members beside it.
        around = ("conditionexpressions", "action", "recipeaction")
        action = {key: value for key, value in step.items() if str(key).lower() not in around}
    if not isinstance(action, Mapping):
        return None, [StepError(number, "", "", "The step has no Action object with an Operation.")]
    operation = _member(action, "Operation")
    if not isinstance(operation, str) or not operation:
        return None, [StepError(number, "", "", "The step's Action has no Operation name.")]
    errors = [StepError(number, operation, "", message) for message in _unknown_member_messages(step, action)]
    parameters = _member(action, "Parameters")
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, Mapping):
        message = "Parameters must be an object of names and values."
        return None, [*errors, StepError(number, operation, "", message)]
    conditions, condition_errors = _read_conditions(number, operation, step, action)
    raw = RawStep(number, operation, {str(k): v for k, v in parameters.items()}, tuple(conditions))
    return raw, [*errors, *condition_errors]


def _unknown_member_messages(step: Mapping[str, Any], action: Mapping[str, Any]) -> list[str]:
    of_step = ("Action", "RecipeAction", "Operation", "Parameters", "ConditionExpressions")
    of_action = ("Operation", "Parameters", "ConditionExpressions")
    return [
        *(
            f"The step has an unknown member {name!r}; it takes Action and ConditionExpressions."
            for name in _unknown_members(step, *of_step)
        ),
        *(
            f"The step's Action has an unknown member {name!r}; it takes Operation and Parameters."
            for name in _unknown_members(action, *of_action)
        ),
    ]


def _read_conditions(
    number: int, operation: str, step: Mapping[str, Any], action: Mapping[str, Any]
) -> tuple[list[RawCondition], list[StepError]]:
    raw = _member(step, "ConditionExpressions")
    if raw is None:
        raw = _member(action, "ConditionExpressions")
    return ([], []) if raw is None else read_conditions(number, operation, raw)


def read_conditions(number: int, operation: str, raw: Any) -> tuple[list[RawCondition], list[StepError]]:
    """Read a step's ConditionExpressions; return the conditions and the errors of shape."""
    if not isinstance(raw, Sequence) or isinstance(raw, str | bytes):
        return [], [StepError(number, operation, "", "ConditionExpressions must be a list.")]
    conditions: list[RawCondition] = []
    errors: list[StepError] = []
    for item in raw:
        name = _member(item, "Condition") if isinstance(item, Mapping) else None
        column = _member(item, "TargetColumn") if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or not isinstance(name, str) or not isinstance(column, str) or not column:
            errors.append(StepError(number, operation, "", "A condition needs Condition and TargetColumn."))
            continue
        errors.extend(
            StepError(
                number,
                operation,
                "",
                f"A condition has an unknown member {key!r}; it takes Condition, Value, TargetColumn.",
            )
            for key in _unknown_members(item, "Condition", "Value", "TargetColumn")
        )
        conditions.append(RawCondition(name, _member(item, "Value"), column))
    return conditions, errors


def parse_document(text: str, name: str = "recipe") -> Any:
    """Parse a recipe's text as JSON, else as YAML.

    :param text: content of the file.
    :param name: name of the file, for errors.
    :raises RecipeError: it is neither.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise RecipeError(f"{name} is nested too deeply to be a recipe; write a list of steps.") from None
    except json.JSONDecodeError as problem:
        if name.lower().endswith(".json"):
            raise RecipeError(
                f"{name} is not valid JSON: {problem.msg} at line {problem.lineno}, column {problem.colno}."
            ) from problem
    import yaml  # only recipes that are not JSON pay for it

    class Texts(yaml.SafeLoader):
        """Loads every value except null as text: YAML itself would read `No` as false."""

    null = "tag:yaml.org,2002:null"
    Texts.yaml_implicit_resolvers = {
        first: [entry for entry in entries if entry[0] == null]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader=Texts)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise RecipeError(f"{name} is nested too deeply to be a recipe; write a list of steps.") from None
    except yaml.YAMLError as problem:
        raise RecipeError(f"{name} is neither valid JSON nor valid YAML: {' '.join(str(problem).split())}") from problem


def read_recipe_file(path: Path) -> Any:
    """Parse a recipe file (.json, .yaml, .yml).

    :raises RecipeError: the file cannot be read, is not UTF-8, or is neither JSON nor YAML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise RecipeError(f"The recipe {path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise RecipeError(f"The recipe {path} is not UTF-8 at byte {problem.start}.") from problem
    return parse_document(text, path.name)
