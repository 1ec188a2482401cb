"""Outputs of a job: names, partitions, several files, compression, overwriting; inputs of several files."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from local_aws.recipes.api import RunReport, run_recipe
from local_aws.recipes.errors import RecipeError
from tests.unit.recipes.conftest import step

STARTED = datetime(2024, 5, 1, 6, 7, 8, 9000, tzinfo=UTC)
STEM = "job_01May2024_1714543628009"


def run(
    tmp_path: Path,
    *outputs: dict[str, Any],
    steps: Any = (),
    text: str = "a,b,c\n1,x,p\n2,y,q\n3,x,q\n",
    started: datetime = STARTED,
) -> RunReport:
    source = tmp_path / "in.csv"
    source.write_text(text)
    return run_recipe(
        list(steps),
        [source],
        input_format="CSV",
        output_dir=tmp_path / "out",
        outputs=list(outputs),
        job_name="job",
        started_at=started,
    )


def files(tmp_path: Path) -> list[str]:
    return sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    )


def test_the_services_file_name(tmp_path: Path) -> None:
    report = run(tmp_path, {"Format": "CSV"})
    assert files(tmp_path) == [f"{STEM}/{STEM}_part00000.csv"]
    assert [path.as_posix() for path in report.outputs[0].files] == files(tmp_path)
    assert (report.rows_in, report.rows_out, report.columns) == (3, 3, ["a", "b", "c"])


def test_overwrite_replaces_what_an_earlier_run_left(tmp_path: Path) -> None:
    run(tmp_path, {"Format": "CSV", "Overwrite": True, "MaxOutputFiles": 3})
    assert files(tmp_path) == ["job_part00000.csv", "job_part00001.csv", "job_part00002.csv"]
    run(tmp_path, {"Format": "CSV", "Overwrite": True}, text="a,b,c\n9,z,z\n")
    assert files(tmp_path) == ["job_part00000.csv"]
    assert (tmp_path / "out" / "job_part00000.csv").read_text() == "a,b,c\n9,z,z\n"


def test_max_output_files_keeps_the_order_and_makes_no_empty_file(tmp_path: Path) -> None:
    run(tmp_path, {"Format": "CSV", "MaxOutputFiles": 2})
    parts = [(tmp_path / "out" / name).read_text() for name in files(tmp_path)]
    assert parts == ["a,b,c\n1,x,p\n2,y,q\n", "a,b,c\n3,x,q\n"]
    run(tmp_path, {"Format": "CSV", "MaxOutputFiles": 999, "Overwrite": True})
    assert len([name for name in files(tmp_path) if name.startswith("job_part")]) == 3


def test_partition_columns_are_in_the_path_and_not_in_the_file(tmp_path: Path) -> None:
    run(
        tmp_path,
        {"Format": "CSV", "PartitionColumns": ["b", "c"], "Overwrite": True},
        text="a,b,c\n1,x/y,p\n2,,q\n3,x/y,p\n",
    )
    assert files(tmp_path) == ["b=__HIVE_DEFAULT_PARTITION__/c=q/job_part00000.csv", "b=x%2Fy/c=p/job_part00000.csv"]
    assert (tmp_path / "out" / "b=x%2Fy" / "c=p" / "job_part00000.csv").read_text() == "a\n1\n3\n"


def test_formats_and_compressions(tmp_path: Path) -> None:
    run(
        tmp_path,
        {"Format": "JSON", "CompressionFormat": "GZIP", "Overwrite": True},
        {
            "Format": "CSV",
            "CompressionFormat": "BZIP2",
            "FormatOptions": {"Csv": {"Delimiter": "|"}},
            "Overwrite": True,
        },
        {"Format": "CSV", "CompressionFormat": "ZLIB", "Overwrite": True},
        {"Format": "CSV", "CompressionFormat": "DEFLATE", "Overwrite": True},
        {"Format": "PARQUET", "CompressionFormat": "SNAPPY", "Overwrite": True},
        {"Format": "AVRO", "Overwrite": True},
        {"Format": "ORC", "Overwrite": True},
        {"Format": "XML", "Overwrite": True},
    )
    out = tmp_path / "out"
    assert json.loads(gzip.decompress((out / "job_part00000.json.gz").read_bytes()).splitlines()[0]) == {
        "a": 1,
        "b": "x",
        "c": "p",
    }
    assert bz2.decompress((out / "job_part00000.csv.bz2").read_bytes()).startswith(b"a|b|c\n1|x|p\n")
    assert zlib.decompress((out / "job_part00000.csv.zlib").read_bytes()).startswith(b"a,b,c\n")
    assert zlib.decompress((out / "job_part00000.csv.deflate").read_bytes()).startswith(b"a,b,c\n")
    assert pl.read_parquet(out / "job_part00000.parquet")["a"].to_list() == [1, 2, 3]
    assert pl.read_avro(out / "job_part00000.avro")["b"].to_list() == ["x", "y", "x"]
    assert "<column" in (out / "job_part00000.xml").read_text()
    orc = pytest.importorskip("pyarrow.orc")
    assert orc.read_table(out / "job_part00000.orc").num_rows == 3


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"Format": "TABLEAUHYPER"}, "cannot be written locally"),
        ({"Format": "WORD"}, "is not one of"),
        ({"Format": "CSV", "CompressionFormat": "ZIP"}, "is not one of"),
        ({"Format": "PARQUET", "CompressionFormat": "BZIP2"}, "takes the compressions"),
        ({"Format": "CSV", "CompressionFormat": "LZO"}, "cannot be written locally"),
        ({"Format": "CSV", "MaxOutputFiles": 1000}, "1 to 999"),
        ({"Format": "CSV", "PartitionColumns": ["q"]}, "no column 'q'"),
        ({"Format": "CSV", "PartitionColumns": ["a", "b", "c"]}, "no column is left"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_and_no_other_is_written(
    output: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message):
        run(tmp_path, {"Format": "CSV"}, output)
    assert files(tmp_path) == []


def test_a_failing_run_leaves_nothing(tmp_path: Path) -> None:
    explosive = step("EXTRACT_PATTERN", sourceColumn="b", targetColumn="t", pattern="^(?!b)(a|aa)+$")
    with pytest.raises(RecipeError, match="backtracks"):
        run(tmp_path, {"Format": "CSV"}, steps=[explosive], text="a,b\n1," + "a" * 60 + "!\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_several_files_are_one_table_with_columns_of_their_paths(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b,a\ny,2.5\n")
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    report = run_recipe(
        [],
        paths,
        input_format="CSV",
        output_dir=tmp_path / "out",
        outputs=[{"Format": "CSV", "Overwrite": True}],
        job_name="job",
        started_at=STARTED,
        extra_columns={paths[0]: {"day": "mon"}, paths[1]: {"day": "tue"}},
    )
    assert (tmp_path / "out" / report.outputs[0].files[0]).read_text() == "a,b,day\n1.0,x,mon\n2.5,y,tue\n"


def test_excel_sheets_and_compressed_csv(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}).write_excel(tmp_path / "book.xlsx", worksheet="second")
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    for source, options in (
        ("book.xlsx", {"Excel": {"SheetNames": ["second"]}}),
        ("book.xlsx", {"Excel": {"SheetIndexes": [0]}}),
        ("in.csv.gz", {}),
    ):
        run_recipe(
            [],
            [tmp_path / source],
            input_format="",
            input_options=options,
            output_dir=tmp_path / "out",
            outputs=[{"Format": "CSV", "Overwrite": True}],
            job_name="job",
            started_at=STARTED,
        )
        assert (tmp_path / "out" / "job_part00000.csv").read_text() == "a,b\n1,x\n2,y\n"


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    steps = [
        step("RANDOM", targetColumn="r"),
        step("SHUFFLE_ROWS", sourceColumns='["a"]'),
        step("NOW", targetColumn="n"),
    ]
    made = []
    for _ in range(2):
        run(tmp_path, {"Format": "CSV", "CompressionFormat": "GZIP", "Overwrite": True}, steps=steps)
        made.append((tmp_path / "out" / "job_part00000.csv.gz").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "..", "", "x\x00", "[ab]*", "/tmp/x"])
def test_a_job_name_that_is_no_file_name_is_refused(name: str, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("a,b\n1,2\n")
    with pytest.raises(RecipeError, match="job name"):
        run_recipe(
            [],
            [source],
            input_format="CSV",
            output_dir=tmp_path / "deep" / "out",
            outputs=[{"Format": "CSV", "Overwrite": True}],
            job_name=name,
            started_at=STARTED,
        )
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["in.csv"]


@pytest.mark.parametrize("value", ["../../x", "..", "/etc/passwd", "a/b", "a\\b", "%2e%2e%2f", "\u2044", "a\nb"])
def test_partition_values_stay_one_folder(value: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    text = f'a,b\n1,"{value}"\n'
    run(tmp_path, {"Format": "CSV", "Overwrite": True, "PartitionColumns": ["b"]}, text=text)
    (found,) = files(tmp_path)
    assert found.count("/") == 1
    assert found.startswith("b=")
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out"}
