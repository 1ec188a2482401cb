"""Open the files of a dataset as one lazy frame: CSV, JSON, Parquet, Excel, ORC.

Formats and options: https://docs.aws.amazon.com/databrew/latest/dg/API_FormatOptions.html. Knows no
action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.files.compression import is_compressed, unpacked
from recipe_runner.files.csv_inputs import scan_csv
from recipe_runner.files.dataset_frames import check_alike, check_types_alike, of_one_shape, with_extra
from recipe_runner.files.excel_inputs import read_excel
from recipe_runner.files.json_inputs import scan_json
from recipe_runner.tables.streaming import sources
from recipe_runner.tables.table import DatasetFiles, first_line

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


@dataclass(frozen=True)
class Dataset:
    """All files of a dataset as one lazy frame, in the given order.

    :param frame: the rows.
    :param rows: how many they are; None if that is not known without reading them.
    """

    frame: pl.LazyFrame
    rows: int | None = None


def format_of(path: Path, declared: str = "") -> str:
    """Return the input format: the declared one, else that of the file's extension.

    :raises RecipeError: the format is unknown.
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


def scan_dataset(files: DatasetFiles, *, all_rows: bool = False, checked: bool = True) -> Dataset:
    """Open a dataset's files without reading their rows.

    :param files: paths, format, FormatOptions and the columns to add per file.
    :param all_rows: guess CSV types from all rows, not only the first ones.
    :param checked: check every row of a CSV for missing or extra fields and for its encoding.
    :raises RecipeError: a file does not exist, is empty, ragged, not UTF-8, or not of its format.
    """
    if not files.paths:
        raise RecipeError("the dataset has no file")
    for path in files.paths:
        if not path.is_file():
            raise RecipeError(f"the input {path} does not exist")
    kind = format_of(files.paths[0], files.input_format)
    if kind in ("CSV", "JSON"):
        files = _plain_files(_filled_files(files))
    rows = None
    if kind == "CSV":
        frames, rows = scan_csv(files, all_rows, checked)
    else:
        frames = []
        for path in files.paths:
            with files.telling(path):
                scanned = _scan_other(kind, path, files.input_options, all_rows)
            frames.append(with_extra(scanned, files.extra_columns.get(path)))
        if kind != "JSON":
            # An object of JSON may leave out what it has no value for.
            found = zip(files.paths, frames, strict=True)
            schemas = {files.name_of(path): frame.collect_schema() for path, frame in found}
            check_alike({name: schema.names() for name, schema in schemas.items()}, in_order=kind == "EXCEL")
            if kind == "PARQUET":
                check_types_alike(schemas)
    frame = frames[0] if len(frames) == 1 else pl.concat(of_one_shape(frames), how="diagonal_relaxed")
    if not frame.collect_schema():
        raise RecipeError(f"{files.paths[0].name} is empty: it has no column")
    return Dataset(frame, rows)


def _filled_files(files: DatasetFiles) -> DatasetFiles:
    """Return the dataset without files that have no byte, unless all are so.

    Text without a byte has no row and no header: Spark, which the service uses, reads nothing.
    """
    filled = [path for path in files.paths if path.stat().st_size]
    return replace(files, paths=filled or files.paths)


def _plain_files(files: DatasetFiles) -> DatasetFiles:
    """Return the dataset with every compressed file replaced by its unpacked content."""
    plain = {}
    for path in files.paths:
        with files.telling(path):
            plain[path] = unpacked(path) if is_compressed(path) else path
    extra = {plain.get(path, path): columns for path, columns in files.extra_columns.items()}
    names = {plain[path]: files.name_of(path) for path in files.paths}
    return replace(files, paths=[plain[path] for path in files.paths], extra_columns=extra, names=names)


def _scan_other(kind: str, path: Path, options: Mapping[str, Any], all_rows: bool) -> pl.LazyFrame:
    try:
        if kind == "PARQUET":
            frame = pl.scan_parquet(sources(path))
            frame.collect_schema()
            return frame
        if kind == "JSON":
            return scan_json(path, options.get("Json") or {}, tolerant=all_rows)
        if kind == "EXCEL":
            return read_excel(path, options.get("Excel") or {})
        return _read_orc(path)
    except RecursionError:
        raise RecipeError(f"{path.name} is nested too deeply; unnest its values first") from None
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise RecipeError(f"{path.name} cannot be read as {kind}: {first_line(problem)}") from problem


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
