"""Files and expressions in forms that polars' streaming engine processes in bounded memory.

What polars 1.44 has for the same expressions (`replace_strict`, `is_in` with several values) leaves
the streaming engine or splits its stream in two, and a plan with it then holds every row in memory
at once. Knows no action.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

# Up to this many values, comparing with each is faster than a table.
FEW = 8
# Longer files are read piece by piece.
MAPPED_BYTES = 256 * 1024 * 1024
BATCH_ROWS = 100_000


def sources(*paths: Path) -> list[str]:
    """Return files in the form in which polars' scan functions should get them.

    Polars maps a file that it gets by path, and what it has read of it then counts as memory of the
    process, up to the whole file; one that it gets by URI is read piece by piece. In a URI, the
    signs `*`, `?` and `[` also mean only themselves.
    """
    if any(path.stat().st_size > MAPPED_BYTES or set("*?[") & set(str(path)) for path in paths):
        return [path.absolute().as_uri() for path in paths]
    return [str(path) for path in paths]


def count_rows(frame: pl.LazyFrame) -> int:
    """Count the rows by reading one column.

    For `pl.len()` of a file given by URI, polars would first copy the file to another folder.
    """
    one = pl.first()
    counted = frame.select(rows=one.null_count() + one.count()).collect(engine="streaming")
    return int(counted.item())


def batches_of(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows in order, in batches; one batch without rows if there are none."""
    any_rows = False
    for batch in frame.collect_batches(chunk_size=BATCH_ROWS, engine="streaming", lazy=True):
        any_rows = True
        yield batch
    if not any_rows:
        yield frame.collect_schema().to_frame()


def one_of(value: pl.Expr, values: Sequence[Any], dtype: pl.DataType) -> pl.Expr:
    """Return whether a value is in a list; null stays null.

    :param value: an expression of the type `dtype`.
    :param values: the list, without nulls.
    :param dtype: type of both.
    """
    if not values:
        return pl.when(value.is_not_null()).then(False)
    if len(values) <= FEW:
        return functools.reduce(operator.or_, [value == pl.lit(one, dtype=dtype) for one in values])
    wanted = pl.Series(list(values), dtype=dtype)
    return value.map_batches(lambda batch: batch.is_in(wanted), return_dtype=pl.Boolean, is_elementwise=True)


def mapped(key: pl.Expr, mapping: Mapping[str, Any], default: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Replace texts by their value in a mapping; `default` for null and for texts without one.

    :param key: an expression of texts.
    :param mapping: text to value of the type `dtype`, or None.
    :param default: an expression of the type `dtype`.
    :param dtype: type of the result.
    """
    if len(mapping) <= FEW:
        result = default
        for text, value in mapping.items():
            result = pl.when(key == text).then(pl.lit(value, dtype=dtype)).otherwise(result)
        return result
    keys = pl.Series(list(mapping), dtype=pl.String)
    values = pl.Series(list(mapping.values()), dtype=dtype)

    def replaced(batch: pl.Series) -> pl.Series:
        return batch.replace_strict(keys, values, default=None, return_dtype=dtype)

    found = key.map_batches(replaced, return_dtype=dtype, is_elementwise=True)
    if None in mapping.values():
        return pl.when(one_of(key, list(mapping), pl.String()).fill_null(False)).then(found).otherwise(default)
    return pl.coalesce(found, default)
