"""The ``Condition`` element: operators, ``IfExists``, ``ForAllValues`` and ``ForAnyValue``.

See
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
and reference_policies_condition-single-vs-multi-valued-context-keys.html. A key that local_aws does
not know counts as one that the request does not have. Must not import moto.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.iam.wildcards import (
    Context,
    UnknownVariableError,
    arn_matches,
    expand,
    matches_with_variables,
    without_variables,
)

_IF_EXISTS = "IfExists"
_SET_OPERATORS = ("ForAllValues", "ForAnyValue")

Comparison = Callable[[str, str, Context], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a condition.

    :param operator: the operator without prefix, negation and suffix, for example ``StringLike``.
    :param negated: whether it was written as its negation, for example ``StringNotLike``.
    :param if_exists: whether it has the suffix ``IfExists``.
    :param set_operator: ``ForAllValues``, ``ForAnyValue`` or empty.
    :param key: the condition key in lower case.
    :param values: what the request's value is compared with.
    """

    operator: str
    negated: bool
    if_exists: bool
    set_operator: str
    key: str
    values: tuple[str, ...]


def parse(element: Mapping[str, Any], *, variables: bool = True) -> tuple[Condition, ...]:
    """Read a ``Condition`` element.

    :param element: operator → key → value or values.
    :param variables: whether policy variables are replaced (policy version 2012-10-17).
    :raises ValueError: IAM does not know an operator.
    """
    found = []
    for name, keys in element.items():
        set_operator, _, base = name.rpartition(":")
        if set_operator and set_operator not in _SET_OPERATORS:
            raise ValueError(f"IAM does not know the condition operator {name}.")
        if_exists = base.endswith(_IF_EXISTS) and base != "Null"
        base = base.removesuffix(_IF_EXISTS) if if_exists else base
        positive = _POSITIVE.get(base, base)
        if positive != "Null" and positive not in _COMPARISONS:
            raise ValueError(f"IAM does not know the condition operator {name}.")
        for key, values in keys.items():
            listed = values if isinstance(values, list | tuple) else [values]
            texts = tuple(_text(value) if variables else without_variables(_text(value)) for value in listed)
            found.append(Condition(positive, base in _POSITIVE, if_exists, set_operator, key.lower(), texts))
    return tuple(found)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def holds(condition: Condition, context: Context) -> bool:
    """Whether a request satisfies a condition.

    :param condition: the condition.
    :param context: the request's keys in lower case.
    """
    given = context.get(condition.key)
    if condition.operator == "Null":
        absent = not given
        return any((value.lower() == "true") == absent for value in condition.values)
    if not given:
        if condition.set_operator == "ForAllValues" or condition.if_exists:
            return True
        return condition.negated and condition.set_operator != "ForAnyValue"
    compare = _COMPARISONS[condition.operator]
    results = [
        any(_compare(compare, value, wanted, context) for wanted in condition.values) != condition.negated
        for value in given
    ]
    if condition.set_operator == "ForAllValues" or (condition.negated and not condition.set_operator):
        return all(results)
    return any(results)


def _compare(compare: Comparison, given: str, wanted: str, context: Context) -> bool:
    try:
        return compare(given, wanted, context)
    except (UnknownVariableError, ValueError, ArithmeticError):
        # A value that is not a number, date or address is equal to none.
        return False


def _string_equals(given: str, wanted: str, context: Context) -> bool:
    return given == expand(wanted, context)


def _string_equals_ignore_case(given: str, wanted: str, context: Context) -> bool:
    return given.lower() == expand(wanted, context).lower()


def _string_like(given: str, wanted: str, context: Context) -> bool:
    return matches_with_variables(wanted, given, context)


def _arn_like(given: str, wanted: str, context: Context) -> bool:
    # "*" alone is not an ARN, but people write it, and for AWS it matches any.
    return arn_matches(wanted, given, context)


def _bool(given: str, wanted: str, context: Context) -> bool:
    return given.lower() == expand(wanted, context).lower()


def _binary(given: str, wanted: str, context: Context) -> bool:
    try:
        return base64.b64decode(given, validate=True) == base64.b64decode(wanted, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _ip_address(given: str, wanted: str, context: Context) -> bool:
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


def _numeric(compare: Callable[[float, float], bool]) -> Comparison:
    return lambda given, wanted, context: compare(float(given), float(wanted))


def _date(compare: Callable[[float, float], bool]) -> Comparison:
    return lambda given, wanted, context: compare(_moment(given), _moment(wanted))


def _moment(text: str) -> float:
    """Return the epoch seconds of an ISO 8601 date, or of a text with epoch seconds."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


_COMPARISONS: dict[str, Comparison] = {
    "StringEquals": _string_equals,
    "StringEqualsIgnoreCase": _string_equals_ignore_case,
    "StringLike": _string_like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _bool,
    "BinaryEquals": _binary,
    "IpAddress": _ip_address,
    "NumericEquals": _numeric(lambda one, other: one == other),
    "NumericLessThan": _numeric(lambda one, other: one < other),
    "NumericLessThanEquals": _numeric(lambda one, other: one <= other),
    "NumericGreaterThan": _numeric(lambda one, other: one > other),
    "NumericGreaterThanEquals": _numeric(lambda one, other: one >= other),
    "DateEquals": _date(lambda one, other: one == other),
    "DateLessThan": _date(lambda one, other: one < other),
    "DateLessThanEquals": _date(lambda one, other: one <= other),
    "DateGreaterThan": _date(lambda one, other: one > other),
    "DateGreaterThanEquals": _date(lambda one, other: one >= other),
}

#: Negated operator → the one it negates.
_POSITIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
