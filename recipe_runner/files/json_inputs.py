"""Open JSON documents and JSON Lines as lazy frames."""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.tables.datatypes import json_text
from recipe_runner.tables.streaming import sources

# The end of a value nested so deeply that polars, which does not check, would crash the process.
TOO_DEEP = (b"]" * 200, b"}" * 200, b"]}" * 100)
_HALF_PAIR = re.compile("[\ud800-\udfff]")
SCHEMA_BLOCK = 16 * 1024 * 1024
SCHEMA_THREADS = 4


def scan_json(path: Path, options: Mapping[str, Any], *, tolerant: bool) -> pl.LazyFrame:
    """Open JSON or JSON Lines.

    :param path: the file.
    :param options: the `Json` part of FormatOptions. Its MultiLine says whether the file is one
        document or JSON Lines; without it, the file's content does.
    :param tolerant: accept values without a common type; this holds all rows in memory.
    """
    with path.open("rb") as stream:
        head = stream.read(4096).lstrip(codecs.BOM_UTF8).lstrip()
    if not head:
        raise RecipeError(f"{path.name} is empty")
    multi_line = options.get("MultiLine")
    if multi_line is False and head.startswith(b"["):
        raise RecipeError(
            f"{path.name} is a JSON document, an array, but its dataset reads JSON Lines; set MultiLine to true"
        )
    if not head.startswith(b"[") and not multi_line and not tolerant:
        try:
            return pl.scan_ndjson(sources(path), schema=_json_lines_schema(path))
        except pl.exceptions.PolarsError:
            pass  # one pretty-printed object, or lines that need the tolerant reader below
    content = path.read_bytes()
    if any(end in content for end in TOO_DEEP):
        raise RecursionError
    try:
        text = content.decode("utf-8-sig")
        del content
    except UnicodeDecodeError as problem:
        raise RecipeError(f"{path.name} is not UTF-8 at byte {problem.start + 1}; convert it") from None
    document = _json_lines(path, text) if multi_line is False else _json_document(path, text, multi_line)
    if "\\ud" in text or "\\uD" in text:
        # Half a surrogate pair is not a character that a column can hold.
        document = json.loads(_HALF_PAIR.sub("\ufffd", json.dumps(document, ensure_ascii=False)))
    rows = document if isinstance(document, list) else [document]
    if not all(isinstance(row, dict) for row in rows):
        raise RecipeError(f"{path.name} must hold JSON objects, one per row")
    return frame_of_rows(rows).lazy()


def _json_document(path: Path, text: str, multi_line: bool | None) -> Any:
    """Return one JSON document, or the rows of JSON Lines where nothing says that it is one."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        if multi_line and problem.msg == "Extra data":
            # Spark reads the first value and forgets the others.
            raise RecipeError(
                f"{path.name} holds more than one JSON value: line {problem.lineno}; its dataset reads one document, "
                "so set MultiLine to false"
            ) from None
        broken = RecipeError(f"{path.name} is not JSON: {problem.msg} at line {problem.lineno}")
        if multi_line or text.lstrip().startswith("["):
            raise broken from None
        first_row = next((line for line in text.splitlines() if line.strip()), "")
        if "\n" in text and not _is_json(first_row):
            raise broken from None
    return _json_lines(path, text)


def _json_lines(path: Path, text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as problem:
            raise RecipeError(f"{path.name} is not JSON Lines: line {number}: {problem.msg}") from None
    return rows


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _json_lines_schema(path: Path) -> pl.Schema:
    """Return columns and types that fit every line, found block by block.

    :raises PolarsError: a line is not JSON, or two lines have no type in common.
    """

    def of_block(block: bytes) -> pl.DataFrame:
        if any(end in block for end in TOO_DEEP):
            raise RecursionError
        return pl.scan_ndjson(block, infer_schema_length=None).collect_schema().to_frame()

    found = pl.DataFrame()
    with path.open("rb") as stream, ThreadPoolExecutor(SCHEMA_THREADS) as pool:
        blocks = iter(lambda: stream.read(SCHEMA_BLOCK) + stream.readline(), b"")
        while some := list(itertools.islice(blocks, SCHEMA_THREADS)):
            parts = pool.map(of_block, [block for block in some if block.strip()])
            found = pl.concat([found, *parts], how="diagonal_relaxed")
    if "Struct({})" in str(found.schema):
        raise pl.exceptions.SchemaError("an object without members takes in every other value, and forgets it")
    return found.schema


def _of_one_type(values: list[Any]) -> list[Any]:
    """Convert JSON values without a common type to text, inside lists and objects too."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {dict}:
        names = dict.fromkeys(name for value in values if value is not None for name in value)
        fields = {
            name: _of_one_type([None if value is None else value.get(name) for value in values]) for name in names
        }
        return [
            None if value is None else {name: fields[name][index] for name in value}
            for index, value in enumerate(values)
        ]
    if kinds == {list}:
        items = iter(_of_one_type([item for value in values if value is not None for item in value]))
        return [None if value is None else list(itertools.islice(items, len(value))) for value in values]
    long = int in kinds and any(type(value) is int and not -(1 << 127) <= value < 1 << 127 for value in values)
    if long or (len(kinds) > 1 and not kinds <= {int, float}):
        return [value if value is None or isinstance(value, str) else json_text(value) for value in values]
    return values


def frame_of_rows(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return JSON rows as a frame; a column without a common type becomes text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    data: list[pl.Series] = []
    for name in names:
        values = _of_one_type([row.get(name) for row in rows])
        try:
            series = pl.Series(name, values, strict=False)
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            series = pl.Series(name, [None if value is None else json_text(value) for value in values])
        data.append(series)
    return pl.DataFrame(data)
