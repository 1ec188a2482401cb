"""Whatever is wrong is said with step and column, and no output is left behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipe_runner.api import validate_steps
from recipe_runner.cli import main
from tests.fixtures.recipe_steps import step

Run = Callable[..., tuple[int, Path]]
CSV = "a,b\n1,x\n2,y\n"
RENAME = step("RENAME", sourceColumn="a", targetColumn="c")

KMS = {"sourceColumns": '["b"]', "kmsKeyArn": "arn:aws:kms:us-east-1:012345678901:key/k"}

WRONG_RECIPES: list[tuple[str, Any, str]] = [
    (
        "unknown operation",
        [step("REMOVE_NULLS", sourceColumn="a")],
        "step 1 (REMOVE_NULLS): there is no operation 'REMOVE_NULLS'; did you mean",
    ),
    (
        "unknown condition",
        [step("UPPER_CASE", [{"Condition": "IS_NULL", "TargetColumn": "a"}], sourceColumn="b")],
        "there is no condition 'IS_NULL'",
    ),
    (
        "unknown parameter",
        [step("RENAME", sourceColum="a", targetColumn="c")],
        "there is no parameter 'sourceColum'; did you mean 'sourceColumn'?",
    ),
    (
        "missing parameter",
        [step("RENAME", sourceColumn="a")],
        "the parameter 'targetColumn' (name of a new column) is missing",
    ),
    ("no column parameter", [step("DELETE")], "one of the parameters sourceColumn, sourceColumns is needed"),
    (
        "an empty list of columns",
        [step("DELETE", sourceColumns="[]")],
        "one of the parameters sourceColumn, sourceColumns is needed",
    ),
    ("an empty delimiter", [step("SPLIT_COLUMN_SINGLE_DELIMITER", sourceColumn="b", pattern="")], "pattern must be at"),
    (
        "a malformed condition in a parameter",
        [step("JSON_TO_STRUCTS", sourceColumns='["b"]', conditionExpressions='[{"Condition":"IS"}]')],
        "A condition needs Condition and TargetColumn.",
    ),
    (
        "malformed JSON in a parameter",
        [step("DELETE", sourceColumns='["a",')],
        "sourceColumns must be JSON (a list); it is malformed at character 6",
    ),
    (
        "a number that is none",
        [step("BINARIZATION", sourceColumn="a", targetColumn="t", threshold="many")],
        "threshold must be a number; it is 'many'",
    ),
    (
        "a truth that is none",
        [step("BINARIZATION", sourceColumn="a", targetColumn="t", threshold="1", flip="perhaps")],
        "flip must be true or false",
    ),
    ("a choice that is none", [step("MASK_DATE", sourceColumns='["a"]', redact='["ERA"]')], "redact takes only YEAR"),
    (
        "a pattern that does not compile",
        [step("REPLACE_TEXT", sourceColumn="b", pattern="(", value="")],
        "pattern is not a valid regular expression",
    ),
    (
        "buckets that do not fit",
        [step("BUCKETIZATION", sourceColumn="a", targetColumn="t", bucketNames='["x"]', splits='["1","2","3"]')],
        "3 splits make 2 buckets",
    ),
    (
        "a union that names a column twice",
        [
            step(
                "UNION",
                datasetsColumns=[["a", "b"], ["a", "b"]],
                secondaryDatasetNames=["r"],
                targetColumnNames=["i", "i"],
            )
        ],
        "step 1 (UNION): targetColumnNames names a column twice",
    ),
    ("REMOVE_VALUES without condition", [step("REMOVE_VALUES", sourceColumn="a")], "needs ConditionExpressions"),
    (
        "a condition on a rename",
        [step("RENAME", [{"Condition": "IS_MISSING", "TargetColumn": "a"}], sourceColumn="a", targetColumn="c")],
        "takes no ConditionExpressions",
    ),
    (
        "a condition without value",
        [step("UPPER_CASE", [{"Condition": "CONTAINS", "TargetColumn": "b"}], sourceColumn="b")],
        "the condition CONTAINS needs a Value",
    ),
    (
        "an expression that does not parse",
        [step("CASE_OPERATION", valueExpression="case when `a` <", targetColumn="t")],
        "malformed at character",
    ),
    ("a refused operation", [step("ENCRYPT", **KMS)], "cannot be done locally"),
    ("a refused operation without its parameters", [step("DECRYPT")], "the parameter 'kmsKeyArn'"),
    ("too many steps", [RENAME] * 101, "at most 100 steps; this one has 101"),
    ("a step that is none", ["RENAME"], "step 1: A step must be an object"),
    ("a document that is none", 5, "This document is not a recipe: a recipe is a list of steps"),
    (
        "a mapped number that is none",
        [step("CATEGORICAL_MAPPING", sourceColumn="b", targetColumn="t", mapType="NUMERIC", categoryMap='{"x":"one"}')],
        "mapType NUMERIC needs numbers",
    ),
    (
        "a second step",
        [RENAME, step("UPER_CASE", sourceColumn="b")],
        "step 2 (UPER_CASE): there is no operation 'UPER_CASE'; did you mean UPPER_CASE?",
    ),
]


@pytest.mark.parametrize(("name", "recipe", "message"), WRONG_RECIPES, ids=[entry[0] for entry in WRONG_RECIPES])
def test_a_wrong_recipe_is_refused_before_anything_runs(
    name: str, recipe: Any, message: str, run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert any(message in str(error) for error in validate_steps(recipe)), name
    code, target = run_recipe_file(recipe, CSV)
    assert code == 1
    assert not target.exists()
    assert message in capsys.readouterr().err


def test_a_recipe_with_an_action_for_the_service_only_is_valid() -> None:
    recipe = [step("ENCRYPT", **KMS, preserveDataType="true"), step("DECRYPT", **KMS)]
    assert validate_steps(recipe, to_run=False) == []
    assert len(validate_steps(recipe)) == 2
    assert "kmsKeyArn" in str(validate_steps([step("ENCRYPT", sourceColumns='["b"]')], to_run=False)[0])


WRONG_DATA: list[tuple[str, Any, str | bytes, str]] = [
    (
        "a new name that reads as a pattern",
        [step("DUPLICATE", sourceColumn="a", targetColumn="^b$")],
        CSV,
        "step 1 (DUPLICATE), column '^b$': the column name '^b$' would be read as a pattern of names",
    ),
    (
        "a pivoted name that reads as a pattern",
        [step("PIVOT", sourceColumn="b", valueColumn="c", aggregateFunction="SUM")],
        "a,b,c\n1,*,2\n",
        "step 1 (PIVOT), column '*': the column name '*' would be read as a pattern of names",
    ),
    (
        "a name that reads as a pattern",
        [],
        "a,*\n1,2\n",
        "column '*': the column name '*' would be read as a pattern of names",
    ),
    (
        "a transposed sum of texts",
        [step("TRANSPOSE", pivotColumns=["a"], valueColumns=["b"], aggregateFunction="SUM", newColumn="n")],
        CSV,
        "column 'b': the column holds string, and the operation needs numbers",
    ),
    (
        "a column that is not there",
        [step("DELETE", sourceColumn="aa")],
        CSV,
        "step 1 (DELETE), column 'aa': there is no column 'aa'",
    ),
    (
        "a column that an earlier step removed",
        [RENAME, step("DELETE", sourceColumn="a")],
        CSV,
        "step 2 (DELETE), column 'a'",
    ),
    (
        "a condition's column",
        [step("UPPER_CASE", [{"Condition": "IS_MISSING", "TargetColumn": "q"}], sourceColumn="b")],
        CSV,
        "column 'q'",
    ),
    (
        "a type that does not fit",
        [step("BINARIZATION", sourceColumn="b", targetColumn="t", threshold="1")],
        CSV,
        "column 'b': the column holds string",
    ),
    (
        "a name that is taken",
        [step("DUPLICATE", sourceColumn="a", targetColumn="b")],
        CSV,
        "a column 'b' already exists",
    ),
    ("the last column removed", [step("DELETE", sourceColumns='["a","b"]')], CSV, "would remove the last column"),
    (
        "more than ten categories",
        [step("ONE_HOT_ENCODING", sourceColumn="a")],
        "a\n" + "\n".join(map(str, range(11))) + "\n",
        "11 distinct values",
    ),
    ("a long row", [RENAME], "a,b\n1,x\n2,y,z\n", "ragged: the row ending at line 3 has 3 fields, the first row has 2"),
    ("a short row", [RENAME], "a,b\n1,x\n2\n", "ragged: the row ending at line 3 has 1 fields, the first row has 2"),
    ("Latin-1", [RENAME], "a,b\n1,é\n".encode("latin-1"), "not UTF-8 at line 2, byte 3"),
    ("Latin-1 in the header", [RENAME], "a,é\n1,x\n".encode("latin-1"), "not UTF-8"),
    ("UTF-16", [RENAME], "a,b\n1,x\n".encode("utf-16"), "UTF-16"),
    ("an empty file", [RENAME], "", "is empty"),
    ("two columns of one name", [RENAME], "a,a\n1,2\n", "has the column 'a' more than once"),
    (
        "a regular expression that explodes",
        [step("EXTRACT_PATTERN", sourceColumn="b", targetColumn="t", pattern="^(?!b)(a|aa)+$")],
        "a,b\n1," + "a" * 60 + "!\n",
        "takes too long to match",
    ),
]


@pytest.mark.parametrize(("name", "recipe", "data", "message"), WRONG_DATA, ids=[entry[0] for entry in WRONG_DATA])
def test_data_that_does_not_fit_leaves_no_output(
    name: str, recipe: Any, data: str | bytes, message: str, run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, target = run_recipe_file(recipe, data)
    assert code == 1, name
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert sorted(path.name for path in target.parent.iterdir()) == ["input.csv", "recipe.json"]


def test_all_errors_are_shown_at_once_with_their_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data = tmp_path / "recipe.json", tmp_path / "data.csv"
    data.write_text(CSV)
    steps = [
        step("DELETE", sourceColumn="q"),
        step("UPER_CASE", sourceColumn="b"),
        step("LN", sourceColumn="b", targetColumn="t"),
        step("LEN", sourceColumn="t", targetColumn="u"),
        RENAME,
    ]
    recipe.write_text(json.dumps(steps))
    assert main(["check", str(recipe), "--schema", str(data)]) == 1
    shown = capsys.readouterr().err
    assert "step 2 (UPER_CASE)" in shown
    assert "step 3 (LN), column 'b'" in shown
    # Step 4 only looks for what step 3 would have made.
    assert "step 4" not in shown
    assert "step 5" not in shown


@pytest.mark.parametrize("text", ["{", "[1,", "\x00", ": :\n- ["])
def test_a_recipe_that_does_not_parse_is_an_error(
    text: str, run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, target = run_recipe_file(text, CSV)
    assert code == 1
    assert "is not valid JSON" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize(
    "text",
    ["[" * 5000 + "]" * 5000, json.dumps([step("DELETE", sourceColumns="[" * 5000 + "]" * 5000)])],
    ids=["recipe", "parameter"],
)
def test_a_recipe_that_is_nested_too_deeply_is_an_error(
    text: str, run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = sys.getrecursionlimit()  # some library that another test has loaded may have raised it
    sys.setrecursionlimit(1000)
    try:
        code, target = run_recipe_file(text, CSV)
    finally:
        sys.setrecursionlimit(limit)
    assert (code, target.exists()) == (1, False)
    assert "too deeply" in capsys.readouterr().err


def test_an_older_output_stays_when_a_run_fails(tmp_path: Path) -> None:
    recipe, data, target = tmp_path / "recipe.json", tmp_path / "data.csv", tmp_path / "out.csv"
    recipe.write_text(json.dumps([step("DELETE", sourceColumn="q")]))
    data.write_text(CSV)
    target.write_text("yesterday's")
    assert main(["run", str(recipe), str(data), str(target), "--quiet"]) == 1
    assert target.read_text() == "yesterday's"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "absent.json", "{data}", "out.csv"],
        ["run", "{recipe}", "absent.csv", "out.csv"],
        ["run", "{recipe}", "{data}", "out.unknown"],
        ["run", "{recipe}", "{data}", "no/such/folder/out.csv"],
        ["run", "{recipe}", "{data}", "out.csv", "--delimiter", ";;"],
        ["run", "{recipe}", "{data}", "out.csv", "--dataset", "nothing"],
        ["preview", "{recipe}", "{data}", "--rows", "-1"],
    ],
)
def test_a_wrong_command_line_is_exit_code_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps([RENAME]))
    (tmp_path / "data.csv").write_text(CSV)
    assert main([part.format(recipe="recipe.json", data="data.csv") for part in arguments]) == 2
    assert not (tmp_path / "out.csv").exists()


def test_an_unknown_option_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--what"])
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err
