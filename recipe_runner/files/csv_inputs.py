"""Open CSV files as lazy frames with types.

Types are guessed from the first rows and from samples further down. If a later row contradicts
them, the caller opens the files again with types from all rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.files.csv_shape import CsvShape, csv_shape
from recipe_runner.files.dataset_frames import check_alike, with_extra
from recipe_runner.tables.streaming import batches_of, sources
from recipe_runner.tables.table import DatasetFiles, csv_delimiter, first_line

# The guessed type of whole numbers beyond 128 bits.
BEYOND = pl.Decimal(38, 0)
SAMPLE_ROWS = 10_000
# Types are also guessed further down a long file: one sample per so many bytes.
SAMPLE_EVERY = 4 * 1024 * 1024
MOST_SAMPLES = 32
SAMPLE_BYTES = 32 * 1024


def scan_csv(files: DatasetFiles, all_rows: bool, checked: bool) -> tuple[list[pl.LazyFrame], int | None]:
    """Open the files with one scan per run of equally shaped files.

    One scan of hundreds of small files is as fast as one file.

    :returns: the frames, and the number of rows if it is known of all files.
    """
    paths = files.paths
    delimiter, header = _csv_options(files.input_options.get("Csv") or {})
    shapes = []
    for path in paths:
        with files.telling(path):
            shapes.append(csv_shape(path, delimiter, header, checked=checked))
    names = {files.name_of(path): shape.names for path, shape in zip(paths, shapes, strict=True)}
    check_alike(names, in_order=True)
    types: dict[str, pl.DataType] = {}
    for shape in shapes:
        for name, dtype in _guessed_types(shape, delimiter, all_rows).items():
            types[name] = _wider(types[name], dtype) if name in types else dtype
    # Whole numbers that fit no type are text, except among doubles.
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
            # Spark, which the service uses, skips blank lines; polars makes rows of nulls of them.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        # A column without any value fits every operation: its type stays open.
        empty = [name for name in shape.names if types[name] == pl.Null]
        frame = frame.with_columns(pl.lit(None).alias(name) for name in empty) if empty else frame
        frames.append(with_extra(frame, extra))
    counts = [shape.rows for shape in shapes]
    return frames, None if None in counts else sum(filter(None, counts))


def _csv_options(options: Mapping[str, Any]) -> tuple[str, bool]:
    header = options.get("HeaderRow")
    return csv_delimiter(options), True if header is None else bool(header)


def _guessed_types(shape: CsvShape, delimiter: str, all_rows: bool) -> dict[str, pl.DataType]:
    # Polars parses pieces that reach beyond the rows asked for, and would stop there at a value of
    # another type. So rows are read as text, and the types are guessed from these rows only.
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
        # A column without a value in the sample does not show its type.
        return _guessed_types(shape, delimiter, True)
    if shape.line_is_row:
        further_down = _types_further_down(shape, delimiter)
        types = {name: _wider(dtype, further_down.get(name, pl.Null())) for name, dtype in types.items()}
    return types


def _types_in(content: bytes, shape: CsvShape, delimiter: str) -> dict[str, pl.DataType]:
    """Guess the type of each column of some rows of CSV; Null if a column has no value."""

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
        # polars recognises whole numbers of any length, and then has no type for the longest.
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
    """Guess types from rows spread over the file.

    Ordered data often begins with whole numbers and has fractions further down.
    """
    size = shape.path.stat().st_size
    blocks: list[bytes] = []
    with shape.path.open("rb") as stream:
        places = min(MOST_SAMPLES, size // SAMPLE_EVERY + 1)
        for place in range(1, places + 1):
            # The last sample is the file's end, where ordered data differs most from its beginning.
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
