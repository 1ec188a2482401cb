"""A recipe runs batch by batch, in memory that does not grow with the rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recipe_runner.checking import typed_steps
from recipe_runner.cli import main
from recipe_runner.files.json_inputs import frame_of_rows
from recipe_runner.files.outputs import printable
from recipe_runner.plan import build_plan
from recipe_runner.tables import streaming
from recipe_runner.tables.streaming import FEW, batches_of, count_rows, mapped, one_of, sources
from recipe_runner.tables.table import Table
from tests.fixtures.recipe_steps import step
from tests.unit.recipe_runner.action_cases import CASES, Case

REPOSITORY = Path(__file__).resolve().parents[3]
SEED = REPOSITORY / "include" / "recipes" / "bank_marketing_seed.json"
# What needs many rows at once by its nature: groups of rows, and order within them.
NEEDS_ROWS = {"GROUP_BY", "PIVOT", "ROW_NUMBER", "SESSION", "TRANSPOSE"}
FALLBACK = 'fillcolor="0.0 0.3 1.0"'  # polars' own sign in a plan of what leaves the streaming engine


def physical_plan(frame: pl.LazyFrame) -> str:
    return str(frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True))


def cases_that_stream() -> list[Any]:
    return [
        pytest.param(case, id=f"{case.operation}-{number}")
        for number, case in enumerate(CASES)
        if case.operation not in NEEDS_ROWS
    ]


@pytest.mark.parametrize("case", cases_that_stream())
def test_no_step_leaves_the_streaming_engine(case: Case, tmp_path: Path) -> None:
    frame_of_rows(case.rows).write_parquet(tmp_path / "in.parquet")
    table = build_plan(typed_steps([case.step]), Table.of(pl.scan_parquet(tmp_path / "in.parquet")))
    plan = physical_plan(printable(table, "CSV"))
    assert FALLBACK not in plan
    # A semi-join for a list of values splits the stream, and one half waits in memory.
    assert "is-in" not in plan


def test_polars_still_marks_what_leaves_the_streaming_engine() -> None:
    """The sign that the test above looks for still appears."""
    frame = pl.LazyFrame({"a": ["x"]}).with_columns(pl.col("a").replace_strict({"x": 1}, default=None))
    assert FALLBACK in physical_plan(frame)


@pytest.mark.parametrize("size", [0, 1, FEW, FEW + 1, 40])
def test_one_of_equals_is_in(size: int) -> None:
    values = [f"v{number}" for number in range(size)]
    frame = pl.LazyFrame({"a": ["v0", f"v{size - 1}", "w", "", None]})
    found = frame.select(one_of(pl.col("a"), values, pl.String())).collect().to_series().to_list()
    assert found == [None if value is None else value in values for value in ["v0", f"v{size - 1}", "w", "", None]]


@pytest.mark.parametrize("size", [0, 1, FEW, FEW + 1, 40])
@pytest.mark.parametrize("nothing", [False, True], ids=["", "with a text mapped to null"])
def test_mapped_looks_up_texts_with_a_default(size: int, nothing: bool) -> None:
    mapping: dict[str, int | None] = {f"v{number}": number for number in range(size)}
    if nothing:
        mapping["gone"] = None
    keys = ["v0", f"v{size - 1}", "w", "gone", None]
    frame = pl.LazyFrame({"a": keys}, schema={"a": pl.String})
    result = frame.with_columns(found=mapped(pl.col("a"), mapping, pl.lit(-1), pl.Int64())).collect()
    assert result["found"].to_list() == [mapping.get(key, -1) if key is not None else -1 for key in keys]


def test_batches_come_in_order_and_at_least_once() -> None:
    many = pl.LazyFrame({"a": range(streaming.BATCH_ROWS * 2 + 1)})
    batches = list(batches_of(many))
    assert pl.concat(batches).equals(many.collect())
    assert max(batch.height for batch in batches) <= streaming.BATCH_ROWS
    none = list(batches_of(many.filter(pl.col("a") < 0)))
    assert [(batch.height, batch.columns) for batch in none] == [(0, ["a"])]


def test_names_with_wildcards_mean_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20#q?x*[1] é"
    folder.mkdir()
    (folder / "da ta%2F[x]?.csv").write_text("a\n1\n")
    (folder / "da ta%2Fx!.csv").write_text("a\n2\n")
    (tmp_path / "none.json").write_text("[]")
    output = folder / "out*.csv"
    assert main(["run", str(tmp_path / "none.json"), str(folder / "da ta%2F[x]?.csv"), str(output)]) == 0
    assert output.read_text() == "a\n1\n"


def test_a_row_count_reads_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MAPPED_BYTES", 0)
    source = tmp_path / "in.csv"
    source.write_text("a,b\n,1\nx,2\n")
    assert sources(source) == [source.as_uri()]
    # The folder of copies is chosen once per process, so this needs another process.
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, polars as pl; from recipe_runner.tables.streaming import count_rows\n"
            "print(count_rows(pl.scan_csv([sys.argv[1]])))",
            source.as_uri(),
        ],
        cwd=REPOSITORY,
        env={"POLARS_TEMP_DIR": str(tmp_path / "copies"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2\n"
    assert [path for path in (tmp_path / "copies").rglob("*") if path.is_file()] == []


FILES: dict[str, tuple[str, str]] = {
    "rows over several lines": (".csv", 'a,b\n1,"x\ny"\n2,"say ""no"", then"\n,\n'),
    "blank lines": (".csv", "a,b\n1,x\n\n2,\n"),
    "a type that changes": (".csv", "a,b\n" + "".join(f"{row},x\n" for row in range(25_000)) + "2.5,y\nfour,z\n"),
    "a whole number beyond 64 bits": (".csv", "a,b\n" + "1,x\n" * 25_000 + "9223372036854775808,y\n"),
    "an identifier of 40 digits": (".csv", "a,b\n" + "1,x\n" * 25_000 + "1" * 40 + ",y\n"),
    "a column that fills late": (".csv", "a,b\n" + "".join(f",{row}\n" for row in range(25_000)) + "7,1\n"),
    "a line without its end": (".csv", "a,b\n1,x\n2,y"),
    "JSON Lines": (".jsonl", '{"a":1,"b":{"x":1}}\n\n{"a":2.5,"b":{"y":["z"]},"c":null}\n'),
    "JSON Lines of several types": (".jsonl", '{"a":true,"b":1}\n{"a":3}\n{"a":"x","b":{"y":1}}\n'),
    "one JSON document": (".json", '[{"a":1},{"a":null,"b":"x"}]'),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("output", [".csv", ".jsonl", ".parquet"])
def test_long_files_are_read_like_short_ones(
    name: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix, text = FILES[name]
    recipe, source = tmp_path / "recipe.json", tmp_path / f"in{suffix}"
    recipe.write_text(json.dumps([step("UPPER_CASE", sourceColumn="b")] if suffix == ".csv" else []))
    source.write_text(text)
    results = []
    for mapped_bytes in (streaming.MAPPED_BYTES, 0):
        monkeypatch.setattr(streaming, "MAPPED_BYTES", mapped_bytes)
        monkeypatch.setattr("recipe_runner.files.json_inputs.SCHEMA_BLOCK", 8 if mapped_bytes == 0 else 1 << 20)
        target = tmp_path / f"out-{mapped_bytes}{output}"
        assert main(["run", str(recipe), str(source), str(target)]) == 0
        results.append((target.read_bytes(), capsys.readouterr().err.split(" in ")[0]))
    assert results[0] == results[1]
    if output == ".csv" and name == "a whole number beyond 64 bits":
        assert results[0][0].endswith(b"\n1,X\n9223372036854775808,Y\n")


def test_rows_are_counted_whatever_their_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.json").write_text("[]")
    for name, rows in [("rows over several lines", 3), ("blank lines", 2), ("a line without its end", 2)]:
        (tmp_path / "in.csv").write_text(FILES[name][1])
        assert main(["run", str(tmp_path / "none.json"), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 0
        assert f"over {rows} rows" in capsys.readouterr().err
    assert count_rows(pl.LazyFrame({"a": [None, 1]})) == 2


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    measure = (
        "import resource, sys\n"
        "from recipe_runner.tables import streaming\n"
        "from recipe_runner.cli import main\n"
        "streaming.MAPPED_BYTES = 1 << 20\n"
        "assert main(['run', *sys.argv[1:], '--delimiter', ';', '--quiet']) == 0\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for rows in (1_000_000, 3_000_000):
        source = tmp_path / f"{rows}.csv"
        sample = [sys.executable, "-m", "tools.sample_data", "--rows", str(rows), "--seed", "1", "--out", str(source)]
        subprocess.run(sample, cwd=REPOSITORY, check=True, capture_output=True)
        run = [sys.executable, "-c", measure, str(SEED), str(source), str(tmp_path / "out.csv")]
        done = subprocess.run(run, cwd=REPOSITORY, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout))
        source.unlink()
    assert peaks[1] <= 1.5 * peaks[0], f"{peaks} KiB"
