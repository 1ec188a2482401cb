"""DataBrew's language of checks: what is read as the guide has it, and what is refused."""

from __future__ import annotations

import re

import pytest

from brewtrain.domain.quality.check_expression import Check, CheckError, parse_check

COLUMNS = {":col": "`size`", ":col1": "`name`", ":col2": "`company`"}
VALUES = {":val": "5", ":val1": "0", ":val2": "10", ":list": '["S","M"]', ":zscore_dev": "4", ":pct": "0.25"}

# The examples of the guide's page "Available checks", and of real reports.
GUIDE = [
    "AGG(ROWS_COUNT) > :val",
    "AGG(COLUMNS_COUNT) == :val",
    "AGG(DUPLICATE_ROWS_COUNT) < :val",
    "AGG(DUPLICATE_ROWS_PERCENTAGE) < :val",
    "AGG(MISSING_VALUES_PERCENTAGE) < :val",
    "AGG(Z_SCORE_OUTLIERS_COUNT, :zscore_dev) < :val",
    "AGG(MEDIAN_ABSOLUTE_DEVIATION) > :val",
    "AGG(QUANTILE, :pct) > :val",
    "AGG(:col1, UNIQUE_VALUES_PERCENTAGE) >= :val",
    ":col IN :list",
    ":col NOT IN :list",
    ":col STARTS_WITH :val",
    ":col1 contains :col2",
    ":col IS_BETWEEN :val1 and :val2",
    ":col1 IS BETWEEN :val1 AND :val2",
    ":col1 <= :col2",
    "length(:col) IS_BETWEEN :val1 and :val2",
    "LENGTH(:col1) > :val1",
    "> :val",
    "is_between :val1 and :val2",
    "(:col1 starts_with :val1 or :col1 starts_with :val2) and (:col1 ends_with :val1 or :col1 ends_with :val)",
]


def parsed(text: str) -> Check:
    names = re.findall(r":[A-Za-z0-9_]+", text)
    return parse_check(text, {name: value for name, value in (COLUMNS | VALUES).items() if name in names})


@pytest.mark.parametrize("text", GUIDE)
def test_the_guides_checks_go_to_databrew_as_they_are(text: str) -> None:
    check = parsed(text)
    assert check.expression == text
    assert check.aggregate == text.startswith("AGG")


def test_every_kind_of_check_of_the_guide_is_among_them() -> None:
    assert len(GUIDE) == 21


WRITTEN_OUT = {
    "AGG( mean )>=-2.5": ("AGG(MEAN) >= :value1", {":value1": "-2.5"}),
    "`Column A` <= `b`": (":value1 <= :value2", {":value1": "`Column A`", ":value2": "`b`"}),
    "`a` starts_with 'http:' or length(`a`) < 3": (
        ":value1 starts_with :value2 or length(:value1) < :value3",
        {":value1": "`a`", ":value2": "http:", ":value3": "3"},
    ),
    '`a` not in ["€", 1]': (":value1 not in :value2", {":value1": "`a`", ":value2": '["€", 1]'}),
    "agg(QUANTILE, 0.5) is_between 1 and 2": (
        "agg(QUANTILE, :value1) is_between :value2 and :value3",
        {":value1": "0.5", ":value2": "1", ":value3": "2"},
    ),
}


@pytest.mark.parametrize("text", WRITTEN_OUT)
def test_a_value_in_the_check_becomes_a_variable(text: str) -> None:
    check = parse_check(text, {})
    assert (check.expression, dict(check.values)) == WRITTEN_OUT[text]
    assert re.fullmatch(r"[<>0-9A-Za-z_.,:)(!= ]+", check.expression), "CreateRuleset's pattern"


def test_a_variable_of_the_users_keeps_its_name() -> None:
    check = parse_check(":value1 > 1", {":value1": "`a`"})
    assert check.values == {":value1": "`a`", ":value2": "1"}


PER_COLUMN = {
    "> 1": True,
    "length() > 1": True,
    "AGG(MEAN) > 1": True,
    "AGG(ROWS_COUNT) > 1 and AGG(MEAN) > 1": True,
    "AGG(ROWS_COUNT) > 1": False,
    "AGG(`a`, MEAN) > 1": False,
    "`a` > 1": False,
}


@pytest.mark.parametrize("text", PER_COLUMN)
def test_a_check_that_names_no_column_needs_them_beside_it(text: str) -> None:
    assert parse_check(text, {}).per_column == PER_COLUMN[text]


REFUSED = {
    "": "is empty",
    "> ": "ends where a value must stand",
    "`a`": "ends where a condition",
    "`a` > 1 2": "goes on with '2' after its end",
    "`a` = 1": "cannot be read from '= 1' on",
    "`a` > 1; x": "cannot be read from '; x' on",
    "`a` > b": "has 'b' where a value must stand",
    "`a` > :b": "uses the variable :b, which 'values' does not have",
    "`a` like 'b'": "has the condition 'like', which is none",
    "`a` not > 1": "has 'not' before >",
    "`a` is_between 1": "has is_between without its second value",
    "`a` in 1": "needs a list after 'in'",
    "`a` in []": "needs a list after 'in'",
    "(`a` > 1": "ends where ')' must stand",
    "`a` > 1)": "goes on with ')' after its end",
    "AGG(MEEN) > 1": "names the statistic MEEN",
    "AGG(MEAN, 1) > 1": "gives MEAN a parameter",
    "AGG(QUANTILE) > 1": "names no share for QUANTILE",
    "AGG(QUANTILE, 0.9) > 1": "asks for the quantile 0.9; DataBrew has 0.25, 0.5, 0.75",
    "AGG(`a`, ROWS_COUNT) > 1": "gives ROWS_COUNT a column",
    "AGG(MEAN) > 'x'": "compares a statistic with 'x'; write a number",
    "AGG(MEAN) contains 1": "compares a statistic with contains",
    "AGG(ROWS_COUNT) > 1 and `a` > 1": "joins checks of statistics with checks of rows",
    "`a` > 1 or < 3": "names a column in one place and none in another",
    "1 > `a`": "has the condition '1', which is none",
    "x > 1": "has the condition 'x', which is none",
    "`a` == '`b`'": "has the text '`b`', which DataBrew would take for a column",
    "(" * 51 + "> 1" + ")" * 51: "has more than 50 brackets",
    "AGG > 1": "has '>' where '(' must stand",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_databrew_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(CheckError, match=re.escape(REFUSED[text])):
        parse_check(text, {})


def test_there_is_a_case_for_each_refusal() -> None:
    assert len(REFUSED) == 29


@pytest.mark.parametrize(
    ("text", "values", "problem"),
    [
        pytest.param(":a > 1", {":a": "age"}, "compares :a, which is not a column", id="a value on the left"),
        pytest.param("`a` > 1", {":b": "1"}, "does not use the variable :b", id="a variable without use"),
        pytest.param(f"`a` == '{'x' * 1025}'", {}, "has a value of 1025 characters", id="a long value"),
        pytest.param(
            " or ".join(["`a` > 1"] * 60), {}, "has 1256 characters as DataBrew takes it", id="a long expression"
        ),
    ],
)
def test_what_databrew_does_not_take_is_refused(text: str, values: dict[str, str], problem: str) -> None:
    with pytest.raises(CheckError, match=re.escape(problem)):
        parse_check(text, values)
