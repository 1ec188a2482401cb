"""Every format and compression that DataBrew reads gives a recipe job the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest

from tests.fixtures.data_files import COMPRESSIONS, csv_file, json_lines_file, parquet_file
from tests.fixtures.job_services import BUCKET, error_of, wait_for

BUSY = {"STARTING", "RUNNING", "STOPPING"}
ROWS = [{"age": age, "job": f"jöb, {age % 3}", "rate": age / 4, "y": "no" if age % 2 else "yes"} for age in range(200)]
STEPS = [{"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "y", "targetColumn": "label"}}}]
NAMES = ["age", "job", "rate", "label"]


class Brew:
    """Datasets of a few objects, and what a job of DataBrew makes of them."""

    def __init__(self, client: Any, role: str, s3: Any, name: str) -> None:
        self.client, self.role, self.s3, self.name = client, role, s3, name

    def dataset(self, objects: Mapping[str, bytes], **options: Any) -> None:
        for key, body in objects.items():
            self.s3.put_object(Bucket=BUCKET, Key=f"{self.name}/in/{key}", Body=body)
        place = {"S3InputDefinition": {"Bucket": BUCKET, "Key": f"{self.name}/in/"}}
        self.client.create_dataset(Name=self.name, Input=place, **options)

    def transform(self, steps: list[dict[str, Any]]) -> dict[str, Any]:
        self.client.create_recipe(Name=self.name, Steps=steps)
        self.client.publish_recipe(Name=self.name)
        self.client.create_recipe_job(
            Name=self.name,
            DatasetName=self.name,
            RecipeReference={"Name": self.name, "RecipeVersion": "1.0"},
            RoleArn=self.role,
            Outputs=[{"Location": {"Bucket": BUCKET, "Key": f"{self.name}/out/"}, "Format": "CSV", "Overwrite": True}],
        )
        return self._run()

    def profile(self) -> dict[str, Any]:
        self.client.create_profile_job(
            Name=self.name,
            DatasetName=self.name,
            RoleArn=self.role,
            JobSample={"Mode": "FULL_DATASET"},
            OutputLocation={"Bucket": BUCKET, "Key": f"{self.name}/out/"},
        )
        assert self._run()["State"] == "SUCCEEDED"
        document: dict[str, Any] = json.loads(self._written())
        return document

    def rows(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self._written().decode())))

    def _run(self) -> dict[str, Any]:
        run_id = self.client.start_job_run(Name=self.name)["RunId"]
        return wait_for(lambda: self.client.describe_job_run(Name=self.name, RunId=run_id), "State", BUSY)

    def _written(self) -> bytes:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.name}/out/")["Contents"]
        assert len(listed) == 1
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=listed[0]["Key"])["Body"].read()
        return body


@pytest.fixture
def brew(aws_client: Callable[..., Any], roles: dict[str, str], s3: Any, unique: Callable[[str], str]) -> Brew:
    return Brew(aws_client("databrew"), roles["databrew"], s3, unique("format"))


def expected(names: list[str]) -> list[list[str]]:
    return [names, *([str(value) for value in row.values()] for row in ROWS)]


CSV, JSON, PARQUET = {"Format": "CSV"}, {"Format": "JSON"}, {"Format": "PARQUET"}
LINES = {"Format": "JSON", "FormatOptions": {"Json": {"MultiLine": False}}}
DOCUMENT = {"Format": "JSON", "FormatOptions": {"Json": {"MultiLine": True}}}
PRETTY = json.dumps(ROWS, indent=1, ensure_ascii=False).encode()


def delimited(delimiter: str) -> dict[str, Any]:
    return {"Format": "CSV", "FormatOptions": {"Csv": {"Delimiter": delimiter, "HeaderRow": True}}}


FILES: dict[str, tuple[str, bytes, dict[str, Any]]] = {
    "csv": ("a.csv", csv_file(ROWS), CSV),
    "csv without a format": ("a.csv", csv_file(ROWS), {}),
    "csv without an extension": ("a", csv_file(ROWS), CSV),
    "csv with a byte order mark": ("a.csv", b"\xef\xbb\xbf" + csv_file(ROWS), CSV),
    "csv with crlf": ("a.csv", csv_file(ROWS).replace(b"\n", b"\r\n"), CSV),
    **{
        f"csv by {name}": ("a.csv", csv_file(ROWS, sign), delimited(sign))
        for name, sign in {
            "colon": ":", "semicolon": ";", "pipe": "|", "tab": "\t", "caret": "^", "backslash": "\\", "space": " ",
        }.items()
    },
    "json lines": ("a.jsonl", json_lines_file(ROWS), LINES),
    "json lines by default": ("a.json", json_lines_file(ROWS), JSON),
    "json lines without a format": ("a.jsonl", json_lines_file(ROWS), {}),
    "json lines with a byte order mark": ("a.json", b"\xef\xbb\xbf" + json_lines_file(ROWS), JSON),
    "a json document": ("a.json", PRETTY, DOCUMENT),
    "parquet without a format": ("a.parquet", parquet_file(ROWS), {}),
    "parquet without an extension": ("a", parquet_file(ROWS), PARQUET),
    **{
        f"parquet of {codec}": (f"a.{codec}.parquet", parquet_file(ROWS, codec), PARQUET)
        for codec in ("uncompressed", "snappy", "gzip", "lz4", "zstd", "brotli")
    },
    **{f"csv in {way}": (f"a.csv{suffix}", pack(csv_file(ROWS)), CSV) for way, (suffix, pack) in COMPRESSIONS.items()},
    **{
        f"json lines in {way}": (f"a.json{suffix}", pack(json_lines_file(ROWS)), LINES)
        for way, (suffix, pack) in COMPRESSIONS.items()
    },
    "csv in gzip, without csv's extension": ("a.gz", COMPRESSIONS["gzip"][1](csv_file(ROWS)), CSV),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_recipe_job_writes_the_same_rows(brew: Brew, case: str) -> None:
    key, body, options = FILES[case]
    brew.dataset({key: body}, **options)
    assert brew.transform(STEPS)["State"] == "SUCCEEDED"
    assert brew.rows() == expected(NAMES)


def test_several_files_of_a_format_are_one_dataset(brew: Brew) -> None:
    brew.dataset({f"dt=2026-11-2{n}/a.snappy.parquet": parquet_file(ROWS[n * 100 :][:100]) for n in (0, 1)}, **PARQUET)
    assert brew.transform(STEPS)["State"] == "SUCCEEDED"
    assert brew.rows() == expected(NAMES)


def test_a_file_without_a_byte_has_no_row(brew: Brew) -> None:
    brew.dataset({"a.csv": b"", "b.csv": csv_file(ROWS)}, **CSV)
    assert brew.transform(STEPS)["State"] == "SUCCEEDED"
    assert brew.rows() == expected(NAMES)


def test_columns_without_a_header_are_numbered_from_1(brew: Brew) -> None:
    brew.dataset(
        {"a.csv.gz": COMPRESSIONS["gzip"][1](csv_file(ROWS, "|", header=False))},
        Format="CSV",
        FormatOptions={"Csv": {"Delimiter": "|", "HeaderRow": False}},
    )
    step = {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "Column_4", "targetColumn": "label"}}}
    assert brew.transform([step])["State"] == "SUCCEEDED"
    assert brew.rows() == expected(["Column_1", "Column_2", "Column_3", "label"])


PROFILED = ("csv", "csv by caret", "csv in hadoop's snappy", "json lines in bzip2", "a json document", "parquet of lz4")


@pytest.mark.parametrize("case", PROFILED)
def test_a_profile_job_sees_the_same_columns(brew: Brew, case: str) -> None:
    key, body, options = FILES[case]
    brew.dataset({key: body}, **options)
    profile = brew.profile()
    assert [column["name"] for column in profile["columns"]] == ["age", "job", "rate", "y"]
    assert profile["sampleSize"] == len(ROWS)


GZIP = COMPRESSIONS["gzip"][1]
BAD: dict[str, tuple[dict[str, bytes], dict[str, Any], str]] = {
    "two extensions": ({"a.csv": b"a\n1\n", "b.csv.gz": GZIP(b"a\n1\n")}, CSV, "have different extensions"),
    "a stray file": ({"README": b"a\n", "b.csv": b"a\n1\n"}, CSV, "README has none"),
    "a codec that databrew lacks": ({"a.csv.zst": b"a\n1\n"}, CSV, "ends with .zst"),
    "a codec in capitals": ({"a.csv.GZ": GZIP(b"a\n1\n")}, CSV, "ends with .GZ"),
    "a codec that parquet lacks": ({"a.parquet.bz2": parquet_file(ROWS)}, PARQUET, "ends with .bz2"),
    "gzip without its extension": ({"a.csv": GZIP(b"a\n1\n")}, CSV, "is not UTF-8"),
    "plain text with gzip's": ({"a.csv.gz": b"a\n1\n"}, CSV, "is not GZIP data"),
    "gzip around parquet": ({"a.parquet.gz": GZIP(parquet_file(ROWS))}, PARQUET, "cannot be read as PARQUET"),
    "csv as parquet": ({"a.parquet": csv_file(ROWS)}, PARQUET, "cannot be read as PARQUET"),
    "parquet as csv": ({"a.csv": parquet_file(ROWS)}, CSV, "is not UTF-8"),
    "json as csv": ({"a.csv": json_lines_file(ROWS)}, CSV, "is JSON, not CSV"),
    "csv as json": ({"a.json": csv_file(ROWS)}, JSON, "is not JSON Lines: line 1"),
    "a document as json lines": ({"a.json": PRETTY}, LINES, "is a JSON document, an array"),
    "a document without options": ({"a.json": PRETTY}, JSON, "is a JSON document, an array"),
    "a pretty object as json lines": ({"a.json": b'{\n "a": 1\n}\n'}, JSON, "is not JSON Lines: line 1"),
    "another column": ({"a.csv": b"a,y\n1,2\n", "b/c.csv": b"a,z\n1,2\n"}, CSV, "/in/b/c.csv lacks 'y' and has 'z'"),
    "columns in another order": ({"a.csv": b"a,y\n1,2\n", "b.csv": b"y,a\n1,2\n"}, CSV, "columns in another order"),
    "a name in capitals": ({"a.csv": b"a,y\n1,2\n", "b.csv": b"A,y\n1,2\n"}, CSV, "lacks 'a' and has 'A' besides"),
    "another column of parquet": (
        {"a.parquet": parquet_file(ROWS), "b.parquet": parquet_file([{"age": 1}])},
        PARQUET,
        "lacks 'job', 'rate', 'y'",
    ),
    "other types of parquet": (
        {"a.parquet": parquet_file([{"a": 1}]), "b.parquet": parquet_file([{"a": 1.5}])},
        PARQUET,
        "/in/b.parquet has Float64, unlike ",
    ),
    "times of another zone in parquet": (
        {
            "a.parquet": parquet_file([], schema={"a": pl.Datetime("us")}),
            "b.parquet": parquet_file([], schema={"a": pl.Datetime("us", "UTC")}),
        },
        PARQUET,
        "have different types",
    ),
    "a ragged file among others of its name": (
        {"a/p.csv": b"a,y\n1,2\n", "b/p.csv": b"a,y\n1\n"},
        CSV,
        "/in/b/p.csv is ragged",
    ),
    "a cut file among others of its name": (
        {"a/p.csv.gz": GZIP(b"a,y\n1,2\n"), "b/p.csv.gz": GZIP(b"a,y\n1,2\n")[:-9]},
        CSV,
        "/in/b/p.csv.gz is not GZIP data, or is truncated",
    ),
    "a document among json lines of its name": (
        {"a/p.json": b'{"a": 1}\n', "b/p.json": b"[1]"},
        LINES,
        "/in/b/p.json is a JSON document",
    ),
    "json lines as a document": ({"a.json": json_lines_file(ROWS)}, DOCUMENT, "holds more than one JSON value"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_databrew_would_not_read_fails_the_job(brew: Brew, case: str) -> None:
    objects, options, message = BAD[case]
    brew.dataset(objects, **options)
    run = brew.transform(STEPS)
    assert run["State"] == "FAILED"
    assert message in run["ErrorMessage"]


@pytest.mark.parametrize("delimiter", ["x", "#", "\n", '"', "§"])
def test_a_delimiter_that_databrew_does_not_list_is_refused(brew: Brew, delimiter: str) -> None:
    code, message = error_of(lambda: brew.dataset({}, **delimited(delimiter)))
    assert (code, message.startswith("The delimiter ")) == ("ValidationException", True)


@pytest.mark.parametrize("chosen", ["CSV", "PARQUET"])
def test_options_of_another_format_are_refused(brew: Brew, chosen: str) -> None:
    code, message = error_of(lambda: brew.dataset({}, Format=chosen, FormatOptions={"Json": {"MultiLine": True}}))
    assert code == "ValidationException"
    assert message == f"FormatOptions has options for Json, but the format is {chosen}."


def test_the_cases_are_all_there() -> None:
    assert (len(FILES), len(PROFILED), len(BAD)) == (46, 6, 25)
