"""What DataBrew can tell from a file's name: its format, and how it is compressed.

Must not import Airflow or boto3.

Source: "Supported file types for data sources" (formats, extensions, codecs) and "Connecting to
data in a text file with DataBrew" (delimiters), AWS Glue DataBrew Developer Guide.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal, get_args

FileFormat = Literal["csv", "json", "parquet"]
Delimiter = Literal[",", ":", ";", "|", "\t", "^", "\\", " "]
"""All that the guide lists; CsvOptions.Delimiter is one character."""
DELIMITERS: tuple[str, ...] = get_args(Delimiter)
_DELIMITER_NAMES = {"\t": "a tab", " ": "a space"}

CODECS = {".gz": "gzip", ".snappy": "snappy", ".lz4": "lz4", ".bz2": "bzip2", ".deflate": "deflate"}
"""Extension and codec of a compressed CSV or JSON file: "must include the compression codec"."""
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]*")
_PARQUET_CODECS = (".gz", ".snappy", ".lz4")
_FORMAT_OF = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xls": "excel",
    ".orc": "orc",
    ".avro": "avro",
}
# Extensions of archives and codecs that the guide does not list.
_NOT_READ = frozenset({".zip", ".zst", ".zstd", ".br", ".xz", ".lzma", ".lzo", ".z", ".zlib", ".tar", ".tgz", ".7z"})


def delimiter_name(delimiter: str) -> str:
    """Return a delimiter as a sentence says it."""
    return _DELIMITER_NAMES.get(delimiter, repr(delimiter))


def codec_of(name: str) -> str | None:
    """Return the codec that a text file is compressed with, by its extension.

    Hadoop finds a codec by the extension as it is written: ``.GZ`` names none.

    :param name: The file's name or key.
    """
    return CODECS.get(PurePosixPath(name).suffix)


def extension_of(name: str) -> str:
    """Return what names the format and the codec of a file, such as ``.csv.gz``.

    All files of a dataset must have the same ("Connecting data in multiple files in Amazon S3").

    :param name: The file's name or key. A dot in front of anything but a word is no extension, nor
        is one in front of another word than a format's: ``report.2026-11-30`` has none.
    """
    path = PurePosixPath(name)
    if _EXTENSION.fullmatch(path.suffix) is None:
        return ""
    inner = PurePosixPath(path.stem).suffix
    known = inner.lower() in _FORMAT_OF or inner == ".txt" or (path.suffix == ".parquet" and inner in _PARQUET_CODECS)
    return (inner if known else "") + path.suffix


def names_format(extension: str, declared: FileFormat) -> bool:
    """Return whether an extension is one of a format's own, compressed or not.

    :param extension: From :func:`extension_of`. That of a checksum, ``.csv.crc``, names none.
    :param declared: ``source.format``.
    """
    path = PurePosixPath(f"name{extension}")
    inner = PurePosixPath(path.stem).suffix if path.suffix in CODECS else path.suffix
    return _FORMAT_OF.get(inner.lower()) == declared


def name_problem(name: str, declared: FileFormat) -> str | None:
    """Return why a file's name contradicts its format, or ``None``.

    A name without an extension, or with one that DataBrew does not know, contradicts nothing: "You
    can use files with a nonstandard extension or no extension".

    :param name: The file's name or key.
    :param declared: ``source.format``.
    :returns: A sentence's end, after the name: what is wrong, and what to do.
    """
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    codecs = _PARQUET_CODECS if declared == "parquet" else tuple(CODECS)
    if suffix in _NOT_READ or (suffix in CODECS and path.suffix not in codecs):
        return (
            f"ends with '{path.suffix}', and DataBrew reads {declared.upper()} compressed as {', '.join(codecs)} only; "
            "use one of these"
        )
    inner = PurePosixPath(path.stem).suffix.lower() if suffix in CODECS else suffix
    found = _FORMAT_OF.get(inner, declared)
    if found == declared:
        return None
    what = f"has the extension '{inner}' of a file in the format {found}, but source.format is {declared}"
    if found in get_args(FileFormat):
        return f"{what}; write 'format: {found}' in source, or give the files another extension"
    return f"{what}; deliver the data as csv, json or parquet"
