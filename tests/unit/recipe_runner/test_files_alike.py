"""The files of a dataset have the same columns, or the recipe does not run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from recipe_runner.api import RecipeError, run_recipe

DIFFERENT = {
    "a column less": ("a,b\n1,2\n", "a\n1\n", "2.csv lacks 'b', unlike 1.csv"),
    "a column more": ("a\n1\n", "a,b\n1,2\n", "2.csv has 'b' besides, unlike 1.csv"),
    "another order": ("a,b\n1,2\n", "b,a\n1,2\n", "2.csv has its columns in another order, unlike 1.csv"),
    "another case": ("a,b\n1,2\n", "a,B\n1,2\n", "2.csv lacks 'b' and has 'B' besides, unlike 1.csv"),
    "a blank": ("a,b\n1,2\n", "a, b\n1,2\n", "2.csv lacks 'b' and has ' b' besides, unlike 1.csv"),
}


def run(paths: list[Path], out: Path, chosen: str) -> str:
    report = run_recipe(
        [],
        paths,
        input_format=chosen,
        output_dir=out,
        outputs=[{"Format": "CSV", "Overwrite": True}],
        job_name="job",
        started_at=datetime(2024, 1, 1, tzinfo=UTC),
    )
    return (out / report.outputs[0].files[0]).read_text()


@pytest.mark.parametrize("case", DIFFERENT)
def test_files_with_different_columns_are_refused_by_name(tmp_path: Path, case: str) -> None:
    first, second, message = DIFFERENT[case]
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for path, text in zip(paths, (first, second), strict=True):
        path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        run(paths, tmp_path / "out", "CSV")


def test_the_cases_are_all_there() -> None:
    assert len(DIFFERENT) == 5


def test_the_order_of_parquets_columns_says_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    pl.DataFrame({"a": [1], "b": ["x"]}).write_parquet(paths[0])
    pl.DataFrame({"b": ["y"], "a": [2]}).write_parquet(paths[1])
    assert run(paths, tmp_path / "out", "PARQUET") == "a,b\n1,x\n2,y\n"
    pl.DataFrame({"b": ["y"], "c": [2]}).write_parquet(paths[1])
    with pytest.raises(RecipeError, match="lacks 'a' and has 'c' besides"):
        run(paths, tmp_path / "out", "PARQUET")


def test_objects_of_json_may_leave_out_a_value(tmp_path: Path) -> None:
    paths = [tmp_path / "1.json", tmp_path / "2.json"]
    paths[0].write_text('{"a": 1, "b": "x"}\n')
    paths[1].write_text('{"a": 2}\n')
    assert run(paths, tmp_path / "out", "JSON") == "a,b\n1,x\n2,\n"


def test_a_file_without_a_byte_is_passed_over(tmp_path: Path) -> None:
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    paths[0].write_text("")
    paths[1].write_text("a\n1\n")
    assert run(paths, tmp_path / "out", "CSV") == "a\n1\n"
    with pytest.raises(RecipeError, match=r"1\.csv is empty"):
        run(paths[:1], tmp_path / "out", "CSV")
