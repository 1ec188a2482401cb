"""Formats, dialects and commands of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from local_aws.recipes.cli import main
from tests.unit.recipes.conftest import step

Run = Callable[..., tuple[int, Path]]
UPPER = [step("UPPER_CASE", sourceColumn="b")]
SHIPPED = Path(__file__).resolve().parents[3] / "include" / "recipes"

DIALECTS: list[tuple[str, Any]] = [
    ("list", UPPER),
    (
        "RecipeStep and RecipeAction",
        [{"RecipeStep": {"RecipeAction": {"Operation": "UPPER_CASE", "Parameters": {"sourceColumn": "b"}}}}],
    ),
    (
        "camelCase",
        {
            "steps": [
                {"action": {"operation": "UPPER_CASE", "parameters": {"sourceColumn": "b"}}, "conditionExpressions": []}
            ]
        },
    ),
    (
        "CloudFormation",
        {
            "Type": "AWS::DataBrew::Recipe",
            "Properties": {
                "Name": "r",
                "Steps": [{"Action": {"Operation": "UPPER_CASE", "Parameters": {"SourceColumn": "b"}}}],
            },
        },
    ),
    (
        "console export",
        [
            {
                "Action": {
                    "Operation": "UPPER_CASE",
                    "Parameters": {"sourceColumn": "b", "functionStepType": "x", "isText": "true"},
                }
            }
        ],
    ),
    ("one bare action", {"Operation": "UPPER_CASE", "Parameters": {"sourceColumn": "b"}}),
]


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize(("name", "document"), DIALECTS, ids=[entry[0] for entry in DIALECTS])
def test_every_dialect_is_read(name: str, document: Any, suffix: str, tmp_path: Path) -> None:
    recipe, source, target = tmp_path / f"recipe{suffix}", tmp_path / "in.csv", tmp_path / "out.csv"
    recipe.write_text(json.dumps(document) if suffix == ".json" else yaml.safe_dump(document))
    source.write_text("a,b\n1,x\n")
    assert main(["run", str(recipe), str(source), str(target), "--quiet"]) == 0, name
    assert target.read_text() == "a,b\n1,X\n"


@pytest.mark.parametrize("source", [".csv", ".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("target", [".csv", ".jsonl", ".json", ".parquet"])
def test_formats_go_by_their_extensions(source: str, target: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    recipe, given, made = tmp_path / "recipe.json", tmp_path / f"in{source}", tmp_path / f"out{target}"
    recipe.write_text(json.dumps(UPPER))
    write = {
        ".csv": frame.write_csv,
        ".jsonl": frame.write_ndjson,
        ".json": frame.write_json,
        ".parquet": frame.write_parquet,
    }
    write[source](given)
    assert main(["run", str(recipe), str(given), str(made), "--quiet"]) == 0
    read = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".json": pl.read_ndjson, ".parquet": pl.read_parquet}
    assert read[target](made).to_dicts() == [{"a": 1, "b": "X"}, {"a": None, "b": "Y"}]


def test_the_output_is_what_the_service_writes(run_recipe_file: Run) -> None:
    text = "i,d,t,m\n1,63.0,x y,\n2,0.5,z,5\n"
    code, target = run_recipe_file([], text)
    assert code == 0
    assert target.read_bytes() == text.encode()


def test_a_file_without_header_and_with_another_delimiter(run_recipe_file: Run) -> None:
    code, target = run_recipe_file(
        [step("RENAME", sourceColumn="Column_2", targetColumn="b")], "1;x\n2;y\n", "--no-header", "--delimiter", ";"
    )
    assert code == 0
    assert target.read_text() == "Column_1,b\n1,x\n2,y\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n", "a,b\n"),
        ("\ufeffa,b\n1,x\n", "a,b\n1,X\n"),
        ("a,b\r\n1,x\r\n", "a,b\n1,X\n"),
        ('a,b\n1,"x\ny"\n', 'a,b\n1,"X\nY"\n'),
        ('a,b\n1,"x,""y"""\n', 'a,b\n1,"X,""Y"""\n'),
        ("a,b\n1,\n", "a,b\n1,\n"),
        ("a,b\n99999999999999999999,x\n", "a,b\n99999999999999999999,X\n"),
        ("ä ö,b\n1,straße\n", "ä ö,b\n1,STRASSE\n"),
    ],
)
def test_odd_but_valid_csv(text: str, expected: str, run_recipe_file: Run) -> None:
    code, target = run_recipe_file(UPPER, text)
    assert code == 0
    assert target.read_text(encoding="utf-8") == expected


def test_types_that_show_only_far_down_are_found(run_recipe_file: Run) -> None:
    rows = ["1"] * 15_000 + ["2.5"] + ["3"] * 15_000
    code, target = run_recipe_file([step("NEGATE", sourceColumn="a", targetColumn="n")], "a\n" + "\n".join(rows) + "\n")
    assert code == 0
    assert pl.read_csv(target, infer_schema_length=None)["n"].sum() == -(15_000 + 2.5 + 45_000)
    code, target = run_recipe_file(
        [step("LEN", sourceColumn="a", targetColumn="n")], "a\n" + "\n".join(["1"] * 15_000 + ["word"]) + "\n"
    )
    assert code == 0
    assert pl.read_csv(target, infer_schema_length=None)["n"].to_list()[-1] == 4


