"""Recipe files: the forms they come in, their mistakes, and when two recipes are the same."""

from __future__ import annotations

import json

import pytest

from brewtrain.domain.errors import RecipeFileError
from brewtrain.domain.pipeline.recipe_document import content_hash, parse_recipe, step_differences
from brewtrain.domain.pipeline.recipe_operations import OPERATIONS

RENAME = {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "y", "targetColumn": "label"}}}
DELETE = {"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": '["a","b"]'}}}


def _parse(document: object) -> list[dict[str, object]]:
    return parse_recipe(json.dumps(document), source="include/recipes/x.json")


def test_the_form_of_the_api_stays_as_it_is() -> None:
    conditional = {
        **RENAME,
        "ConditionExpressions": [{"Condition": "IS", "TargetColumn": "y", "Value": '["no"]'}],
    }
    assert _parse([RENAME, DELETE, conditional]) == [RENAME, DELETE, conditional]


@pytest.mark.parametrize(
    "document",
    [
        {"Steps": [RENAME]},
        {"steps": [{"action": {"operation": "RENAME", "parameters": RENAME["Action"]["Parameters"]}}]},
        [{"RecipeStep": RENAME}],
        [{"Action": {"Operation": "RENAME", "Parameters": {"SourceColumn": "y", "TargetColumn": "label"}}}],
        [{**RENAME, "ConditionExpressions": []}],
    ],
)
def test_other_forms_become_that_of_the_api(document: object) -> None:
    assert _parse(document) == [RENAME]


def test_lists_and_numbers_become_text() -> None:
    steps = _parse(
        [{"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": ["a", "b"], "n": 1, "f": True}}}]
    )
    assert steps[0]["Action"] == {
        "Operation": "DELETE",
        "Parameters": {"sourceColumns": '["a","b"]', "n": "1", "f": "true"},
    }


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "has no steps"),
        ({"Name": "x"}, "has no steps"),
        ([RENAME] * 101, "has 101 steps, but DataBrew allows 100"),
        ([RENAME, 3], "step 2: is 3"),
        ([{"Operation": "RENAME"}], "step 1: has no 'Action'"),
        ([{"Action": {}}], "step 1: has no 'Operation'"),
        (
            [RENAME, {"Action": {"Operation": "RENAMES"}}],
            "step 2: DataBrew has no operation 'RENAMES'; did you mean 'RENAME'?",
        ),
        ([{"Action": {"Operation": "rename"}}], "step 1: DataBrew has no operation 'rename'; did you mean 'RENAME'?"),
        ([{"Action": {"Operation": "GET_STEP_DATAFRAME"}}], "DataBrew has no operation"),
        ([{"Action": {"Operation": "RENAME", "Parameters": []}}], "step 1 (RENAME): 'Parameters' is []"),
        ([{"Action": {"Operation": "RENAME", "Parameters": {"a": None}}}], "parameter 'a' is None"),
        (
            [RENAME, {"Action": {"Operation": "REPLACE_TEXT", "Parameters": {"sourceColumn": "a", "value": ""}}}],
            "step 2 (REPLACE_TEXT): parameter 'value' is empty; DataBrew allows 1 to 32768 characters",
        ),
        (
            [{"Action": {"Operation": "RENAME", "Parameters": {"value": "x" * 32769}}}],
            "step 1 (RENAME): parameter 'value' has 32769 characters; DataBrew allows 1 to 32768",
        ),
        (
            [{"Action": {"Operation": "RENAME", "Parameters": {"source_column": "a"}}}],
            "step 1 (RENAME): parameter 'source_column' is not 1 to 128 letters and digits",
        ),
        (
            [{**RENAME, "ConditionExpressions": [{"Condition": "IS", "TargetColumn": "a", "Value": "x" * 1025}]}],
            "step 1 (RENAME): condition IS has 1025 characters; DataBrew allows at most 1024",
        ),
        ([{**RENAME, "ConditionExpressions": {}}], "'ConditionExpressions' is {}"),
        ([{**RENAME, "ConditionExpressions": [3]}], "condition 3 is not an object"),
        ([{**RENAME, "ConditionExpressions": [{"Condition": "ISNT", "TargetColumn": "a"}]}], "no condition 'ISNT'"),
        ([{**RENAME, "ConditionExpressions": [{"Condition": "IS"}]}], "condition IS has no 'TargetColumn'"),
    ],
)
def test_a_mistake_names_file_and_step(document: object, sentence: str) -> None:
    with pytest.raises(RecipeFileError) as caught:
        _parse(document)
    assert str(caught.value).startswith("include/recipes/x.json: ")
    assert sentence in str(caught.value)


def test_what_is_not_json_is_named_with_its_place() -> None:
    with pytest.raises(RecipeFileError, match="is not JSON at line 2, column 1"):
        parse_recipe("[\n", source="x.json")


def test_the_hash_is_of_the_meaning() -> None:
    same = {"Action": {"Parameters": dict(reversed(RENAME["Action"]["Parameters"].items())), "Operation": "RENAME"}}
    assert content_hash([RENAME]) == content_hash([{**same, "ConditionExpressions": []}])
    assert content_hash([RENAME, DELETE]) != content_hash([DELETE, RENAME])
    assert content_hash([RENAME]) != content_hash([RENAME, RENAME])


def test_differences_name_the_steps() -> None:
    changed = {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "y", "targetColumn": "target"}}}
    assert step_differences([RENAME], [RENAME]) == []
    assert step_differences([changed], [RENAME]) == ["step 1 (RENAME) changed"]
    assert step_differences([RENAME, DELETE], [RENAME]) == ["step 2 added (DELETE)"]
    assert step_differences([RENAME], [RENAME, DELETE]) == ["step 2 removed (DELETE)"]
    assert step_differences([DELETE], [RENAME]) == ["step 1: RENAME → DELETE"]


def test_the_list_of_operations_is_whole() -> None:
    assert len(OPERATIONS) == 214
