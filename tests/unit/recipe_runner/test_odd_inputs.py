"""Inputs that are easily misread: quotes, blank lines, long numbers, unusual JSON."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recipe_runner.cli import main
from recipe_runner.files import outputs
from recipe_runner.tables import streaming

Run = Callable[..., tuple[int, Path]]
LONG = "9" * 50


@pytest.fixture(params=["mapped", "by URI"])
def long_and_short(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by URI":
        monkeypatch.setattr(streaming, "MAPPED_BYTES", 0)


@pytest.mark.usefixtures("long_and_short")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a,b\n,\n1,2\n,\n\n", "a,b\n,\n1,2\n,\n", id="a row without values beside a blank line"),
        pytest.param('a,b\n"x\ny",2\n,\n\n3,4\n', 'a,b\n"x\ny",2\n,\n3,4\n', id="and a row over two lines"),
        pytest.param('a,b\n\n"",""\n,"x"\n', 'a,b\n"",""\n,x\n', id="empty texts are no blank line"),
        pytest.param("\n\na,b\n1,2\n", "a,b\n1,2\n", id="blank lines before the header"),
        pytest.param("\ufeff\r\na,b\r\n1,2\r\n", "a,b\n1,2\n", id="and a byte order mark before them"),
        pytest.param('a,b\n1,5" pipe\n2,6" pipe\n', 'a,b\n1,"5"" pipe"\n2,"6"" pipe"\n', id="inches"),
        pytest.param('a,b\n1,5"\n"",\n,"x\ny"\n', 'a,b\n1,"5"""\n"",\n,"x\ny"\n', id="inches among quotes"),
        pytest.param('a,b\n1,x"y"z\n2,w\n', 'a,b\n1,"x""y""z"\n2,w\n', id="two quotes inside a field"),
        pytest.param(f"a,b\n{LONG},1\n2,3\n", f"a,b\n{LONG},1\n2,3\n", id="a number of fifty digits"),
        pytest.param(f"a\n{LONG}\n1.5\n", "a\n1e+50\n1.5\n", id="and a double"),
        pytest.param(
            "a\n" + "1\n" * 150_000 + "9223372036854775808\n",
            "a\n" + "1\n" * 150_000 + "9223372036854775808\n",
            id="a number of more than 64 bits far down",
        ),
    ],
)
def test_valid_csv_is_read_unchanged(text: str, expected: str, run_recipe_file: Run) -> None:
    code, target = run_recipe_file([], text)
    assert code == 0
    assert target.read_text(encoding="utf-8") == expected


