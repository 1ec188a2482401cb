"""Write job outputs: formats, file names, partitions, compression.

https://docs.aws.amazon.com/databrew/latest/dg/jobs.recipe.html and API_Output.html. An output is
complete or absent: files are written into a hidden folder beside their place and renamed when all
are complete. Knows no action.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.files.compression import SUFFIX_OF, pack
from recipe_runner.tables.datatypes import as_text, timestamp_text, to_double
from recipe_runner.tables.streaming import batches_of, count_rows, sources
from recipe_runner.tables.table import NewColumn, Table, csv_delimiter

EXTENSIONS = {
    "CSV": "csv",
    "JSON": "json",
    "PARQUET": "parquet",
    "GLUEPARQUET": "glue.parquet",
    "AVRO": "avro",
    "ORC": "orc",
    "XML": "xml",
}
# Compressed inside the file, so that the file keeps its format.
ORC_COMPRESSIONS = {"SNAPPY": "snappy", "ZLIB": "zlib", "LZ4": "lz4", "ZSTD": "zstd"}
PARQUET_COMPRESSIONS = {"SNAPPY": "snappy", "GZIP": "gzip", "LZ4": "lz4", "BROTLI": "brotli", "ZSTD": "zstd"}
LONGEST_NAME = 255
# What Hive percent-encodes in a partition's folder, and what XML cannot hold.
_UNSAFE = re.compile(r"""[\x00-\x1f\x7f"#%'*/:=?\\{}\[\]^]""")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class WrittenOutput:
    """One output and its files, relative to its folder and in order."""

    output: Mapping[str, Any]
    files: list[Path]


def output_stem(job_name: str, started_at: datetime) -> str:
    """Return the service's name for a run's output: `<job>_<ddMonyyyy>_<epoch milliseconds>`."""
    moment = started_at.astimezone(UTC) if started_at.tzinfo else started_at.replace(tzinfo=UTC)
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{job_name}_{moment.day:02d}{months[moment.month - 1]}{moment.year}_{int(moment.timestamp() * 1000)}"


def _format(output: Mapping[str, Any]) -> str:
    return str(output.get("Format") or "CSV").upper()


def check_output(output: Mapping[str, Any], table: Table) -> None:
    """Reject an output that cannot be written, before anything runs.

    :raises RecipeError: the format is unknown or does not support the compression, a partition
        column does not exist or is nested, or MaxOutputFiles is out of bounds.
    """
    kind = _format(output)
    if kind == "TABLEAUHYPER":
        raise RecipeError("the output format TABLEAUHYPER cannot be written locally: it needs Tableau's closed library")
    if kind not in EXTENSIONS:
        raise RecipeError(f"the output format {kind!r} is not one of {', '.join(EXTENSIONS)}")
    _delimiter(output)
    compression = str(output.get("CompressionFormat") or "").upper()
    if compression and compression not in (*SUFFIX_OF, "LZO"):
        raise RecipeError(f"the compression {compression!r} is not one of {', '.join(SUFFIX_OF)}, LZO")
    inside = ORC_COMPRESSIONS if kind == "ORC" else PARQUET_COMPRESSIONS if kind.endswith("PARQUET") else {}
    if compression and inside and compression not in inside:
        raise RecipeError(f"{kind} output supports the compressions {', '.join(inside)}, not {compression}")
    if compression == "LZO":
        raise RecipeError(
            f"{kind} output with the compression LZO cannot be written locally: no maintained library supports it; "
            "use another"
        )
    files = output.get("MaxOutputFiles")
    if files is not None and not 1 <= int(files) <= 999:
        raise RecipeError(f"MaxOutputFiles must be 1 to 999; it is {files}")
    partitions = output.get("PartitionColumns") or []
    table.require(*partitions)
    for name in partitions:
        if table.schema[name].is_nested():
            raise RecipeError("a partition column must hold single values; choose another", column=name)
        if partitions.count(name) > 1:
            raise RecipeError("the column is listed twice in PartitionColumns; list it once", column=name)
    if partitions and set(partitions) >= set(table.names):
        raise RecipeError("every column is in PartitionColumns, so no column is left to write; remove one")
    if kind == "ORC":
        try:
            import pyarrow  # type: ignore[import-untyped]  # noqa: F401
        except ImportError as problem:
            raise RecipeError("writing ORC needs the package pyarrow; install it") from problem


