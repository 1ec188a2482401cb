# ruff: noqa: N802, N803  names are PySpark's
"""``df.write`` with Spark's conventions: part files, ``_SUCCESS``, no header, save modes.

Source: https://spark.apache.org/docs/latest/sql-data-sources-csv.html
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import storage

if TYPE_CHECKING:
    from .session import SparkSurface

_COMPRESSION = {
    "gzip": ("gzip", ".gz"),
    "zstd": ("zstd", ".zst"),
    "none": ("none", ""),
    "uncompressed": ("none", ""),
    "snappy": ("snappy", ".snappy"),
}


class LocalWriter:
    """What ``df.write`` is: options are set one by one, then files are written."""

    def __init__(self, frame: SparkSurface) -> None:
        self._frame = frame
        self._format = "parquet"
        self._mode = "error"
        self._options: dict[str, Any] = {}
        self._partitions: list[str] = []

    def format(self, source: str) -> LocalWriter:
        """Choose the data source: csv, json or parquet."""
        self._format = source
        return self

    def mode(self, saveMode: str | None) -> LocalWriter:
        """Choose the save mode: overwrite, append, ignore or error."""
        if saveMode:
            self._mode = saveMode.lower()
        return self

    def option(self, key: str, value: Any) -> LocalWriter:
        """Set an option of the data source."""
        self._options[key] = value
        return self

    def options(self, **options: Any) -> LocalWriter:
        """Set several options of the data source."""
        self._options.update(options)
        return self

    def partitionBy(self, *columns: Any) -> LocalWriter:
        """Write into folders ``column=value``."""
        self._partitions = [name for one in columns for name in ([one] if isinstance(one, str) else one)]
        return self

    def save(
        self,
        path: str | None = None,
        format: str | None = None,
        mode: str | None = None,
        partitionBy: Any = None,
        **options: Any,
    ) -> None:
        """Write the DataFrame to a folder.

        :raises PathExistsError: the mode is ``error`` and the path exists.
        """
        if partitionBy:
            self.partitionBy(partitionBy)
        self.mode(mode)
        source = (format or self._format).lower()
        merged = {key.lower(): value for key, value in {**self._options, **options}.items() if value is not None}
        target = path if path is not None else merged.get("path")
        if not isinstance(target, str):
            raise ValueError("The path to write to is missing")
        if source not in ("csv", "json", "parquet", "text"):
            raise ValueError(f"The data source {source} cannot be written on local AWS; use csv, json or parquet")
        if self._mode in ("error", "errorifexists", "default", "ignore") and storage.existing(target):
            if self._mode == "ignore":
                return
            raise storage.PathExistsError(
                f"[PATH_ALREADY_EXISTS] Path {target} already exists. Set mode as 'overwrite' to overwrite the"
                f" existing path."
            )
        folder = Path(tempfile.mkdtemp(prefix="spark-write-"))
        self._copy(folder, source, merged)
        (folder / "_SUCCESS").touch()
        storage.publish(folder, target, self._mode)

    def csv(self, path: str, mode: str | None = None, **options: Any) -> None:
        """Write CSV files to a folder."""
        self.save(path, "csv", mode, **options)

    def json(self, path: str, mode: str | None = None, **options: Any) -> None:
        """Write JSON Lines files to a folder."""
        self.save(path, "json", mode, **options)

    def parquet(self, path: str, mode: str | None = None, **options: Any) -> None:
        """Write Parquet files to a folder."""
        self.save(path, "parquet", mode, **options)

    def text(self, path: str, **options: Any) -> None:
        """Write the only column, of strings, as lines."""
        self.save(path, "text", **options)

    def _copy(self, folder: Path, source: str, options: dict[str, Any]) -> None:
        default = "snappy" if source == "parquet" else "none"
        codec, suffix = _COMPRESSION[str(options.get("compression", options.get("codec", default))).lower()]
        extension = f"{suffix}.parquet" if source == "parquet" else f".{'txt' if source == 'text' else source}{suffix}"
        # Spark's own names: part number, write job's id, commit number.
        identity = secrets.token_hex(16)
        job = "-".join((identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:]))
        settings = self._settings(source, codec, options)
        connection = self._frame.session.connection
        table = self._frame.materialise()
        if self._partitions:
            wanted = ", ".join(_identifier(self._column(name)) for name in self._partitions)
            pattern = _quote(f"part-{{i}}-{job}.c000")
            connection.execute(
                f"COPY {table} TO {_quote(str(folder))} ({settings}, PARTITION_BY ({wanted}), FILENAME_PATTERN"
                f" {pattern}, OVERWRITE_OR_IGNORE)"
            )
        else:
            target = folder / f"part-00000-{job}-c000{extension}"
            connection.execute(f"COPY {table} TO {_quote(str(target))} ({settings})")
        connection.execute(f"DROP TABLE {table}")

    def _settings(self, source: str, codec: str, options: dict[str, Any]) -> str:
        if source == "parquet":
            return f"FORMAT parquet, COMPRESSION {codec if codec != 'none' else 'uncompressed'}"
        if source == "json":
            return f"FORMAT json, COMPRESSION {codec}"
        header = str(options.get("header", "false")).lower() == "true" and source == "csv"
        separator = str(options.get("sep", options.get("delimiter", ",")))
        quote = str(options.get("quote", '"'))
        escape = str(options.get("escape", "\\"))
        null = str(options.get("nullvalue", ""))
        quoted = ", FORCE_QUOTE *" if str(options.get("quoteall", "false")).lower() == "true" else ""
        return (
            f"FORMAT csv, HEADER {str(header).lower()}, DELIMITER {_quote(separator)}, QUOTE {_quote(quote)},"
            f" ESCAPE {_quote(escape)},"
            f" NULLSTR {_quote(null)}, COMPRESSION {codec}{quoted}"
        )

    def _column(self, name: str) -> str:
        for column in self._frame.columns:
            if column.lower() == name.lower():
                return str(column)
        raise ValueError(f"The partition column {name} is not one of {', '.join(self._frame.columns)}")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
