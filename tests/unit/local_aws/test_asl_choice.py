"""Every operator of the Choice state, both ways, and with values of the wrong type."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.states.asl import choice
from local_aws.states.asl.errors import RuntimeStateError
from local_aws.states.asl.query import Scope

SCOPE = Scope({}, {})
EARLY, LATE = "2024-01-01T00:00:00Z", "2024-01-01T02:00:00+01:00"
CASES: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", 1, "1", False),
    ("StringLessThan", "a", "b", True),
    ("StringGreaterThan", "a", "b", False),
    ("StringLessThanEquals", "a", "a", True),
    ("StringGreaterThanEquals", "a", "b", False),
    ("StringMatches", "log-1.txt", "log-*.txt", True),
    ("StringMatches", "a*b", "a\\*b", True),
    ("StringMatches", "axb", "a\\*b", False),
    ("NumericEquals", 1, 1.0, True),
    ("NumericEquals", True, 1, False),
    ("NumericEquals", "1", 1, False),
    ("NumericLessThan", 1, 2, True),
    ("NumericGreaterThan", 1, 2, False),
    ("NumericLessThanEquals", 2, 2, True),
    ("NumericGreaterThanEquals", 0.79, 0.7, True),
    ("BooleanEquals", True, True, True),
    ("BooleanEquals", 1, True, False),
    ("TimestampEquals", EARLY, "2024-01-01T01:00:00+01:00", True),
    ("TimestampLessThan", EARLY, LATE, True),
    ("TimestampGreaterThan", EARLY, LATE, False),
    ("TimestampLessThanEquals", EARLY, EARLY, True),
    ("TimestampGreaterThanEquals", LATE, EARLY, True),
    ("TimestampEquals", "yesterday", EARLY, False),
    ("IsNull", None, True, True),
    ("IsNull", 0, False, True),
    ("IsNumeric", 1.5, True, True),
    ("IsNumeric", True, False, True),
    ("IsString", "x", True, True),
    ("IsBoolean", False, True, True),
    ("IsTimestamp", EARLY, True, True),
    ("IsTimestamp", "2024-01-01", False, True),
]


@pytest.mark.parametrize(("operator", "value", "operand", "expected"), CASES)
def test_operators(operator: str, value: Any, operand: Any, expected: bool) -> None:
    assert choice.matches({"Variable": "$.v", operator: operand}, {"v": value}, SCOPE) is expected
    if operator in choice.COMPARISONS:
        rule = {"Variable": "$.v", f"{operator}Path": "$.o"}
        assert choice.matches(rule, {"v": value, "o": operand}, SCOPE) is expected


def test_every_operator_has_a_case() -> None:
    assert {case[0] for case in CASES} | {"IsPresent"} == {
        name for name in choice.OPERATORS if not name.endswith("Path")
    }


def test_presence() -> None:
    assert choice.matches({"Variable": "$.v", "IsPresent": True}, {"v": None}, SCOPE)
    assert choice.matches({"Variable": "$.w.x", "IsPresent": False}, {"v": None}, SCOPE)


def test_combinations() -> None:
    small, large = {"Variable": "$.v", "NumericLessThan": 10}, {"Variable": "$.v", "NumericGreaterThan": 5}
    assert choice.matches({"And": [small, large]}, {"v": 7}, SCOPE)
    assert not choice.matches({"And": [small, large]}, {"v": 3}, SCOPE)
    assert choice.matches({"Or": [{"Not": small}, large]}, {"v": 20}, SCOPE)


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(RuntimeStateError, match=r"Invalid path '\$\.gone'"):
        choice.matches({"Variable": "$.gone", "NumericEquals": 1}, {}, SCOPE)