def _delimiter(output: Mapping[str, Any]) -> str:
    return csv_delimiter((output.get("FormatOptions") or {}).get("Csv") or {})


def printable(table: Table, kind: str) -> pl.LazyFrame:
    """Return the frame with values as the format shows them.

    Timestamps become text, and nested values become JSON text in CSV and XML.
    """
    expressions = []
    for name, dtype in table.schema.items():
        if dtype == pl.Null:
            expressions.append(pl.col(name).cast(pl.String).alias(name))
        elif isinstance(dtype, pl.Datetime) and kind in ("CSV", "JSON", "XML"):
            expressions.append(timestamp_text(pl.col(name)).alias(name))
        elif dtype.is_nested() and kind in ("CSV", "XML"):
            expressions.append(as_text(pl.col(name), dtype).alias(name))
        elif isinstance(dtype, pl.Decimal) and kind == "JSON":
            expressions.append(to_double(pl.col(name), dtype).alias(name))
        elif kind not in ("CSV", "JSON", "XML") and (stored := _stored_type(dtype, kind)) != dtype:
            expressions.append(pl.col(name).cast(stored).alias(name))
    frame = table.lazy()
    return frame.with_columns(expressions) if expressions else frame


def _stored_type(dtype: pl.DataType, kind: str) -> pl.DataType:
    """Return the type that a column has in a file of a format, which every reader knows."""
    if isinstance(dtype, pl.List | pl.Array):
        return pl.List(_stored_type(dtype.inner, kind))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct([pl.Field(field.name, _stored_type(field.dtype, kind)) for field in dtype.fields])  # type: ignore[arg-type]
    if dtype == pl.Int128 or (dtype == pl.UInt64 and kind in ("AVRO", "ORC")):
        return pl.Decimal(38, 0)
    if kind.endswith("PARQUET"):
        return dtype
    if dtype == pl.UInt32:
        return pl.Int64()
    if dtype in (pl.UInt8, pl.UInt16) or (dtype in (pl.Int8, pl.Int16) and kind == "AVRO"):
        return pl.Int32()
    if isinstance(dtype, pl.Datetime) and kind == "AVRO":
        return pl.Datetime("us")
    return pl.String() if dtype in (pl.Null, pl.Time, pl.Categorical, pl.Enum) else dtype


def write_outputs(
    table: Table,
    outputs: Sequence[Mapping[str, Any]],
    output_dir: Path | Sequence[Path],
    *,
    job_name: str,
    started_at: datetime,
) -> tuple[list[WrittenOutput], int]:
    """Write a table to all outputs in one pass over the data.

    :param table: what to write.
    :param outputs: DataBrew Output shapes.
    :param output_dir: folder that stands for each output's S3 location; one for all, or one each.
    :param job_name: name of the job, in the file names.
    :param started_at: start of the run, with zone, in the file names.
    :returns: The files of each output, and the number of rows written.
    :raises RecipeError: an output cannot be written, or the data did not fit a step; nothing is
        left behind.
    """
    if not re.fullmatch(r"[A-Za-z0-9_. -]+", job_name) or not job_name.strip(". "):
        raise RecipeError(
            f"the job name {job_name!r} cannot be part of a file's name; write letters, digits, '-', '.' and spaces"
        )
    folders = [output_dir] * len(outputs) if isinstance(output_dir, Path) else list(output_dir)
    for output in outputs:
        check_output(output, table)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".brewing-", dir=folders[0] if folders else None))
    try:
        produced, rows = _produced(table, outputs, staging)
        written = _placed(produced, outputs, folders, job_name=job_name, started_at=started_at)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _remove_older_parts(written, folders, job_name)
    return written, rows


