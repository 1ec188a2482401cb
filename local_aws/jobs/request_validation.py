"""Checks a request against botocore's model of its operation, in AWS's words.

AWS does this before anything else: required members, enumerations, lengths, patterns, ranges. A
member that the model does not know is refused as well. Most of AWS's JSON services ignore one; here
it is nearly always a misspelling, which would otherwise look as if it worked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import regex
from moto.core.utils import get_service_model

from .errors import AwsError


def validate(service: str, operation: str, params: Mapping[str, Any], code: str = "ValidationException") -> None:
    """Refuse members whose values break the model.

    :param service: botocore service name.
    :param operation: API operation name.
    :param params: the request's members by the model's names.
    :param code: error code with which the service refuses such a request.
    :raises AwsError: lists every violation.
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    if shape is not None:
        _refuse(code, list(_violations(shape, params, "")))


def refuse_unknown_members(service: str, operation: str, body: Any, code: str = "ValidationException") -> None:
    """Refuse members of a JSON body that the operation does not have.

    :param service: botocore service name.
    :param operation: API operation name.
    :param body: the parsed JSON body; anything but an object passes.
    :param code: error code with which the service refuses such a request.
    :raises AwsError: lists every unknown member.
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    if shape is None or "payload" in shape.serialization:
        return
    _refuse(code, [f"{operation} has no member {path}" for path in _unknown(shape, body, "")])


def _refuse(code: str, problems: list[str]) -> None:
    if problems:
        count = len(problems)
        raise AwsError(code, f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(problems)}")


def _unknown(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, entry in value.items():
            where = f"{path}.{name}" if path else name
            if name not in members:
                yield where
            else:
                yield from _unknown(members[name], entry, where)
    elif shape.type_name == "list" and isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _unknown(shape.member, entry, f"{path}[{number}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, entry in value.items():
            yield from _unknown(shape.value, entry, f"{path}.{key}")


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield _violation("null", _join(path, name), "not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _violations(member, value[name], _join(path, name))
        return
    metadata = shape.metadata
    minimum, maximum = metadata.get("min"), metadata.get("max")
    if shape.type_name == "list":
        yield from _length(value, minimum, maximum, path)
        for number, entry in enumerate(value, start=1):
            yield from _violations(shape.member, entry, f"{path}.{number}.member")
    elif shape.type_name == "map":
        yield from _length(value, minimum, maximum, path)
        for key, entry in value.items():
            yield from _violations(shape.key, key, path)
            yield from _violations(shape.value, entry, f"{path}.{key}.member")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield _violation(f"'{value}'", path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
        yield from _length(value, minimum, maximum, path)
        pattern = _pattern(metadata.get("pattern"))
        if pattern is not None and not pattern.fullmatch(value):
            yield _violation(f"'{value}'", path, f"satisfy regular expression pattern: {metadata['pattern']}")
    elif shape.type_name in ("integer", "long", "float", "double"):
        if minimum is not None and value < minimum:
            yield _violation(f"'{value}'", path, f"have value greater than or equal to {minimum}")
        if maximum is not None and value > maximum:
            yield _violation(f"'{value}'", path, f"have value less than or equal to {maximum}")


def _length(value: Any, minimum: int | None, maximum: int | None, path: str) -> Iterator[str]:
    if minimum is not None and len(value) < minimum:
        yield _violation(f"'{value}'", path, f"have length greater than or equal to {minimum}")
    if maximum is not None and len(value) > maximum:
        yield _violation(f"'{value}'", path, f"have length less than or equal to {maximum}")


def _violation(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: Member must {constraint}"


@lru_cache(maxsize=512)
def _pattern(text: str | None) -> regex.Pattern[str] | None:
    if not text:
        return None
    try:
        # The models' patterns are Java's, whose `\p{..}` this dialect knows. Patterns that it does
        # not know are not checked.
        return regex.compile(text, regex.DOTALL)
    except regex.error:
        return None


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member