def test_nested_values_come_and_go_as_json_lines(run_recipe_file: Run) -> None:
    text = '{"a":{"x":[1,2],"z":{"y":null}},"b":"q"}\n{"a":null,"b":null}\n'
    code, target = run_recipe_file(UPPER, text, suffix=".jsonl", output=".jsonl")
    assert code == 0
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert rows[0] == {"a": {"x": [1, 2], "z": {"y": None}}, "b": "Q"}
    assert rows[1] == {"a": None, "b": None}


def test_join_and_union_take_second_datasets(tmp_path: Path) -> None:
    (tmp_path / "left.csv").write_text("k,v\n1,a\n2,b\n,c\n")
    (tmp_path / "right.csv").write_text("k,w\n2,x\n3,y\n")
    results = {}
    for kind in ("INNER", "LEFT", "RIGHT", "OUTER", "LEFT_EXCLUDING", "RIGHT_EXCLUDING", "OUTER_EXCLUDING"):
        steps = [
            step("DUPLICATE", sourceColumn="v", targetColumn="made"),
            step(
                "JOIN",
                joinKeys='[{"key":"k","value":"k"}]',
                joinType=f"{kind}_JOIN",
                leftColumns='["k","v"]',
                rightColumns='["k","w"]',
                secondaryDatasetName="other",
                secondInputLocation="s3://b/right.csv",
            ),
        ]
        (tmp_path / "recipe.json").write_text(json.dumps(steps))
        target = tmp_path / "out.jsonl"
        assert (
            main(
                [
                    "run",
                    str(tmp_path / "recipe.json"),
                    str(tmp_path / "left.csv"),
                    str(target),
                    "--quiet",
                    "--dataset",
                    f"other={tmp_path / 'right.csv'}",
                ]
            )
            == 0
        )
        results[kind] = [tuple(json.loads(line).values()) for line in target.read_text().splitlines()]
    left = [(1, "a", "a", None), (2, "b", "b", "x"), (None, "c", "c", None)]
    assert results["INNER"] == [left[1]]
    assert results["LEFT"] == left
    assert results["RIGHT"] == [left[1], (3, None, None, "y")]
    assert sorted(results["OUTER"], key=str) == sorted([*left, (3, None, None, "y")], key=str)
    assert results["LEFT_EXCLUDING"] == [left[0], left[2]]
    assert results["RIGHT_EXCLUDING"] == [(3, None, None, "y")]
    assert sorted(results["OUTER_EXCLUDING"], key=str) == sorted([left[0], left[2], (3, None, None, "y")], key=str)
    union = [
        step(
            "UNION",
            datasetsColumns='[["k","v"],["k",null]]',
            secondaryDatasetNames='["other"]',
            targetColumnNames='["k","v"]',
        )
    ]
    (tmp_path / "recipe.json").write_text(json.dumps(union))
    assert (
        main(
            [
                "run",
                str(tmp_path / "recipe.json"),
                str(tmp_path / "left.csv"),
                str(tmp_path / "out.csv"),
                "--quiet",
                "--dataset",
                f"other={tmp_path / 'right.csv'}",
            ]
        )
        == 0
    )
    assert (tmp_path / "out.csv").read_text() == "k,v\n1,a\n2,b\n,c\n2,\n3,\n"


def test_a_second_dataset_that_nobody_names_is_an_error(
    run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    join = step(
        "JOIN",
        joinKeys='[{"key":"a","value":"a"}]',
        joinType="INNER_JOIN",
        leftColumns='["a"]',
        rightColumns='["b"]',
        secondaryDatasetName="votes",
    )
    assert run_recipe_file([join], "a\n1\n")[0] == 1
    assert "name its file with --dataset votes=PATH" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bank_marketing.json", "bank_marketing_seed.json"])
def test_the_shipped_recipes_are_valid(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(SHIPPED / name)]) == 0
    assert "no error" in capsys.readouterr().out


def test_preview_shows_what_each_step_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data = tmp_path / "recipe.json", tmp_path / "data.csv"
    data.write_text("a,b\n1,x\n,y\n")
    recipe.write_text(
        json.dumps(
            [
                step("LN", sourceColumn="a", targetColumn="t"),
                step("REMOVE_MISSING", sourceColumn="a"),
                step("DELETE", sourceColumn="b"),
            ]
        )
    )
    assert main(["preview", str(recipe), str(data), "--rows", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "input: 2 rows, 2 columns" in shown
    assert "step 1: LN 2 of 2 rows kept; added t; 1 nulls made" in shown
    assert "step 2: REMOVE_MISSING 1 of 2 rows kept; 0 nulls made" in shown
    assert "step 3: DELETE 1 of 1 rows kept; removed b; 0 nulls made" in shown
