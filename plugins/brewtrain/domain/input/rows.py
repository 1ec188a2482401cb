"""The rows of a text file: how many there are, and the first ones by column.

Must not import Airflow or boto3, and opens no file itself.

Source: "Supported file types for data sources", "Connecting to data in a text file with DataBrew",
AWS Glue DataBrew Developer Guide.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from typing import IO, cast

from brewtrain.domain.input.csv_head import column_names
from brewtrain.domain.input.head import BYTE_ORDER_MARK
from brewtrain.domain.input.unpacking import unpack_head
from brewtrain.domain.pipeline.file_format import codec_of
from brewtrain.domain.pipeline.source import Source

_NO_LIMIT = 1 << 62


def count_rows(source: Source, name: str, body: IO[bytes]) -> int:
    """Return how many rows a CSV or JSON Lines file has, reading it once.

    Plain, gzip and bzip2 files are read piece by piece; others as a whole, since nothing at hand
    unpacks them otherwise.

    :param source: How the pipeline file describes its files.
    :param name: The file's name or key, for its extension.
    :param body: Its content.
    :raises ValueError: If it cannot be read to its end.
    """
    lines = _lines(_unpacked(name, body))
    try:
        if source.format == "json":
            return sum(1 for line in lines if line.strip())
        rows = sum(1 for record in csv.reader(lines, delimiter=source.delimiter) if record)
    except (OSError, EOFError, csv.Error) as error:
        raise ValueError(str(error)) from None
    return max(0, rows - source.header)


def first_rows(source: Source, name: str, head: bytes, *, whole: bool) -> list[dict[str, str]]:
    """Return the rows in the beginning of a CSV or JSON Lines file, by column, as texts.

    :param source: How the pipeline file describes its files.
    :param name: The file's name or key, for its extension.
    :param head: The beginning of the file.
    :param whole: Whether it is the whole file.
    :returns: None where the beginning cannot be read.
    """
    complete = whole
    codec = codec_of(name)
    if codec is not None:
        try:
            head, complete = unpack_head(head, codec, 4 * len(head))
        except ValueError:
            return []
    lines = list(_lines(io.BytesIO(head)))
    if source.format == "json":
        return _json_rows(lines if complete else lines[:-1])
    records: list[list[str]] = []
    try:
        records.extend(csv.reader(lines, delimiter=source.delimiter))
    except csv.Error:
        complete = False
    if not complete:
        records = records[:-1]  # cut where the bytes end
    if not records:
        return []
    names = column_names(records[0] if source.header else [""] * len(records[0]))
    return [dict(zip(names, record, strict=False)) for record in records[source.header :] if record]


def _json_rows(lines: Iterable[str]) -> list[dict[str, str]]:
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append({key: _text(value) for key, value in row.items() if value is not None})
    return rows


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unpacked(name: str, body: IO[bytes]) -> IO[bytes]:
    codec = codec_of(name)
    if codec is None:
        return body
    if codec == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=body))
    if codec == "bzip2":
        return cast("IO[bytes]", bz2.BZ2File(body))
    content, complete = unpack_head(body.read(), codec, _NO_LIMIT)
    if not complete:
        raise ValueError(f"its {codec} data ends early")
    return io.BytesIO(content)


def _lines(body: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(body):
        text = line.decode("utf-8", errors="replace")
        yield text.removeprefix(BYTE_ORDER_MARK) if number == 0 else text
