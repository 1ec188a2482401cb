"""Files of a dataset as one lazy frame: CSV, JSON, Parquet, Excel, ORC.

Formats and options: https://docs.aws.amazon.com/databrew/latest/dg/API_FormatOptions.html and
datasets.connecting-to-data-in-text-files.html. A CSV is checked whole (fields per row, encoding) before anything is
written,
in one fast pass. Types are guessed from the first rows and, where the rest contradicts them, from all rows
(`TypesContradicted` tells the caller to try again). Knows no action.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from local_aws.recipes.compression import is_compressed, scratch_file, unpacked
from local_aws.recipes.datatypes import as_text, json_text
from local_aws.recipes.errors import RecipeError
from local_aws.recipes.streaming import batches_of, sources
from local_aws.recipes.table import DatasetFiles, csv_delimiter, first_line

# Stands in the types guessed for whole numbers of more than 128 bits.
BEYOND = pl.Decimal(38, 0)
# The end of a value that nests so deeply that polars, which does not look, would take the process down.
TOO_DEEP = (b"]" * 200, b"}" * 200, b"]}" * 100)
_UNNAMED = re.compile("__UNNAMED__([0-9]+)")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
SAMPLE_ROWS = 10_000
# Types are also guessed further down a long file: at one place in so many bytes, of so many bytes each.
SAMPLE_EVERY = 4 * 1024 * 1024
MOST_SAMPLES = 32
SAMPLE_BYTES = 32 * 1024
SCHEMA_BLOCK = 16 * 1024 * 1024
SCHEMA_THREADS = 4
LONG_FILE_BYTES = 16 * 1024 * 1024
FORMATS = {
    ".csv": "CSV",
    ".tsv": "CSV",
    ".txt": "CSV",
    ".json": "JSON",
    ".jsonl": "JSON",
    ".ndjson": "JSON",
    ".parquet": "PARQUET",
    ".xlsx": "EXCEL",
    ".xls": "EXCEL",
    ".orc": "ORC",
}


class TypesContradicted(Exception):  # noqa: N818 - a request to the caller, not a fault of the user
    """A value further down does not fit the types guessed from the first rows."""


@dataclass(frozen=True)
class CsvShape:
    """Facts of one CSV file: where its rows are to be read, column names, whether the first row is the header, whether
    every line is a row, whether some lines are blank, and the number of rows below the header, where looking at every
    row has told it."""

    path: Path
    names: list[str]
    header: bool
    line_is_row: bool = False
    has_blank_lines: bool = False
    rows: int | None = None


def format_of(path: Path, declared: str = "") -> str:
    """Input format: the declared one, else by the file's extension.

    Raises:
        RecipeError: neither says.
    """
    if declared:
        name = declared.upper().replace("JSONLINES", "JSON").replace("JSONL", "JSON")
        if name not in ("CSV", "JSON", "PARQUET", "EXCEL", "ORC"):
            raise RecipeError(f"the input format {declared!r} is not one of CSV, JSON, PARQUET, EXCEL, ORC")
        return name
    suffix = path.suffix.lower()
    if is_compressed(path):
        suffix = Path(path.stem).suffix.lower()
    if suffix not in FORMATS:
        raise RecipeError(f"the format of {path.name} is not known from its extension; name it with --input-format")
    return FORMATS[suffix]


@dataclass(frozen=True)
class Dataset:
    """All files of a dataset as one lazy frame, in the order given, and how many rows it has where reading the files'
    outline has told it."""

    frame: pl.LazyFrame
    rows: int | None = None


def scan_dataset(files: DatasetFiles, *, all_rows: bool = False, checked: bool = True) -> Dataset:
    """A dataset's files, opened but for their rows.

    Parameters:
        files: paths, format, FormatOptions and the columns to add per file.
        all_rows: guess CSV types from all rows, not the first ones.
        checked: look at every row of a CSV for missing or surplus fields and wrong encoding.

    Raises:
        RecipeError: a file is not there, empty, ragged, not UTF-8, or not of its format.
    """
    if not files.paths:
        raise RecipeError("the dataset has no file")
    for path in files.paths:
        if not path.is_file():
            raise RecipeError(f"the input {path} is not there")
    kind = format_of(files.paths[0], files.input_format)
    if kind in ("CSV", "JSON"):
        files = _plain_files(files)
    rows = None
    if kind == "CSV":
        frames, rows = _scan_csv(files, all_rows, checked)
    else:
        frames = [
            _with_extra(_scan_other(kind, path, files.input_options, all_rows), files.extra_columns.get(path))
            for path in files.paths
        ]
    frame = frames[0] if len(frames) == 1 else pl.concat(_of_one_shape(frames), how="diagonal_relaxed")
    if not frame.collect_schema():
        raise RecipeError(f"{files.paths[0].name} is empty: it has no column")
    return Dataset(frame, rows)


def _plain_files(files: DatasetFiles) -> DatasetFiles:
    """The same dataset with every compressed file replaced by its content."""
    plain = {path: unpacked(path) if is_compressed(path) else path for path in files.paths}
    extra = {plain.get(path, path): columns for path, columns in files.extra_columns.items()}
    return replace(files, paths=[plain[path] for path in files.paths], extra_columns=extra)


def _of_one_shape(frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """The frames, where a column that holds lists, structs or single values by the file is JSON text in all of them."""
    shapes: dict[str, set[str]] = {}
    for frame in frames:
        for name, dtype in frame.collect_schema().items():
            if dtype != pl.Null:
                shapes.setdefault(name, set()).add(str(dtype.base_type()) if dtype.is_nested() else "")
    mixed = {name for name, found in shapes.items() if len(found) > 1}
    return [
        frame.with_columns(
            as_text(pl.col(name), dtype) for name, dtype in frame.collect_schema().items() if name in mixed
        )
        for frame in frames
    ]


def _with_extra(frame: pl.LazyFrame, extra: Mapping[str, Any] | None) -> pl.LazyFrame:
    """The frame with columns of the file's path; moments in UTC, without a zone, as all timestamps are."""
    if not extra:
        return frame
    for name in frame.collect_schema().names():
        if name in extra:
            raise RecipeError(
                "the path's parameter makes a column that the files have already; rename the parameter", column=name
            )
    values = {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
        for name, value in extra.items()
    }
    return frame.with_columns([pl.lit(value).alias(name) for name, value in values.items()])


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
                raise RecipeError(f"{path.name} ends its lines with CR alone; write LF or CR LF") from None
            raise RecipeError(f"{path.name} is not CSV: {problem}") from problem


