"""The head of a JSON Lines file. Must not import Airflow or boto3.

Source: "Connecting to data in a text file with DataBrew": "JSON Lines files contain one row per
line", AWS Glue DataBrew Developer Guide; JsonOptions in its API Reference.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any

from brewtrain.domain.input.head import BYTE_ORDER_MARK, FileHead, HeadTooShortError

_HALF_PAIR = re.compile("[\ud800-\udfff]")


def json_head(text: str, *, whole: bool) -> FileHead:
    """Return what the beginning of a JSON Lines file says.

    :param text: The beginning, with its byte order mark if it has one.
    :param whole: Whether it is the whole file.
    :raises ValueError: If it is not JSON Lines; the text goes on from the file's name.
    :raises HeadTooShortError: If its first row is longer than the text.
    """
    mark = text.startswith(BYTE_ORDER_MARK)
    text = text.removeprefix(BYTE_ORDER_MARK)
    lines = list(io.StringIO(text, newline="\n"))
    if not whole and lines and not lines[-1].endswith("\n"):
        lines.pop()
    columns: dict[str, None] = {}
    rows = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        columns.update(dict.fromkeys(_object(line, number, text)))
        rows += 1
    if not rows and not whole:
        raise HeadTooShortError("has a first line that does not end; deliver JSON Lines, one object a line")
    return FileHead(columns=tuple(columns), has_row=bool(rows), by_name=True, byte_order_mark=mark)


def _object(line: str, number: int, text: str) -> dict[str, Any]:
    advice = "deliver JSON Lines, one object a line"
    if text.lstrip().startswith("["):
        raise ValueError(f"is a JSON document, an array, and not JSON Lines; {advice}")
    try:
        # Numbers are not looked at, and Python reads no whole number of more than 4,300 digits.
        row = json.loads(line, object_pairs_hook=_each_key_once, parse_int=str)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON Lines: line {number}: {error.msg}; {advice}") from None
    except RecursionError:
        raise ValueError(f"is nested too deeply in line {number}; deliver flat objects") from None
    if not isinstance(row, dict):
        raise ValueError(f"has no object in line {number}; {advice}")
    return row


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has the key {twice!r} twice in one object; deliver each key once")
    for name in row:
        if not name.isascii() and _HALF_PAIR.search(name):
            raise ValueError(f"has the key {name!r}, which is no text: half a surrogate pair; deliver UTF-8")
    return row
