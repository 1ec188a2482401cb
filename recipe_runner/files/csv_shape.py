"""Find a CSV file's columns, and check that every row has a field for each.

A file is checked whole (fields per row, quotes, encoding) before anything is written, in one fast
pass where possible.
https://docs.aws.amazon.com/databrew/latest/dg/datasets.connecting-to-data-in-text-files.html
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.files.compression import scratch_file
from recipe_runner.files.dataset_frames import repeated_column
from recipe_runner.tables.streaming import sources

LONG_FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class CsvShape:
    """The outline of one CSV file.

    :param path: where to read its rows: the file itself, or a cleaned copy.
    :param names: the column names.
    :param header: whether the first row is the header.
    :param line_is_row: whether every line is a row.
    :param has_blank_lines: whether some lines are blank.
    :param rows: rows below the header; None if not every row was checked.
    """

    path: Path
    names: list[str]
    header: bool
    line_is_row: bool = False
    has_blank_lines: bool = False
    rows: int | None = None


def csv_shape(path: Path, delimiter: str, header: bool, *, checked: bool = True) -> CsvShape:
    """Return the outline of a CSV file.

    :param path: the file.
    :param delimiter: one character.
    :param header: whether the first row has the column names.
    :param checked: whether to check every row.
    :raises RecipeError: the file is empty, ragged or not UTF-8, or repeats a column name; the
        message has the line's number.
    """
    first = _first_record(path, delimiter)
    if not first:
        raise RecipeError(f"{path.name} is empty: it has no {'header' if header else 'row'}")
    if _begins_with_json(path):
        raise RecipeError(f"{path.name} is JSON, not CSV; set the input format")
    names = (
        [name or f"Column_{n}" for n, name in enumerate(first, 1)]
        if header
        else [f"Column_{n}" for n in range(1, len(first) + 1)]
    )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise repeated_column(path, twice[0])
    if not checked:
        return CsvShape(path, names, header)
    # Python counts while polars parses, each on its own core.
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(_count_lines, path, delimiter)
        seen = _rows_and_nulls(path, delimiter, len(names))
        lines, delimiters = counted.result()
    # Without nulls in the last column no row is short (its last field would be null), and without
    # extra delimiters none is long. Most files are like this, and their lines need no check.
    if seen == (lines, 0) and delimiters == (len(names) - 1) * lines:
        return CsvShape(path, names, header, line_is_row=True, rows=lines - header)
    readable, line_is_row, blank = _checked_rows(path, delimiter, len(names), seen)
    return CsvShape(readable, names, header, line_is_row, blank and len(names) > 1)


def _begins_with_json(path: Path) -> bool:
    """Whether the first line is an object or an array: no header, and no row that a table has."""
    with path.open("rb") as stream:
        line = stream.readline(1 << 20).removeprefix(codecs.BOM_UTF8)
    if not line.startswith((b"{", b"[")):
        return False
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _first_record(path: Path, delimiter: str) -> list[str]:
    with path.open("rb") as stream:
        start = stream.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise RecipeError(f"{path.name} is UTF-16; DataBrew reads UTF-8, so convert it")
        stream.seek(0)
        reader = csv.reader(codecs.iterdecode(_lines(stream), "utf-8-sig"), delimiter=delimiter, strict=False)
        try:
            return next((record for record in reader if record), [])
        except UnicodeDecodeError:
            raise RecipeError(f"{path.name} is not UTF-8 in its first row; convert it") from None
        except csv.Error as problem:
            if "new-line character" in str(problem):
                raise RecipeError(f"{path.name} ends its lines with CR only; write LF or CRLF") from None
            raise RecipeError(f"{path.name} is not CSV: {problem}") from problem


def _lines(stream: Any) -> Any:
    limit = 1 << 24
    while line := stream.readline(limit):
        yield line


def _count_lines(path: Path, delimiter: str) -> tuple[int, int]:
    """Count the lines and the delimiters of a file.

    :raises RecipeError: the file is not UTF-8.
    """
    # bytes.count is slow for frequent bytes; importing numpy pays off for long files only.
    count = _count_in_block if path.stat().st_size < LONG_FILE_BYTES else _vector_count()
    lines = delimiters = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    last = b""
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            delimiters += count(block, delimiter.encode())
            lines += count(block, b"\n")
            if not block.isascii() or decoder.getstate()[0]:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    raise RecipeError(f"{path.name} is not UTF-8{_where_not_utf8(path)}; convert it") from None
            last = block
    return lines + (not last.endswith(b"\n")), delimiters


def _count_in_block(block: bytes, byte: bytes) -> int:
    return block.count(byte)


def _vector_count() -> Callable[[bytes, bytes], int]:
    import numpy

    def count(block: bytes, byte: bytes) -> int:
        return int(numpy.count_nonzero(numpy.frombuffer(block, dtype=numpy.uint8) == byte[0]))

    return count


def _rows_and_nulls(path: Path, delimiter: str, width: int) -> tuple[int, int] | None:
    """Count the rows that polars sees, and the nulls in its last column; None if it fails."""
    names = [f"c{number}" for number in range(width)]
    rows = pl.scan_csv(sources(path), separator=delimiter, has_header=False, schema=dict.fromkeys(names, pl.String))
    try:
        seen = (
            rows.select(rows=pl.len(), nulls=pl.col(names[-1]).null_count())
            .collect(engine="streaming")
            .row(0, named=True)
        )
    except pl.exceptions.PolarsError:
        return None
    return seen["rows"], seen["nulls"]


def _checked_rows(path: Path, delimiter: str, width: int, seen: tuple[int, int] | None) -> tuple[Path, bool, bool]:
    """Check every row.

    A line without quotes is right if it has the expected number of delimiters; in a line with
    quotes, each quoted field is counted as a single quote first. Whether every line is a row is
    known from polars: it must have `seen` a row in each line, and a null only at the end of those
    that are blank or end in a delimiter.

    :returns: the file to read the rows from, whether every line is a row, whether some are blank.
    """
    lines = pl.scan_csv(
        sources(path),
        separator="\x01",
        quote_char=None,
        has_header=False,
        new_columns=["line"],
        schema={"line": pl.String},
    ).select(text=pl.col("line").fill_null(""))
    text = pl.col("text")
    blank = text == ""
    unusual = (text.str.count_matches(delimiter, literal=True) != width - 1) & ~blank
    try:
        facts = (
            lines.select(
                lines=pl.len(),
                blank=blank.sum(),
                empty=(text.str.strip_chars(delimiter) == "").sum(),
                unusual=unusual.sum(),
                open_ended=(text.str.ends_with(delimiter) & ~unusual).sum(),
            )
            .collect(engine="streaming")
            .row(0, named=True)
        )
        if not _has_quotes(path):
            right = not facts["unusual"]
        else:
            mark = re.escape(delimiter)
            outside = text.str.replace_all(f'(^|{mark})"[^"]*(?:""[^"]*)*"', '${1}"')
            wrong = (outside.str.count_matches(delimiter, literal=True) != width - 1) | outside.str.contains(
                f'[^{mark}]"|"[^{mark}]'
            )
            # A short line with a delimiter in quotes has the right count; if it ends in one, that
            # hides its null too.
            quoted = text.str.contains('"', literal=True) & text.str.ends_with(delimiter)
            doubtful = lines.filter(unusual | quoted | text.str.contains(f'[^{mark}]"[^{mark}]')).select(wrong.any())
            right = not doubtful.collect(engine="streaming").item() and seen == (
                facts["lines"],
                facts["open_ended"] + facts["blank"],
            )
    except pl.exceptions.PolarsError as problem:
        if "utf-8" in str(problem).lower() or "utf8" in str(problem).lower():
            raise RecipeError(f"{path.name} is not UTF-8{_where_not_utf8(path)}; convert it") from problem
        # A byte 0x01 in the data breaks the fast check; the slow one below decides.
        facts, right = {"blank": 1, "empty": 2}, False
    if right and not _blank_lines_hide(width, facts["blank"], facts["empty"], path):
        return path, True, bool(facts["blank"])
    return _check_rows_slowly(path, delimiter, width)


def _blank_lines_hide(width: int, blank: int, empty: int, path: Path) -> bool:
    """Whether polars would confuse blank lines with rows without values or the header."""
    if width == 1 or not blank:
        return False
    with path.open("rb") as stream:
        start = stream.readline(8).removeprefix(codecs.BOM_UTF8)
    return empty > blank or not start.strip(b"\r\n")


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as stream:
        return any(b'"' in block for block in iter(lambda: stream.read(1 << 22), b""))


def _check_rows_slowly(path: Path, delimiter: str, width: int) -> tuple[Path, bool, bool]:
    """Check row by row.

    For small files, for files with line breaks inside quotes, and to find the ragged row. Rows
    that polars would misread (quotes inside an unquoted field, rows without values among blank
    lines) are read from a cleaned copy.
    """
    records = line = blank = empty = 0
    doubtful = False
    for line, record, text in _records(path, delimiter):
        records += 1
        if not record:
            blank += 1
            continue
        if len(record) != width:
            raise RecipeError(
                f"{path.name} is ragged: the row ending at line {line} has {len(record)} fields, "
                f"the first row has {width}"
            )
        empty += not any(record)
        if not doubtful:
            quotes = any('"' in field for field in record)
            doubtful = text.endswith("\r") or (quotes and _plain_row(text, delimiter) != text.rstrip("\r\n"))
    if not doubtful and not _blank_lines_hide(width, blank, empty + blank, path):
        return path, records == line, bool(blank)
    copy = scratch_file(path.name)
    with copy.open("w", encoding="utf-8", newline="") as stream:
        for _, record, text in _records(path, delimiter):
            if record or width == 1:
                stream.write(_plain_row(text, delimiter) + "\n")
    return copy, False, False


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Yield the rows of a CSV: number of the row's last line, its fields, and its text.

    :raises RecipeError: the file is not CSV, or not UTF-8.
    """
    csv.field_size_limit(1 << 30)
    taken: list[str] = []

    def lines(stream: Iterable[str]) -> Iterator[str]:
        for line in stream:
            taken.append(line)
            yield line

    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(lines(stream), delimiter=delimiter, strict=True)
        started = 1
        try:
            for record in reader:
                yield reader.line_num, record, "".join(taken)
                taken.clear()
                started = reader.line_num + 1
        except UnicodeDecodeError:
            raise RecipeError(f"{path.name} is not UTF-8{_where_not_utf8(path)}; convert it") from None
        except csv.Error as problem:
            why = "its quotes do not close" if "end of data" in str(problem) else str(problem)
            raise RecipeError(f"{path.name} is not CSV in the row that begins at line {started}: {why}") from problem


def _plain_row(text: str, delimiter: str) -> str:
    """Rewrite a row of CSV so that a field with quotes inside has quotes around it."""

    def plain(field: re.Match[str]) -> str:
        return field[1] or ('"' + field[2].replace('"', '""') + '"' if '"' in field[2] else field[2])

    fields = rf'("[^"]*(?:""[^"]*)*")|([^{re.escape(delimiter)}\r\n]+)'
    return re.sub(fields, plain, text.rstrip("\r\n"))


def _where_not_utf8(path: Path) -> str:
    with path.open("rb") as stream:
        for number, line in enumerate(_lines(stream), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as problem:
                return f" at line {number}, byte {problem.start + 1}"
    return ""