def _lines(stream: Any) -> Any:
    limit = 1 << 24
    while line := stream.readline(limit):
        yield line


def csv_shape(path: Path, delimiter: str, header: bool, *, checked: bool = True) -> CsvShape:
    """Names and row count of a CSV file; with `checked`, every row has been looked at.

    Raises:
        RecipeError: empty, ragged, duplicate column names, or not UTF-8; with the line's number.
    """
    first = _first_record(path, delimiter)
    if not first:
        raise RecipeError(f"{path.name} is empty: it has no {'header' if header else 'row'}")
    names = (
        [name or f"Column_{n}" for n, name in enumerate(first, 1)]
        if header
        else [f"Column_{n}" for n in range(1, len(first) + 1)]
    )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _repeated(path, twice[0])
    if not checked:
        return CsvShape(path, names, header)
    lines = _lines_if_plainly_right(path, delimiter, len(names))
    if lines is not None:
        return CsvShape(path, names, header, line_is_row=True, rows=lines - header)
    readable, line_is_row, blank = _checked_rows(path, delimiter, len(names))
    return CsvShape(readable, names, header, line_is_row, blank and len(names) > 1)


def _lines_if_plainly_right(path: Path, delimiter: str, width: int) -> int | None:
    """Number of lines of a file without nulls in its last column that has exactly as many delimiters as its rows need.

    Then no row is short (its last field would be null) and none is long (there would be more delimiters), so that most
    files need no look at their lines at all. What is not plainly right (``None``) may still be right.
    """
    # Counting is Python's and parsing is polars' own, so that each has a core meanwhile.
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(_count_lines, path, delimiter)
        seen = _rows_and_nulls(path, delimiter, width)
        lines, delimiters = counted.result()
    return lines if seen == (lines, 0) and delimiters == (width - 1) * lines else None


def _count_lines(path: Path, delimiter: str) -> tuple[int, int]:
    """Number of lines and of delimiters in a file.

    Raises:
        RecipeError: the file is not UTF-8.
    """
    # bytes.count is slow for what comes often; numpy is worth its import for long files only.
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
    """Rows that polars sees, and nulls in the last column; ``None`` where it does not get through."""
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


