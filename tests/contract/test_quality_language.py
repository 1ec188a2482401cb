"""DataBrew's language of checks is one: what a pipeline file may say, local AWS evaluates."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.quality.check_expression import (
    COLUMN_STATISTICS,
    CONDITIONS,
    DATASET_STATISTICS,
    CheckError,
    parse_check,
)
from recipe_runner.api import RecipeError, validate_rules
from tests.fixtures.quality import rules_of

PARAMETERS = {"QUANTILE": ", 0.25", "Z_SCORE_OUTLIERS_COUNT": ", 4", "Z_SCORE_OUTLIERS_PERCENTAGE": ""}
RIGHT_SIDES = {"is_between": "1 and 2", "in": '["a", "b"]'}


def databrew_rule(check: str, **members: Any) -> dict[str, Any]:
    parsed = parse_check(check, {})
    return {"Name": "r", "CheckExpression": parsed.expression, "SubstitutionMap": dict(parsed.values), **members}


@pytest.mark.parametrize("statistic", COLUMN_STATISTICS)
def test_local_aws_knows_every_statistic_of_a_column(statistic: str) -> None:
    check = f"AGG({statistic}{PARAMETERS.get(statistic, '')}) >= 1"
    validate_rules([databrew_rule(check, ColumnSelectors=[{"Name": "a"}])])


@pytest.mark.parametrize("statistic", DATASET_STATISTICS)
def test_local_aws_knows_every_statistic_of_a_dataset(statistic: str) -> None:
    validate_rules([databrew_rule(f"AGG({statistic}) >= 1")])


@pytest.mark.parametrize("condition", [*CONDITIONS, *(f"not {word}" for word in CONDITIONS if word.isidentifier())])
def test_local_aws_knows_every_condition(condition: str) -> None:
    right = RIGHT_SIDES.get(condition.removeprefix("not "), "1")
    validate_rules([databrew_rule(f"`a` {condition} {right}"), databrew_rule(f"`a` {condition.upper()} {right}")])


def test_each_statistic_and_condition_of_the_guide_is_tried() -> None:
    assert (len(COLUMN_STATISTICS), len(DATASET_STATISTICS), len(CONDITIONS)) == (25, 4, 12)


def test_local_aws_reads_every_short_form() -> None:
    short = ("{not_null: a}", "{unique: a}", "{in: {a: [1]}}", "{between: {a: [1, 2]}}", "{at_least: {a: 1}}",
             "{at_most: {b: 1}}", "{matches: {a: x+}}")  # fmt: skip
    validate_rules([rule.definition() for rule in rules_of(*short)])


@pytest.mark.parametrize("check", [":a like :v", "AGG(AVERAGE) > :v", ":a > :w", ":a >"])
def test_what_a_pipeline_file_may_not_say_is_no_rule_either(check: str) -> None:
    values = {":a": "`a`", ":v": "1"}
    with pytest.raises(CheckError):
        parse_check(check, values)
    with pytest.raises(RecipeError):
        validate_rules([{"Name": "r", "CheckExpression": check, "SubstitutionMap": values}])
