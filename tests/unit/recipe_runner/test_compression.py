"""Compressed CSV and JSON, in and out: read, checked and written as plain files are."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recipe_runner.api import RecipeError, run_recipe
from recipe_runner.files.compression import SUFFIX_OF, pack, scratch, unpacked

arrow = pytest.importorskip("pyarrow")
zstandard = pytest.importorskip("zstandard")
STARTED = datetime(2024, 5, 1, tzinfo=UTC)
ROWS = "a,b\n" + "".join(f"{number},x{number % 7}\n" for number in range(60_000))


def _deflate_raw(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


def _hadoop(codec: str) -> Callable[[bytes], bytes]:
    """Return what SnappyCodec and Lz4Codec write: see BlockCompressorStream in Hadoop."""

    def compress(data: bytes) -> bytes:
        machine = arrow.Codec(codec)
        packed = b""
        for start in range(0, len(data), 200_000):
            block = data[start : start + 200_000]
            chunk = machine.compress(block, asbytes=True)
            packed += len(block).to_bytes(4, "big") + len(chunk).to_bytes(4, "big") + chunk
        return packed

    return compress


def _snappy_in_chunks(data: bytes) -> bytes:
    """Return one block made of several chunks."""
    machine = arrow.Codec("snappy")
    chunks = [machine.compress(data[start : start + 50_000], asbytes=True) for start in range(0, len(data), 50_000)]
    return len(data).to_bytes(4, "big") + b"".join(len(chunk).to_bytes(4, "big") + chunk for chunk in chunks)


def _snappy_frames(data: bytes) -> bytes:
    packed = b"\xff\x06\x00\x00sNaPpY"
    for start in range(0, len(data), 65_536):
        chunk = b"\x00" * 4 + arrow.Codec("snappy").compress(data[start : start + 65_536], asbytes=True)
        packed += b"\x00" + len(chunk).to_bytes(3, "little") + chunk
    return packed


def _stream(codec: str) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        sink = arrow.BufferOutputStream()
        with arrow.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        return bytes(sink.getvalue().to_pybytes())

    return compress


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": (".gz", gzip.compress),
    "gzip, two members": (".gz", lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:])),
    "bzip2": (".bz2", bz2.compress),
    "deflate with zlib's header": (".deflate", zlib.compress),
    "deflate, raw": (".deflate", _deflate_raw),
    "zlib": (".zlib", zlib.compress),
    "zstd": (".zst", zstandard.compress),
    "zstd, two frames": (".zst", lambda data: zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])),
    "snappy in Hadoop's blocks": (".snappy", _hadoop("snappy")),
    "snappy in chunks": (".snappy", _snappy_in_chunks),
    "snappy frames": (".snappy", _snappy_frames),
    "snappy, raw": (".snappy", lambda data: bytes(arrow.Codec("snappy").compress(data, asbytes=True))),
    "lz4 in Hadoop's blocks": (".lz4", _hadoop("lz4_raw")),
    "lz4 frames": (".lz4", _stream("lz4")),
    "brotli": (".br", _stream("brotli")),
}


def run(folder: Path, source: Path, **output: Any) -> Path:
    report = run_recipe(
        [],
        [source],
        input_format="",
        output_dir=folder / "out",
        outputs=[{"Format": "CSV", "Overwrite": True, **output}],
        job_name="job",
        started_at=STARTED,
    )
    return folder / "out" / report.outputs[0].files[0]


@pytest.mark.parametrize("name", PACKED)
def test_csv_is_read_in_every_codec(name: str, tmp_path: Path) -> None:
    suffix, compress = PACKED[name]
    source = tmp_path / f"in.csv{suffix}"
    source.write_bytes(compress(ROWS.encode()))
    assert run(tmp_path, source).read_text() == ROWS


@pytest.mark.parametrize("name", PACKED)
def test_a_ragged_row_is_found_in_every_codec(name: str, tmp_path: Path) -> None:
    suffix, compress = PACKED[name]
    source = tmp_path / f"in.csv{suffix}"
    source.write_bytes(compress(ROWS.replace("\n30000,x5\n", "\n30000\n").encode()))
    with pytest.raises(RecipeError, match=rf"in\.csv\{suffix} is ragged: the row ending at line 30002 has 1 fields"):
        run(tmp_path, source)
    assert not list((tmp_path / "out").glob("**/*.csv"))


@pytest.mark.parametrize("name", PACKED)
def test_a_truncated_file_is_an_error(name: str, tmp_path: Path) -> None:
    suffix, compress = PACKED[name]
    whole = compress(ROWS.encode())
    source = tmp_path / f"in.csv{suffix}"
    source.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(RecipeError, match=r"is not [A-Z0-9]+ data, or is truncated"):
        run(tmp_path, source)


@pytest.mark.parametrize("suffix", sorted(set(SUFFIX_OF.values()) - {".snappy"}))
def test_a_plain_file_under_a_codecs_name_is_an_error(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"in.csv{suffix}"
    source.write_text(ROWS)
    with pytest.raises(RecipeError, match=r"is not [A-Z0-9]+ data"):
        run(tmp_path, source)


@pytest.mark.parametrize("suffix", SUFFIX_OF.values())
@pytest.mark.parametrize("extension", [".json", ".jsonl"])
def test_json_is_read_in_every_codec(suffix: str, extension: str, tmp_path: Path) -> None:
    plain = tmp_path / f"in{extension}"
    text = '[{"a": 1, "b": "x"}, {"a": 2, "b": null}]' if extension == ".json" else '{"a": 1, "b": "x"}\n{"a": 2}\n'
    plain.write_text(text)
    pack(plain, next(codec for codec, known in SUFFIX_OF.items() if known == suffix))
    source = plain.rename(f"{plain}{suffix}")
    assert run(tmp_path, source).read_text() == "a,b\n1,x\n2,\n"


@pytest.mark.parametrize("codec", SUFFIX_OF)
@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_a_written_file_can_be_read_again(codec: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(ROWS)
    written = run(tmp_path, tmp_path / "in.csv", Format=kind, CompressionFormat=codec)
    assert written.name == f"job_part00000.{kind.lower()}{SUFFIX_OF[codec]}"
    with scratch():
        plain = unpacked(written)
        frame = pl.read_csv(plain) if kind == "CSV" else pl.read_ndjson(plain)
    assert frame.shape == (60_000, 2)
    assert frame["a"].to_list() == list(range(60_000))


def test_unpacked_copies_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    run(tmp_path, tmp_path / "in.csv.gz")
    assert list((tmp_path / "temporary").iterdir()) == []
