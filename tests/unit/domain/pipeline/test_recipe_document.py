"""Recipe files: the forms they come in, their mistakes, and when two recipes are the same."""

from __future__ import annotations

import hashlib
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
        {"RecipeSteps": [RENAME]},
        {"recipeSteps": [RENAME]},
        [{"RecipeAction": RENAME["Action"]}],
        [{"recipeStep": {"recipeAction": RENAME["Action"]}}],
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


def test_every_kind_of_value_becomes_the_text_that_databrew_takes() -> None:
    given = {"list": ["ä", "b"], "object": {"a": [1, 2]}, "whole": 7, "part": 0.5, "yes": True, "no": False}
    [step] = _parse([{"Action": {"Operation": "DELETE", "Parameters": given}}])
    assert step["Action"] == {
        "Operation": "DELETE",
        "Parameters": {
            "list": '["ä","b"]',
            "object": '{"a":[1,2]}',
            "whole": "7",
            "part": "0.5",
            "yes": "true",
            "no": "false",
        },
    }


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param("SourceColumn", "sourceColumn", id="CloudFormation's"),
        pytest.param("sourceColumn", "sourceColumn", id="the API's"),
        pytest.param("URL", "URL", id="an abbreviation"),
        pytest.param("9Columns", "9Columns", id="a digit first"),
        pytest.param("a" * 128, "a" * 128, id="the longest"),
    ],
)
def test_a_parameter_has_the_apis_name(given: str, taken: str) -> None:
    [step] = _parse([{"Action": {"Operation": "DELETE", "Parameters": {given: "x"}}}])
    assert step["Action"] == {"Operation": "DELETE", "Parameters": {taken: "x"}}


def test_the_longest_recipe_parameter_and_condition_that_databrew_takes_are_taken() -> None:
    assert len(_parse([RENAME] * 100)) == 100
    [step] = _parse([{"Action": {"Operation": "RENAME", "Parameters": {"value": "x" * 32768}}}])
    assert step["Action"] == {"Operation": "RENAME", "Parameters": {"value": "x" * 32768}}
    condition = {"Condition": "IS", "TargetColumn": "c" * 1024, "Value": "x" * 1024}
    assert _parse([{**RENAME, "ConditionExpressions": [condition]}]) == [
        {**RENAME, "ConditionExpressions": [condition]}
    ]


def test_characters_on_either_side_of_the_surrogates_are_text() -> None:
    [step] = _parse([{"Action": {"Operation": "RENAME", "Parameters": {"value": "\ud7ff\ue000\t\n"}}}])
    assert step["Action"] == {"Operation": "RENAME", "Parameters": {"value": "\ud7ff\ue000\t\n"}}


NO_STEP = "; see the recipe step reference of the DataBrew Developer Guide"
NO_TEXT = "contains a NUL or half of a surrogate pair; write plain Unicode text"


def with_condition(**condition: object) -> list[object]:
    return [{**RENAME, "ConditionExpressions": [condition]}]


WHOLE: dict[str, tuple[object, str]] = {
    "no steps": ([], "has no steps; write a list of recipe steps, at least one"),
    "text": ("RENAME", "has no steps; write a list of recipe steps, at least one"),
    "too many steps": (
        [RENAME] * 101,
        "has 101 steps, but DataBrew allows 100; put the rest into another recipe",
    ),
    "a step that is a number": ([RENAME, 3], "step 2: is 3; write an object with 'Action'"),
    "a wrapped step that is a number": (
        [{"RecipeStep": 3}],
        "step 1: 'RecipeStep' is 3; write an object with 'Action'",
    ),
    "no action": ([{"Steps": 1}], "step 1: has no 'Action'; write 'Action' with 'Operation' and 'Parameters'"),
    "no operation": ([{"Action": {}}], "step 1: has no 'Operation'; write one such as 'RENAME'"),
    "an empty operation": ([{"Action": {"Operation": ""}}], "step 1: has no 'Operation'; write one such as 'RENAME'"),
    "an operation that is a number": (
        [{"Action": {"Operation": 3}}],
        "step 1: has no 'Operation'; write one such as 'RENAME'",
    ),
    "an operation like no other": (
        [{"Action": {"Operation": "zzz"}}],
        f"step 1: DataBrew has no operation 'zzz'{NO_STEP}",
    ),
    "an operation like another": (
        [{"Action": {"Operation": "renames"}}],
        "step 1: DataBrew has no operation 'renames'; did you mean 'RENAME'?",
    ),
    "parameters that are a list": (
        [{"Action": {"Operation": "RENAME", "Parameters": []}}],
        "step 1 (RENAME): 'Parameters' is []; write an object of names and values",
    ),
    "a parameter that is nothing": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a": None}}}],
        "step 1 (RENAME): parameter 'a' is None; write text, a number, a boolean, a list or an object",
    ),
    "an empty parameter": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a": ""}}}],
        "step 1 (RENAME): parameter 'a' is empty; DataBrew allows 1 to 32768 characters: leave it out, or write a "
        "value",
    ),
    "a parameter that is too long": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a": "x" * 32769}}}],
        "step 1 (RENAME): parameter 'a' has 32769 characters; DataBrew allows 1 to 32768: write a shorter one",
    ),
    "a parameter with an underscore": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a_b": "x"}}}],
        "step 1 (RENAME): parameter 'a_b' is not 1 to 128 letters and digits; write it as the step's reference page "
        "does",
    ),
    "a parameter with a NUL": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a": "x\x00"}}}],
        f"step 1 (RENAME): parameter 'a' {NO_TEXT}",
    ),
    "a parameter with the first surrogate": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a": "\ud800"}}}],
        f"step 1 (RENAME): parameter 'a' {NO_TEXT}",
    ),
    "a parameter with the last surrogate": (
        [{"Action": {"Operation": "RENAME", "Parameters": {"a": "\udfff"}}}],
        f"step 1 (RENAME): parameter 'a' {NO_TEXT}",
    ),
    "conditions that are an object": (
        [{**RENAME, "ConditionExpressions": {}}],
        "step 1 (RENAME): 'ConditionExpressions' is {}; write a list",
    ),
    "a condition that is a number": (
        [{**RENAME, "ConditionExpressions": [3]}],
        "step 1 (RENAME): condition 3 is not an object with 'Condition' and 'TargetColumn'",
    ),
    "a condition like another": (
        with_condition(Condition="IS_MISSIN", TargetColumn="a"),
        "step 1 (RENAME): DataBrew has no condition 'IS_MISSIN'; did you mean 'IS_MISSING'?",
    ),
    "a condition like no other": (
        with_condition(Condition=None, TargetColumn="a"),
        f"step 1 (RENAME): DataBrew has no condition None{NO_STEP}",
    ),
    "a condition without a column": (
        with_condition(Condition="IS"),
        "step 1 (RENAME): condition IS has no 'TargetColumn'; name the column that it checks",
    ),
    "a condition on an empty column": (
        with_condition(Condition="IS", TargetColumn=""),
        "step 1 (RENAME): condition IS has no 'TargetColumn'; name the column that it checks",
    ),
    "a condition on a number": (
        with_condition(Condition="IS", TargetColumn=3),
        "step 1 (RENAME): condition IS has no 'TargetColumn'; name the column that it checks",
    ),
    "a condition on a column with a NUL": (
        with_condition(Condition="IS", TargetColumn="\x00"),
        f"step 1 (RENAME): condition IS {NO_TEXT}",
    ),
    "a condition on a column that is too long": (
        with_condition(Condition="IS", TargetColumn="c" * 1025),
        "step 1 (RENAME): 'TargetColumn' has 1025 characters; write the name of a column",
    ),
    "a condition with a value that is nothing DataBrew takes": (
        # JSON's own null leaves the value out.
        with_condition(Condition="IS", TargetColumn="a", Value="\ud800"),
        f"step 1 (RENAME): condition IS {NO_TEXT}",
    ),
    "a condition with a value that is too long": (
        with_condition(Condition="IS", TargetColumn="a", Value="x" * 1025),
        "step 1 (RENAME): condition IS has 1025 characters; DataBrew allows at most 1024",
    ),
}


