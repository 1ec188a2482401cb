"""Whatever bytes a file has: its head is what the recipe engine reads, or one sentence."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brewtrain.domain.errors import InputError
from brewtrain.domain.input.file_head import head_of, head_range
from brewtrain.domain.input.head import FileHead, HeadTooShortError
from brewtrain.domain.input.unpacking import unpack_head
from brewtrain.domain.pipeline.file_format import CODECS, DELIMITERS
from brewtrain.domain.pipeline.source import Source
from recipe_runner.errors import RecipeError
from recipe_runner.files.compression import scratch
from recipe_runner.files.inputs import scan_dataset
from recipe_runner.tables.table import DatasetFiles
from tests.fixtures.data_files import COMPRESSIONS, csv_file, json_lines_file, parquet_file

FIXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PATH = "s3://{bucket}/d/dt={date}/"
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=8
)
CELLS = st.text('ab1 ,;"\n\ré|', max_size=6)


def read(path: Path, kind: str, options: dict[str, Any]) -> list[str] | None:
    """Return the columns that the recipe engine reads, or ``None`` if it refuses the file."""
    try:
        with scratch():
            return scan_dataset(DatasetFiles([path], kind, options)).frame.collect_schema().names()
    except RecipeError:
        return None


def judged(content: bytes, source: Source, name: str) -> FileHead | None:
    """Return the head, or ``None`` if it is refused; any other error is this test's."""
    try:
        return head_of(content, source, f"s3://b/{name}", whole=True)
    except InputError as error:
        text = str(error)
        assert text.startswith(f"s3://b/{name} "), text
        assert "\n" not in text, text
        return None


@FIXED
@given(
    text=st.text('ab1 ,;"\n\r\ufeffé', max_size=40),
    delimiter=st.sampled_from(DELIMITERS),
    header=st.booleans(),
)
def test_a_csv_that_passes_has_the_columns_that_the_engine_reads(
    tmp_path: Path, text: str, delimiter: str, header: bool
) -> None:
    source = Source.model_validate({"path": PATH, "delimiter": delimiter, "header": header})
    head = judged(text.encode(), source, "a.csv")
    (tmp_path / "a.csv").write_bytes(text.encode())
    engine = read(tmp_path / "a.csv", "CSV", {"Csv": {"Delimiter": delimiter, "HeaderRow": header}})
    if head is not None and head.ragged is None and engine is not None:
        assert list(head.columns) == engine


@FIXED
@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True), values=st.lists(CELLS, min_size=5, max_size=5))
def test_a_written_table_has_its_columns_in_every_format(names: list[str], values: list[str]) -> None:
    rows = [dict(zip(names, values, strict=False)) for _ in range(2)]
    source = Source.model_validate({"path": PATH, "format": "json"})
    head = judged(json_lines_file(rows), source, "a.json")
    assert head is not None
    assert head.columns == tuple(names)
    head = judged(parquet_file(rows), Source.model_validate({"path": PATH, "format": "parquet"}), "a.parquet")
    assert head is not None
    assert (head.columns, head.has_row) == (tuple(names), True)


# A file of these that is cut between two of its pieces is a file of these.
WITHOUT_AN_END = {"gzip in two members", "hadoop's snappy", "snappy's frames", "hadoop's lz4"}


@pytest.mark.parametrize("way", COMPRESSIONS)
@FIXED
@given(data=st.data())
def test_what_is_unpacked_of_a_cut_file_is_its_beginning(way: str, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.binary(max_size=30), max_size=20))
    content = b"".join(words) * data.draw(st.sampled_from([1, 3, 500]))
    suffix, pack = COMPRESSIONS[way]
    packed = pack(content)
    # Twelve bytes tell snappy's frames from its raw format.
    cut = data.draw(st.integers(min(12, len(packed)), len(packed)))
    limit = data.draw(st.sampled_from([1, 100, 1 << 20]))
    plain, complete = unpack_head(packed[:cut], CODECS[suffix], limit)
    assert content.startswith(plain)
    assert len(plain) >= min(limit, len(content)) or cut < len(packed)
    assert plain == content or not complete or way in WITHOUT_AN_END
    plain, complete = unpack_head(packed, CODECS[suffix], 1 << 20)
    assert (plain, complete) == (content, True)


GOOD: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "csv": (csv_file([{"a": 1, "b": "x"}] * 3), {}, "a.csv"),
    "json": (json_lines_file([{"a": 1, "b": {"c": [1]}}] * 3), {"format": "json"}, "a.json"),
    "parquet": (parquet_file([{"a": 1, "b": {"c": [1]}}] * 3), {"format": "parquet"}, "a.parquet"),
    **{
        f"csv in {way}": (pack(csv_file([{"a": 1, "b": "x"}] * 30)), {}, f"a.csv{suffix}")
        for way, (suffix, pack) in COMPRESSIONS.items()
    },
}


@pytest.mark.parametrize("kind", GOOD)
@FIXED
@given(data=st.data())
def test_damage_anywhere_is_one_sentence(kind: str, data: st.DataObject) -> None:
    content, fields, name = GOOD[kind]
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    source = Source.model_validate({"path": PATH, **fields})
    judged(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]), source, name)
    with contextlib.suppress(InputError, HeadTooShortError):
        head_of(bytes(damaged), source, name, whole=False)


@FIXED
@given(
    schema=st.lists(st.tuples(NAMES, st.sampled_from([pl.Int8, pl.Date, pl.List(pl.Int8), pl.Struct({"a": pl.Date})])))
)
def test_parquets_columns_are_those_of_its_own_reader(schema: list[tuple[str, Any]]) -> None:
    types = dict(schema)
    stream = io.BytesIO()
    pl.DataFrame(schema=types).write_parquet(stream)
    source = Source.model_validate({"path": PATH, "format": "parquet"})
    head = judged(stream.getvalue(), source, "a.parquet")
    assert head is not None
    assert list(head.columns) == list(types)


def test_the_kinds_are_all_there() -> None:
    assert (len(GOOD), head_range(Source(path=PATH))) == (13, "bytes=0-65535")