def _checked_rows(path: Path, delimiter: str, width: int) -> tuple[Path, bool, bool]:
    """Look at every row: where to read them, whether no row goes over several lines, and whether there are blank lines.

    A line without quotes is right with as many delimiters as it should have; in one with quotes, each field in quotes
    is taken for a single quote first. Whether line and row are the same, polars tells: it must see a row in each line,
    and a null at the end of those only that end in a delimiter.
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
            # A line short by a delimiter in quotes has as many as it should; ending in one, it hides its null too.
            quoted = text.str.contains('"', literal=True) & text.str.ends_with(delimiter)
            doubtful = lines.filter(unusual | quoted | text.str.contains(f'[^{mark}]"[^{mark}]')).select(wrong.any())
            right = not doubtful.collect(engine="streaming").item() and _quotes_agree(path, delimiter, width, facts)
    except pl.exceptions.PolarsError as problem:
        if "utf-8" in str(problem).lower() or "utf8" in str(problem).lower():
            raise RecipeError(f"{path.name} is not UTF-8{_where_not_utf8(path)}; convert it") from problem
        # A byte 0x01 in the data upsets the fast look; the slow one below decides.
        facts, right = {"blank": 1, "empty": 2}, False
    if right and not _blank_lines_hide(width, facts["blank"], facts["empty"], path):
        return path, True, bool(facts["blank"])
    return _check_rows_slowly(path, delimiter, width)


def _blank_lines_hide(width: int, blank: int, empty: int, path: Path) -> bool:
    """Whether what polars makes of blank lines is like a row without values, or stands where it expects the header."""
    if width == 1 or not blank:
        return False
    with path.open("rb") as stream:
        start = stream.readline(8).removeprefix(codecs.BOM_UTF8)
    return empty > blank or not start.strip(b"\r\n")


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as stream:
        return any(b'"' in block for block in iter(lambda: stream.read(1 << 22), b""))


def _quotes_agree(path: Path, delimiter: str, width: int, facts: Mapping[str, int]) -> bool:
    """Whether polars sees one row per line, and a null at the end of those lines only that end in a delimiter."""
    names = [f"c{number}" for number in range(width)]
    rows = pl.scan_csv(sources(path), separator=delimiter, has_header=False, schema=dict.fromkeys(names, pl.String))
    seen = (
        rows.select(rows=pl.len(), open_ended=pl.col(names[-1]).null_count())
        .collect(engine="streaming")
        .row(0, named=True)
    )
    # A blank line is a row of nulls to polars.
    return bool(seen["rows"] == facts["lines"] and seen["open_ended"] == facts["open_ended"] + facts["blank"])


def _check_rows_slowly(path: Path, delimiter: str, width: int) -> tuple[Path, bool, bool]:
    """Row by row, for small files, for files with line breaks inside quotes, and to say where a ragged row is.

    Rows that polars would take for others (quotes inside a field without quotes, rows without values among blank lines)
    are read from a copy that leaves no doubt.
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
    """Rows of a CSV: number of the line that a row ends in, its fields, and its text.

    Raises:
        RecipeError: the file is not CSV, or not UTF-8.
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
    """A row of CSV, where fields with quotes inside, but not around them, are written in quotes."""

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


def _csv_options(options: Mapping[str, Any]) -> tuple[str, bool]:
    header = options.get("HeaderRow")
    return csv_delimiter(options), True if header is None else bool(header)


def _scan_csv(files: DatasetFiles, all_rows: bool, checked: bool) -> tuple[list[pl.LazyFrame], int | None]:
    """One frame for each stretch of files of one shape: hundreds of small files as one scan are as fast as one file.
    With them the number of rows, if it is known of all files."""
    paths = files.paths
    delimiter, header = _csv_options(files.input_options.get("Csv") or {})
    shapes = [csv_shape(path, delimiter, header, checked=checked) for path in paths]
    types: dict[str, pl.DataType] = {}
    for shape in shapes:
        for name, dtype in _guessed_types(shape, delimiter, all_rows).items():
            types[name] = _wider(types[name], dtype) if name in types else dtype
    # Whole numbers that no type holds are texts, but doubles among doubles.
    types = {name: pl.String() if dtype == BEYOND else dtype for name, dtype in types.items()}
    frames: list[pl.LazyFrame] = []
    extras = [dict(files.extra_columns.get(path) or {}) for path in paths]
    stretches = itertools.groupby(
        zip(shapes, extras, strict=True),
        lambda one: (one[0].names, one[0].header, one[0].has_blank_lines, one[1]),
    )
    for _, stretch in stretches:
        members = list(stretch)
        shape, extra = members[0]
        frame = pl.scan_csv(
            sources(*(member.path for member, _ in members)),
            separator=delimiter,
            has_header=shape.header,
            schema={name: types[name] if types[name] != pl.Null else pl.String() for name in shape.names},
        )
        if shape.has_blank_lines:
            # Spark, below the service, passes over blank lines; polars makes rows of nulls of them.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        # A column without any value fits every operation: its type stays open.
        empty = [name for name in shape.names if types[name] == pl.Null]
        frame = frame.with_columns(pl.lit(None).alias(name) for name in empty) if empty else frame
        frames.append(_with_extra(frame, extra))
    counts = [shape.rows for shape in shapes]
    return frames, None if None in counts else sum(filter(None, counts))


def _guessed_types(shape: CsvShape, delimiter: str, all_rows: bool) -> dict[str, pl.DataType]:
    # Polars parses in pieces that reach beyond the rows asked for, and would stop there at a value of another type:
    # rows are taken as texts, and only they are guessed from.
    texts = pl.scan_csv(
        sources(shape.path), separator=delimiter, has_header=shape.header, new_columns=shape.names, infer_schema=False
    )
    types: dict[str, pl.DataType] = dict.fromkeys(shape.names, pl.Null())
    rows = 0
    try:
        for batch in batches_of(texts if all_rows else texts.head(SAMPLE_ROWS)):
            rows += batch.height
            content = batch.write_csv(separator=delimiter, include_header=False, quote_style="necessary").encode()
            for name, dtype in _types_in(content, shape, delimiter).items():
                types[name] = _wider(types[name], dtype)
    except pl.exceptions.PolarsError as problem:
        raise RecipeError(f"{shape.path.name} is not CSV: {first_line(problem)}") from problem
    if all_rows or rows < SAMPLE_ROWS:
        return types
    if pl.Null() in types.values():
        # A column without a value in the sample says nothing about its type.
        return _guessed_types(shape, delimiter, True)
    if shape.line_is_row:
        further_down = _types_further_down(shape, delimiter)
        types = {name: _wider(dtype, further_down.get(name, pl.Null())) for name, dtype in types.items()}
    return types


def _types_in(content: bytes, shape: CsvShape, delimiter: str) -> dict[str, pl.DataType]:
    """Type of each column of some rows of CSV; Null where a column has no value."""

    def read(texts: Iterable[str]) -> pl.DataFrame:
        return pl.read_csv(
            content,
            separator=delimiter,
            has_header=False,
            new_columns=shape.names,
            schema_overrides=dict.fromkeys(texts, pl.String()),
            infer_schema_length=None,
        )

    try:
        rows = read([])
    except pl.exceptions.NoDataError:
        return {}
    except pl.exceptions.ComputeError:
        # polars takes whole numbers of any length for numbers, and then has none that holds them.
        texts = read(shape.names)
        whole = texts.select(pl.all().str.contains(r"^-?\d+$"))
        long = texts.select(pl.all().cast(pl.Int128, strict=False).is_null())
        beyond = [name for name in shape.names if whole[name].all() and (whole[name] & long[name]).any()]
        rows = read(beyond).with_columns(pl.lit(None, dtype=BEYOND).alias(name) for name in beyond)
        return {
            name: pl.Null() if name not in beyond and rows[name].null_count() == rows.height else dtype
            for name, dtype in rows.schema.items()
        }
    return {name: pl.Null() if rows[name].null_count() == rows.height else dtype for name, dtype in rows.schema.items()}


def _types_further_down(shape: CsvShape, delimiter: str) -> dict[str, pl.DataType]:
    """Types of rows spread over the file: ordered data often begins with whole numbers that do not stay whole."""
    size = shape.path.stat().st_size
    blocks: list[bytes] = []
    with shape.path.open("rb") as stream:
        places = min(MOST_SAMPLES, size // SAMPLE_EVERY + 1)
        for place in range(1, places + 1):
            # The last place is the end of the file, where ordered data differs most from its beginning.
            stream.seek(max(0, size * place // places - SAMPLE_BYTES))
            stream.readline()
            block = stream.read(SAMPLE_BYTES)
            blocks.append(block[: block.rfind(b"\n") + 1])
    return _types_in(b"".join(blocks), shape, delimiter)


def _wider(left: pl.DataType, right: pl.DataType) -> pl.DataType:
    if left == right or right == pl.Null:
        return left
    if left == pl.Null:
        return right
    if left.is_integer() and right.is_integer():
        return pl.Int128()
    if BEYOND in (left, right) and (left.is_integer() or right.is_integer()):
        return BEYOND
    return pl.Float64() if left.is_numeric() and right.is_numeric() else pl.String()


def _scan_other(kind: str, path: Path, options: Mapping[str, Any], all_rows: bool) -> pl.LazyFrame:
    try:
        if kind == "PARQUET":
            frame = pl.scan_parquet(sources(path))
            frame.collect_schema()
            return frame
        if kind == "JSON":
            return _scan_json(path, options.get("Json") or {}, tolerant=all_rows)
        if kind == "EXCEL":
            return _read_excel(path, options.get("Excel") or {})
        return _read_orc(path)
    except RecursionError:
        raise RecipeError(f"{path.name} nests its values too deeply; unnest them first") from None
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise RecipeError(f"{path.name} cannot be read as {kind}: {first_line(problem)}") from problem


def _scan_json(path: Path, options: Mapping[str, Any], *, tolerant: bool) -> pl.LazyFrame:
    """JSON or JSON Lines; `tolerant` of values that polars finds no common type for, which takes memory for all."""
    import json

    with path.open("rb") as stream:
        head = stream.read(4096).lstrip(codecs.BOM_UTF8).lstrip()
    if not head:
        raise RecipeError(f"{path.name} is empty")
    lines = not head.startswith(b"[") and not options.get("MultiLine")
    if lines and not tolerant:
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
    try:
        document = json.loads(text)
    except json.JSONDecodeError as whole:
        document = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                document.append(json.loads(line))
            except json.JSONDecodeError as problem:
                if number == 1 and ("\n" in text or head.startswith(b"[")):
                    raise RecipeError(f"{path.name} is not JSON: {whole.msg} at line {whole.lineno}") from None
                raise RecipeError(f"{path.name} is not JSON Lines: line {number}: {problem.msg}") from None
    if "\\ud" in text or "\\uD" in text:
        # Half a surrogate pair is no character that a column can hold.
        document = json.loads(_HALF_PAIR.sub("\ufffd", json.dumps(document, ensure_ascii=False)))
    rows = document if isinstance(document, list) else [document]
    if not all(isinstance(row, dict) for row in rows):
        raise RecipeError(f"{path.name} must hold JSON objects, one a row")
    return frame_of_rows(rows).lazy()


def _json_lines_schema(path: Path) -> pl.Schema:
    """Columns and types that hold every line, found block by block.

    Raises:
        PolarsError: a line is not JSON, or two types have none that holds both.
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
    """JSON values with texts in place of those that have no common type, inside lists and objects too."""
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
    """Frame of JSON rows; a column whose values have no common type becomes text."""
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


