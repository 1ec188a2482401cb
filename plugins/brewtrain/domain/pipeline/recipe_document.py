"""A DataBrew recipe file: from what people write and export to what CreateRecipe takes.

Recipes travel as the console's export, as CloudFormation and as CDK, which differ in letter case
and wrapping. AWS takes one form: parameters are a map of string to string, lists being JSON inside
the string. Must not import Airflow or boto3.

Sources: API reference of AWS Glue DataBrew, CreateRecipe, RecipeAction, ConditionExpression;
Developer Guide, "Recipe structure".
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brewtrain.domain.errors import RecipeFileError
from brewtrain.domain.pipeline.recipe_operations import OPERATIONS

MAX_STEPS = 100
# Limits of the API model: ParameterName, ParameterValue, ConditionValue.
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9]{1,128}")
_MAX_PARAMETER = 32768
_MAX_CONDITION_VALUE = 1024
CONDITIONS: frozenset[str] = frozenset(
    [
        "CONTAINS",
        "ENDS_WITH",
        "GREATER_THAN",
        "GREATER_THAN_EQUAL",
        "IS",
        "IS_BETWEEN",
        "IS_INVALID",
        "IS_MISSING",
        "IS_NOT",
        "LESS_THAN",
        "LESS_THAN_EQUAL",
        "NOT_CONTAINS",
        "NOT_ENDS_WITH",
        "NOT_STARTS_WITH",
        "STARTS_WITH",
    ]
)
Step = dict[str, Any]


def parse_recipe(text: str, *, source: str) -> list[Step]:
    """Read a recipe file.

    :param text: The file: a JSON list of steps, or an object with a list ``Steps``.
    :param source: The file's path, for messages.
    :returns: Steps as CreateRecipe takes them: ``{"Action": {"Operation": str, "Parameters": {str:
        str}}, "ConditionExpressions": […]}``, the latter only where there are conditions.
    :raises RecipeFileError: If it is not a recipe, or names an operation or condition that DataBrew
        does not have.
    """
    try:
        document = json.loads(text, parse_constant=_no_number, object_pairs_hook=_each_key_once)
    except json.JSONDecodeError as error:
        raise RecipeFileError(
            f"{source}: is not JSON at line {error.lineno}, column {error.colno}: {error.msg}; correct it there"
        ) from None
    except RecursionError:
        raise RecipeFileError(f"{source}: is nested too deeply to be a recipe; write a list of steps") from None
    except ValueError as error:
        # A number of thousands of digits, or one of the two below.
        raise RecipeFileError(f"{source}: {error}; correct it there") from None
    if isinstance(document, dict):
        document = _member(document, "Steps", "RecipeSteps", default=document)
    if not isinstance(document, list) or not document:
        raise RecipeFileError(f"{source}: has no steps; write a list of recipe steps, at least one")
    if len(document) > MAX_STEPS:
        raise RecipeFileError(
            f"{source}: has {len(document)} steps, but DataBrew allows {MAX_STEPS}; put the rest into another recipe"
        )
    return [_step(step, where=f"{source}: step {number}") for number, step in enumerate(document, start=1)]


def _no_number(text: str) -> None:
    raise ValueError(f"has {text}, which is not JSON")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen = [key for key, _ in pairs]
        twice = next(key for key in seen if seen.count(key) > 1)
        raise ValueError(f"has {twice!r} twice in one object, so one value would be lost")
    return result


def content_hash(steps: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256 of the steps' meaning, in hex.

    The order of keys and empty members make no difference.

    :param steps: Steps as :func:`parse_recipe` or DescribeRecipe returns them.
    """
    canonical = json.dumps([_canonical(step) for step in steps], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def step_differences(desired: Sequence[Mapping[str, Any]], actual: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in which steps two recipes differ, one phrase per step; empty if they mean the same."""
    phrases = []
    for number in range(1, max(len(desired), len(actual)) + 1):
        wanted = _canonical(desired[number - 1]) if number <= len(desired) else None
        found = _canonical(actual[number - 1]) if number <= len(actual) else None
        if wanted == found:
            continue
        if found is None:
            phrases.append(f"step {number} added ({_operation(wanted)})")
        elif wanted is None:
            phrases.append(f"step {number} removed ({_operation(found)})")
        elif _operation(wanted) != _operation(found):
            phrases.append(f"step {number}: {_operation(found)} → {_operation(wanted)}")
        else:
            phrases.append(f"step {number} ({_operation(wanted)}) changed")
    return phrases


def _operation(step: Mapping[str, Any] | None) -> str:
    return str(step["Action"]["Operation"]) if step else ""


def _canonical(step: Mapping[str, Any]) -> Step:
    action = step["Action"]
    return {
        "Action": {"Operation": action["Operation"], "Parameters": dict(action.get("Parameters") or {})},
        "ConditionExpressions": [dict(condition) for condition in step.get("ConditionExpressions") or []],
    }


def _step(given: object, *, where: str) -> Step:
    if not isinstance(given, dict):
        raise RecipeFileError(f"{where}: is {given!r}; write an object with 'Action'")
    step: Any = _member(given, "RecipeStep", default=given)
    if not isinstance(step, dict):
        raise RecipeFileError(f"{where}: 'RecipeStep' is {step!r}; write an object with 'Action'")
    action = _member(step, "Action", "RecipeAction", default=None)
    if not isinstance(action, dict):
        raise RecipeFileError(f"{where}: has no 'Action'; write 'Action' with 'Operation' and 'Parameters'")
    operation = _member(action, "Operation", default=None)
    if not isinstance(operation, str) or not operation:
        raise RecipeFileError(f"{where}: has no 'Operation'; write one such as 'RENAME'")
    if operation not in OPERATIONS:
        raise RecipeFileError(f"{where}: DataBrew has no operation {operation!r}{_suggestion(operation, OPERATIONS)}")
    where = f"{where} ({operation})"
    parameters = _member(action, "Parameters", default=None)
    if parameters is not None and not isinstance(parameters, dict):
        raise RecipeFileError(f"{where}: 'Parameters' is {parameters!r}; write an object of names and values")
    result: Step = {"Action": {"Operation": operation}}
    if parameters:
        result["Action"]["Parameters"] = dict(
            _named_parameter(name, value, where=where) for name, value in parameters.items()
        )
    conditions = _member(step, "ConditionExpressions", default=None)
    if conditions is not None and not isinstance(conditions, list):
        raise RecipeFileError(f"{where}: 'ConditionExpressions' is {conditions!r}; write a list")
    if conditions:
        result["ConditionExpressions"] = [_condition(condition, where=where) for condition in conditions]
    return result


def _condition(condition: object, *, where: str) -> dict[str, str]:
    if not isinstance(condition, dict):
        raise RecipeFileError(f"{where}: condition {condition!r} is not an object with 'Condition' and 'TargetColumn'")
    name = _member(condition, "Condition", default=None)
    column = _member(condition, "TargetColumn", default=None)
    if name not in CONDITIONS:
        raise RecipeFileError(f"{where}: DataBrew has no condition {name!r}{_suggestion(str(name), CONDITIONS)}")
    if not isinstance(column, str) or not column:
        raise RecipeFileError(f"{where}: condition {name} has no 'TargetColumn'; name the column that it checks")
    _check_characters(column, where=f"{where}: condition {name}")
    if len(column) > _MAX_CONDITION_VALUE:
        raise RecipeFileError(f"{where}: 'TargetColumn' has {len(column)} characters; write the name of a column")
    result = {"Condition": str(name), "TargetColumn": column}
    value = _member(condition, "Value", default=None)
    if value is not None:
        text = _parameter(value, where=f"{where}: condition {name}")
        _check_characters(text, where=f"{where}: condition {name}")
        if len(text) > _MAX_CONDITION_VALUE:
            raise RecipeFileError(
                f"{where}: condition {name} has {len(text)} characters; DataBrew allows at most {_MAX_CONDITION_VALUE}"
            )
        result["Value"] = text
    return result


def _member(mapping: Mapping[str, Any], *names: str, default: Any) -> Any:
    for name in names:
        for key in (name, name[0].lower() + name[1:]):
            if key in mapping:
                return mapping[key]
    return default


def _camel(name: str) -> str:
    # CloudFormation writes SourceColumn where the API takes sourceColumn.
    return name[0].lower() + name[1:] if name[:1].isupper() and not name.isupper() else name


def _named_parameter(name: str, value: object, *, where: str) -> tuple[str, str]:
    where = f"{where}: parameter {name!r}"
    if not _PARAMETER_NAME.fullmatch(name):
        raise RecipeFileError(f"{where} is not 1 to 128 letters and digits; write it as the step's reference page does")
    text = _parameter(value, where=where)
    _check_characters(text, where=where)
    if not text:
        raise RecipeFileError(
            f"{where} is empty; DataBrew allows 1 to {_MAX_PARAMETER} characters: leave it out, or write a value"
        )
    if len(text) > _MAX_PARAMETER:
        raise RecipeFileError(
            f"{where} has {len(text)} characters; DataBrew allows 1 to {_MAX_PARAMETER}: write a shorter one"
        )
    return _camel(name), text


def _check_characters(text: str, *, where: str) -> None:
    # Line breaks, tabs and signs without width are data that a recipe may replace; these two no
    # text can hold.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise RecipeFileError(f"{where} contains a NUL or half of a surrogate pair; write plain Unicode text")


def _parameter(value: object, *, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    raise RecipeFileError(f"{where} is {value!r}; write text, a number, a boolean, a list or an object")


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.upper(), sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "; see the recipe step reference of the DataBrew Developer Guide"
