"""What the head of one data file says: its columns as DataBrew reads them, and whether it has rows.

Only as much of a file is read as that takes: the beginning of CSV and JSON Lines, the end of
Parquet. Must not import Airflow or boto3, and reads no file itself.

Source: "Supported file types for data sources" and "Connecting to data in a text file with
DataBrew", AWS Glue DataBrew Developer Guide; GetObject (Range) in the Amazon S3 API Reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brewtrain.domain.errors import InputError
from brewtrain.domain.input.csv_head import csv_head
from brewtrain.domain.input.head import FileHead, HeadTooShortError
from brewtrain.domain.input.json_head import json_head
from brewtrain.domain.input.parquet_footer import parquet_head
from brewtrain.domain.input.unpacking import unpack_head
from brewtrain.domain.pipeline.file_format import CODECS, codec_of, name_problem
from brewtrain.domain.pipeline.source import Source

HEAD_BYTES = 65536
"""Bytes that are asked for first."""
MOST_HEAD_BYTES = 16 * 1024 * 1024
_PACKED = {
    b"\x1f\x8b": "gzip (.gz)",
    b"BZh": "bzip2 (.bz2)",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"\xfd7zXZ": "xz",
    b"\x04\x22\x4d\x18": "lz4 (.lz4)",
    b"\xff\x06\x00\x00sNaPpY": "snappy (.snappy)",
    b"PAR1": "Parquet",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
}


def read_head(source: Source, uri: str, size: int, read: Callable[[str], bytes]) -> FileHead:
    """Return what the head of a file says.

    :param source: How the pipeline file describes its files.
    :param uri: The file's address, ``s3://bucket/key``, for its extension and for messages.
    :param size: The object's size in bytes, more than 0.
    :param read: Returns the bytes of the file for the value of a ``Range`` header. It is called
        once, unless a header is longer than 64 KiB or a codec's blocks are.
    :raises InputError: If DataBrew would not read it as the pipeline file says: one sentence.
    """
    if (problem := name_problem(uri, source.format)) is not None:
        raise InputError(f"{uri} {problem}")
    wanted = HEAD_BYTES
    while True:
        content = read(head_range(source, wanted))
        try:
            return head_of(content, source, uri, whole=wanted >= size, limit=wanted)
        except HeadTooShortError as error:
            if wanted >= MOST_HEAD_BYTES:
                raise InputError(f"{uri} {error}") from None
            wanted = min(MOST_HEAD_BYTES, max(wanted * 8, error.wanted))


def no_rows(source: Source) -> str:
    """Return what is said of a file of this source that has no row, after its name."""
    return "has a header but no rows" if source.format == "csv" and source.header else "has no rows"


def head_range(source: Source, wanted: int = HEAD_BYTES) -> str:
    """Return the ``Range`` header that asks for the head of a file; Parquet has it at the end.

    :param wanted: Bytes.
    """
    return f"bytes=-{wanted}" if source.format == "parquet" else f"bytes=0-{wanted - 1}"


def head_of(content: bytes, source: Source, uri: str, *, whole: bool, limit: int = HEAD_BYTES) -> FileHead:
    """Return what the head of a file says, of bytes that are at hand.

    :param content: What S3 answered to :func:`head_range`.
    :param uri: The file's address.
    :param whole: Whether the content is the whole file.
    :param limit: Bytes of a compressed file to unpack, or little more.
    :raises HeadTooShortError: If more of the file must be read to tell; its text goes on from the
        file's name.
    :raises InputError: If DataBrew would not read the file as the pipeline file says.
    """
    try:
        if source.format == "parquet":
            return parquet_head(content, whole=whole)
        text = _text_of(content, source, uri, whole=whole, limit=limit)
        if source.format == "json":
            return json_head(text.text, whole=text.whole)
        return csv_head(text.text, source.delimiter, header=source.header, whole=text.whole)
    except ValueError as error:
        raise InputError(f"{uri} {error}") from None


@dataclass(frozen=True)
class _Text:
    text: str
    whole: bool


def _text_of(content: bytes, source: Source, uri: str, *, whole: bool, limit: int) -> _Text:
    codec = codec_of(uri)
    if codec is None:
        return _decoded(content, source, whole=whole)
    try:
        plain, complete = unpack_head(content, codec, limit)
    except ValueError as error:
        raise ValueError(
            f"has the extension of {codec} but is no {codec} data ({error}); deliver it compressed so, or with the "
            "extension of what it is"
        ) from None
    if whole and not complete and len(plain) < limit:
        raise ValueError(f"is cut: its {codec} data ends early; deliver it again, then clear check_input")
    if not plain and not complete:
        raise HeadTooShortError(
            f"begins with a block of {codec} data that is too long to be looked at; write shorter ones"
        )
    return _decoded(plain, source, whole=whole and complete)


def _decoded(content: bytes, source: Source, *, whole: bool) -> _Text:
    for magic, what in _PACKED.items():
        if content.startswith(magic):
            raise ValueError(
                f"is not {source.format.upper()} text but {what}: a compressed or binary file; deliver {source.format} "
                f"in UTF-8, plain or compressed with the extension that says so ({', '.join(CODECS)})"
            )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        # The bytes at hand may end inside a character, of at most four bytes.
        if whole or error.start < len(content) - 3 or error.reason != "unexpected end of data":
            raise ValueError(
                f"is not UTF-8 (byte {content[error.start]:#04x} at position {error.start}); deliver it as UTF-8, then "
                "clear check_input"
            ) from None
        text = content[: error.start].decode("utf-8")
    if "\x00" in text:
        raise ValueError("contains NUL bytes, as UTF-16 does; deliver it as UTF-8, then clear check_input")
    return _Text(text, whole)
