"""Files and expressions in a form that polars' streaming engine takes batch by batch, in bounded memory.

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

# Up to so many values, comparing with each is faster than looking them up in a table.
FEW = 8
# Longer files are read piece by piece.
MAPPED_BYTES = 256 * 1024 * 1024
BATCH_ROWS = 100_000


def sources(*paths: Path) -> list[str]:
    """Files as polars' scan functions should be given them.

    Polars maps a file that it gets by path, and what it has read of it then counts as memory of the
    process, up to the whole file; one that it gets by URI is read piece by piece. A URI also keeps
    `*`, `?` and `[` in a name from meaning more than themselves.
    """
    if any(path.stat().st_size > MAPPED_BYTES or set("*?[") & set(str(path)) for path in paths):
        return [path.absolute().as_uri() for path in paths]
    return [str(path) for path in paths]


def count_rows(frame: pl.LazyFrame) -> int:
    """Number of rows, by reading one column.

    What polars does for ``pl.len()`` of a file copies one that was given by URI to a folder of its
    own first.
    """
    one = pl.first()
    counted = frame.select(rows=one.null_count() + one.count()).collect(engine="streaming")
    return int(counted.item())


def batches_of(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Rows in their order, so many at a time; at least one batch, which has no rows where there are none."""
    any_rows = False
    for batch in frame.collect_batches(chunk_size=BATCH_ROWS, engine="streaming", lazy=True):
        any_rows = True
        yield batch
    if not any_rows:
        yield frame.collect_schema().to_frame()


def one_of(value: pl.Expr, values: Sequence[Any], dtype: pl.DataType) -> pl.Expr:
    """Whether a value is one of a list's; null stays null.

    Parameters:
        value: an expression of the type `dtype`.
        values: the list, without nulls.
        dtype: type of both.
    """
    if not values:
        return pl.when(value.is_not_null()).then(False)
    if len(values) <= FEW:
        return functools.reduce(operator.or_, [value == pl.lit(one, dtype=dtype) for one in values])
    wanted = pl.Series(list(values), dtype=dtype)
    return value.map_batches(lambda batch: batch.is_in(wanted), return_dtype=pl.Boolean, is_elementwise=True)


def mapped(key: pl.Expr, mapping: Mapping[str, Any], default: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Texts replaced by what a mapping has for them; `default` where it has nothing, and for null.

    Parameters:
        key: an expression of texts.
        mapping: text → value of the type `dtype`, or ``None``.
        default: an expression of the type `dtype`.
        dtype: type of the result.
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
