"""Choice rules: every comparison operator of the JSONPath query language.

See https://states-language.net/spec.html#choice-state and
https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from local_aws.states.asl import jsonpath
from local_aws.states.asl.errors import PathNotFoundError, RuntimeStateError
from local_aws.states.asl.query import Scope, path_value

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda one, other: bool(one == other),
    "LessThan": lambda one, other: bool(one < other),
    "GreaterThan": lambda one, other: bool(one > other),
    "LessThanEquals": lambda one, other: bool(one <= other),
    "GreaterThanEquals": lambda one, other: bool(one >= other),
}

#: Operators with a second form that takes a path, ``…Path``.
COMPARISONS = frozenset(
    {f"{kind}{order}" for kind in ("String", "Numeric", "Timestamp") for order in _ORDER} | {"BooleanEquals"}
)
TYPE_TESTS = frozenset({"IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"})
OPERATORS = COMPARISONS | {f"{name}Path" for name in COMPARISONS} | TYPE_TESTS | {"StringMatches"}

_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})")


def timestamp(value: Any) -> datetime.datetime | None:
    """Read a timestamp: RFC 3339 with upper-case ``T`` and ``Z``.

    See https://states-language.net/spec.html#timestamps.

    :returns: the moment, None for any other value.
    """
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.datetime.fromisoformat(value)
    except ValueError:
        return None


def matches(rule: dict[str, Any], document: Any, scope: Scope) -> bool:
    """Whether a choice rule matches.

    :param rule: a rule that has been validated.
    :param document: what ``$`` means.
    :param scope: context object and variables.
    :raises StateError: ``States.Runtime`` when ``Variable`` or a ``…Path`` operand does not exist.
    """
    if "And" in rule:
        return all(matches(part, document, scope) for part in rule["And"])
    if "Or" in rule:
        return any(matches(part, document, scope) for part in rule["Or"])
    if "Not" in rule:
        return not matches(rule["Not"], document, scope)
    operator = next(key for key in rule if key in OPERATORS)
    expected = rule[operator]
    if operator == "IsPresent":
        try:
            path = jsonpath.parse(rule["Variable"])
            jsonpath.evaluate(path, document, scope.context, scope.variables)
        except PathNotFoundError:
            return expected is False
        return expected is True
    try:
        value = path_value(rule["Variable"], document, scope, "Variable")
    except RuntimeStateError as error:
        raise RuntimeStateError(f"Invalid path '{rule['Variable']}': {error.cause}") from error
    if operator in TYPE_TESTS:
        return bool(_is(operator, value) == expected)
    if operator.endswith("Path"):
        operator, expected = operator[:-4], path_value(expected, document, scope, operator)
    return _compare(operator, value, expected)


def _is(operator: str, value: Any) -> bool:
    if operator == "IsNull":
        return value is None
    if operator == "IsNumeric":
        return jsonpath.is_number(value)
    if operator == "IsString":
        return isinstance(value, str)
    if operator == "IsBoolean":
        return isinstance(value, bool)
    return timestamp(value) is not None


def _compare(operator: str, value: Any, expected: Any) -> bool:
    if operator == "BooleanEquals":
        return isinstance(value, bool) and isinstance(expected, bool) and value == expected
    if operator == "StringMatches":
        return isinstance(value, str) and isinstance(expected, str) and _glob(expected).fullmatch(value) is not None
    if operator.startswith("String"):
        usable = isinstance(value, str) and isinstance(expected, str)
        return usable and _ORDER[operator[len("String") :]](value, expected)
    if operator.startswith("Numeric"):
        usable = jsonpath.is_number(value) and jsonpath.is_number(expected)
        return usable and _ORDER[operator[len("Numeric") :]](value, expected)
    one, other = timestamp(value), timestamp(expected)
    return one is not None and other is not None and _ORDER[operator[len("Timestamp") :]](one, other)


def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\\\\|\\\*|\*)", pattern)
    special = {"\\\\": re.escape("\\"), "\\*": re.escape("*"), "*": ".*"}
    return re.compile("".join(special.get(part, re.escape(part)) for part in parts), re.DOTALL)