def _produced(
    table: Table, outputs: Sequence[Mapping[str, Any]], staging: Path
) -> tuple[list[list[tuple[str, Path]]], int]:
    """Write the files of all outputs into the staging folder.

    :returns: for each output, pairs of partition prefix and path; and the number of rows written,
        -1 if it is not known.
    """
    first = outputs[0] if outputs else {}
    if len(outputs) == 1 and not first.get("PartitionColumns") and not first.get("MaxOutputFiles"):
        kind = _format(first)
        return [_write_parts(printable(table, kind), first, staging / "0", kind)], -1
    # Several outputs, or several files of one, share one run of the plan through a columnar copy.
    copy = _columnar_copy(table, staging / "all")
    rows = count_rows(copy.frame)
    produced = []
    for index, output in enumerate(outputs):
        kind, folder = _format(output), staging / str(index)
        if output.get("PartitionColumns"):
            produced.append(_write_partitions(copy, output, folder, kind))
        else:
            produced.append(_write_parts(printable(copy, kind), output, folder, kind, rows=rows))
    return produced, rows


def _columnar_copy(table: Table, folder: Path) -> Table:
    folder.mkdir()
    empty = [name for name, dtype in table.schema.items() if dtype == pl.Null]
    table = table.with_columns([NewColumn(name, pl.lit(None, dtype=pl.String), in_place=True) for name in empty])
    table.lazy().sink_parquet(folder / "rows.parquet", compression="lz4", maintain_order=True)
    return Table(pl.scan_parquet(sources(folder / "rows.parquet")), table.schema, table.context)


def _placed(
    produced: Sequence[Sequence[tuple[str, Path]]],
    outputs: Sequence[Mapping[str, Any]],
    folders: Sequence[Path],
    *,
    job_name: str,
    started_at: datetime,
) -> list[WrittenOutput]:
    """Move the files into their folders under their names; if one cannot be moved, remove all."""
    written: list[WrittenOutput] = []
    placed: list[Path] = []
    try:
        for output, parts, folder in zip(outputs, produced, folders, strict=True):
            written.append(WrittenOutput(output, _put_in_place(parts, output, folder, job_name, started_at, placed)))
    except OSError:
        for path in placed:
            path.unlink()
        raise
    return written


