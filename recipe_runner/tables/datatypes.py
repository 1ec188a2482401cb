"""DataBrew's data types over those of polars: conversion, text form, and the spellings of dates.

Types of https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.CHANGE_DATA_TYPE.html. What
cannot be converted becomes null. Knows no action.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from typing import Any

import polars as pl

from recipe_runner.tables.streaming import one_of

POLARS_TYPES: dict[str, pl.DataType] = {
    "byte": pl.Int8(),
    "short": pl.Int16(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "decimal": pl.Decimal(38, 18),
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "timestamp": pl.Datetime("us"),
    "date": pl.Date(),
}
# Names that pages and exports use for the types above.
TYPE_ALIASES = {
    "integer": "int",
    "bigint": "long",
    "smallint": "short",
    "tinyint": "byte",
    "number": "double",
    "numeric": "double",
    "datetime": "timestamp",
    "text": "string",
    "bool": "boolean",
}

CLOCKS = ("%H:%M:%S%.f", "%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")


def normal_type(name: str) -> str | None:
    """Return the DataBrew type of a name as recipes spell it; None if it is not one."""
    lowered = name.strip().lower()
    lowered = TYPE_ALIASES.get(lowered, lowered)
    return lowered if lowered in POLARS_TYPES else None


def as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the column as text.

    Whole numbers are plain, doubles have `.0`, booleans are true and false, dates ISO, and nested
    values JSON.
    """
    if dtype == pl.String:
        return column
    if dtype == pl.Boolean:
        return pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    if isinstance(dtype, pl.Datetime):
        return timestamp_text(column)
    if isinstance(dtype, pl.Struct):
        return pl.when(column.is_not_null()).then(column.struct.json_encode())
    if isinstance(dtype, pl.List | pl.Array):
        return column.map_batches(_json_series, return_dtype=pl.String(), is_elementwise=True)
    return column.cast(pl.String)


# Trailing zeros after the point.
_NOTHING = r"\.0+$|(\.\d*[1-9])0+$"


def listed_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the column as text to be looked up in a recipe's list: 3.0 and 3.000 as `3`."""
    text = as_text(column, dtype)
    return text.str.replace(_NOTHING, "${1}") if dtype.is_float() or dtype.is_decimal() else text


def listed_value(value: Any, dtype: pl.DataType) -> str:
    """Return an entry of such a list for a column of a type."""
    text = str(value)
    return re.sub(_NOTHING, r"\1", text) if dtype.is_float() or dtype.is_decimal() else text


def _json_series(values: pl.Series) -> pl.Series:
    return pl.Series(
        values.name,
        [None if v is None else json_text(v.to_list() if isinstance(v, pl.Series) else v) for v in values],
        dtype=pl.String(),
    )


def json_text(value: Any) -> str:
    """Return compact JSON of a nested value, with dates as ISO text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_default)


def _json_default(value: Any) -> Any:
    if isinstance(value, pl.Series):
        return value.to_list()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def timestamp_text(column: pl.Expr) -> pl.Expr:
    """Format as `yyyy-MM-dd HH:mm:ss`, with a fraction only if there is one."""
    return column.dt.strftime("%Y-%m-%d %H:%M:%S%.f")


def to_double(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the column as double; what is not a number becomes null."""
    if dtype == pl.String:
        return column.str.strip_chars().cast(pl.Float64, strict=False)
    if dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if isinstance(dtype, pl.Datetime):
        return divided(column.dt.epoch("us").cast(pl.Float64), 1e6)
    if dtype.is_decimal():
        # Polars' own cast makes 890.8220000000001 of 890.822.
        return column.cast(pl.String).cast(pl.Float64)
    return column.cast(pl.Float64, strict=False)


def divided(left: pl.Expr, right: pl.Expr | float) -> pl.Expr:
    """Divide doubles exactly to the last bit.

    By a constant polars multiplies with its reciprocal, and 49 / 49 would be 0.9999999999999999; so
    the constant is made a column first.
    """
    divisor = right if isinstance(right, pl.Expr) else pl.lit(float(right))
    return pl.when(left.is_finite()).then(left / (left * 0.0 + divisor)).otherwise(left / divisor)


