"""Outlier actions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.outliers.html)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from recipe_runner.actions.data_science import SKEW_FUNCTIONS, skewed
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.parameters import (
    Parameter,
    boolean,
    choice,
    column,
    new_column,
    number,
    scalar,
    text,
    to_number,
)
from recipe_runner.tables.datatypes import divided
from recipe_runner.tables.table import Change, Columns, NewColumn, RemoveRows, Table

FAMILY = "Outliers"
STRATEGY: tuple[Parameter, ...] = (
    column(),
    choice("outlierStrategy", "Z_SCORE", "MODIFIED_Z_SCORE", "IQR"),
    number("threshold", default=3, minimum=0),
)
TRIM: tuple[Parameter, ...] = (
    boolean("trimValue", default=None),
    number("minValue", required=False, minimum=0, maximum=100),
    number("maxValue", required=False, minimum=0, maximum=100),
)
SCORES = (
    "The scores",
    "Z_SCORE: |x - mean| / sample standard deviation; MODIFIED_Z_SCORE: 0.6745 |x - median| / median absolute "
    "deviation; IQR: outside [Q1 - t·IQR, Q3 + t·IQR], linear quantiles",
    "the textbook definitions (Iglewicz and Hoaglin for the second)",
)
NULLS = ("Null", "is not an outlier", "it has no score")
TRIMMED = (
    "trimValue with minValue and maxValue",
    "only outliers below or above these percentiles of the column are changed",
    "the page's text",
)


@dataclass(frozen=True)
class Outliers:
    """Which values are outliers, and the bounds beyond which a value is one.

    :param flag: an expression that is true for an outlier.
    :param low: the smallest value that is not an outlier.
    :param high: the largest value that is not an outlier.
    """

    flag: pl.Expr
    low: float
    high: float


def outliers(step: Step, table: Table) -> Outliers:
    """Find the bounds in a first pass over the data; a column without spread has no outliers."""
    name = step["sourceColumn"]
    value = table.double(name)
    clean = pl.when(value.is_finite()).then(value)
    threshold = float(step["threshold"])
    low, high = float("-inf"), float("inf")
    if step["outlierStrategy"] == "Z_SCORE":
        facts = table.collect_one(mean=clean.mean(), spread=clean.std(ddof=1))
        if facts["spread"]:
            low, high = facts["mean"] - threshold * facts["spread"], facts["mean"] + threshold * facts["spread"]
    elif step["outlierStrategy"] == "MODIFIED_Z_SCORE":
        middle = table.collect_one(median=clean.median())["median"]
        if middle is not None:
            deviation = table.collect_one(mad=(clean - middle).abs().median())["mad"]
            if deviation:
                low, high = middle - threshold * deviation / 0.6745, middle + threshold * deviation / 0.6745
    else:
        facts = table.collect_one(q1=clean.quantile(0.25, "linear"), q3=clean.quantile(0.75, "linear"))
        if facts["q1"] is not None:
            width = facts["q3"] - facts["q1"]
            low, high = facts["q1"] - threshold * width, facts["q3"] + threshold * width
    return Outliers(((value < low) | (value > high)).fill_null(False), low, high)


def _percentiles(step: Step, table: Table) -> tuple[float | None, float | None]:
    value = table.double(step["sourceColumn"])
    low = 5.0 if step["minValue"] is None else float(step["minValue"])
    high = 95.0 if step["maxValue"] is None else float(step["maxValue"])
    facts = table.collect_one(low=value.quantile(low / 100, "linear"), high=value.quantile(high / 100, "linear"))
    return facts["low"], facts["high"]


# What REPLACE_OUTLIERS trims if trimValue is absent.
TRIMMED_BY_DEFAULT = ("REPLACE_WITH_NULL", "REPLACE_WITH_MODE", "WINSORIZE_VALUES")


def _touched(step: Step, table: Table, found: Outliers) -> pl.Expr:
    trim = step["replaceType"] in TRIMMED_BY_DEFAULT if step["trimValue"] is None else step["trimValue"]
    if not trim or (step["minValue"] is None and step["maxValue"] is None):
        return found.flag
    low, high = _percentiles(step, table)
    if low is None or high is None:
        return found.flag
    value = table.numeric(step["sourceColumn"])
    return found.flag & ((value < low) | (value > high)).fill_null(False)


def _check_trim(arguments: Mapping[str, Any]) -> Sequence[str]:
    low, high = arguments["minValue"], arguments["maxValue"]
    return ["minValue must not be above maxValue"] if low is not None and high is not None and low > high else []


@action(
    "FLAG_OUTLIERS",
    FAMILY,
    *STRATEGY,
    new_column(),
    text("trueString", default="True"),
    text("falseString", default="False"),
    ambiguities=[SCORES, NULLS],
)
def flag_outliers(step: Step, table: Table) -> Change:
    """Flag the rows whose value is an outlier."""
    flag = pl.when(outliers(step, table).flag).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag, step["sourceColumn"])])


@action(
    "REMOVE_OUTLIERS",
    FAMILY,
    *STRATEGY,
    choice("removeType", "DELETE_ROWS", "CLEAR", default="DELETE_ROWS"),
    *TRIM,
    check=_check_trim,
    ambiguities=[SCORES, NULLS, TRIMMED],
    page="https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.outliers.REMOVE_OUTLIERS.html",
)
def remove_outliers(step: Step, table: Table) -> Change:
    """Remove the rows whose value is an outlier, or clear the value."""
    touched = _touched(step, table, outliers(step, table))
    if step["removeType"] == "DELETE_ROWS":
        return RemoveRows(touched)
    name = step["sourceColumn"]
    return Columns([NewColumn(name, pl.when(~touched).then(pl.col(name)), in_place=True)])


REPLACE_TYPES = (
    "WINSORIZE_VALUES",
    "REPLACE_WITH_CUSTOM",
    "REPLACE_WITH_EMPTY",
    "REPLACE_WITH_NULL",
    "REPLACE_WITH_MODE",
    "REPLACE_WITH_AVERAGE",
    "REPLACE_WITH_MEDIAN",
    "REPLACE_WITH_SUM",
    "REPLACE_WITH_MAX",
)


def _check_replace(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = list(_check_trim(arguments))
    if arguments["replaceType"] == "REPLACE_WITH_CUSTOM":
        try:
            to_number(arguments["value"])
        except (ValueError, TypeError):
            problems.append(f"REPLACE_WITH_CUSTOM needs a number as value; it is {arguments['value']!r}")
    return problems


@action(
    "REPLACE_OUTLIERS",
    FAMILY,
    *STRATEGY,
    choice("replaceType", *REPLACE_TYPES),
    choice("modeType", "MIN", "MAX", "AVERAGE", "MINIMUM", "MAXIMUM", "NONE", required=False),
    scalar("value", required=False),
    *TRIM,
    check=_check_replace,
    ambiguities=[
        SCORES,
        NULLS,
        TRIMMED,
        ("WINSORIZE_VALUES without minValue and maxValue", "the 5th and 95th percentile", "the page's example"),
        (
            "Whether average, median, mode, sum and max include outliers",
            "no, only the other values",
            "the guide's REPLACE_WITH_… actions say: of all other values",
        ),
        ("REPLACE_WITH_EMPTY", "null in a number column", "it cannot hold an empty text"),
    ],
)
def replace_outliers(step: Step, table: Table) -> Change:
    """Replace outliers with a statistic, a given value, null or a percentile."""
    name, kind = step["sourceColumn"], step["replaceType"]
    found = outliers(step, table)
    touched = _touched(step, table, found)
    value = table.without_decimals(name)
    others = pl.when(~found.flag).then(value).drop_nulls()
    replacement: pl.Expr
    if kind == "WINSORIZE_VALUES":
        low, high = _percentiles(step, table)
        if low is None or high is None:
            return table
        capped = pl.when(value < low).then(pl.lit(low)).when(value > high).then(pl.lit(high)).otherwise(value)
        return Columns([NewColumn(name, pl.when(touched).then(capped).otherwise(value), in_place=True)])
    if kind in ("REPLACE_WITH_NULL", "REPLACE_WITH_EMPTY"):
        return Columns([NewColumn(name, pl.when(~touched).then(value), in_place=True)])
    if kind == "REPLACE_WITH_CUSTOM":
        replacement = pl.lit(to_number(step["value"]))
    else:
        statistic = {
            "REPLACE_WITH_AVERAGE": others.mean(),
            "REPLACE_WITH_MEDIAN": others.median(),
            "REPLACE_WITH_SUM": others.sum(),
            "REPLACE_WITH_MAX": others.max(),
            "REPLACE_WITH_MODE": _mode(others, step["modeType"]),
        }[kind]
        replacement = pl.lit(table.collect_one(result=statistic)["result"])
    return Columns([NewColumn(name, pl.when(touched).then(replacement).otherwise(value), in_place=True)])


def _mode(values: pl.Expr, mode_type: str | None) -> pl.Expr:
    modes = values.mode()
    if mode_type in ("MAX", "MAXIMUM"):
        return modes.max()
    return modes.mean() if mode_type == "AVERAGE" else modes.min()


RESCALED = (
    "Which rows are rescaled",
    "outliers only; other values are copied",
    "the page: returns a rescaled outlier value",
)


@action(
    "RESCALE_OUTLIERS_WITH_Z_SCORE",
    FAMILY,
    *STRATEGY,
    new_column(),
    ambiguities=[
        SCORES,
        NULLS,
        (
            "Which rows are rescaled",
            "all: each value's z-score",
            "the page: applies Z-score normalization to scale data values to mean 0 and deviation 1",
        ),
    ],
)
def rescale_outliers_with_z_score(step: Step, table: Table) -> Change:
    """Write the z-score of each value into a new column."""
    name = step["sourceColumn"]
    value = table.double(name)
    facts = table.collect_one(mean=value.mean(), spread=value.std(ddof=1))
    if not facts["spread"]:
        # As NORMALIZATION: without spread every value is at the mean.
        return Columns([NewColumn(step["targetColumn"], value * 0, name)])
    return Columns([NewColumn(step["targetColumn"], divided(value - facts["mean"], facts["spread"]), name)])


@action(
    "RESCALE_OUTLIERS_WITH_SKEW",
    FAMILY,
    *STRATEGY,
    new_column(),
    choice("skewFunction", *SKEW_FUNCTIONS),
    number("value", required=False),
    ambiguities=[SCORES, NULLS, RESCALED],
    page="https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.outliers.RESCALE_OUTLIERS_WITH_SKEW.html",
)
def rescale_outliers_with_skew(step: Step, table: Table) -> Change:
    """Rescale outliers with a root, a logarithm or a square."""
    name = step["sourceColumn"]
    value = table.double(name)
    rescaled = skewed(value, step["skewFunction"], step["value"])
    return Columns(
        [NewColumn(step["targetColumn"], pl.when(outliers(step, table).flag).then(rescaled).otherwise(value), name)]
    )
