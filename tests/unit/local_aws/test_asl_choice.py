"""Every operator of the Choice state, both ways, and with values of the wrong type."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.states.asl import choice
from local_aws.states.asl.errors import RuntimeStateError
from local_aws.states.asl.query import Scope

SCOPE = Scope({}, {})
EARLY, LATE = "2024-01-01T00:00:00Z", "2024-01-01T02:00:00+01:00"
#: Name of the case → operator, value of the variable, operand.
HOLDING: dict[str, tuple[str, Any, Any]] = {
    "equal texts": ("StringEquals", "a", "a"),
    "text before another": ("StringLessThan", "a", "b"),
    "text up to an equal one": ("StringLessThanEquals", "a", "a"),
    "text that fits a pattern": ("StringMatches", "log-1.txt", "log-*.txt"),
    "escaped asterisk": ("StringMatches", "a*b", "a\\*b"),
    "integer and float": ("NumericEquals", 1, 1.0),
    "smaller number": ("NumericLessThan", 1, 2),
    "number up to an equal one": ("NumericLessThanEquals", 2, 2),
    "number from a smaller one": ("NumericGreaterThanEquals", 0.79, 0.7),
    "equal booleans": ("BooleanEquals", True, True),
    "same moment in another zone": ("TimestampEquals", EARLY, "2024-01-01T01:00:00+01:00"),
    "earlier moment": ("TimestampLessThan", EARLY, LATE),
    "moment up to an equal one": ("TimestampLessThanEquals", EARLY, EARLY),
    "moment from an earlier one": ("TimestampGreaterThanEquals", LATE, EARLY),
    "null": ("IsNull", None, True),
    "zero is not null": ("IsNull", 0, False),
    "float is numeric": ("IsNumeric", 1.5, True),
    "boolean is not numeric": ("IsNumeric", True, False),
    "text": ("IsString", "x", True),
    "boolean": ("IsBoolean", False, True),
    "timestamp": ("IsTimestamp", EARLY, True),
    "a date is not a timestamp": ("IsTimestamp", "2024-01-01", False),
}
NOT_HOLDING: dict[str, tuple[str, Any, Any]] = {
    "a number is not equal to a text": ("StringEquals", 1, "1"),
    "text not after another": ("StringGreaterThan", "a", "b"),
    "text not from a later one": ("StringGreaterThanEquals", "a", "b"),
    "escaped asterisk matches nothing else": ("StringMatches", "axb", "a\\*b"),
    "a boolean is not a number": ("NumericEquals", True, 1),
    "a text is not a number": ("NumericEquals", "1", 1),
    "number not greater": ("NumericGreaterThan", 1, 2),
    "a number is not a boolean": ("BooleanEquals", 1, True),
    "moment not later": ("TimestampGreaterThan", EARLY, LATE),
    "a word is not a moment": ("TimestampEquals", "yesterday", EARLY),
}


def outcomes(operator: str, value: Any, operand: Any) -> set[bool]:
    """Return what an operator decides, also in its form that takes the operand from a path."""
    found = {choice.matches({"Variable": "$.v", operator: operand}, {"v": value}, SCOPE)}
    if operator in choice.COMPARISONS:
        rule = {"Variable": "$.v", f"{operator}Path": "$.o"}
        found.add(choice.matches(rule, {"v": value, "o": operand}, SCOPE))
    return found


@pytest.mark.parametrize(("operator", "value", "operand"), HOLDING.values(), ids=HOLDING)
def test_an_operator_holds(operator: str, value: Any, operand: Any) -> None:
    assert outcomes(operator, value, operand) == {True}


@pytest.mark.parametrize(("operator", "value", "operand"), NOT_HOLDING.values(), ids=NOT_HOLDING)
def test_an_operator_does_not_hold(operator: str, value: Any, operand: Any) -> None:
    assert outcomes(operator, value, operand) == {False}


def test_every_operator_has_a_case() -> None:
    cases = [*HOLDING.values(), *NOT_HOLDING.values()]
    assert len(cases) == 32
    assert {operator for operator, _, _ in cases} | {"IsPresent"} == {
        name for name in choice.OPERATORS if not name.endswith("Path")
    }


def test_a_variable_that_is_null_is_present() -> None:
    assert choice.matches({"Variable": "$.v", "IsPresent": True}, {"v": None}, SCOPE)
    assert choice.matches({"Variable": "$.w.x", "IsPresent": False}, {"v": None}, SCOPE)


def test_rules_combine_with_and_or_and_not() -> None:
    small, large = {"Variable": "$.v", "NumericLessThan": 10}, {"Variable": "$.v", "NumericGreaterThan": 5}
    assert choice.matches({"And": [small, large]}, {"v": 7}, SCOPE)
    assert not choice.matches({"And": [small, large]}, {"v": 3}, SCOPE)
    assert choice.matches({"Or": [{"Not": small}, large]}, {"v": 20}, SCOPE)


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(RuntimeStateError, match=r"Invalid path '\$\.gone'"):
        choice.matches({"Variable": "$.gone", "NumericEquals": 1}, {}, SCOPE)
