"""What a user reads when a pipeline file is not valid: one sentence per problem.

Each names the field, what it says, and what to write.

Must not import Airflow, boto3 or :mod:`brewtrain.domain.pipeline.file`, which imports this.

Source: pydantic documentation, "Validation errors" (the error types).
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from brewtrain.domain import names

# What to write where a text does not match its pattern, by field, or by the last part of its name.
_PATTERN_ADVICE = {
    "name": f"write lower case words joined by single '_', at most {names.PIPELINE_NAME_MAX_LENGTH} characters",
    "endpoint.name": "write letters, digits and '-', starting and ending with a letter or digit, at most 63 characters",
    "instance_type": "write a SageMaker instance type such as 'ml.m5.xlarge'",
    "kms_key": "write the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID",
    "image_version": "write a version of the built-in XGBoost image such as '1.7-1'",
}
_Location = tuple[int | str, ...]


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one sentence per problem.

    :param error: What pydantic found.
    :param model: The model that was validated, for the names of fields that exist.
    """
    details = error.errors()
    misspelt = {
        (*detail["loc"][:-1], near)
        for detail in details
        if detail["type"] == "extra_forbidden" and (near := _nearest(detail["loc"], model)) is not None
    }
    # A list whose only item is wrong is not too short besides.
    holders = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    # "colum" instead of "column" is one mistake: not also a missing "column".
    repeated = {("missing", location) for location in misspelt} | {("too_short", location) for location in holders}
    return [_sentence(detail, model) for detail in details if (detail["type"], detail["loc"]) not in repeated]


def _sentence(detail: Mapping[str, Any], model: type[BaseModel]) -> str:
    location: _Location = detail["loc"]
    field = f"field '{_field(location)}'"
    given = detail.get("input")
    kind = detail["type"]
    if kind == "extra_forbidden":
        near = _nearest(location, model)
        known = ", ".join(_fields(location[:-1], model))
        return f"{field} is not known; " + (f"did you mean {near!r}?" if near else f"known here: {known}")
    if kind == "invalid_key":
        # pydantic's location holds the key as a number here: name the key itself.
        section = f" of '{_field(location[:-1])}'" if len(location) > 1 else ""
        word = "yes, no, on and off as true or false" if isinstance(given, bool) else "it as another type than text"
        return f"key {_given(given)}{section} is not known; YAML reads {word}: put the name in quotes, or remove it"
    if kind == "missing":
        return f"{field} is missing; add it"
    if kind == "value_error":
        problem = str(detail["ctx"]["error"])
        says = f" (it says {given!r})" if isinstance(given, str) and repr(given) not in problem else ""
        return f"{field} {problem}{says}"
    if given is None:
        return f"{field} is empty; write a value, or remove the line if it has a default"
    return f"{field} is {_given(given)}; {_advice(kind, detail, location)}"


def _advice(kind: str, detail: Mapping[str, Any], location: _Location) -> str:
    context = detail.get("ctx", {})
    given = detail.get("input")
    if kind in ("string_pattern_mismatch", "string_too_long", "string_too_short"):
        return _pattern_advice(location, context)
    if kind in ("string_type", "literal_error") and isinstance(given, bool):
        return "YAML reads yes, no, on and off as true or false: put the word in quotes" + _expected(context)
    if kind == "string_type":
        return "write text: put it in quotes" if isinstance(given, int | float | date) else "write text"
    if kind == "literal_error":
        return f"write {context['expected']}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "write its fields below it, indented, as 'field: value'"
    if kind in ("tuple_type", "list_type"):
        return "write a list, as [a, b] or one item per line after '- '"
    if kind.startswith("int_"):
        return "write a whole number, without quotes"
    if kind == "finite_number":
        return "write a finite number"
    if kind.startswith("float_"):
        return "write a number, without quotes and unit"
    if kind.startswith("bool_"):
        return "write true or false, without quotes"
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("more than", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("less than", "lt"),
    }
    if kind in bounds:
        word, key = bounds[kind]
        return f"write {word} {context[key]:g}"
    if kind == "too_short":
        return "write at least one"
    message: str = detail["msg"]
    return message[0].lower() + message[1:]


def _pattern_advice(location: _Location, context: Mapping[str, Any]) -> str:
    for advice_for in (_field(location), str(location[-1])):
        if advice_for in _PATTERN_ADVICE:
            return _PATTERN_ADVICE[advice_for]
    if "max_length" in context:
        return f"write at most {context['max_length']} characters"
    return "write at least one character"


def _expected(context: Mapping[str, Any]) -> str:
    return f"; write {context['expected']}" if "expected" in context else ""


def _given(given: object) -> str:
    if isinstance(given, date):
        return f"the date {given}"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, dict):
        return "a mapping"
    if isinstance(given, list):
        return "a list"
    return repr(given)


def _field(location: _Location) -> str:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else part
    return path or "file"


def _nearest(location: _Location, model: type[BaseModel]) -> str | None:
    near = difflib.get_close_matches(str(location[-1]), _fields(location[:-1], model), n=1)
    return near[0] if near else None


def _fields(location: _Location, model: type[BaseModel]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        section = None if field is None else _section(field.annotation)
        if section is None:
            # A mapping with keys of the user's own: what stands below is a section again
            # (gate.metrics.<metric>).
            continue
        model = section
    return [field.alias or name for name, field in model.model_fields.items()]


def _section(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (dict, tuple, Annotated, Union, types.UnionType):
        for argument in get_args(annotation):
            if (found := _section(argument)) is not None:
                return found
    return None
