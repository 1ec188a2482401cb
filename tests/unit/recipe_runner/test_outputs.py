"""Outputs of a job: names, partitions, several files, compression, overwriting; its inputs too."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from recipe_runner.api import RunReport, run_recipe
from recipe_runner.errors import RecipeError
from tests.fixtures.recipe_steps import step

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


def test_an_output_has_the_services_file_name(tmp_path: Path) -> None:
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
    for wanted in range(1, 8):
        run(
            tmp_path,
            {"Format": "CSV", "MaxOutputFiles": wanted, "Overwrite": True},
            text="a\n" + "".join(f"{n}\n" for n in range(7)),
        )
        names = [name for name in files(tmp_path) if name.startswith("job_part")]
        assert len(names) == wanted
        rows = "".join((tmp_path / "out" / name).read_text().removeprefix("a\n") for name in names)
        assert rows == "".join(f"{n}\n" for n in range(7))
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


def test_every_format_and_compression_is_written(tmp_path: Path) -> None:
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
    assert pl.read_parquet(out / "job_part00000.parquet.snappy")["a"].to_list() == [1, 2, 3]
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
        ({"Format": "PARQUET", "CompressionFormat": "BZIP2"}, "supports the compressions"),
        ({"Format": "ORC", "CompressionFormat": "GZIP"}, "supports the compressions SNAPPY, ZLIB"),
        ({"Format": "CSV", "FormatOptions": {"Csv": {"Delimiter": '"'}}}, "must be one ASCII character"),
        ({"Format": "CSV", "PartitionColumns": ["b", "b"]}, "listed twice in PartitionColumns"),
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
    with pytest.raises(RecipeError, match="takes too long to match"):
        run(tmp_path, {"Format": "CSV"}, steps=[explosive], text="a,b\n1," + "a" * 60 + "!\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_several_files_are_one_table_with_columns_of_their_paths(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("a,b\n2.5,y\n")
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


def test_excel_sheets_and_compressed_csv_are_read(tmp_path: Path) -> None:
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


def run_frame(tmp_path: Path, frame: pl.DataFrame, *outputs: dict[str, Any]) -> Path:
    frame.write_parquet(tmp_path / "in.parquet")
    run_recipe(
        [],
        [tmp_path / "in.parquet"],
        input_format="PARQUET",
        output_dir=tmp_path / "out",
        outputs=[{"Overwrite": True, **output} for output in outputs],
        job_name="job",
        started_at=STARTED,
    )
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ({"Format": "CSV", "FormatOptions": {"Csv": {"Delimiter": "\t"}}}, "job_part00000.csv"),
        ({"Format": "CSV", "CompressionFormat": "GZIP"}, "job_part00000.csv.gz"),
        (
            {"Format": "CSV", "CompressionFormat": "GZIP", "FormatOptions": {"Csv": {"Delimiter": "\t"}}},
            "job_part00000.tsv.gz",
        ),
        ({"Format": "PARQUET"}, "job_part00000.parquet"),
        ({"Format": "PARQUET", "CompressionFormat": "GZIP"}, "job_part00000.parquet.gz"),
        ({"Format": "PARQUET", "CompressionFormat": "BROTLI"}, "job_part00000.parquet.br"),
        ({"Format": "GLUEPARQUET"}, "job_part00000.glue.parquet.snappy"),
        ({"Format": "AVRO", "CompressionFormat": "BZIP2"}, "job_part00000.avro.bz2"),
        ({"Format": "ORC", "CompressionFormat": "ZLIB"}, "job_part00000.orc.zlib"),
        ({"Format": "XML", "CompressionFormat": "SNAPPY"}, "job_part00000.xml.snappy"),
        ({"Format": "JSON", "CompressionFormat": "LZ4"}, "job_part00000.json.lz4"),
    ],
)
def test_extensions_are_those_of_the_guide(output: dict[str, Any], name: str, tmp_path: Path) -> None:
    run(tmp_path, {**output, "Overwrite": True})
    assert files(tmp_path) == [name]


@pytest.mark.parametrize("codec", ["SNAPPY", "ZLIB", "LZ4", "ZSTD"])
def test_orc_is_compressed_inside(codec: str, tmp_path: Path) -> None:
    orc = pytest.importorskip("pyarrow.orc")
    run(tmp_path, {"Format": "ORC", "CompressionFormat": codec, "Overwrite": True})
    (name,) = files(tmp_path)
    read = orc.ORCFile(tmp_path / "out" / name)
    assert (read.compression, read.read().num_rows) == (codec, 3)


def test_avro_after_a_step_is_one_file(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{number},x\n" for number in range(1000))
    run(tmp_path, {"Format": "AVRO", "Overwrite": True}, steps=[step("UPPER_CASE", sourceColumn="b")], text=text)
    path = tmp_path / "out" / "job_part00000.avro"
    assert path.read_bytes().count(b"Obj\x01") == 1
    assert b'"topLevelRecord"' in path.read_bytes()
    assert pl.read_avro(path).equals(pl.DataFrame({"a": range(1000), "b": ["X"] * 1000}))


def test_avro_and_orc_can_hold_every_type(tmp_path: Path) -> None:
    orc = pytest.importorskip("pyarrow.orc")
    frame = pl.DataFrame(
        {"big": [2**70], "at": [datetime(2024, 1, 2, tzinfo=UTC)], "none": [None], "inner": [{"x": [1], "y": None}]},
        schema_overrides={"big": pl.Int128, "inner": pl.Struct({"x": pl.List(pl.UInt8), "y": pl.Null})},
    ).with_columns(pl.lit(7, dtype).alias(str(dtype)) for dtype in (pl.Int8, pl.Int16, pl.UInt8, pl.UInt32, pl.UInt64))
    out = run_frame(tmp_path, frame, {"Format": "AVRO"}, {"Format": "ORC"})
    rows = [
        *pl.read_avro(out / "job_part00000.avro").to_dicts(),
        *orc.read_table(out / "job_part00000.orc").to_pylist(),
    ]
    for row in rows:
        assert [row["big"], row["none"], row["inner"]] == [2**70, None, {"x": [1], "y": None}]
        assert [row[str(dtype)] for dtype in frame.dtypes[4:]] == [7] * 5


def test_parquet_holds_long_whole_numbers_as_decimals(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run(tmp_path, {"Format": "PARQUET", "Overwrite": True}, text=f"a,b\n{2**70},1\n")
    assert parquet.read_table(tmp_path / "out" / "job_part00000.parquet").to_pylist() == [{"a": 2**70, "b": 1}]


def test_a_null_struct_is_an_empty_field_in_csv(tmp_path: Path) -> None:
    out = run_frame(tmp_path, pl.DataFrame({"a": [1, 2], "s": [{"x": 1}, None]}), {"Format": "CSV"}, {"Format": "XML"})
    assert (out / "job_part00000.csv").read_text() == 'a,s\n1,"{""x"":1}"\n2,\n'
    assert "null" not in (out / "job_part00000.xml").read_text()


def test_xml_is_read_by_a_parser(tmp_path: Path) -> None:
    frame = pl.DataFrame({"b": [True], "f": [float("nan")], "s": ["<&>\x01\r\n"], 'n"\x02': ["x"]})
    out = run_frame(tmp_path, frame, {"Format": "XML"})
    record = ElementTree.parse(out / "job_part00000.xml").getroot()[0]
    assert [(cell.get("name"), cell.text) for cell in record] == [
        ("b", "true"), ("f", "NaN"), ("s", "<&>\ufffd\r\n"), ('n"\ufffd', "x"),
    ]  # fmt: skip


def test_partitions_can_be_times_and_other_scripts(tmp_path: Path) -> None:
    moments = [datetime(2024, 1, 2, 3, 4, 5), datetime(2024, 1, 2, 3, 4, 5, 678000)]
    run_frame(tmp_path, pl.DataFrame({"a": [1, 2], "t": moments}), {"PartitionColumns": ["t"]})
    assert files(tmp_path) == [f"t=2024-01-02 03%3A04%3A05{end}/job_part00000.csv" for end in (".678", "")]
    run_frame(tmp_path, pl.DataFrame({"a": [1], "ü<|>": ["日本" * 30]}), {"PartitionColumns": ["ü<|>"]})
    assert files(tmp_path) == [f"ü<|>={'日本' * 30}/job_part00000.csv"]


@pytest.mark.parametrize(
    ("values", "message"),
    [(["x", "y" * 300], "too long for a folder's name"), ([[1], [2]], "must hold single values")],
    ids=["a long text", "lists"],
)
def test_a_partition_that_cannot_be_a_folder_leaves_nothing(values: list[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        run_frame(tmp_path, pl.DataFrame({"a": [1, 2], "p": values}), {"PartitionColumns": ["p"]})
    assert not (tmp_path / "out").exists() or files(tmp_path) == []


def test_an_output_that_cannot_be_put_in_place_leaves_no_part(tmp_path: Path) -> None:
    blocked = tmp_path / "out" / "b=y"
    blocked.parent.mkdir()
    blocked.write_text("a file where a folder must be")
    with pytest.raises(OSError, match="b=y"):
        run(tmp_path, {"Format": "CSV", "PartitionColumns": ["b"], "Overwrite": True})
    assert files(tmp_path) == ["b=y"]


def test_files_of_several_shapes_are_one_column_of_texts(tmp_path: Path) -> None:
    for name, text in (("1", '{"a":{"b":1}}'), ("2", '{"a":[1]}'), ("3", '{"a":"x"}'), ("4", '{"a":null}')):
        (tmp_path / f"{name}.jsonl").write_text(text)
    run_recipe(
        [],
        [tmp_path / f"{name}.jsonl" for name in "1234"],
        input_format="JSON",
        output_dir=tmp_path / "out",
        outputs=[{"Format": "JSON", "Overwrite": True}],
        job_name="job",
        started_at=STARTED,
    )
    lines = (tmp_path / "out" / "job_part00000.json").read_text().splitlines()
    assert [json.loads(line)["a"] for line in lines] == ['{"b":1}', "[1]", "x", None]


def run_with_column(tmp_path: Path, **extra: Any) -> pl.DataFrame:
    source = tmp_path / "in.csv"
    source.write_text("a,b\n1,x\n")
    run_recipe(
        [],
        [source],
        input_format="CSV",
        output_dir=tmp_path / "out",
        outputs=[{"Format": "PARQUET", "Overwrite": True}],
        job_name="job",
        started_at=STARTED,
        extra_columns={source: extra},
    )
    return pl.read_parquet(tmp_path / "out" / "job_part00000.parquet")


def test_a_time_in_the_path_is_in_utc(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=-7)))
    assert run_with_column(tmp_path, day=moment).rows() == [(1, "x", datetime(2024, 1, 2, 7))]


def test_a_column_of_the_path_never_replaces_one_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        RecipeError, match="column 'b': the path parameter creates a column that the files already have"
    ):
        run_with_column(tmp_path, b="y")


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "a,Column_2,c\n1,2,3\n"),
        ({"HeaderRow": False}, "Column_1,Column_2,Column_3\na,,c\n1,2,3\n"),
        ({"SheetNames": ["twice"], "HeaderRow": False}, "Column_1,Column_2\nb,b\n1,2\n"),
        ({"SheetNames": ["twice"]}, "has the column 'b' more than once"),
        ({"SheetNames": ["three"]}, "has no sheet 'three'; its sheets are one, twice, none"),
        ({"SheetIndexes": [3]}, "has no sheet 3; it has 3"),
        ({"SheetIndexes": [2]}, "empty Excel sheet"),
    ],
)
def test_excel_headers_and_sheets_follow_the_options(options: dict[str, Any], expected: str, tmp_path: Path) -> None:
    book = workbook(tmp_path / "in.xlsx", one=[["a", None, "c"], [1, 2, 3]], twice=[["b", "b"], [1, 2]], none=[])
    how: dict[str, Any] = {"input_format": "", "input_options": {"Excel": options}, "output_dir": tmp_path / "out"}
    outputs = [{"Format": "CSV", "Overwrite": True}]
    if expected.endswith("\n"):
        run_recipe([], [book], outputs=outputs, job_name="job", started_at=STARTED, **how)
        assert (tmp_path / "out" / "job_part00000.csv").read_text() == expected
    else:
        with pytest.raises(RecipeError, match=expected):
            run_recipe([], [book], outputs=outputs, job_name="job", started_at=STARTED, **how)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n"])
def test_a_file_that_is_not_a_workbook_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.xlsx").write_bytes(content)
    with pytest.raises(RecipeError, match=r"in\.xlsx is not an Excel workbook"):
        run_recipe(
            [],
            [tmp_path / "in.xlsx"],
            input_format="",
            output_dir=tmp_path / "out",
            outputs=[{"Format": "CSV"}],
            job_name="job",
            started_at=STARTED,
        )


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
def test_a_job_name_that_cannot_be_a_file_name_is_an_error(name: str, tmp_path: Path) -> None:
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
