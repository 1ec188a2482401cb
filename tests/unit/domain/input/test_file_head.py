"""What the head of a data file says, and the sentence where DataBrew would not read it."""

from __future__ import annotations

import gzip
import random
import re
from typing import Any

import polars as pl
import pytest

from brewtrain.domain.errors import InputError
from brewtrain.domain.input.file_head import HEAD_BYTES, MOST_HEAD_BYTES, head_range, read_head
from brewtrain.domain.input.head import FileHead, RaggedRow
from brewtrain.domain.pipeline.source import Source
from tests.fixtures.data_files import COMPRESSIONS, csv_file, json_lines_file, parquet_file

ROWS = [{"age": 30, "job": "ädmin", "y": "no"}, {"age": 41, "job": "a,b", "y": "yes"}]
COLUMNS = ("age", "job", "y")
URI = "s3://b/d/dt=2026-11-29/part-0"


class Reader:
    """One object, and how often it was read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.calls = 0

    def __call__(self, header: str) -> bytes:
        self.calls += 1
        match = re.fullmatch(r"bytes=(\d*)-(\d+)", header)
        assert match is not None
        if not match[1]:
            return self.content[-int(match[2]) :]
        return self.content[int(match[1]) : int(match[2]) + 1]


def source(**fields: Any) -> Source:
    return Source.model_validate({"path": "s3://{bucket}/d/dt={date}/", **fields})


def head(content: bytes, name: str = ".csv", **fields: Any) -> FileHead:
    return read_head(source(**fields), URI + name, len(content), Reader(content))


def problem(content: bytes, name: str = ".csv", **fields: Any) -> str:
    with pytest.raises(InputError) as raised:
        head(content, name, **fields)
    text = str(raised.value)
    assert text.startswith(URI)
    assert "\n" not in text
    return text.removeprefix(URI + name)


PLAIN = {
    "csv": (csv_file(ROWS), ".csv", {}),
    "json": (json_lines_file(ROWS), ".jsonl", {"format": "json"}),
}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("way", COMPRESSIONS)
def test_a_compressed_file_has_the_head_of_the_plain_one(kind: str, way: str) -> None:
    content, name, fields = PLAIN[kind]
    extension, pack = COMPRESSIONS[way]
    plain = head(content, name, **fields)
    assert (plain.columns, plain.has_row, plain.ragged) == (COLUMNS, True, None)
    assert head(pack(content), name + extension, **fields) == plain


@pytest.mark.parametrize("way", COMPRESSIONS)
def test_the_head_of_a_long_compressed_file_is_read_without_the_rest(way: str) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rows = random.Random(seed)
    content = b"id,text\n" + b"".join(b"%d,%s\n" % (n, rows.randbytes(40).hex().encode()) for n in range(40_000))
    extension, pack = COMPRESSIONS[way]
    packed = pack(content)
    reader = Reader(packed)
    assert len(packed) > HEAD_BYTES * 10
    found = read_head(source(), URI + ".csv" + extension, len(packed), reader)
    assert (found.columns, found.has_row, found.ragged) == (("id", "text"), True, None)
    assert reader.calls <= 3, "a bzip2 block is longer than 64 KiB"


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "gzip", "lz4", "zstd", "brotli"])
def test_parquets_footer_names_the_columns_whatever_the_pages_codec(compression: str) -> None:
    found = head(parquet_file(ROWS, compression), ".parquet", format="parquet")
    assert found == FileHead(COLUMNS, has_row=True, by_name=True, types=("int64", "byte_array/utf8", "byte_array/utf8"))


def test_parquets_nested_columns_are_one_column_each() -> None:
    rows = [{"a": {"b": 1, "c": {"d": [1, 2]}}, "e": [{"f": 1}], "g": True}]
    found = head(parquet_file(rows), ".parquet", format="parquet")
    assert found.columns == ("a", "e", "g")
    assert found.types == (
        "struct<b: int64, c: struct<d: list<int64>>>",
        "list<struct<f: int64>>",
        "boolean",
    )


PARQUET_TYPES: dict[str, Any] = {
    "int64": pl.Int64,
    "int32": pl.Int32,
    "int32/int_8": pl.Int8,
    "int64/uint_64": pl.UInt64,
    "double": pl.Float64,
    "byte_array": pl.Binary,
    "byte_array/utf8": pl.String,
    "int32/date": pl.Date,
    "int64/timestamp_millis without a zone": pl.Datetime("ms"),
    "int64/timestamp_micros without a zone": pl.Datetime("us"),
    "int64/timestamp_micros": pl.Datetime("us", "UTC"),
    "int64/timestamp_nanos": pl.Datetime("ns", "UTC"),
    "int64/time_nanos without a zone": pl.Time,
    "decimal(10, 2)": pl.Decimal(10, 2),
    "decimal(10, 3)": pl.Decimal(10, 3),
    "list<int64>": pl.List(pl.Int64),
    "list<byte_array/utf8>": pl.List(pl.String),
    "struct<a: int64>": pl.Struct({"a": pl.Int64}),
    "struct<a: int64, b: int64>": pl.Struct({"a": pl.Int64, "b": pl.Int64}),
}


@pytest.mark.parametrize("name", PARQUET_TYPES)
def test_parquets_types_are_told_apart(name: str) -> None:
    content = parquet_file([], schema={"a": PARQUET_TYPES[name]})
    assert head(content, ".parquet", format="parquet").types == (name,)


def test_the_types_of_parquet_are_all_there() -> None:
    assert len(PARQUET_TYPES) == 19


@pytest.mark.parametrize("version", ["1.0", "2.4", "2.6"])
def test_parquets_types_are_the_same_in_the_older_form_of_a_footer(version: str) -> None:
    import io
    from decimal import Decimal

    import pyarrow as arrow  # type: ignore[import-untyped]
    import pyarrow.parquet as parquet  # type: ignore[import-untyped]

    table = arrow.table(
        {
            "i": arrow.array([1], arrow.int32()),
            "d": [Decimal("1.20")],
            "t": arrow.array([0], arrow.timestamp("us", "UTC")),
            "l": [["x"]],
            "m": arrow.array([[("k", 2)]], arrow.map_(arrow.string(), arrow.int64())),
        }
    )
    stream = io.BytesIO()
    parquet.write_table(table, stream, version=version, use_compliant_nested_type=version != "1.0")
    assert head(stream.getvalue(), ".parquet", format="parquet").types == (
        "int32",
        "decimal(3, 2)",
        "int64/timestamp_micros",
        "list<byte_array/utf8>",
        "map<byte_array/utf8, int64>",
    )


def test_a_parquet_file_of_pyarrow_is_read_alike() -> None:
    import io

    import pyarrow as arrow
    import pyarrow.parquet as parquet

    stream = io.BytesIO()
    table = arrow.table({"ünï": [1, 2], "w": arrow.array([None, 1.5], arrow.float32()), "m": [[(1, 2)], []]})
    parquet.write_table(table, stream, row_group_size=1, compression="gzip")
    found = head(stream.getvalue(), ".gz.parquet", format="parquet")
    assert found.columns == ("ünï", "w", "m")
    assert found.has_row


def test_a_long_footer_is_read_in_a_second_call() -> None:
    content = parquet_file([{f"column_{n:05}": n for n in range(3000)}])
    reader = Reader(content)
    found = read_head(source(format="parquet"), URI + ".parquet", len(content), reader)
    assert (len(found.columns), reader.calls) == (3000, 2)


def test_a_parquet_file_without_a_row_has_none() -> None:
    content = parquet_file([], schema={"a": pl.Int64})
    assert head(content, ".parquet", format="parquet") == FileHead(
        ("a",), has_row=False, by_name=True, types=("int64",)
    )


HEADS: dict[str, tuple[bytes, dict[str, Any], FileHead]] = {
    "blanks and case are kept": (b" age,Job,y \n1,2,3\n", {}, FileHead((" age", "Job", "y "), True)),
    "a byte order mark is told, not read": (
        b"\xef\xbb\xbfa,b\n1,2\n",
        {},
        FileHead(("a", "b"), True, byte_order_mark=True),
    ),
    "crlf": (b"a,b\r\n1,2\r\n", {}, FileHead(("a", "b"), True)),
    "no line end behind the header": (b"a,b", {}, FileHead(("a", "b"), False)),
    "blank lines are no rows": (b"a,b\n\r\n \n", {}, FileHead(("a", "b"), False)),
    "a quoted name over two lines": (b'"a\nb",c\n1,2\n', {}, FileHead(("a\nb", "c"), True)),
    "a quoted delimiter": (b'"a;b";c\n1;2\n', {"delimiter": ";"}, FileHead(("a;b", "c"), True)),
    "one column": (b"text\n1;2\n3\n", {}, FileHead(("text",), True)),
    "years as names": (b"2019,2020\n1,2\n", {}, FileHead(("2019", "2020"), True)),
    "one column of times": (b"12:30\n12:31\n", {"header": False}, FileHead(("Column_1",), True)),
    "one column with a delimiter in quotes": (b'"a;b"\n"1;2"\n', {}, FileHead(("a;b",), True)),
    "an empty name": (b"a,,c\n1,2,3\n", {}, FileHead(("a", "Column_2", "c"), True)),
    "no header": (b"1,2,3\n", {"header": False}, FileHead(("Column_1", "Column_2", "Column_3"), True)),
    "a long row": (b"a,b\n1,2\n1,2,3\n", {}, FileHead(("a", "b"), True, ragged=RaggedRow(3, 3))),
    "a short row": (b'a,b\n"1\n",2\n1\n', {}, FileHead(("a", "b"), True, ragged=RaggedRow(4, 1))),
    "a caret": (b"a^b\n1^2\n", {"delimiter": "^"}, FileHead(("a", "b"), True)),
    "a backslash": (b"a\\b\n1\\2\n", {"delimiter": "\\"}, FileHead(("a", "b"), True)),
    "a colon": (b"a:b\n1:2\n", {"delimiter": ":"}, FileHead(("a", "b"), True)),
    "a field of 200,000 bytes": (b"a,b\n1," + b"x" * 200_000, {}, FileHead(("a", "b"), True)),
    "keys of several objects": (
        b'{"a": 1}\n\n{"b": 2, "a": 3}\n',
        {"format": "json"},
        FileHead(("a", "b"), True, True),
    ),
    "an empty json file": (b"\n", {"format": "json"}, FileHead((), False, True)),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_head_is_what_databrew_reads(case: str) -> None:
    content, fields, expected = HEADS[case]
    assert head(content, ".csv" if fields.get("format", "csv") == "csv" else ".json", **fields) == expected


BAD: dict[str, tuple[bytes, str, dict[str, Any], str]] = {
    "gzip without its extension": (gzip.compress(b"a\n1\n"), ".csv", {}, "is not CSV text but gzip"),
    "gzip with an extension in capitals": (gzip.compress(b"a\n1\n"), ".csv.GZ", {}, "ends with '.GZ'"),
    "plain text as gzip": (b"a,b\n1,2\n", ".csv.gz", {}, "has the extension of gzip but is no gzip data"),
    "plain text as bzip2": (b"a,b\n1,2\n", ".csv.bz2", {}, "has the extension of bzip2 but is no bzip2 data"),
    "plain text as deflate": (b"a,b\n1,2\n", ".csv.deflate", {}, "has the extension of deflate but is no"),
    "plain text as lz4": (b"age,job,y\n1,2,3\n", ".csv.lz4", {}, "is cut: its lz4 data ends early"),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n")[:-9], ".csv.gz", {}, "is cut: its gzip data ends early"),
    "zip": (b"PK\x03\x04rest", ".csv", {}, "a zip archive or an Excel workbook"),
    "zip by name": (b"PK\x03\x04rest", ".csv.zip", {}, "ends with '.zip'"),
    "excel": (b"PK\x03\x04rest", ".xlsx", {}, "the format excel, but source.format is csv; deliver the data as csv"),
    "parquet by name": (b"PAR1", ".parquet", {}, "write 'format: parquet' in source"),
    "parquet by content": (b"PAR1", "", {}, "is not CSV text but Parquet"),
    "csv as parquet": (b"a,b\n1,2\n", ".parquet", {"format": "parquet"}, "is no Parquet file"),
    "cut parquet": (parquet_file(ROWS)[:-40], ".parquet", {"format": "parquet"}, "is a Parquet file that is cut"),
    "damaged parquet": (b"PAR1" + b"\xff" * 40 + b"\x20\0\0\0PAR1", ".parquet", {"format": "parquet"}, "damaged"),
    "bzip2 around parquet": (b"BZh", ".parquet.bz2", {"format": "parquet"}, "reads PARQUET compressed as .gz, .snappy"),
    "gzip around parquet": (
        gzip.compress(parquet_file(ROWS)),
        ".parquet.gz",
        {"format": "parquet"},
        "no archive around",
    ),
    "latin-1": ("a\ngärtner\n".encode("latin-1"), ".csv", {}, r"is not UTF-8 \(byte 0xe4 at position 3\)"),
    "utf-16": ("a,b\n".encode("utf-16-le"), ".csv", {}, "contains NUL bytes"),
    "cr only": (b"a,b\r1,2\r", ".csv", {}, "ends its lines with CR only"),
    "a cr in a row": (b"a,b\n1,2\n3\r,4\n", ".csv", {}, "has a carriage return inside the row that ends at line 3"),
    "open quotes": (b'a,b\n1,"2\n3,4\n', ".csv", {}, "line 3: its quotes do not close"),
    "a quoted header of another delimiter": (b'"a","b"\n1,2\n', ".csv", {"delimiter": ";"}, "is delimited by ',', not"),
    "a header of another delimiter": (b"a;b\n1;2\n", ".csv", {}, "is delimited by ';', not by ',' as source.delimiter"),
    "rows of another delimiter": (b"1|2\n3|4\n", ".csv", {"header": False}, r"is delimited by '\|', not by ','"),
    "numbers instead of a header": (b"63.0,1,,-2e3\n67.0,0,1,2\n", ".csv", {}, "begins with a row of numbers instead"),
    "a header in the middle": (b"a,b\n1,2\na,b\n3,4\n", ".csv", {}, "has its header again in line 3"),
    "an empty first line": (b"\na,b\n1,2\n", ".csv", {}, "begins with an empty line instead of a header"),
    "nothing in gzip": (gzip.compress(b""), ".csv.gz", {}, "is empty: it has no row"),
    "a json array": (b'[{"a": 1}]', ".json", {"format": "json"}, "is a JSON document, an array"),
    "a pretty json object": (b'{\n "a": 1\n}\n', ".json", {"format": "json"}, "is not JSON Lines: line 1: Expecting"),
    "json of numbers": (b"1\n2\n", ".json", {"format": "json"}, "has no object in line 1"),
    "csv as json": (b"a,b\n1,2\n", ".jsonl", {"format": "json"}, "is not JSON Lines: line 1"),
    "a json key twice": (b'{"a": 1, "a": 2}\n', ".json", {"format": "json"}, "has the key 'a' twice in one object"),
    "deep json": (b'{"a":' * 9999 + b"1" + b"}" * 9999, ".json", {"format": "json"}, "is nested too deeply in line 1"),
    "json by name": (b"{}", ".jsonl", {}, "write 'format: json' in source"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_databrew_would_not_read_is_one_sentence(case: str) -> None:
    content, name, fields, message = BAD[case]
    text = problem(content, name, **fields)
    assert re.search(message, text), text


def test_the_cases_are_all_there() -> None:
    assert (len(COMPRESSIONS), len(HEADS), len(BAD)) == (10, 21, 36)


def test_a_header_longer_than_the_first_range_is_read_in_more_calls() -> None:
    names = [f"a_long_name_of_a_column_{n}" for n in range(5000)]
    content = (",".join(names) + "\n1\n").encode()
    reader = Reader(content)
    assert read_head(source(), URI + ".csv", len(content), reader).columns == tuple(names)
    assert reader.calls == 2


def test_a_long_header_of_a_small_compressed_file_is_unpacked_further() -> None:
    names = [f"a_long_name_of_a_column_{n}" for n in range(20_000)]
    content = gzip.compress((",".join(names) + "\n1\n").encode())
    assert len(content) < HEAD_BYTES * 2
    assert head(content, ".csv.gz").columns == tuple(names)


def test_a_file_of_zeros_is_not_unpacked_to_its_end() -> None:
    bomb = gzip.compress(b"0" * (MOST_HEAD_BYTES * 4))
    assert "has a first row that does not end" in problem(bomb, ".csv.gz")


def test_a_first_row_that_does_not_end_is_one_sentence() -> None:
    content = b'"a,b\n' + b"x" * (MOST_HEAD_BYTES + 1)
    assert "has a first row that does not end, or quotes that do not close" in problem(content)


def test_a_character_at_the_end_of_the_range_may_be_cut() -> None:
    content = b"a,b\n" + b"1,2\n" * ((HEAD_BYTES - 8) // 4) + b"33," + "é".encode() + b"\n"
    assert content[HEAD_BYTES - 1 : HEAD_BYTES + 1] == "é".encode()
    assert head(content).columns == ("a", "b")


def test_the_range_of_parquet_is_the_end_of_the_file() -> None:
    assert head_range(source()) == "bytes=0-65535"
    assert head_range(source(format="parquet")) == "bytes=-65536"
