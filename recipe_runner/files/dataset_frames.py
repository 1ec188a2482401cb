"""What the frames of a dataset's files have in common, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.tables.datatypes import as_text


def with_extra(frame: pl.LazyFrame, extra: Mapping[str, Any] | None) -> pl.LazyFrame:
    """Add the columns that come from the file's path; timestamps become UTC without a zone."""
    if not extra:
        return frame
    for name in frame.collect_schema().names():
        if name in extra:
            raise RecipeError(
                "the path parameter creates a column that the files already have; rename the parameter", column=name
            )
    values = {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
        for name, value in extra.items()
    }
    return frame.with_columns([pl.lit(value).alias(name) for name, value in values.items()])


def check_alike(columns: Mapping[str, Sequence[str]], *, in_order: bool) -> None:
    """Check that the files of a dataset have the same columns.

    DataBrew "automatically tries to choose one of the schemas" of files that differ, and "the job
    output will also be irregular" ("Connecting data in multiple files in Amazon S3"). What that
    looks like is not known, so it is refused here.

    :param columns: the columns of each file, by what messages call it.
    :param in_order: whether the order counts too, as in text, whose columns are known by their
        place.
    :raises RecipeError: two files differ.
    """
    first: tuple[str, Sequence[str]] | None = None
    for name, found in columns.items():
        first = first or (name, found)
        if list(found) == list(first[1]) or (not in_order and set(found) == set(first[1])):
            continue
        lacks = [column for column in first[1] if column not in found]
        more = [column for column in found if column not in first[1]]
        parts = [f"lacks {', '.join(map(repr, lacks))}"] if lacks else []
        parts += [f"has {', '.join(map(repr, more))} besides"] if more else []
        what = " and ".join(parts) or "has its columns in another order"
        raise RecipeError(
            f"the files of the dataset have different columns: {name} {what}, unlike {first[0]}; DataBrew's output of "
            "such files is irregular, so make them alike"
        )


def check_types_alike(schemas: Mapping[str, Mapping[str, pl.DataType]]) -> None:
    """Check that the columns of files that say their types have the same ones.

    Spark, which DataBrew runs on, reads the files of a dataset with the types of one of them, and
    fails at others or misreads them.

    :param schemas: the columns and types of each file, by what messages call it.
    :raises RecipeError: two files differ.
    """
    first: tuple[str, Mapping[str, pl.DataType]] | None = None
    for name, found in schemas.items():
        first = first or (name, found)
        for column, dtype in found.items():
            if _stored(dtype) != _stored(first[1][column]):
                raise RecipeError(
                    f"the files of the dataset have different types: {name} has {dtype}, unlike {first[0]}, which has "
                    f"{first[1][column]}; DataBrew's output of such files is irregular, so make them alike",
                    column=column,
                )


def _stored(dtype: pl.DataType) -> pl.DataType:
    """Return a type as a file stores it: categories are text."""
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def of_one_shape(frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """Return the frames with a column as JSON text where the files disagree on its nesting."""
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


def repeated_column(path: Path, name: str) -> RecipeError:
    """Return the error for a file that has two columns of the same name."""
    return RecipeError(f"{path.name} has the column {name!r} more than once; rename one of them", column=name)
