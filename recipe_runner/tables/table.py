"""The table that steps transform: a lazy polars frame with known columns, order and types.

Tracking the schema here keeps a 100-step plan cheap to build: polars is asked for the type of one
new expression at a time, never for the schema of the whole plan. Must not know any action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.tables.datatypes import as_text, to_double

NUMERIC = (
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Int128,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.UInt64,
    pl.Float32,
    pl.Float64,
)


@dataclass(frozen=True)
class SecondaryInput:
    """A second dataset as a JOIN or UNION names it.

    :param name: name of the dataset; may be empty.
    :param location: its S3 location; may be empty.
    """

    name: str
    location: str


@dataclass(frozen=True)
class DatasetFiles:
    """Local files of a dataset.

    :param paths: the files, in order.
    :param input_format: CSV, JSON, PARQUET, EXCEL or ORC; empty to go by the extension.
    :param input_options: DataBrew's FormatOptions.
    :param extra_columns: for each file, columns to add with their values.
    :param names: what messages call a file, where that is not the name of its path.
    """

    paths: Sequence[Path]
    input_format: str = ""
    input_options: Mapping[str, Any] = field(default_factory=dict)
    extra_columns: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    names: Mapping[Path, str] = field(default_factory=dict)

    def name_of(self, path: Path) -> str:
        """Return what messages call a file."""
        return self.names.get(path, path.name)

    @contextmanager
    def telling(self, path: Path) -> Iterator[None]:
        """Let errors inside the block call a file as messages do: many may have one name."""
        try:
            yield
        except RecipeError as error:
            raise error.naming(path.name, self.name_of(path)) from error.__cause__


@dataclass(frozen=True)
class RunContext:
    """What steps may use from outside the table.

    :param started_at: start of the run, with time zone. NOW and TODAY use it, so that a run can be
        repeated.
    :param secondary: finds the files of a second dataset.
    :param scan: opens them as a frame.
    :param secret: returns the value of a Secrets Manager secret by its id, for the PII actions.
    :param seed: seed of the random actions.
    """

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    secondary: Callable[[SecondaryInput], DatasetFiles] | None = None
    scan: Callable[[DatasetFiles], pl.LazyFrame] | None = None
    secret: Callable[[str], bytes] | None = None
    seed: int = 0


@dataclass(frozen=True)
class NewColumn:
    """A column to add or to change in place.

    :param name: its name.
    :param expression: its values, over the columns before the step.
    :param after: the column to whose right it goes; None for the far right.
    :param in_place: whether it replaces the column of that name where the conditions hold.
    """

    name: str
    expression: pl.Expr
    after: str | None = None
    in_place: bool = False


@dataclass(frozen=True)
class Columns:
    """A change that adds or changes columns and keeps every row.

    :param columns: the columns to add or change.
    :param drop: names of columns to remove afterwards.
    """

    columns: Sequence[NewColumn]
    drop: Sequence[str] = ()


@dataclass(frozen=True)
class RemoveRows:
    """A change that removes the rows where the expression is true; null counts as false."""

    where: pl.Expr


@dataclass(frozen=True)
class Table:
    """A lazy frame with its schema: column name to polars type, in column order."""

    frame: pl.LazyFrame
    schema: Mapping[str, pl.DataType]
    context: RunContext = field(default_factory=RunContext)
    # The dataset's own columns: JOIN also keeps columns that steps made.
    origin: frozenset[str] = frozenset()
    # Rows of the dataset, if opening it has told their number.
    dataset_rows: int | None = None

    def __post_init__(self) -> None:
        require_plain(self.schema)

    @classmethod
    def of(cls, frame: pl.LazyFrame, context: RunContext | None = None, dataset_rows: int | None = None) -> Table:
        """Return a frame as a table, with the frame's columns as the dataset's own."""
        schema = dict(frame.collect_schema())
        return cls(frame, schema, context or RunContext(), frozenset(schema), dataset_rows)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema)

    def lazy(self) -> pl.LazyFrame:
        """Return the frame with exactly the table's columns, in order."""
        return self.frame.select(self.names)

    def dtype(self, name: str) -> pl.DataType:
        """Return the type of a column.

        :raises RecipeError: there is no such column; the nearest name is suggested.
        """
        if name not in self.schema:
            raise missing_column(name, self.names)
        return self.schema[name]

    def require(self, *names: str) -> None:
        """Reject a column that does not exist.

        :raises RecipeError: one of the columns does not exist.
        """
        for name in names:
            self.dtype(name)

    def require_free(self, name: str, *, unless: str | None = None) -> None:
        """Reject a new column whose name is taken, unless it is the step's own source.

        :raises RecipeError: the name is taken.
        """
        if name in self.schema and name != unless:
            raise RecipeError(f"a column {name!r} already exists; choose another name for the new column", column=name)

    def numeric(self, name: str) -> pl.Expr:
        """Return the column as a numeric expression.

        :raises RecipeError: the column holds something else.
        """
        dtype = self.dtype(name)
        if dtype == pl.Null:
            return pl.col(name).cast(pl.Float64)
        if isinstance(dtype, pl.Decimal):
            return pl.col(name)
        if dtype not in NUMERIC:
            raise RecipeError(
                f"the column holds {type_name(dtype)}, and the operation needs numbers; convert it with "
                f"CHANGE_DATA_TYPE first",
                column=name,
            )
        return pl.col(name)

    def double(self, name: str) -> pl.Expr:
        """Return the column as doubles; raises as `numeric` does."""
        return to_double(self.numeric(name), self.dtype(name))

    def without_decimals(self, name: str) -> pl.Expr:
        """Return the column as a number, decimals as doubles; raises as `numeric` does."""
        return self.double(name) if self.dtype(name).is_decimal() else self.numeric(name)

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers, or no value at all."""
        dtype = self.dtype(name)
        return dtype in NUMERIC or dtype == pl.Null or isinstance(dtype, pl.Decimal)

    def type_of(self, expression: pl.Expr) -> pl.DataType:
        """Return the type of an expression over this table."""
        try:
            return pl.LazyFrame(schema=dict(self.schema)).select(expression.alias("value")).collect_schema()["value"]
        except pl.exceptions.PolarsError as problem:
            raise RecipeError(f"the operation does not fit the column's type: {first_line(problem)}") from problem

    def collect_one(self, **expressions: pl.Expr) -> dict[str, Any]:
        """Compute aggregates over the whole table in a pass over the data before the main one."""
        frame = self.frame.select(**expressions).collect(engine="streaming")
        return frame.row(0, named=True)

    def with_columns(self, new: Sequence[NewColumn], condition: pl.Expr | None = None) -> Table:
        """Add or change columns.

        Where `condition` fails, a new column is null and a changed one keeps its value.
        """
        expressions: list[pl.Expr] = []
        order = list(self.schema)
        types = dict(self.schema)
        last_after: dict[str, str] = {}
        for column in new:
            expression = column.expression
            exists = column.name in self.schema
            if exists and not column.in_place:
                raise RecipeError(
                    f"a column {column.name!r} already exists; choose another name for the new column",
                    column=column.name,
                )
            if condition is not None:
                # A struct or an array cannot share a column with the text it was made from.
                fits = exists and (self.schema[column.name].is_nested() or not self.type_of(expression).is_nested())
                if fits:
                    expression, kept = self._of_one_type(expression, column.name)
                    expression = pl.when(condition).then(expression).otherwise(kept)
                else:
                    expression = pl.when(condition).then(expression)
            types[column.name] = self.type_of(expression)
            if types[column.name] == pl.Null:
                # A column of nulls still needs a type that every output format can hold.
                expression = expression.cast(pl.String)
                types[column.name] = pl.String()
            expressions.append(expression.alias(column.name))
            if not exists:
                if column.name in order:
                    raise RecipeError(f"the step makes the column {column.name!r} twice", column=column.name)
                anchor = column.after
                if anchor is None:
                    order.append(column.name)
                else:
                    order.insert(order.index(last_after.get(anchor, anchor)) + 1, column.name)
                    last_after[anchor] = column.name
        return replace(self, frame=self.frame.with_columns(expressions), schema={name: types[name] for name in order})

    def _of_one_type(self, new: pl.Expr, name: str) -> tuple[pl.Expr, pl.Expr]:
        """Return a column's new and old values in a type that holds both.

        It is text unless both are numbers or both are dates.
        """
        old_type, new_type = self.schema[name], self.type_of(new)
        numbers = [dtype.is_numeric() or dtype == pl.Boolean for dtype in (old_type, new_type)]
        if (
            old_type == new_type
            or pl.Null in (old_type, new_type)
            or all(numbers)
            or (old_type.is_temporal() and new_type.is_temporal())
        ):
            return new, pl.col(name)
        return as_text(new, new_type), as_text(pl.col(name), old_type)

    def select(self, order: Sequence[str]) -> Table:
        """Return the same rows with these columns in this order."""
        return replace(self, schema={name: self.schema[name] for name in order})

    def drop(self, names: Sequence[str]) -> Table:
        """Return the table without some columns.

        :raises RecipeError: a column does not exist, or none would be left.
        """
        self.require(*names)
        if len(set(names)) == len(self.schema):
            raise RecipeError("the step would remove the last column")
        gone = set(names)
        return self.select([name for name in self.schema if name not in gone])

    def rename(self, old: str, new: str) -> Table:
        """Return the table with a column renamed.

        :raises RecipeError: the column does not exist, or the new name is taken.
        """
        self.dtype(old)
        self.require_free(new, unless=old)
        if old == new:
            return self
        schema = {new if name == old else name: dtype for name, dtype in self.schema.items()}
        return replace(self, frame=self.lazy().rename({old: new}), schema=schema)

    def filter(self, keep: pl.Expr) -> Table:
        """Return the rows where an expression is true."""
        return replace(self, frame=self.frame.filter(keep))

    def with_frame(self, frame: pl.LazyFrame) -> Table:
        """Return the table with another frame, whose schema polars is asked for."""
        return replace(self, frame=frame, schema=dict(frame.collect_schema()))


Change = Columns | RemoveRows | Table


def require_plain(names: Iterable[str]) -> None:
    """Reject names that polars would read as a pattern of names and silently mix up."""
    for name in names:
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise RecipeError(
                f"the column name {name!r} would be read as a pattern of names; choose another",
                column=name,
            )


def can_delimit(text: str) -> bool:
    """Whether a text can delimit CSV fields: one ASCII character, no quote or line end."""
    return len(text.encode()) == 1 and text not in '"\r\n'


def csv_delimiter(options: Mapping[str, Any]) -> str:
    """Return the delimiter of a dataset's or an output's CSV options; a comma by default.

    :raises RecipeError: the delimiter is not allowed.
    """
    delimiter = str(options.get("Delimiter") or ",")
    if delimiter == "\\t":
        return "\t"
    if not can_delimit(delimiter):
        raise RecipeError(f"the delimiter {delimiter!r} must be one ASCII character other than a quote or a line end")
    return delimiter


def first_line(problem: Exception) -> str:
    """Return the first sentence of a polars error; the rest is advice on polars' options."""
    return str(problem).strip().split("\n")[0].rstrip(".")


def missing_column(name: str, known: Sequence[str]) -> RecipeError:
    """Return the error for a column that does not exist, with the nearest existing name."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"the columns at this step are {', '.join(known[:30])}"
    return RecipeError(f"there is no column {name!r}; {hint}", column=name)


def type_name(dtype: pl.DataType) -> str:
    """Return DataBrew's name of a polars type."""
    for databrew, native in (
        ("byte", pl.Int8),
        ("short", pl.Int16),
        ("int", pl.Int32),
        ("long", pl.Int64),
        ("float", pl.Float32),
        ("double", pl.Float64),
        ("string", pl.String),
        ("boolean", pl.Boolean),
        ("date", pl.Date),
    ):
        if dtype == native:
            return databrew
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    if isinstance(dtype, pl.Decimal):
        return "decimal"
    if isinstance(dtype, pl.List | pl.Array):
        return "array"
    if isinstance(dtype, pl.Struct):
        return "struct"
    if dtype == pl.Null:
        return "string"
    return "long" if dtype.is_integer() else str(dtype).lower()
