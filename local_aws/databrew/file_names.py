"""What DataBrew tells from the names of a dataset's files: one extension, and its codec.

Sources: "Supported file types for data sources" and "Connecting data in multiple files in Amazon
S3" in the AWS Glue DataBrew Developer Guide. Must not import moto or anything of the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

FORMATS = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".txt": "CSV",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".parquet": "PARQUET",
    ".xlsx": "EXCEL",
    ".xls": "EXCEL",
    ".orc": "ORC",
}
_TEXT_CODECS = (".gz", ".snappy", ".lz4", ".bz2", ".deflate")
_CODECS = {
    "CSV": _TEXT_CODECS,
    "JSON": _TEXT_CODECS,
    "PARQUET": (".gz", ".snappy", ".lz4"),
    "ORC": (".zlib", ".snappy"),
    "EXCEL": (),
}
_OTHER_CODECS = frozenset({".zip", ".zst", ".zstd", ".br", ".xz", ".lzo", ".zlib", ".tar", ".tgz", ".7z"})
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]*")


def format_of(keys: Iterable[str]) -> str:
    """Return the format of a dataset that names none: that of the first extension that is known."""
    for key in keys:
        for suffix in reversed(PurePosixPath(key).suffixes[-2:]):
            if suffix.lower() in FORMATS:
                return FORMATS[suffix.lower()]
    return "CSV"


def problem_of(keys: Iterable[str], chosen: str) -> str | None:
    """Return why DataBrew would not read these files as one dataset, or ``None``.

    The guide asks that all files have one extension; what becomes of others it does not say, so
    that a job which meets them fails here.

    :param keys: the objects' keys.
    :param chosen: the dataset's format.
    """
    first: tuple[str, str] | None = None
    for key in keys:
        if (wrong := _wrong_codec(key, chosen)) is not None:
            return f"{key} ends with {wrong}, which is no compression that DataBrew reads {chosen} in"
        extension = _extension(key)
        first = first or (key, extension)
        if extension != first[1]:
            return (
                f"its files have different extensions: {first[0]} has {first[1] or 'none'}, {key} has "
                f"{extension or 'none'}; DataBrew needs one format and one extension"
            )
    return None


def _wrong_codec(key: str, chosen: str) -> str | None:
    suffix = PurePosixPath(key).suffix
    known = suffix.lower() in _OTHER_CODECS or suffix.lower() in _TEXT_CODECS
    return suffix if known and suffix not in _CODECS[chosen] else None


def _extension(key: str) -> str:
    path = PurePosixPath(key)
    if not _EXTENSION.fullmatch(path.suffix):
        return ""
    inner = PurePosixPath(path.stem).suffix
    return (inner if inner.lower() in FORMATS or inner in _TEXT_CODECS else "") + path.suffix
