"""Any recipe file is refused, or CreateRecipe takes it and it reads no other bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brewtrain.domain.errors import RecipeFileError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.recipe_document import content_hash, parse_recipe
from brewtrain.domain.pipeline.recipe_inputs import check_second_inputs
from brewtrain.domain.pipeline.recipe_operations import OPERATIONS
from tests.fixtures.pipelines import smallest_pipeline
from tests.functional.hostile.texts import KNOWN, hostile

MEMBERS = ["Steps", "Action", "Operation", "Parameters", "ConditionExpressions", "Condition", "TargetColumn"]
SOURCE = "include/recipes/x.json"


def check_request(text: str) -> None:
    try:
        steps = parse_recipe(text, source=SOURCE)
    except RecipeFileError:
        return
    content_hash(steps)
    assert 1 <= len(steps) <= 100
    for step in steps:
        assert set(step) <= {"Action", "ConditionExpressions"}
        assert step["Action"]["Operation"] in OPERATIONS
        for name, value in step["Action"].get("Parameters", {}).items():
            assert name.isascii()
            assert name.isalnum()
            assert 1 <= len(value) <= 32768
            value.encode()
            assert "\x00" not in value
        for condition in step.get("ConditionExpressions", []):
            condition["TargetColumn"].encode()
            assert len(condition["TargetColumn"]) <= 1024
            condition.get("Value", "").encode()


def step(
    operation: Any = "RENAME", name: Any = "sourceColumn", value: Any = "a", condition: Any = None
) -> dict[str, Any]:
    conditions = [] if condition is None else [{"Condition": "IS", "TargetColumn": condition, "Value": condition}]
    return {"Action": {"Operation": operation, "Parameters": {name: value}}, "ConditionExpressions": conditions}


@pytest.mark.parametrize("place", ["operation", "name", "value", "condition"])
def test_known_attacks(place: str) -> None:
    for text in KNOWN:
        check_request(json.dumps([step(**{place: text})]))


@settings(max_examples=100)
@given(hostile, hostile, hostile, hostile)
def test_any_text_anywhere(operation: str, name: str, value: str, condition: str) -> None:
    check_request(json.dumps([step("RENAME", name, value, condition)]))
    check_request(json.dumps([step(operation, value=value)]))


@settings(max_examples=100)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), hostile),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.one_of(hostile, st.sampled_from(MEMBERS)), inner, max_size=3),
        ),
        max_leaves=10,
    )
)  # fmt: skip
def test_any_document(document: Any) -> None:
    check_request(json.dumps(document))


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_file(text: str) -> None:
    check_request(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"Steps": ' * 5_000,
        "[" + "9" * 5_000 + "]",
        json.dumps([step()]).replace('"a"', "NaN"),
        json.dumps([step()]).replace('"a"', "-Infinity"),
        json.dumps([step()]).replace('"a"', '"\\ud800"'),
        json.dumps([step()]).replace('"a"', '"\\u0000"'),
        '[{"Action": {"Operation": "RENAME", "Operation": "DELETE", "Parameters": {"sourceColumn": "a"}}}]',
    ],
    ids=lambda text: text[:30],
)
def test_a_file_that_attacks_the_reader_is_refused(text: str) -> None:
    with pytest.raises(RecipeFileError):
        parse_recipe(text, source=SOURCE)


def check_inputs(parameters: dict[str, Any], chosen: Pipeline, operation: str = "JOIN") -> None:
    document = [{"Action": {"Operation": operation, "Parameters": parameters}}]
    check_second_inputs(parse_recipe(json.dumps(document), source=SOURCE), chosen, source=SOURCE)


@pytest.mark.parametrize(
    "location",
    [
        "s3://evil-bucket/data/x.csv",
        "s3://mine-1/../x.csv",
        "s3://mine-1//x.csv",
        "s3://mine-1/data/%2e%2e/x.csv",
        "s3://mine-1/brewtrain/other/runs/r/transform/",
        "s3://mine-1/data/<.*>",
        "s3a://evil-bucket/x",
        "https://evil.example/x",
        "/etc/passwd",
        "{{ var.value.secret }}",
    ],
)
@pytest.mark.parametrize("name", ["secondInputLocation", "SecondInputLocation"])
def test_a_second_input_elsewhere_is_refused(location: str, name: str) -> None:
    with pytest.raises(RecipeFileError, match="step 1"):
        check_inputs({name: location}, smallest_pipeline(bucket="mine-1"))


@pytest.mark.parametrize(
    "inputs",
    [
        [{"S3InputDefinition": {"Bucket": "evil-bucket", "Key": "x.csv"}}],
        [{"S3InputDefinition": {"Bucket": "mine-1", "Key": "../x.csv"}}],
        [{"Bucket": "evil-bucket", "Key": "x.csv"}],
        [{"S3InputDefinition": {"Bucket": ["mine-1"], "Key": "x.csv"}}],
        [{"S3InputDefinition": {"Bucket": "mine-1", "Key": 1}}],
        ["s3://evil-bucket/x"],
        {"Bucket": "evil-bucket"},
    ],
)
def test_secondary_inputs_elsewhere_are_refused(inputs: Any) -> None:
    with pytest.raises(RecipeFileError, match="step 1"):
        check_inputs({"secondaryInputs": inputs}, smallest_pipeline(bucket="mine-1"), "UNION")


@pytest.mark.parametrize(
    ("location", "fields"),
    [
        ("s3://mine-1/lookups/codes.csv", {"bucket": "mine-1"}),
        ("s3://their-lake/codes.csv", {"source": {"path": "s3://their-lake/raw/{date}/"}}),
        ("s3://brewtrain-123456789012-eu-central-1/lookups/codes.csv", {}),
    ],
)
def test_a_second_input_of_the_pipelines_own_is_taken(location: str, fields: dict[str, Any]) -> None:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    check_inputs({"secondInputLocation": location}, smallest_pipeline(**fields))
    check_inputs(
        {"secondaryInputs": [{"S3InputDefinition": {"Bucket": bucket, "Key": key}}]},
        smallest_pipeline(**fields),
        "UNION",
    )
    check_inputs(
        {"secondaryInputs": json.dumps([{"Bucket": bucket, "Key": key}])}, smallest_pipeline(**fields), "UNION"
    )


@settings(max_examples=100)
@given(hostile)
def test_any_second_input(location: str) -> None:
    chosen = smallest_pipeline(bucket="mine-1")
    document = [{"Action": {"Operation": "JOIN", "Parameters": {"secondInputLocation": location}}}]
    try:
        steps = parse_recipe(json.dumps(document), source=SOURCE)
        check_second_inputs(steps, chosen, source=SOURCE)
    except RecipeFileError:
        return
    assert location.startswith(("s3://mine-1/", "s3a://mine-1/", "s3n://mine-1/"))
    assert not {".", ".."} & set(location.split("/"))
