# ruff: noqa: S608  SQL is built from quoted names only
"""``spark.read`` with Spark's defaults: no header, comma, every column a string.

Source: https://spark.apache.org/docs/latest/sql-data-sources-csv.html
"""

from __future__ import annotations

import codecs
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import storage

if TYPE_CHECKING:
    from .session import LocalDataFrame, LocalSession

_table_numbers = itertools.count(1)

_DDL_TYPES = {
    "int": "INTEGER",
    "integer": "INTEGER",
    "long": "BIGINT",
    "bigint": "BIGINT",
    "short": "SMALLINT",
    "smallint": "SMALLINT",
    "byte": "TINYINT",
    "tinyint": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


class LocalReader:
    """What ``spark.read`` is: options are set one by one, then files are read."""

    def __init__(self, session: LocalSession) -> None:
        self._session = session
        self._format = "parquet"
        self._options: dict[str, Any] = {}
        self._schema: Any = None

    def format(self, source: str) -> LocalReader:
        """Choose the data source: csv, json or parquet."""
        self._format = source
        return self

    def option(self, key: str, value: Any) -> LocalReader:
        """Set an option of the data source."""
        self._options[key] = value
        return self

    def options(self, **options: Any) -> LocalReader:
        """Set several options of the data source."""
        self._options.update(options)
        return self

    def schema(self, schema: Any) -> LocalReader:
        """Give the columns' names and types, as a DDL string or a StructType."""
        self._schema = schema
        return self

    def load(self, path: Any = None, format: str | None = None, schema: Any = None, **options: Any) -> LocalDataFrame:
        """Read files into a DataFrame.

        :raises PathNotFoundError: there is nothing at a path.
        """
        source = (format or self._format).lower()
        merged = {key.lower(): value for key, value in {**self._options, **options}.items()}
        schema = schema if schema is not None else self._schema
        path = path if path is not None else merged.get("path")
        files = [file for one in ([path] if isinstance(path, str) else path) for file in storage.fetch(one)]
        if source in ("csv", "text"):
            return self._read_csv(files, merged, schema, text=source == "text")
        if source in ("json", "parquet"):
            return self._read_typed(source, files)
        raise ValueError(f"The data source {source} cannot be read on local AWS; use csv, json, parquet or text")

    def csv(self, path: Any, schema: Any = None, **options: Any) -> LocalDataFrame:
        """Read CSV files."""
        return self.load(path, "csv", schema, **{key: value for key, value in options.items() if value is not None})

    def json(self, path: Any, schema: Any = None, **options: Any) -> LocalDataFrame:
        """Read JSON Lines files."""
        return self.load(path, "json", schema, **options)

    def parquet(self, *paths: str, **options: Any) -> LocalDataFrame:
        """Read Parquet files."""
        return self.load(list(paths), "parquet", **options)

    def text(self, path: Any, **options: Any) -> LocalDataFrame:
        """Read lines into the column ``value``."""
        return self.load(path, "text", **options)

    def table(self, name: str) -> LocalDataFrame:
        """Return a table of the session."""
        from sqlframe.duckdb.readwriter import DuckDBDataFrameReader

        frame: LocalDataFrame = DuckDBDataFrameReader(self._session).table(name)
        return frame

    def _read_typed(self, source: str, files: list[Path]) -> LocalDataFrame:
        function = "read_json" if source == "json" else "read_parquet"
        table = f"source_{next(_table_numbers)}"
        names = ", ".join(_quote(str(file)) for file in files)
        self._session.connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {function}([{names}])")
        return self.frame_of(table)

    def _read_csv(self, files: list[Path], options: dict[str, Any], schema: Any, *, text: bool) -> LocalDataFrame:
        connection = self._session.connection
        header = _flag(options.get("header", False)) and not text
        separator = "\x01" if text else str(options.get("sep", options.get("delimiter", ",")))
        quote = "" if text else str(options.get("quote", '"'))
        escape = str(options.get("escape", "\\"))
        null = str(options.get("nullvalue", ""))
        table = f"source_{next(_table_numbers)}"
        non_empty = [file for file in files if file.stat().st_size > 0]
        if not non_empty:
            raise ValueError("[UNABLE_TO_INFER_SCHEMA] Unable to infer schema for CSV. It must be specified manually.")
        if header:
            _check_headers(non_empty)
        names = ", ".join(_quote(str(file)) for file in non_empty)
        # DuckDB accepts an escape other than the quote only where the data has it; both conventions
        # are tried, Spark's first.
        attempts = [escape, quote] if quote else [""]
        for number, sign in enumerate(attempts):
            try:
                connection.execute(
                    f"CREATE TABLE {table} AS SELECT * FROM read_csv([{names}], header={str(header).lower()},"
                    f" all_varchar=true,"
                    f" delim={_quote(separator)}, quote={_quote(quote)}, escape={_quote(sign)}, nullstr={_quote(null)},"
                    f" null_padding=true, auto_detect=true, sample_size=20480, strict_mode=false, parallel=false)"
                )
                break
            except Exception:
                if number == len(attempts) - 1:
                    raise
        columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
        wanted = _schema_columns(schema)
        if text:
            wanted = [("value", "VARCHAR")]
        if wanted is None:
            labels = columns if header else [f"_c{number}" for number in range(len(columns))]
            types = (
                self._infer(table, columns) if _flag(options.get("inferschema", False)) else ["VARCHAR"] * len(columns)
            )
            wanted = list(zip(labels, types, strict=True))
        chosen = ", ".join(
            f"TRY_CAST({_identifier(columns[number]) if number < len(columns) else 'NULL'} AS {kind}) AS"
            f" {_identifier(label)}"
            for number, (label, kind) in enumerate(wanted)
        )
        typed = f"{table}_typed"
        connection.execute(f"CREATE TABLE {typed} AS SELECT {chosen} FROM {table}")
        connection.execute(f"DROP TABLE {table}")
        return self.frame_of(typed)

    def _infer(self, table: str, columns: list[str]) -> list[str]:
        # Spark's order: integer, long, double, timestamp, boolean, string. DuckDB's own inference
        # takes "yes" for a boolean.
        tests = {
            "INTEGER": "regexp_full_match({c}, '[+-]?[0-9]+') AND TRY_CAST({c} AS INTEGER) IS NOT NULL",
            "BIGINT": "regexp_full_match({c}, '[+-]?[0-9]+') AND TRY_CAST({c} AS BIGINT) IS NOT NULL",
            "DOUBLE": r"regexp_full_match({c}, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]?Inf')",
            "TIMESTAMP": r"regexp_full_match({c}, '\d{{4}}-\d{{2}}-\d{{2}}([T"
            r" ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?Z?)?') AND TRY_CAST({c} AS TIMESTAMP) IS NOT NULL",
            "BOOLEAN": "lower({c}) IN ('true', 'false')",
        }
        parts = []
        for column in columns:
            name = _identifier(column)
            parts += [f"bool_and({name} IS NULL OR ({test.format(c=name)}))" for test in tests.values()]
            parts.append(f"count({name})")
        row = self._session.connection.execute(f"SELECT {', '.join(parts)} FROM {table}").fetchone()
        width = len(tests) + 1
        types = []
        for number in range(len(columns)):
            *passed, filled = row[number * width : (number + 1) * width]
            types.append(next((kind for kind, good in zip(tests, passed, strict=True) if good and filled), "VARCHAR"))
        return types

    def frame_of(self, table: str) -> LocalDataFrame:
        """Return a table of this process with its columns named as in the file or the script."""
        names = [row[0] for row in self._session.connection.execute(f"DESCRIBE {table}").fetchall()]
        frame = self.table(table)
        frame.display_name_mapping.update(zip(frame._columns, names, strict=True))
        return frame


def _check_headers(files: list[Path]) -> None:
    """Refuse files whose headers differ.

    Spark takes the names of one file and reads the others by place, with no more than a warning
    (``enforceSchema`` of its CSV data source): columns would change places silently.
    """
    first: bytes | None = None
    for file in files:
        with file.open("rb") as stream:
            header = stream.readline().removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
        first = header if first is None else first
        if header != first:
            raise ValueError(
                f"CSV header does not conform to the schema. Header: {header.decode(errors='replace')} of {file.name}; "
                f"Schema: {first.decode(errors='replace')} of {files[0].name}"
            )


def _schema_columns(schema: Any) -> list[tuple[str, str]] | None:
    if schema is None:
        return None
    if isinstance(schema, str):
        columns = []
        for part in schema.split(","):
            name, kind = part.strip().replace(":", " ").split(None, 1)
            columns.append((name.strip("`"), _DDL_TYPES.get(kind.split()[0].lower(), kind)))
        return columns
    return [(field.name, _DDL_TYPES.get(field.dataType.simpleString().lower(), "VARCHAR")) for field in schema.fields]


def _flag(value: Any) -> bool:
    return str(value).lower() == "true"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