def remainder(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Return the remainder of doubles with the dividend's sign, as Java does; null if undefined.

    Polars computes its own from the quotient: for 49.0 by 49.0 it gives 49.0.
    """

    def batch(pairs: pl.Series) -> pl.Series:
        import numpy

        both = pairs.struct.unnest()
        dividend, divisor = both["left"], both["right"]
        with numpy.errstate(invalid="ignore"):
            values = pl.Series(pairs.name, numpy.fmod(dividend.to_numpy(), divisor.to_numpy()), dtype=pl.Float64)
        there_is_one = dividend.is_finite() & (divisor != 0)
        return values.set(~there_is_one.fill_null(False), None)

    pairs = pl.struct(left.alias("left"), right.alias("right"))
    return pairs.map_batches(batch, return_dtype=pl.Float64(), is_elementwise=True)


def convert(column: pl.Expr, dtype: pl.DataType, to: str) -> pl.Expr:
    """Convert a column; what cannot be converted becomes null.

    :param column: the values.
    :param dtype: their polars type.
    :param to: DataBrew type name, one of POLARS_TYPES.
    """
    target = POLARS_TYPES[to]
    if dtype == target:
        return column
    if to == "string":
        return as_text(column, dtype)
    if to == "boolean":
        return _to_boolean(column, dtype)
    if to in ("date", "timestamp"):
        moment = to_timestamp(column, dtype)
        return moment.dt.date() if to == "date" else moment
    if dtype == pl.String:
        text = column.str.strip_chars()
        if to in ("float", "double"):
            return text.cast(target, strict=False)
        if to == "decimal":
            return text.cast(target, strict=False)
        whole = text.cast(pl.Int64, strict=False)
        return pl.coalesce(whole, text.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)).cast(
            target, strict=False
        )
    if isinstance(dtype, pl.Datetime) or dtype == pl.Date:
        return (column.cast(pl.Datetime("us")).dt.epoch("us") // 1_000_000).cast(target, strict=False)
    if dtype.is_nested():
        return pl.lit(None, dtype=target)
    if dtype.is_decimal() and target.is_float():
        return to_double(column, dtype).cast(target)
    if dtype.is_decimal() and target.is_integer():
        # Truncate as for doubles; polars would round.
        return column.cast(pl.String).str.extract(r"^(-?\d+)", 1).cast(target, strict=False)
    if dtype.is_float() and to == "decimal":
        # The decimal that the double shows: polars' cast of 890.822 gives 890.822000000000065536.
        return column.cast(pl.String).cast(target, strict=False)
    if dtype == pl.Boolean and to == "decimal":
        column = column.cast(pl.Int8)  # polars knows no way from one to the other
    return column.cast(target, strict=False)


def _to_boolean(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        text = column.str.strip_chars().str.to_lowercase()
        return (
            pl.when(one_of(text, ["true", "yes", "t", "y", "1"], pl.String()))
            .then(True)
            .when(one_of(text, ["false", "no", "f", "n", "0"], pl.String()))
            .then(False)
        )
    if dtype.is_numeric():
        return column != 0
    return pl.lit(None, dtype=pl.Boolean)


def to_timestamp(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the column as timestamp without zone; numbers are seconds since 1970.

    Texts are read in the spellings of AWS's MONTH_NAME table
    (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-pyspark-transforms-MonthName.html):
    year-month-day first, then month before day, then day before month, separators `-`, `/`, blank
    or `.`, month names before the day. Any other text becomes null.
    """
    if isinstance(dtype, pl.Datetime):
        return (
            column.dt.replace_time_zone(None).cast(pl.Datetime("us"))
            if dtype.time_zone is None
            else column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
        )
    if dtype == pl.Date:
        return column.cast(pl.Datetime("us"))
    if dtype.is_numeric():
        seconds = pl.from_epoch((to_double(column, dtype) * 1_000_000).cast(pl.Int64, strict=False), time_unit="us")
        if not dtype.is_integer():
            return seconds
        # 20200304 is a day in 2020: public recipes format such columns as dates, not as seconds.
        day = column.cast(pl.String).str.to_date("%Y%m%d", strict=False).cast(pl.Datetime("us"))
        return pl.when(column.is_between(19_000_101, 21_001_231)).then(day).otherwise(seconds)
    if dtype != pl.String:
        return pl.lit(None, dtype=pl.Datetime("us"))
    return column.map_batches(_texts_to_timestamps, return_dtype=pl.Datetime("us"), is_elementwise=True)


def _texts_to_timestamps(texts: pl.Series) -> pl.Series:
    # Run batch by batch: as one expression the many spellings would swell every plan with dates.
    text, clock = pl.col("text"), pl.col("clock")
    zone = clock.str.extract(r"(Z|UTC|GMT|[+-]\d{2}:?\d{2})$", 1)
    digits = zone.str.replace(":", "").str.slice(1)
    minutes = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(2, 2).cast(
        pl.Int64, strict=False
    )
    # A time of day alone is on the first day of the epoch.
    alone = text.str.contains(r"^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
    frame = (
        pl.DataFrame({"text": texts.cast(pl.String)})
        .with_columns(text.str.strip_chars())
        .with_columns(
            alone=alone,
            day=text.str.extract(r"^(.+?)(?:[T ]\d{1,2}:\d{2}.*)?$", 1),
            clock=pl.when(alone)
            .then(text)
            .otherwise(text.str.extract(r"[T ](\d{1,2}:\d{2}.*)$", 1).fill_null("00:00")),
        )
        .with_columns(
            offset=pl.when(zone.str.starts_with("-")).then(-minutes).otherwise(minutes).fill_null(0),
            clock=clock.str.replace(r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})$", ""),
        )
        .with_columns(
            time=pl.coalesce(*(clock.str.to_time(pattern, strict=False) for pattern in CLOCKS)),
            date=text_to_date(pl.col("day")),
        )
    )
    day = pl.when("alone").then(pl.date(1970, 1, 1)).otherwise(pl.col("date"))
    moment = day.cast(pl.Datetime("us")) + pl.col("time").cast(pl.Duration("us")) - pl.duration(minutes="offset")
    return frame.select(moment.alias(texts.name)).to_series()


def text_to_date(text: pl.Expr) -> pl.Expr:
    """Return the date of a text without a time of day; null if no known spelling fits."""
    # One separator, so that a handful of orders covers `/`, `.`, blank and comma.
    normal = text.str.replace_all(r"[/.,\s-]+", "-").str.strip_chars("-")
    # `%Y` accepts two-digit years and `%d` unpadded texts, so check the shape of each order too.
    number_shape = normal.str.contains(r"^\d{1,2}-\d{1,2}-\d{4}$")
    return pl.coalesce(
        pl.when(normal.str.contains(r"^\d{4}-\d{1,2}-\d{1,2}$")).then(normal.str.to_date("%Y-%m-%d", strict=False)),
        pl.when(normal.str.contains(r"^(?:19|20)\d{6}$")).then(normal.str.to_date("%Y%m%d", strict=False)),
        pl.when(number_shape).then(normal.str.to_date("%m-%d-%Y", strict=False)),
        pl.when(number_shape).then(normal.str.to_date("%d-%m-%Y", strict=False)),
        pl.when(normal.str.contains(r"^\d{1,2}-\d{4}-\d{1,2}$")).then(normal.str.to_date("%d-%Y-%m", strict=False)),
        pl.when(normal.str.contains(r"^\d{1,2}-\d{1,2}-\d{2}$")).then(
            pl.coalesce(normal.str.to_date("%m-%d-%y", strict=False), normal.str.to_date("%d-%m-%y", strict=False))
        ),
        pl.when(normal.str.contains(r"^[A-Za-z]{3,9}-\d{1,2}-\d{4}$")).then(
            pl.coalesce(normal.str.to_date("%B-%d-%Y", strict=False), normal.str.to_date("%b-%d-%Y", strict=False))
        ),
        pl.when(text.str.contains(r"^\d{1,2} [A-Z][A-Za-z]{2,8},? \d{4}$")).then(
            pl.coalesce(normal.str.to_date("%d-%B-%Y", strict=False), normal.str.to_date("%d-%b-%Y", strict=False))
        ),
    )


def parse_timestamp_text(text: str) -> datetime | None:
    """Return one text as timestamp by the rules of `to_timestamp`; None if it is not a date."""
    value: datetime | None = pl.DataFrame({"text": [text]}).select(to_timestamp(pl.col("text"), pl.String())).item()
    return value
