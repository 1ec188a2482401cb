"""Read and write compressed text files: the codecs that DataBrew names for CSV and JSON.

A compressed input is unpacked into a temporary file before it is read, so that it is checked,
typed and streamed exactly as a plain file is.
https://docs.aws.amazon.com/databrew/latest/dg/supported-data-file-sources.html names the input
codecs by extension (.gz .snappy .lz4 .bz2 .deflate); the others are what a job may have written.
Hadoop's block codecs (SnappyCodec, Lz4Codec) write blocks of: length of the block, then chunks of
length and data, lengths in four bytes, big end first. Its DeflateCodec writes zlib's format. Knows
no dataset and no table.
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from recipe_runner.errors import RecipeError

SUFFIX_OF = {
    "GZIP": ".gz",
    "BZIP2": ".bz2",
    "DEFLATE": ".deflate",
    "ZLIB": ".zlib",
    "ZSTD": ".zst",
    "BROTLI": ".br",
    "SNAPPY": ".snappy",
    "LZ4": ".lz4",
}
"""Extension of a text output by DataBrew's CompressionFormat. LZO has no library that is kept."""
CODEC_OF = {suffix: codec for codec, suffix in SUFFIX_OF.items()}
_BLOCK = 256 * 1024
_LZ4_FRAME = b"\x04\x22\x4d\x18"
_SNAPPY_FRAMES = b"\xff\x06\x00\x00sNaPpY"

_scratch: ContextVar[Path | None] = ContextVar("scratch", default=None)
_numbers = itertools.count()


@contextmanager
def scratch() -> Iterator[None]:
    """Keep the files unpacked or copied inside the block until the block ends."""
    with tempfile.TemporaryDirectory(prefix="brewtrain-unpacked-") as folder:
        token = _scratch.set(Path(folder))
        try:
            yield
        finally:
            _scratch.reset(token)


def is_compressed(path: Path) -> bool:
    """Whether the file's extension names a codec."""
    return path.suffix.lower() in CODEC_OF


def scratch_file(name: str) -> Path:
    """Return a path for a temporary file of this name, inside a :func:`scratch` block."""
    folder = _scratch.get()
    if folder is None:
        raise RuntimeError("a copy of an input is made inside scratch() only")
    target = folder / str(next(_numbers)) / name
    target.parent.mkdir()
    return target


def unpacked(path: Path) -> Path:
    """Return an uncompressed copy of a file under its own name, inside a :func:`scratch` block.

    :raises RecipeError: the data is not of the codec that the extension names, or is truncated.
    """
    target = scratch_file(path.name)
    codec = CODEC_OF[path.suffix.lower()]
    try:
        with path.open("rb") as packed, target.open("wb") as plain:
            _unpack(codec, packed, plain)
    except (OSError, EOFError, ValueError, zlib.error) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise  # the disk, not the data
        raise RecipeError(f"{path.name} is not {codec} data, or is truncated: {problem}") from problem
    return target


def pack(path: Path, codec: str) -> None:
    """Compress a file in place.

    :param path: the file.
    :param codec: one of `SUFFIX_OF`.
    :raises RecipeError: the codec needs pyarrow, which is not installed.
    """
    target = path.with_name(path.name + ".packed")
    with path.open("rb") as plain, target.open("wb") as packed:
        _pack(codec, plain, packed)
    target.replace(path)


def _arrow(codec: str) -> Any:
    try:
        import pyarrow  # type: ignore[import-untyped]
    except ImportError as problem:
        raise RecipeError(f"{codec} needs the package pyarrow; install it") from problem
    return pyarrow


def _unpack(codec: str, packed: IO[bytes], plain: IO[bytes]) -> None:
    if codec == "GZIP":
        with gzip.GzipFile(fileobj=packed) as stream:
            shutil.copyfileobj(stream, plain)
    elif codec == "BZIP2":
        with bz2.BZ2File(packed) as stream:
            shutil.copyfileobj(stream, plain)
    elif codec == "ZSTD":
        _unpack_zstd(packed, plain)
    elif codec in ("DEFLATE", "ZLIB"):
        _inflate(packed, plain)
    else:
        _unpack_arrow(codec, packed, plain)


def _unpack_zstd(packed: IO[bytes], plain: IO[bytes]) -> None:
    import zstandard

    # copy_stream does not notice a frame that ends early.
    machine = None
    try:
        while block := packed.read(_BLOCK):
            while block:
                if machine is None or machine.eof:
                    machine = zstandard.ZstdDecompressor().decompressobj()
                plain.write(machine.decompress(block))
                block = machine.unused_data if machine.eof else b""
    except zstandard.ZstdError as problem:
        raise ValueError(problem) from problem
    if machine is None or not machine.eof:
        raise EOFError("the data ends early")


