"""The rows of text files: as many as were written, whatever the codec, and the first by column."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import zlib
from typing import Any

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brewtrain.domain.input.head import HeadTooShortError
from brewtrain.domain.input.parquet_footer import parquet_rows
from brewtrain.domain.input.rows import count_rows, first_rows
from brewtrain.domain.pipeline.source import Source

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=6)
TABLES = st.lists(st.tuples(CELLS, st.integers().map(str)), max_size=20)


def source(**fields: Any) -> Source:
    return Source.model_validate({"path": "s3://{bucket}/x/dt={date}/", **fields})


def csv_text(rows: list[tuple[str, ...]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


@given(TABLES, st.sampled_from([",", ";", "|", "\t"]), st.booleans())
def test_a_csv_has_the_rows_that_were_written(table: list[tuple[str, str]], delimiter: str, header: bool) -> None:
    content = csv_text([*([("a", "b")] if header else []), *table], delimiter)
    about = source(delimiter=delimiter, header=header)
    assert count_rows(about, "x.csv", io.BytesIO(content)) == len(table)
    rows = first_rows(about, "x.csv", content, whole=True)
    names = ("a", "b") if header else ("Column_1", "Column_2")
    assert [tuple(row[name] for name in names) for row in rows] == table


@given(st.lists(st.dictionaries(CELLS, st.none() | st.booleans() | st.integers() | CELLS, max_size=3), max_size=10))
def test_json_lines_have_the_rows_that_were_written(rows: list[dict[str, Any]]) -> None:
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    assert count_rows(source(format="json"), "x.json", io.BytesIO(content)) == len(rows)
    found = first_rows(source(format="json"), "x.json", content, whole=True)
    assert [set(row) for row in found] == [{key for key, value in row.items() if value is not None} for row in rows]


def test_values_of_json_are_texts() -> None:
    content = b'{"a": 1.5, "b": true, "c": "x", "d": null, "e": [1]}\n\nno json\n'
    assert first_rows(source(format="json"), "x.json", content, whole=True) == [
        {"a": "1.5", "b": "true", "c": "x", "e": "[1]"}
    ]


SNAPPY_LITERAL = bytes([12, 11 << 2]) + b"a,b\n1,2\n3,4\n"
PACKED: dict[str, tuple[str, bytes]] = {
    "gzip": ("x.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n")),
    "gzip-twice": ("x.csv.gz", gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")),
    "bzip2": ("x.csv.bz2", bz2.compress(b"a,b\n1,2\n3,4\n")),
    "deflate": ("x.csv.deflate", zlib.compress(b"a,b\n1,2\n3,4\n")),
    "snappy": ("x.csv.snappy", SNAPPY_LITERAL),
}


@pytest.mark.parametrize(("name", "content"), PACKED.values(), ids=PACKED)
def test_a_compressed_file_has_its_rows(name: str, content: bytes) -> None:
    assert count_rows(source(), name, io.BytesIO(content)) == 2
    assert first_rows(source(), name, content, whole=True) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(("name", "content"), PACKED.values(), ids=PACKED)
def test_a_cut_archive_is_not_counted(name: str, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        count_rows(source(), name, io.BytesIO(content[:-3]))


def test_there_are_so_many_codecs() -> None:
    assert len(PACKED) == 5


def test_a_row_that_is_cut_by_the_end_of_the_bytes_is_left_out() -> None:
    content = csv_text([("a", "b"), ("1", "2"), ("3", "4")])
    assert first_rows(source(), "x.csv", content[:-2], whole=False) == [{"a": "1", "b": "2"}]
    assert first_rows(source(), "x.csv", b"", whole=True) == []
    assert first_rows(source(), "x.csv", b"\x00\xff\xfe", whole=False) == []


@given(st.lists(st.integers(-5, 5), max_size=50), st.sampled_from([1, 7, 100]))
def test_the_footer_of_a_parquet_file_has_its_number_of_rows(values: list[int], group: int) -> None:
    out = io.BytesIO()
    polars.DataFrame({"a": values}, schema={"a": polars.Int64}).write_parquet(out, row_group_size=group)
    content = out.getvalue()
    assert parquet_rows(content, whole=True) == len(values)
    with pytest.raises(HeadTooShortError):
        parquet_rows(content[-12:], whole=False)
    with pytest.raises(ValueError, match="PAR1"):
        parquet_rows(content[:-1], whole=False)
