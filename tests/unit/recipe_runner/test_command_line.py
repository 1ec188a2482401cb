"""Formats, dialects and commands of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from recipe_runner.cli import main
from tests.fixtures.recipe_steps import step

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
    (
        "the guide's YAML examples: Action is empty",
        [{"Action": None, "Operation": "UPPER_CASE", "Parameters": {"sourceColumn": "b"}}],
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


def test_values_in_yaml_stay_text(tmp_path: Path) -> None:
    recipe, source, target = tmp_path / "recipe.yaml", tmp_path / "in.csv", tmp_path / "out.jsonl"
    recipe.write_text(
        """
        - Action:
            Operation: FLAG_COLUMN_FROM_PATTERN
            Parameters: {sourceColumn: a, targetColumn: f, pattern: x, trueString: Yes, falseString: No}
          ConditionExpressions:
          - {Condition: IS, Value: [x, no], TargetColumn: a}
        - Action:
            Operation: DATE_FORMAT
            Parameters: {value: 22:10:47, dateTimeFormat: HH:MM:SS, targetColumn: t}
        - Action:
            Operation: DATE_DIFF
            Parameters: {value1: 2020-01-01, value2: 2020-10-06, units: DAYS, targetColumn: d}
        - Action:
            Operation: CATEGORICAL_MAPPING
            Parameters: {sourceColumn: a, targetColumn: m, categoryMap: {no: 0, y: 1}, mapType: NUMERIC, other: 2}
        - Action:
            Operation: BINARIZATION
            Parameters: {sourceColumn: d, targetColumn: b, threshold: 300, flip: true}
        """
    )
    source.write_text("a\nx\nno\ny\n")
    assert main(["run", str(recipe), str(source), str(target), "--quiet"]) == 0
    assert [json.loads(line) for line in target.read_text().splitlines()] == [
        {"a": a, "m": m, "f": f, "t": "22:10:47", "d": 279, "b": 1}
        for a, m, f in (("x", 2, "Yes"), ("no", 0, "No"), ("y", 1, None))
    ]


@pytest.mark.parametrize("source", [".csv", ".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("target", [".csv", ".jsonl", ".json", ".parquet"])
def test_the_format_follows_from_the_extension(source: str, target: str, tmp_path: Path) -> None:
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


def test_a_file_without_header_and_with_another_delimiter_is_read(run_recipe_file: Run) -> None:
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
def test_odd_but_valid_csv_is_read(text: str, expected: str, run_recipe_file: Run) -> None:
    code, target = run_recipe_file(UPPER, text)
    assert code == 0
    assert target.read_text(encoding="utf-8") == expected


def test_a_type_that_shows_only_far_down_is_found(run_recipe_file: Run) -> None:
    rows = ["1"] * 15_000 + ["2.5"] + ["3"] * 15_000
    code, target = run_recipe_file([step("NEGATE", sourceColumn="a", targetColumn="n")], "a\n" + "\n".join(rows) + "\n")
    assert code == 0
    assert pl.read_csv(target, infer_schema_length=None)["n"].sum() == -(15_000 + 2.5 + 45_000)
    code, target = run_recipe_file(
        [step("LEN", sourceColumn="a", targetColumn="n")], "a\n" + "\n".join(["1"] * 15_000 + ["word"]) + "\n"
    )
    assert code == 0
    assert pl.read_csv(target, infer_schema_length=None)["n"].to_list()[-1] == 4


def test_nested_values_are_read_and_written_as_json_lines(run_recipe_file: Run) -> None:
    text = '{"a":{"x":[1,2],"z":{"y":null}},"b":"q"}\n{"a":null,"b":null}\n'
    code, target = run_recipe_file(UPPER, text, suffix=".jsonl", output=".jsonl")
    assert code == 0
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert rows[0] == {"a": {"x": [1, 2], "z": {"y": None}}, "b": "Q"}
    assert rows[1] == {"a": None, "b": None}


def join(kind: str, **more: str) -> dict[str, Any]:
    """Return a step that joins columns k and v with k and w of the dataset `other`, by k."""
    return step(
        "JOIN",
        joinKeys='[{"key":"k","value":"k"}]',
        joinType=f"{kind}_JOIN",
        leftColumns='["k","v"]',
        rightColumns='["k","w"]',
        secondaryDatasetName="other",
        **more,
    )


@pytest.mark.parametrize("kind", ["OUTER", "RIGHT"])
@pytest.mark.parametrize(
    ("lefts", "rights", "keys"),
    [
        (["1"], ["2.5", "1.0"], {1.0, 2.5}),
        (["1"], ["x", "1"], {"1", "x"}),
        (["", ""], ["x"], {"x"}),
        (["7", "1"], ["2", "1"], {1, 2}),
    ],
)
def test_a_joined_key_of_the_other_dataset_keeps_its_value(
    kind: str, lefts: list[str], rights: list[str], keys: set[Any], tmp_path: Path, run_recipe_file: Run
) -> None:
    (tmp_path / "right.csv").write_text("k,w\n" + "".join(f"{key},0\n" for key in rights))
    content = "k,v\n" + "".join(f"{key},0\n" for key in lefts)
    code, target = run_recipe_file(
        [join(kind)], content, "--dataset", f"other={tmp_path / 'right.csv'}", output=".jsonl"
    )
    assert code == 0
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert {row["k"] for row in rows if row["w"] is not None} == keys


def test_join_and_union_take_second_datasets(tmp_path: Path) -> None:
    (tmp_path / "left.csv").write_text("k,v\n1,a\n2,b\n,c\n")
    (tmp_path / "right.csv").write_text("k,w\n2,x\n3,y\n,n\n4,z\n")
    results = {}
    for kind in ("INNER", "LEFT", "RIGHT", "OUTER", "LEFT_EXCLUDING", "RIGHT_EXCLUDING", "OUTER_EXCLUDING"):
        steps = [
            step("DUPLICATE", sourceColumn="v", targetColumn="made"),
            join(kind, secondInputLocation="s3://b/right.csv"),
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
    others = [(3, None, None, "y"), (None, None, None, "n"), (4, None, None, "z")]
    assert results["RIGHT"] == [left[1], *others]
    assert results["OUTER"] == [*left, *others]
    assert results["LEFT_EXCLUDING"] == [left[0], left[2]]
    assert results["RIGHT_EXCLUDING"] == others
    assert results["OUTER_EXCLUDING"] == [left[0], left[2], *others]
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
    assert (tmp_path / "out.csv").read_text() == "k,v\n1,a\n2,b\n,c\n2,\n3,\n,\n4,\n"


def test_a_second_dataset_that_is_not_given_is_an_error(
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
    assert "input 2 rows, 2 columns, 1 null" in shown
    assert "step 1 LN rows 2 of 2, all kept added t (double) nulls made: 1 in t" in shown
    assert "step 2 REMOVE_MISSING rows 1 of 2, 1 removed nulls made: none" in shown
    assert "step 3 DELETE rows 1 of 1, all kept removed b nulls made: none" in shown
    assert "│ + t" in shown


def test_preview_shows_moves_changes_and_fills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data = tmp_path / "recipe.json", tmp_path / "data.csv"
    data.write_text("a,b,c\n1,x,p\n,y,q\n")
    steps = [
        step("MOVE_TO_START", sourceColumn="c"),
        step("UPPER_CASE", sourceColumn="b"),
        step("FILL_WITH_CUSTOM", sourceColumn="a", columnDataType="integer", value="7"),
        step("CHANGE_DATA_TYPE", sourceColumn="a", columnDataType="string"),
    ]
    recipe.write_text(json.dumps(steps))
    assert main(["preview", str(recipe), str(data)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "moved c (first)" in shown
    assert "step 2 UPPER_CASE rows 2 of 2, all kept changed b (string)" in shown
    assert "nulls made: none; filled: 1" in shown
    assert "→ string)" in shown


def test_preview_counts_no_nulls_for_a_new_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, source = tmp_path / "recipe.json", tmp_path / "in.csv"
    source.write_text("a,b\n1,\n2,x\n")
    recipe.write_text(json.dumps([step("RENAME", sourceColumn="b", targetColumn="c")]))
    assert main(["preview", str(recipe), str(source), "--rows", "0"]) == 0
    assert "made: none" in capsys.readouterr().out


@pytest.mark.parametrize("width", [20, 60, 250])
def test_preview_fits_the_terminals_width(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    data = tmp_path / "data.csv"
    data.write_text(",".join(f"column_{n}" for n in range(30)) + "\n" + ",".join("7" * 12 for _ in range(30)) + "\n")
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps([step("LN", sourceColumn="column_17", targetColumn="t")]))
    assert main(["preview", str(recipe), str(data)]) == 0
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "columns not shown" in " ".join(shown.split())


def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    import subprocess
    import sys

    data = tmp_path / "data.csv"
    data.write_text("a\n" + "1\n" * 20_000)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps([step("LN", sourceColumn="a", targetColumn=f"t{n}") for n in range(4)]))
    command = [sys.executable, "-m", "recipe_runner", "preview", str(recipe), str(data), "--rows", "10000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_full_disk_leaves_nothing_half_written(suffix: str, tmp_path: Path) -> None:
    import gzip
    import resource
    import subprocess
    import sys

    text = ("a,b\n" + "".join(f"{number},x{number}\n" for number in range(200_000))).encode()
    data = tmp_path / f"in.csv{suffix}"
    data.write_bytes(gzip.compress(text) if suffix else text)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps([step("UPPER_CASE", sourceColumn="b")]))
    out = tmp_path / "out.csv"
    out.write_text("what was there before\n")
    done = subprocess.run(
        [sys.executable, "-m", "recipe_runner", "run", str(recipe), str(data), str(out)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"the output {out} was not written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_text() == "what was there before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([data.name, "out.csv", "recipe.json"])


@pytest.mark.parametrize("target", ["folder", "/dev/null"])
def test_a_folder_or_device_is_not_replaced_by_the_output(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "in.csv").write_text("a\n1\n")
    (tmp_path / "recipe.json").write_text("[]")
    output = target if target.startswith("/") else str(tmp_path / target)
    arguments = ["run", str(tmp_path / "recipe.json"), str(tmp_path / "in.csv"), output, "--output-format", "csv"]
    assert main(arguments) == 2
    assert "exists and is not a file; name a file" in capsys.readouterr().err
    assert not Path(output).is_file()


def test_an_output_that_is_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    (tmp_path / "recipe.json").write_text("[]")
    (tmp_path / "real").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "out.csv")
    assert main(["run", str(tmp_path / "recipe.json"), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real" / "out.csv").read_text() == "a\n1\n"