def _read_excel(path: Path, options: Mapping[str, Any]) -> pl.LazyFrame:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
    except fastexcel.FastExcelError:
        raise RecipeError(f"{path.name} is no Excel workbook; name its format") from None
    names, indexes = options.get("SheetNames"), options.get("SheetIndexes")
    sheets = book.sheet_names
    if names and names[0] not in sheets:
        raise RecipeError(f"{path.name} has no sheet {names[0]!r}; its sheets are {', '.join(sheets)}")
    number = sheets.index(names[0]) if names else int(indexes[0]) if indexes else 0
    if number >= len(sheets):
        raise RecipeError(f"{path.name} has no sheet {number}; it has {len(sheets)}, counted from 0")
    header = options.get("HeaderRow")
    header = True if header is None else bool(header)

    def read(**how: Any) -> pl.DataFrame:
        frame = pl.read_excel(path, sheet_id=number + 1, infer_schema_length=None, engine="calamine", **how)
        assert isinstance(frame, pl.DataFrame)
        return frame

    frame = read(has_header=header)
    if not header:
        return frame.rename({old: f"Column_{n}" for n, old in enumerate(frame.columns, 1)}).lazy()
    written = [cell for cell in read(has_header=False, read_options={"n_rows": 1, "dtypes": "string"}).row(0) if cell]
    twice = next((name for name in written if written.count(name) > 1), None)
    if twice is not None:
        raise _repeated(path, twice)
    unnamed = {name: _UNNAMED.fullmatch(name) for name in frame.columns}
    return frame.rename({old: f"Column_{int(found[1]) + 1}" for old, found in unnamed.items() if found}).lazy()


def _repeated(path: Path, name: str) -> RecipeError:
    return RecipeError(
        f"{path.name} has the column {name!r} more than once; a dataset's column names must differ", column=name
    )


def _read_orc(path: Path) -> pl.LazyFrame:
    try:
        from pyarrow import orc  # type: ignore[import-untyped]
    except ImportError as problem:
        raise RecipeError(
            f"{path.name}: reading ORC needs the package pyarrow (requirements-dev.in); install it"
        ) from problem
    frame = pl.from_arrow(orc.read_table(path))
    assert isinstance(frame, pl.DataFrame)
    return frame.lazy()


def contradicts_types(problem: Exception) -> bool:
    """Whether polars stopped at a value that does not fit a guessed type."""
    signs = (
        "could not parse",
        "invalid primitive value",
        "cannot parse",
        "unexpected value while building",
        "expected to contain",
        "in json value",
    )
    return any(sign in str(problem) for sign in signs)