@pytest.mark.parametrize(("document", "sentence"), WHOLE.values(), ids=WHOLE)
def test_a_mistake_ends_in_one_whole_sentence(document: object, sentence: str) -> None:
    with pytest.raises(RecipeFileError) as caught:
        _parse(document)
    assert str(caught.value) == f"include/recipes/x.json: {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[\n", "is not JSON at line 2, column 1: Expecting value; correct it there", id="cut off"),
        pytest.param("[NaN]", "has NaN, which is not JSON; correct it there", id="not a number"),
        pytest.param("[-Infinity]", "has -Infinity, which is not JSON; correct it there", id="without end"),
        pytest.param(
            '[{"a": 1, "b": 2, "c": 3, "b": 4}]',
            "has 'b' twice in one object, so one value would be lost; correct it there",
            id="a key twice",
        ),
        pytest.param(
            "[" * 100_000, "is nested too deeply to be a recipe; write a list of steps", id="nested too deeply"
        ),
    ],
)
def test_what_json_cannot_hold_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(RecipeFileError) as caught:
        parse_recipe(text, source="x.json")
    assert str(caught.value) == f"x.json: {sentence}"


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


def test_the_hash_is_the_one_that_deployed_recipes_are_tagged_with() -> None:
    conditional = {**RENAME, "ConditionExpressions": [{"Condition": "IS", "TargetColumn": "y", "Value": "no"}]}
    canonical = (
        '[{"Action":{"Operation":"RENAME","Parameters":{"sourceColumn":"y","targetColumn":"label"}},'
        '"ConditionExpressions":[{"Condition":"IS","TargetColumn":"y","Value":"no"}]}]'
    )
    assert content_hash([conditional]) == hashlib.sha256(canonical.encode()).hexdigest()
    assert content_hash([conditional]) != content_hash([RENAME])


def test_a_changed_condition_is_a_difference() -> None:
    def conditional(value: str) -> dict[str, object]:
        return {**RENAME, "ConditionExpressions": [{"Condition": "IS", "TargetColumn": "y", "Value": value}]}

    assert step_differences([conditional("no")], [conditional("no")]) == []
    assert step_differences([conditional("no")], [conditional("yes")]) == ["step 1 (RENAME) changed"]
    assert step_differences([conditional("no")], [RENAME]) == ["step 1 (RENAME) changed"]


def test_differences_name_the_steps() -> None:
    changed = {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "y", "targetColumn": "target"}}}
    assert step_differences([RENAME], [RENAME]) == []
    assert step_differences([changed], [RENAME]) == ["step 1 (RENAME) changed"]
    assert step_differences([RENAME, DELETE], [RENAME]) == ["step 2 added (DELETE)"]
    assert step_differences([RENAME], [RENAME, DELETE]) == ["step 2 removed (DELETE)"]
    assert step_differences([DELETE], [RENAME]) == ["step 1: RENAME → DELETE"]


def test_the_list_of_operations_is_whole() -> None:
    assert len(OPERATIONS) == 214
