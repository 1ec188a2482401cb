"""Rules in short form: what they say, and which values fail them."""

from __future__ import annotations

import pytest

from brewtrain.domain.quality.rules import failing_values
from tests.fixtures.quality import rule_of

VALUES = ["17", "16.9", "", "098", "1e1", "x", "50%", " 20 ", "17", "NaN"]

FAILING: dict[str, tuple[str, list[str]]] = {
    "not_null": ("{not_null: a}", [""]),
    "unique": ("{unique: a}", ["17", "17"]),
    "in": ("{in: {a: [17, '50%', x]}}", ["16.9", "", "098", "1e1", " 20 ", "NaN"]),
    "between": ("{between: {a: [10, 17]}}", ["", "098", "x", "50%", " 20 ", "NaN"]),
    "at_least": ("{at_least: {a: 17}}", ["16.9", "", "1e1", "x", "50%", "NaN"]),
    "at_most": ("{at_most: {a: 20}}", ["", "098", "x", "50%", "NaN"]),
    "matches": ("{matches: {a: '[0-9]+'}}", ["16.9", "", "1e1", "x", "50%", " 20 ", "NaN"]),
}


@pytest.mark.parametrize(("rule", "failing"), FAILING.values(), ids=FAILING)
def test_each_short_form_finds_the_values_that_fail(rule: str, failing: list[str]) -> None:
    found = failing_values(rule_of(rule), [{"a": value, "b": ""} for value in VALUES], limit=100)
    assert found is not None
    assert [one.value for one in found] == failing
    assert [VALUES[one.row - 1] for one in found] == failing


def test_there_is_a_case_for_each_short_form() -> None:
    assert len(FAILING) == 7


def test_a_column_that_the_rows_lack_is_missing_everywhere() -> None:
    found = failing_values(rule_of("{not_null: a}"), [{"b": "1"}, {"b": "2"}])
    assert found is not None
    assert [one.row for one in found] == [1, 2]


def test_no_more_values_are_returned_than_asked_for() -> None:
    assert len(failing_values(rule_of("{not_null: a}"), [{"a": ""}] * 9, limit=5) or []) == 5


def test_a_rule_in_databrews_language_has_no_samples() -> None:
    assert failing_values(rule_of("{check: '`a` > 1'}"), [{"a": "0"}]) is None


SENTENCES = {
    "{not_null: a, threshold: 10%}": "a must not be missing; 10% of the rows may fail",
    "{unique: a}": "a must not repeat a value",
    "{in: {a: [x, 1]}}": "a must be one of x, 1",
    "{between: {a: [1, 2.5]}, threshold: 0.5%}": "a must be between 1 and 2.5; 0.5% of the rows may fail",
    "{at_least: {a: 1}}": "a must be at least 1",
    "{at_most: {a: 1}}": "a must be at most 1",
    "{matches: {a: x+}}": "a must match x+",
    "{check: '`a` > 1'}": "`a` > 1",
    "{check: AGG(MEAN) >= :low, values: {':low': 2}, columns: a, columns_matching: b.*}": (
        "a, columns that match b.*: AGG(MEAN) >= 2"
    ),
    "{check: '`a` > 1', threshold: 5%}": (
        "`a` > 1; the rows that satisfy it must be greater than or equal 95%"
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", SENTENCES)
def test_a_rule_says_what_it_demands(rule: str) -> None:
    assert rule_of(rule).expectation == SENTENCES[rule]