def _inflate(packed: IO[bytes], plain: IO[bytes]) -> None:
    start = packed.read(2)
    packed.seek(0)
    wrapped = len(start) == 2 and start[0] & 0x0F == 8 and int.from_bytes(start, "big") % 31 == 0
    machine = zlib.decompressobj(wbits=15 if wrapped else -15)
    while block := packed.read(_BLOCK):
        plain.write(machine.decompress(block))
    plain.write(machine.flush())
    if not machine.eof:
        raise EOFError("the data ends early")


def _unpack_arrow(codec: str, packed: IO[bytes], plain: IO[bytes]) -> None:
    arrow = _arrow(codec)
    head = packed.read(10)
    packed.seek(0)
    if codec == "BROTLI" or (codec == "LZ4" and head.startswith(_LZ4_FRAME)):
        with arrow.CompressedInputStream(arrow.PythonFile(packed, "r"), codec.lower()) as stream:
            shutil.copyfileobj(stream, plain)
        return
    content = packed.read()
    if codec == "SNAPPY" and head.startswith(_SNAPPY_FRAMES):
        plain.writelines(_snappy_frames(arrow, content))
        return
    machine = arrow.Codec("snappy" if codec == "SNAPPY" else "lz4_raw")
    try:
        plain.writelines(list(_hadoop_blocks(machine, content)))
    except (ValueError, OSError, EOFError):
        if codec != "SNAPPY":
            raise ValueError("the data is neither LZ4 frames nor Hadoop's blocks") from None
        plain.truncate(0)
        plain.seek(0)
        plain.write(_snappy_raw(machine, content))


def _hadoop_blocks(machine: Any, content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        left, at = _number(content, at), at + 4
        while left > 0:
            size, at = _number(content, at), at + 4
            if size == 0 or at + size > len(content):
                raise EOFError("a block ends early")
            data = _chunk(machine, content[at : at + size], left)
            at += size
            left -= len(data)
            yield data


def _chunk(machine: Any, data: bytes, most: int) -> bytes:
    if machine.name == "snappy":
        return _snappy_raw(machine, data)
    # LZ4's blocks do not tell their length; Hadoop cuts a block into chunks only if it exceeds its
    # buffer.
    return bytes(machine.decompress(data, decompressed_size=most))


def _number(content: bytes, at: int) -> int:
    if at + 4 > len(content):
        raise EOFError("a length ends early")
    return int.from_bytes(content[at : at + 4], "big")


def _snappy_raw(machine: Any, data: bytes) -> bytes:
    """Decompress one piece of snappy's raw format, which begins with its length as a varint."""
    size = 0
    for index, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return bytes(machine.decompress(data, decompressed_size=size))
    raise ValueError("the data does not begin with a length")


def _snappy_frames(arrow: Any, content: bytes) -> Iterator[bytes]:
    """Decompress snappy's framing format.

    A frame is kind, length in three bytes, checksum and data:
    https://github.com/google/snappy/blob/main/framing_format.txt
    """
    machine = arrow.Codec("snappy")
    at = 0
    while at < len(content):
        kind, size = content[at], int.from_bytes(content[at + 1 : at + 4], "little")
        data = content[at + 4 : at + 4 + size]
        if len(data) < size:
            raise EOFError("a frame ends early")
        at += 4 + size
        if kind == 0:
            yield _snappy_raw(machine, data[4:])
        elif kind == 1:
            yield data[4:]
        elif kind < 0x80:
            raise ValueError(f"a frame of unknown kind {kind}")


def _pack(codec: str, plain: IO[bytes], packed: IO[bytes]) -> None:
    if codec == "GZIP":
        # No name and no time inside, so that equal data gives equal bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
            shutil.copyfileobj(plain, stream)
    elif codec == "BZIP2":
        machine = bz2.BZ2Compressor()
        while block := plain.read(_BLOCK):
            packed.write(machine.compress(block))
        packed.write(machine.flush())
    elif codec in ("DEFLATE", "ZLIB"):
        packer = zlib.compressobj()
        while block := plain.read(_BLOCK):
            packed.write(packer.compress(block))
        packed.write(packer.flush())
    elif codec == "ZSTD":
        import zstandard

        zstandard.ZstdCompressor().copy_stream(plain, packed)
    elif codec == "BROTLI":
        arrow = _arrow(codec)
        with arrow.CompressedOutputStream(arrow.PythonFile(packed, "w"), "brotli") as stream:
            while block := plain.read(_BLOCK):
                stream.write(block)
            stream.flush()
    else:
        chunks = _arrow(codec).Codec("snappy" if codec == "SNAPPY" else "lz4_raw")
        while block := plain.read(_BLOCK):
            data = chunks.compress(block, asbytes=True)
            packed.write(len(block).to_bytes(4, "big") + len(data).to_bytes(4, "big") + data)