@pytest.mark.usefixtures("long_and_short")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('a,b,c\n"x,y",\n1,2,3\n', "the row ending at line 2 has 2 fields", id="short by a quoted comma"),
        pytest.param('a,b\n1,2\n3,x"y,z"w\n', "the row ending at line 3 has 3 fields", id="a comma in inner quotes"),
        pytest.param('a,b\n1,2\n3,"x"y\n', "not CSV in the row that begins at line 3", id="text behind quotes"),
        pytest.param('a,b\n1,2\n3,"x\n4,y\n', "row that begins at line 3: its quotes do not close", id="no end"),
        pytest.param("a,b\r1,2\r", "ends its lines with CR only", id="CR"),
    ],
)
def test_wrong_csv_is_an_error_that_names_the_line(
    text: str, message: str, run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, target = run_recipe_file([], text)
    assert (code, target.exists()) == (1, False)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--delimiter", "--output-delimiter"])
@pytest.mark.parametrize("delimiter", ['"', "\n", "\r", "", ";;", "é"])
def test_a_text_that_cannot_be_a_delimiter_is_a_wrong_command(
    option: str, delimiter: str, run_recipe_file: Run
) -> None:
    code, target = run_recipe_file([], "a,b\n1,2\n", option, delimiter)
    assert (code, target.exists()) == (2, False)


@pytest.mark.parametrize("delimiter", [",", ":", ";", "|", "\\t", "^", "\\", " "])
def test_every_delimiter_of_the_guide_works(delimiter: str, run_recipe_file: Run) -> None:
    text = 'a,b,c\n1,,"x"\n,"y\nz",\n\n,,\n'.replace(",", delimiter.replace("\\t", "\t"))
    code, target = run_recipe_file([], text, "--delimiter", delimiter)
    assert code == 0
    assert target.read_text() == 'a,b,c\n1,,x\n,"y\nz",\n,,\n'


@pytest.mark.parametrize(
    ("suffix", "text", "expected"),
    [
        (".jsonl", f'{{"a":{LONG}}}\n{{"a":2}}', [LONG, "2"]),
        (".json", f'[{{"a":{LONG}}},{{"a":2}}]', [LONG, "2"]),
        (".json", '[{"a":"x\\ud83d"},{"a":"\\\\ud83d \\ud83d\\ude00"}]', ["x\ufffd", "\\ud83d 😀"]),
    ],
    ids=["JSON Lines of fifty digits", "fifty digits", "half a surrogate pair"],
)
def test_json_values_without_a_column_type_become_text(
    suffix: str, text: str, expected: list[str], run_recipe_file: Run
) -> None:
    code, target = run_recipe_file([], text, suffix=suffix, output=".parquet")
    assert code == 0
    assert pl.read_parquet(target)["a"].to_list() == expected


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ('{"x":1}', '{"x":[1]}', [{"x": "1"}, {"x": "[1]"}]),
        ('{"x":1}', '{"x":{"y":2}}', [{"x": "1"}, {"x": '{"y":2}'}]),
        ("[[1],2,null]", '["q"]', [["[1]", "2", None], ["q"]]),
        ('[{"x":1},[]]', "[]", [['{"x":1}', "[]"], []]),
        (f'{{"x":{LONG}}}', '{"y":true}', [{"x": LONG, "y": None}, {"x": None, "y": True}]),
        ("{}", "2.5", ["{}", "2.5"]),
        ("{}", "{}", [{}, {}]),
        ("{}", '{"x":1}', [{"x": None}, {"x": 1}]),
    ],
)
def test_no_json_value_is_lost_among_values_of_another_type(
    suffix: str, first: str, second: str, expected: list[Any], run_recipe_file: Run
) -> None:
    lines = f'{{"a":{first}}}\n{{"a":{second}}}\n{{"a":null}}\n'
    text = lines if suffix == ".jsonl" else f"[{','.join(lines.split())}]"
    code, target = run_recipe_file([], text, suffix=suffix, output=".jsonl")
    assert code == 0
    rows = [json.loads(line)["a"] for line in target.read_text().splitlines()]
    assert rows == [*expected, None]


@pytest.mark.parametrize("name", ["in.tsv", "in.TSV", "in.tsv.gz"])
def test_a_tab_separated_file_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    text = b"a\tb\n1,5\tx\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    (tmp_path / "recipe.json").write_text("[]")
    assert main(["run", str(tmp_path / "recipe.json"), str(tmp_path / name), str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").read_text() == 'a,b\n"1,5",x\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is empty: it has no column"),
        ("{}", "is empty: it has no column"),
        ("[" * 5000 + "]" * 5000, "is nested too deeply"),
        ('{"a":1}\n{"a":' + "[" * 5000 + "]" * 5000 + "}\n", "is nested too deeply"),
        ('{"a":' + "[" * 5000 + "]" * 5000 + "}\n", "is nested too deeply"),
        ('{"a":' * 5000 + "1" + "}" * 5000 + "\n", "is nested too deeply"),
        ('{"a":1}\nnull\n', "must hold JSON objects"),
        ('[{"a":1},]', "is not JSON: "),
    ],
    ids=[
        "no row",
        "no column",
        "deep",
        "a deep line",
        "only a deep line",
        "deep objects",
        "a line without object",
        "a comma too many",
    ],
)
def test_json_that_is_not_a_table_is_an_error(
    text: str, message: str, run_recipe_file: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, target = run_recipe_file([], text, suffix=".json")
    assert (code, target.exists()) == (1, False)
    assert message in capsys.readouterr().err


def test_a_failed_query_does_not_touch_a_file_written_after_it(
    tmp_path: Path, run_recipe_file: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars opens a sink's file in the background, and may do so after the query has failed."""
    write_file, late = outputs.write_file, []

    def failing_first(frame: pl.LazyFrame, path: Path, *others: Any) -> None:
        if not late:
            late.append(path)
            raise pl.exceptions.ComputeError("could not parse `x` as dtype `i64`")
        write_file(frame, path, *others)
        late[0].write_bytes(b"")

    monkeypatch.setattr(outputs, "write_file", failing_first)
    code, target = run_recipe_file([], "a,b\n1,x\n")
    assert (code, target.read_text()) == (0, "a,b\n1,x\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["input.csv", "output.csv", "recipe.json"]
