"""The quality section: what a rule becomes for DataBrew, and each mistake's sentence."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters

from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.quality.rules import ruleset
from tests.fixtures.pipelines import CHURN, pipeline_of
from tests.fixtures.quality import pipeline_with_quality, quality_of, rules_of

EVERY_ROW = {"Type": "GREATER_THAN_OR_EQUAL", "Unit": "PERCENTAGE", "Value": 100.0}

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "no missing values": (
        "{not_null: age}",
        {
            "Name": "age not_null",
            "CheckExpression": "AGG(MISSING_VALUES_COUNT) <= :allowed",
            "SubstitutionMap": {":allowed": "0"},
            "ColumnSelectors": [{"Name": "age"}],
        },
    ),
    "few missing values": (
        "{not_null: age, threshold: 1.5%}",
        {
            "Name": "age not_null",
            "CheckExpression": "AGG(MISSING_VALUES_PERCENTAGE) <= :allowed",
            "SubstitutionMap": {":allowed": "1.5"},
            "ColumnSelectors": [{"Name": "age"}],
        },
    ),
    "no value twice": (
        "{unique: [id]}",
        {
            "Name": "id unique",
            "CheckExpression": "AGG(DUPLICATE_VALUES_COUNT) <= :allowed",
            "SubstitutionMap": {":allowed": "0"},
            "ColumnSelectors": [{"Name": "id"}],
        },
    ),
    "known values": (
        '{in: {plan: [gold, "40K - 60K €", 3, 1.50]}}',
        {
            "Name": "plan in",
            "CheckExpression": ":col IN :list1",
            "SubstitutionMap": {":col": "`plan`", ":list1": '["gold","40K - 60K €","3","1.5"]'},
            "Threshold": EVERY_ROW,
        },
    ),
    "a range": (
        "{between: {age: [17, 98.5]}, threshold: 0.1%, name: grown up}",
        {
            "Name": "grown up",
            "CheckExpression": ":col IS_BETWEEN :val1 and :val2",
            "SubstitutionMap": {":col": "`age`", ":val1": "17", ":val2": "98.5"},
            "Threshold": {**EVERY_ROW, "Value": 99.9},
        },
    ),
    "a lower bound": (
        "{at_least: {age: -0.00001}}",
        {
            "Name": "age at_least",
            "CheckExpression": ":col >= :val",
            "SubstitutionMap": {":col": "`age`", ":val": "-0.00001"},
            "Threshold": EVERY_ROW,
        },
    ),
    "an upper bound": (
        "{at_most: {age: 1.0e+20}}",
        {
            "Name": "age at_most",
            "CheckExpression": ":col <= :val",
            "SubstitutionMap": {":col": "`age`", ":val": "100000000000000000000"},
            "Threshold": EVERY_ROW,
        },
    ),
    "a pattern": (
        "{matches: {mail: '.+@.+'}}",
        {
            "Name": "mail matches",
            "CheckExpression": ":col matches :pattern",
            "SubstitutionMap": {":col": "`mail`", ":pattern": "^(?:.+@.+)$"},
            "Threshold": EVERY_ROW,
        },
    ),
    "DataBrew's language with values in it": (
        "{check: AGG(MISSING_VALUES_PERCENTAGE) <= 5, columns: age, columns_matching: 'dur.*'}",
        {
            "Name": "AGG(MISSING_VALUES_PERCENTAGE) <= 5 (age, dur.*)",
            "CheckExpression": "AGG(MISSING_VALUES_PERCENTAGE) <= :value1",
            "SubstitutionMap": {":value1": "5"},
            "ColumnSelectors": [{"Name": "age"}, {"Regex": "dur.*"}],
        },
    ),
    "DataBrew's language as the guide writes it": (
        "{check: ':col STARTS_WITH :val', values: {':col': '`url`', ':val': http}, name: links}",
        {
            "Name": "links",
            "CheckExpression": ":col STARTS_WITH :val",
            "SubstitutionMap": {":col": "`url`", ":val": "http"},
            "Threshold": EVERY_ROW,
        },
    ),
    "DataBrew's threshold": (
        "{check: '> 0', columns: age, threshold: {type: LESS_THAN, unit: COUNT, value: 10}, name: few}",
        {
            "Name": "few",
            "CheckExpression": "> :value1",
            "SubstitutionMap": {":value1": "0"},
            "ColumnSelectors": [{"Name": "age"}],
            "Threshold": {"Type": "LESS_THAN", "Unit": "COUNT", "Value": 10.0},
        },
    ),
}


@pytest.mark.parametrize(("rule", "definition"), FORMS.values(), ids=FORMS)
def test_each_form_is_a_rule_of_databrews(rule: str, definition: dict[str, Any]) -> None:
    found = ruleset(rules_of(rule))
    assert found == [definition]
    model = botocore.session.get_session().get_service_model("databrew").operation_model("CreateRuleset")
    request = {"Name": "churn", "TargetArn": "arn:aws:databrew:eu-central-1:1:dataset/churn", "Rules": found}
    validate_parameters(request, model.input_shape)


def test_there_is_a_case_for_every_form() -> None:
    assert len(FORMS) == 11


def test_a_rule_about_several_columns_is_a_rule_for_each() -> None:
    assert [rule.name for rule in rules_of("{not_null: [a, b]}")] == ["a not_null", "b not_null"]
    assert [rule.name for rule in rules_of("{at_most: {a: 1, b: 2}, name: small}")] == ["small (a)", "small (b)"]


def test_a_long_list_of_values_is_divided_into_lists_that_databrew_takes() -> None:
    values = [f"value {number:03}" for number in range(200)]
    (definition,) = ruleset(rules_of(f"{{in: {{plan: [{', '.join(values)}]}}}}"))
    lists = {name: text for name, text in definition["SubstitutionMap"].items() if name.startswith(":list")}
    assert definition["CheckExpression"] == ":col IN :list1 or :col IN :list2 or :col IN :list3"
    assert all(len(text) <= 1024 for text in lists.values())
    assert [value for text in lists.values() for value in json.loads(text)] == values


def test_a_value_that_is_too_long_for_a_list_is_refused() -> None:
    value = "'" + '"' * 600 + "'"
    with pytest.raises(PipelineFileError, match="has 600 characters; a list of DataBrew's has at most 1024, as JSON"):
        rules_of(f"{{in: {{plan: [{value}]}}}}")


def test_a_long_name_is_shortened_and_stays_unique() -> None:
    columns = [f"{'x' * 150}{end}" for end in "ab"]
    names = [rule.name for rule in rules_of(f"{{not_null: [{', '.join(columns)}]}}")]
    assert len(set(names)) == 2
    assert all(len(name) == 128 for name in names)


def test_a_pipeline_checks_nothing_unless_it_says_so() -> None:
    assert pipeline_of().quality is None


def test_learn_alone_profiles_without_rules() -> None:
    quality = pipeline_of(f"{CHURN}quality: learn\n").quality
    assert quality is not None
    assert (quality.learn, quality.rules) == (True, ())


def test_the_newest_days_are_checked_unless_the_file_says_window() -> None:
    assert quality_of("rules: [{not_null: a}]").of == "new_days"
    assert quality_of("rules: [{not_null: a}]\nof: window").of == "window"


MISTAKES: dict[str, tuple[str, str]] = {
    "nothing": ("{}", "'quality' checks nothing; write rules, row_count or freshness, or 'quality: learn'"),
    "no rules": ("rules: []", "'quality.rules' is an empty list; write a rule, or remove it"),
    "rules without a list": (
        "rules: {not_null: a}",
        "'quality.rules' is a mapping; write a list, as [a, b] or one item per line after '- '",
    ),
    "an empty rule": (
        "rules: [{}]",
        "'quality.rules[0]' checks nothing; write one of check, not_null, unique, in, between, at_least, at_most, "
        "matches",
    ),
    "a form that is not indented": (
        "rules:\n- in:\n  plan: [gold]",
        "'quality.rules[0]' has nothing for 'in'; indent what it says below it, or remove it",
    ),
    "a misspelt form": ("rules: [{not_nul: a}]", "'quality.rules[0].not_nul' is not known; did you mean 'not_null'?"),
    "two forms": ("rules: [{not_null: a, unique: b}]", "'quality.rules[0]' has both not_null and unique; make them "
                  "two rules"),
    "no columns": ("rules: [{not_null: []}]", "'quality.rules[0].not_null' is a list; write at least one"),
    "a column twice": ("rules: [{unique: [a, a]}]", "'quality.rules[0].unique' names 'a' twice; name each once"),
    "a column that cannot be named": (
        "rules: [{not_null: ['a`b']}]",
        "'quality.rules[0].not_null[0]' names the column 'a`b'; DataBrew's rules cannot name a column with a back-tick",
    ),
    "a rule twice": (
        "rules: [{not_null: a}, {not_null: [b, a]}]",
        "'quality' has two rules named 'a not_null'; remove one, or give it another name",
    ),
    "more rules than a ruleset takes": (
        f"rules: [{{not_null: [{', '.join(f'c{number}' for number in range(101))}]}}]",
        "'quality' has 101 rules, one for each column, and DataBrew takes 100 in a ruleset; leave out those that "
        "matter least",
    ),
    "a name twice": (
        "rules: [{not_null: a, name: x}, {unique: a, name: x}]",
        "'quality' has two rules named 'x'; remove one, or give it another name",
    ),
    "yes among the values": (
        "rules: [{in: {y: ['no', yes]}}]",
        "'quality.rules[0].in.y[1]' is true or false; YAML reads yes, no, on and off so too: put the word in quotes",
    ),
    "a date among the values": (
        "rules: [{in: {d: [2024-01-01]}}]",
        "'quality.rules[0].in.d[0]' is neither a text nor a number; put it in quotes",
    ),
    "no values": ("rules: [{in: {y: []}}]", "'quality.rules[0].in.y' is a list; write at least one"),
    "values without a column": (
        "rules: [{in: [a]}]",
        "'quality.rules[0].in' is a list; write its fields below it, indented, as 'field: value'",
    ),
    "an empty range": (
        "rules: [{between: {a: [3, 1]}}]",
        "'quality.rules[0].between.a' is the range [3, 1], which is empty; write the smallest value first",
    ),
    "half a range": (
        "rules: [{between: {a: [3]}}]",
        "'quality.rules[0].between.a' is not a range; write the smallest and the largest value, as [17, 98]",
    ),
    "a bound that is no number": (
        "rules: [{between: {a: ['1', 3]}}]",
        "'quality.rules[0].between.a[0]' is not a number; write it without quotes (it says '1')",
    ),
    "an exponent that YAML does not know": (
        "rules: [{at_most: {a: 1e5}}]",
        "'quality.rules[0].at_most.a' is text to YAML; write all digits, or a point and the exponent's sign, as 1.0e+5 "
        "(it says '1e5')",
    ),
    "a pattern that is none": (
        "rules: [{matches: {a: '('}}]",
        "'quality.rules[0].matches.a' is not a regular expression (missing ), unterminated subpattern at position 0) "
        "(it says '(')",
    ),
    "a pattern of Python's": (
        "rules: [{matches: {a: '(?P<x>b)'}}]",
        "'quality.rules[0].matches.a' has a named group in Python's form, which DataBrew does not know; write a plain "
        "group (it says '(?P<x>b)')",
    ),
    "a threshold without its sign": (
        "rules: [{not_null: a, threshold: 1}]",
        "'quality.rules[0].threshold' is not a share in percent; write one such as '1%' (it says 1)",
    ),
    "a threshold that lets everything pass": (
        "rules: [{not_null: a, threshold: 100%}]",
        "'quality.rules[0].threshold' lets every row fail; write less than 100% (it says '100%')",
    ),
    "a threshold that always holds": (
        "rules: [{check: '`a` > 0', threshold: {value: 0}}]",
        "'quality.rules[0].threshold' always holds: any number of rows is GREATER_THAN_OR_EQUAL 0; correct type or "
        "value",
    ),
    "a threshold that never holds": (
        "rules: [{check: '`a` > 0', threshold: {value: 100, type: GREATER_THAN}}]",
        "'quality.rules[0].threshold' can never hold: no number of rows is GREATER_THAN 100; correct type or value",
    ),
    "a threshold of more than all rows": (
        "rules: [{check: '`a` > 0', threshold: {value: 101}}]",
        "'quality.rules[0].threshold' demands 101% of the rows; write at most 100",
    ),
    "a threshold for a statistic": (
        "rules: [{check: AGG(MEAN) > 3, columns: a, threshold: 1%}]",
        "'quality.rules[0]' has a threshold, which DataBrew takes only with checks of rows; put the bound in the check",
    ),
    "DataBrew's threshold for a short form": (
        "rules: [{not_null: a, threshold: {unit: COUNT, value: 5}}]",
        "'quality.rules[0]' has a threshold of DataBrew's with not_null; write the share that may fail, such as '1%'",
    ),
    "columns for a short form": (
        "rules: [{not_null: a, columns: b}]",
        "'quality.rules[0]' has columns, which belongs to check; not_null names its columns itself",
    ),
    "a check without a column": (
        "rules: [{check: AGG(MEAN) > 3}]",
        "'quality.rules[0]' names no column; add 'columns', or name one in the check (it says 'AGG(MEAN) > 3')",
    ),
    "a check with columns that it does not use": (
        "rules: [{check: AGG(ROWS_COUNT) > 3, columns: a}]",
        "'quality.rules[0]' has columns that its check does not use; remove them (it says 'AGG(ROWS_COUNT) > 3')",
    ),
    "a check that DataBrew refuses": (
        "rules: [{check: 'a > 3'}]",
        "'quality.rules[0]' has a check that DataBrew would refuse: it has the condition 'a', which is none; write one "
        "of ==, !=, <=, >=, <, >, is_between, in, starts_with, ends_with, contains, matches (it says 'a > 3')",
    ),
    "what follows a failure": (
        "rules: [{not_null: a, on_fail: stop}]",
        "'quality.rules[0].on_fail' is 'stop'; write 'block' or 'warn'",
    ),
    "which days": ("of: new\nrules: [{not_null: a}]", "'quality.of' is 'new'; write 'new_days' or 'window'"),
    "a freshness of nothing beside rules": (
        "rules: [{not_null: a}]\nfreshness:",
        "'quality' has nothing for 'freshness'; indent what it says below it, or remove it",
    ),
    "a bound of nothing beside another": (
        "row_count: {min: 5, drop_max: }",
        "'quality.row_count' has nothing for 'drop_max'; indent what it says below it, or remove it",
    ),
    "no bound of rows": ("row_count: {}", "'quality.row_count' has no bound; write drop_max, grow_max or min"),
    "a drop of more than all rows": ("row_count: {drop_max: 150%}", "'quality.row_count.drop_max' is '150%'; write "
                                     "less than 100"),
    "a freshness that checks nothing": (
        "freshness: {same_as_earlier: allow}",
        "'quality.freshness' checks nothing; write max_age_hours, or remove it",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("section", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_ends_in_one_sentence(section: str, sentence: str) -> None:
    with pytest.raises(PipelineFileError) as caught:
        pipeline_with_quality(section)
    assert caught.value.problems == [f"field {sentence}"]


def test_a_section_of_nothing_is_a_mistake() -> None:
    with pytest.raises(PipelineFileError, match="field 'quality' is empty; indent what it says below it"):
        pipeline_of(f"{CHURN}quality:\n")


def test_there_is_a_sentence_for_each_mistake() -> None:
    assert len(MISTAKES) == 41