def _write_parts(
    frame: pl.LazyFrame, output: Mapping[str, Any], folder: Path, kind: str, rows: int | None = None
) -> list[tuple[str, Path]]:
    """Write one or MaxOutputFiles files; return pairs of partition prefix and path."""
    folder.mkdir(parents=True, exist_ok=True)
    count = int(output.get("MaxOutputFiles") or 1)
    if rows is None or count == 1:
        path = folder / "part00000"
        write_file(frame, path, output, kind)
        return [("", path)]
    count = max(1, min(count, rows))
    paths: list[tuple[str, Path]] = []
    for number in range(count):
        path = folder / f"part{number:05d}"
        start, end = (-(-rows * edge // count) for edge in (number, number + 1))
        write_file(frame.slice(start, end - start), path, output, kind)
        paths.append(("", path))
    return paths


def _write_partitions(table: Table, output: Mapping[str, Any], folder: Path, kind: str) -> list[tuple[str, Path]]:
    columns = list(output["PartitionColumns"])
    keys = table.frame.select(columns).unique(maintain_order=True).collect(engine="streaming")
    rest = table.select([name for name in table.names if name not in columns])
    parts: list[tuple[str, Path]] = []
    for index, row in enumerate(keys.iter_rows(named=True)):
        keep = pl.lit(True)
        for name in columns:
            keep = keep & pl.col(name).eq_missing(pl.lit(row[name], dtype=table.schema[name]))
        subset = Table(table.frame.filter(keep), rest.schema, table.context)
        folders = [f"{partition_part(name)}={partition_value(row[name])}" for name in columns]
        for name, part in zip(columns, folders, strict=True):
            if len(part.encode()) > LONGEST_NAME:
                raise RecipeError(f"the value {str(row[name])[:40]!r}… is too long for a folder's name", column=name)
        prefix = "/".join([*folders, ""])
        path = folder / f"{index:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        write_file(printable(subset, kind), path, output, kind)
        parts.append((prefix, path))
    return parts


def partition_part(name: str) -> str:
    """Return a partition column's name for a key, percent-encoded as Hive does."""
    return _UNSAFE.sub(lambda sign: f"%{ord(sign[0]):02X}", name)


def partition_value(value: Any) -> str:
    """Return a partition value for a key; null and empty give Hive's default partition."""
    if value is None or value == "":
        return "__HIVE_DEFAULT_PARTITION__"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
        return partition_part(f"{value:%Y-%m-%d %H:%M:%S}{fraction}")
    return partition_part(str(value))


def write_file(frame: pl.LazyFrame, path: Path, output: Mapping[str, Any], kind: str) -> None:
    """Write one file in an output's format and compression."""
    compression = str(output.get("CompressionFormat") or "").upper()
    if kind == "CSV":
        frame.sink_csv(
            path,
            separator=_delimiter(output),
            line_terminator="\n",
            quote_style="necessary",
            maintain_order=True,
        )
    elif kind == "JSON":
        frame.sink_ndjson(path, maintain_order=True)
    elif kind in ("PARQUET", "GLUEPARQUET"):
        chosen: Any = PARQUET_COMPRESSIONS[compression] if compression else "snappy"
        frame.sink_parquet(path, compression=chosen, maintain_order=True)
        return
    elif kind == "AVRO":
        # polars would write each chunk as a complete file, one after the other.
        frame.collect(engine="streaming").rechunk().write_avro(path, name="topLevelRecord")
    elif kind == "ORC":
        from pyarrow import orc

        chosen = ORC_COMPRESSIONS[compression] if compression else "uncompressed"
        with orc.ORCWriter(str(path), compression=chosen) as writer:
            for batch in batches_of(frame):
                writer.write(batch.to_arrow())
        return
    else:
        _write_xml(frame, path)
    if compression:
        pack(path, compression)


def _write_xml(frame: pl.LazyFrame, path: Path) -> None:
    from xml.sax.saxutils import escape, quoteattr

    replaced = "\ufffd"

    def shown(value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        text = "NaN" if value != value else str(value)
        return escape(_NOT_XML.sub(replaced, text), {"\r": "&#13;"})

    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<root>\n')
        for batch in batches_of(frame):
            for row in batch.iter_rows(named=True):
                cells = "".join(
                    f"<column name={quoteattr(_NOT_XML.sub(replaced, name))}>{shown(value)}</column>"
                    for name, value in row.items()
                    if value is not None
                )
                stream.write(f"<record>{cells}</record>\n")
        stream.write("</root>\n")


def _put_in_place(
    parts: Sequence[tuple[str, Path]],
    output: Mapping[str, Any],
    folder: Path,
    job_name: str,
    started_at: datetime,
    placed: list[Path],
) -> list[Path]:
    extension = _extension(output)
    overwrite = bool(output.get("Overwrite"))
    stem = job_name if overwrite else output_stem(job_name, started_at)
    root = Path() if overwrite else Path(stem)
    files: list[Path] = []
    per_prefix: dict[str, int] = {}
    for prefix, path in parts:
        number = per_prefix.get(prefix, 0)
        per_prefix[prefix] = number + 1
        relative = root / prefix / f"{stem}_part{number:05d}.{extension}"
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        placed.append(target)
        files.append(relative)
    return files


def _extension(output: Mapping[str, Any]) -> str:
    """Return the extension of an output's files, by the table in jobs.recipe.html.

    A compressed CSV with tabs gets `.tsv`.
    """
    kind = _format(output)
    compression = str(output.get("CompressionFormat") or ("SNAPPY" if kind == "GLUEPARQUET" else "")).upper()
    if not compression:
        return EXTENSIONS[kind]
    tabs = kind == "CSV" and _delimiter(output) == "\t"
    return ("tsv" if tabs else EXTENSIONS[kind]) + SUFFIX_OF[compression]


def _remove_older_parts(written: Sequence[WrittenOutput], folders: Sequence[Path], job_name: str) -> None:
    """Remove files of earlier runs that would double the data of an output with Overwrite."""
    kept: dict[Path, set[Path]] = {}
    for output, folder in zip(written, folders, strict=True):
        kept.setdefault(folder, set()).update(output.files)
    for folder in {folder for output, folder in zip(written, folders, strict=True) if output.output.get("Overwrite")}:
        for old in folder.glob(f"**/{job_name}_part*"):
            if old.relative_to(folder) not in kept[folder] and ".brewing-" not in str(old):
                old.unlink()
