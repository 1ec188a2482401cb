"""Data quality actions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.data-quality.html).

FILL_WITH_… acts on missing values (null and empty texts), REPLACE_WITH_… on invalid ones (not
convertible to columnDataType, not of advancedDataType, NaN and infinities in numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from recipe_runner.actions.aggregate_functions import MODE_NONE, MODE_TYPES, mode_of
from recipe_runner.actions.window_functions import rolled
from recipe_runner.errors import RecipeError
from recipe_runner.language.conditions import combined
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.operands import per_value
from recipe_runner.language.parameters import (
    Parameter,
    boolean,
    choice,
    column,
    columns,
    integer,
    new_column,
    scalar,
    strings,
    text,
)
from recipe_runner.tables.advanced_datatypes import (
    PATTERNS,
    TYPES,
    best_type,
    canonical_pattern,
    canonical_type,
    detail,
    is_valid,
)
from recipe_runner.tables.datatypes import POLARS_TYPES, as_text, convert, normal_type, to_double
from recipe_runner.tables.streaming import one_of
from recipe_runner.tables.table import Change, Columns, NewColumn, RemoveRows, Table, type_name

FAMILY = "Data quality"
DATA_TYPES = (*POLARS_TYPES, "number", "integer", "unsupported")
TYPED: tuple[Parameter, ...] = (text("columnDataType", required=False), text("advancedDataType", required=False))
AVERAGE_TYPE = (
    "An average or median into a whole-number column",
    "the column becomes double",
    "without its fraction it would not be the average",
)
TIE = ("Several values equally frequent", "the smallest", "it does not depend on the order of the rows")
INVALID = (
    "What invalid means",
    "not convertible to columnDataType, not of advancedDataType; NaN and infinities in number columns; missing "
    "values are not invalid",
    "the pages keep FILL (missing) and REPLACE (invalid) apart",
)
INVALID_TYPE = (
    "Type of the column afterwards",
    "columnDataType, where it is given and is not string",
    "without invalid values the column has the declared type",
)


def _check_typed(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    declared = arguments.get("columnDataType")
    if declared and declared.lower() not in DATA_TYPES and normal_type(declared) is None:
        problems.append(f"columnDataType must be one of {', '.join(DATA_TYPES)}; it is {declared!r}")
    advanced = arguments.get("advancedDataType")
    if advanced and canonical_type(advanced) is None:
        problems.append(f"advancedDataType must be one of {', '.join(TYPES)}; it is {advanced!r}")
    return problems


@action(
    "REMOVE_VALUES",
    FAMILY,
    column(),
    needs_condition=True,
    page="https://docs.aws.amazon.com/databrew/latest/dg/recipes.html",
    ambiguities=[
        ("Null in the condition's column", "the row stays", "a null meets no condition but IS_MISSING"),
        ("No condition", "an error", "it would remove every row"),
    ],
)
def remove_values(step: Step, table: Table) -> Change:
    """Remove the rows that meet the step's conditions."""
    table.require(step["sourceColumn"])
    return RemoveRows(pl.lit(True))


def missing(table: Table, name: str) -> pl.Expr:
    """Return where a value of a column is null or an empty text.

    https://docs.aws.amazon.com/databrew/latest/dg/profile.configuration.html
    """
    return pl.col(name).is_null() | (pl.col(name) == "") if table.dtype(name) == pl.String else pl.col(name).is_null()


@action(
    "REMOVE_MISSING",
    FAMILY,
    column(),
    ambiguities=[("An empty text", "is missing", "the profile page: null and empty strings are considered as missing")],
)
def remove_missing(step: Step, table: Table) -> Change:
    """Remove the rows whose value is missing."""
    return RemoveRows(missing(table, step["sourceColumn"]))


def invalid(step: Step, table: Table, name: str) -> pl.Expr:
    """Return where a value of a column is invalid; never null."""
    dtype = table.dtype(name)
    advanced = canonical_type(step["advancedDataType"]) if step["advancedDataType"] else None
    if advanced is not None:
        value = as_text(pl.col(name), dtype)
        found = per_value(lambda text_value: not is_valid(advanced, text_value), value, pl.Boolean())
        return (found & (value != "")).fill_null(False)
    to = normal_type(step["columnDataType"]) if step["columnDataType"] else None
    if dtype.is_float():
        return (pl.col(name).is_nan() | pl.col(name).is_infinite()).fill_null(False)
    if to is None or to == "string" or dtype == POLARS_TYPES[to]:
        return pl.lit(False)
    converted = convert(pl.col(name), dtype, to)
    wrong = converted.is_null()
    if POLARS_TYPES[to].is_float():
        wrong = wrong | ~converted.is_finite()  # the texts NaN and Infinity
    return (wrong & ~missing(table, name)).fill_null(False)


@action("REMOVE_INVALID", FAMILY, column(), *TYPED, check=_check_typed, ambiguities=[INVALID])
def remove_invalid(step: Step, table: Table) -> Change:
    """Remove the rows whose value is invalid."""
    return RemoveRows(invalid(step, table, step["sourceColumn"]))


def _valid_values(step: Step, table: Table, name: str) -> tuple[pl.Expr, pl.DataType]:
    """Return the column with invalid values as null, in the type that columnDataType declares."""
    dtype = table.dtype(name)
    value = pl.when(~invalid(step, table, name)).then(pl.col(name))
    to = normal_type(step["columnDataType"]) if step["columnDataType"] else None
    if dtype == pl.String and to not in (None, "string"):
        assert to is not None
        return convert(value, dtype, to), POLARS_TYPES[to]
    return value, dtype


Statistic = Callable[[Step, pl.Expr], pl.Expr]


STATISTICS: dict[str, Statistic] = {
    "AVERAGE": lambda step, value: value.mean(),
    "MEDIAN": lambda step, value: value.median(),
    "SUM": lambda step, value: value.sum(),
    "MODE": lambda step, value: mode_of(value, step["modeType"]),
    "MOST_FREQUENT": lambda step, value: mode_of(value, None),
}
NUMERIC_STATISTICS = ("AVERAGE", "MEDIAN", "SUM")


def _needs_numbers(kind: str, step: Step) -> bool:
    return kind in NUMERIC_STATISTICS or (kind == "MODE" and step["modeType"] == "AVERAGE")


def _statistic(kind: str, step: Step, table: Table, name: str, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Compute a statistic of the column in a pass over the data, and return it as a literal."""
    if _needs_numbers(kind, step) and not (dtype.is_numeric() or dtype == pl.Null):
        raise RecipeError(
            f"the column holds {type_name(dtype)}, and the operation needs numbers; convert it with "
            f"CHANGE_DATA_TYPE first",
            column=name,
        )
    if dtype == pl.Null:
        return pl.lit(None, dtype=pl.String)
    clean = pl.when(value.is_finite()).then(value) if dtype.is_float() else value
    if dtype == pl.String:
        clean = pl.when(value != "").then(value)
    if dtype.is_decimal() and kind != "SUM" and _needs_numbers(kind, step):
        clean = to_double(clean, dtype)
    if dtype == pl.Boolean:
        # Not every engine of polars has min and max of a mode over booleans.
        clean = clean.cast(pl.Int8)
    result = table.collect_one(result=STATISTICS[kind](step, clean))["result"]
    if dtype == pl.Boolean:
        return pl.lit(None if result is None else bool(result), dtype=pl.Boolean)
    if dtype.is_decimal():
        # A double beside them would turn the other values into doubles too.
        return pl.lit(None if result is None else str(result), dtype=pl.String).cast(dtype)
    return pl.lit(result)


def _fill_statistic(kind: str, *extra: Parameter, ambiguities: Sequence[tuple[str, str, str]] = ()) -> None:
    @action(
        f"FILL_WITH_{kind}",
        FAMILY,
        column(),
        text("columnDataType", required=False),
        *extra,
        check=_check_typed,
        ambiguities=ambiguities,
    )
    def fill(step: Step, table: Table) -> Change:
        name = step["sourceColumn"]
        dtype = table.dtype(name)
        value = _statistic(kind, step, table, name, pl.col(name), dtype)
        return Columns(
            [NewColumn(name, pl.when(missing(table, name)).then(value).otherwise(pl.col(name)), in_place=True)]
        )


CONDITION = (
    "Which rows the statistic covers if the step has conditions",
    "all rows",
    "the condition limits what is changed",
)
_fill_statistic("AVERAGE", ambiguities=[AVERAGE_TYPE, CONDITION])
_fill_statistic("MEDIAN", ambiguities=[AVERAGE_TYPE, CONDITION])
_fill_statistic("SUM", ambiguities=[CONDITION])
_fill_statistic("MODE", choice("modeType", *MODE_TYPES, required=False), ambiguities=[MODE_NONE, CONDITION])
_fill_statistic("MOST_FREQUENT", ambiguities=[TIE, CONDITION])


def _constant(step: Step, dtype: pl.DataType, name: str) -> pl.Expr:
    """Return the custom value in the column's type.

    :raises RecipeError: it does not fit.
    """
    raw = step["value"]
    wanted = normal_type(step["columnDataType"]) if step["columnDataType"] else None
    text_value = ("true" if raw else "false") if isinstance(raw, bool) else str(raw)
    if dtype == pl.Null and wanted not in (None, "string"):
        assert wanted is not None
        dtype = POLARS_TYPES[wanted]
    if dtype == pl.String or dtype == pl.Null:
        return pl.lit(text_value)
    if dtype.is_nested():
        raise RecipeError(
            f"the column holds {type_name(dtype)}; a custom value can fill single values only", column=name
        )
    try:
        if dtype.is_numeric():
            number = float(text_value)
            if dtype.is_decimal():
                return pl.lit(text_value).cast(dtype)
            return pl.lit(
                int(text_value)
                if dtype.is_integer() and number.is_integer() and text_value.lstrip("+-").isdigit()
                else number
            )
    except ValueError:
        pass
    else:
        to = "boolean" if dtype == pl.Boolean else "date" if dtype == pl.Date else "timestamp"
        value = pl.select(convert(pl.lit(text_value), pl.String(), to)).item()
        if value is not None:
            return pl.lit(value)
    raise RecipeError(
        f"the value {raw!r} does not fit the column, which holds "
        f"{type_name(dtype)}{f' (columnDataType {wanted})' if wanted else ''}",
        column=name,
    )


@action(
    "FILL_WITH_CUSTOM",
    FAMILY,
    column(),
    text("columnDataType", required=False),
    scalar("value"),
    check=_check_typed,
    ambiguities=[("A value that does not fit the column's type", "an error", "the page: the data type must match")],
)
def fill_with_custom(step: Step, table: Table) -> Change:
    """Fill missing values with a given value."""
    name = step["sourceColumn"]
    value = _constant(step, table.dtype(name), name)
    return Columns([NewColumn(name, pl.when(missing(table, name)).then(value).otherwise(pl.col(name)), in_place=True)])


@action(
    "FILL_WITH_EMPTY",
    FAMILY,
    column(),
    ambiguities=[("A column that is not text", "becomes text", "an empty string is a text")],
)
def fill_with_empty(step: Step, table: Table) -> Change:
    """Fill nulls with an empty text."""
    name = step["sourceColumn"]
    return Columns([NewColumn(name, as_text(pl.col(name), table.dtype(name)).fill_null(""), in_place=True)])


LAST_VALID = ("Before the first valid value", "stays as it is", "there is no earlier value")


@action(
    "FILL_WITH_LAST_VALID",
    FAMILY,
    column(),
    text("columnDataType", required=False),
    check=_check_typed,
    ambiguities=[LAST_VALID],
)
def fill_with_last_valid(step: Step, table: Table) -> Change:
    """Fill a missing value with the last value above it that is not missing."""
    name = step["sourceColumn"]
    value = pl.when(~missing(table, name)).then(pl.col(name)).forward_fill()
    return Columns([NewColumn(name, pl.coalesce(value, pl.col(name)), in_place=True)])


def _check_sources(arguments: Mapping[str, Any]) -> Sequence[str]:
    if arguments["sourceColumn"] and arguments["sourceColumns"]:
        return ["give either sourceColumn or sourceColumns, not both"]
    return []


@action(
    "FILL_WITH_NULL",
    FAMILY,
    column(required=False),
    columns(required=False),
    one_of=[("sourceColumn", "sourceColumns")],
    check=_check_sources,
    ambiguities=[
        (
            "Which values become null",
            "all of them; with conditions, those of the rows that meet them",
            "the page: data values replaced by null",
        )
    ],
)
def fill_with_null(step: Step, table: Table) -> Change:
    """Replace every value with null."""
    names = step["sourceColumns"] or [step["sourceColumn"]]
    return Columns([NewColumn(name, pl.lit(None, dtype=table.dtype(name)), in_place=True) for name in names])


WITH_CONDITIONS = (
    "With conditions",
    "every value of the rows that meet them is replaced by the result over the valid values of the other rows",
    "the condition says which values are meant, and the pages: of all other values",
)


def _replace_statistic(kind: str, *extra: Parameter, ambiguities: Sequence[tuple[str, str, str]] = ()) -> None:
    @action(
        f"REPLACE_WITH_{kind}",
        FAMILY,
        column(),
        *TYPED,
        *extra,
        check=_check_typed,
        ambiguities=[INVALID, INVALID_TYPE, WITH_CONDITIONS, *ambiguities],
    )
    def replace(step: Step, table: Table) -> Change:
        name = step["sourceColumn"]
        valid, dtype = _valid_values(step, table, name)
        met = combined(step.conditions, table)
        if met is not None:
            others = pl.when(~met).then(valid)
            value = _statistic(kind, step, table, name, others, dtype)
            return Columns([NewColumn(name, value, in_place=True)])
        value = _statistic(kind, step, table, name, valid, dtype)
        bad = invalid(step, table, name)
        return Columns([NewColumn(name, pl.when(bad).then(value).otherwise(valid), in_place=True)])


_replace_statistic("AVERAGE", ambiguities=[AVERAGE_TYPE])
_replace_statistic("MEDIAN", ambiguities=[AVERAGE_TYPE])
_replace_statistic("SUM")
_replace_statistic("MODE", choice("modeType", *MODE_TYPES, required=False), ambiguities=[MODE_NONE])
_replace_statistic("MOST_FREQUENT", ambiguities=[TIE])


def _check_custom(arguments: Mapping[str, Any]) -> Sequence[str]:
    return [*_check_typed(arguments), *_check_sources(arguments)]


@action(
    "REPLACE_WITH_CUSTOM",
    FAMILY,
    column(required=False),
    columns(required=False),
    *TYPED,
    scalar("value"),
    one_of=[("sourceColumn", "sourceColumns")],
    check=_check_custom,
    ambiguities=[
        INVALID,
        INVALID_TYPE,
        (
            "With conditions",
            "every value of the rows that meet them is replaced, valid or not",
            "the condition says which values are meant",
        ),
    ],
)
def replace_with_custom(step: Step, table: Table) -> Change:
    """Replace invalid values with a given value."""
    new = []
    for name in step["sourceColumns"] or [step["sourceColumn"]]:
        valid, dtype = _valid_values(step, table, name)
        if step.conditions:
            new.append(NewColumn(name, _constant(step, table.dtype(name), name), in_place=True))
            continue
        value = _constant(step, dtype, name)
        new.append(NewColumn(name, pl.when(invalid(step, table, name)).then(value).otherwise(valid), in_place=True))
    return Columns(new)


@action(
    "REPLACE_WITH_EMPTY",
    FAMILY,
    column(),
    *TYPED,
    check=_check_typed,
    ambiguities=[
        INVALID,
        (
            "With conditions",
            "every value of the rows that meet them becomes empty",
            "the condition says which values are meant",
        ),
        (
            "A column whose type allows no invalid value",
            "stays as it is; else a column that is not text becomes text",
            "nothing is replaced in it",
        ),
    ],
)
def replace_with_empty(step: Step, table: Table) -> Change:
    """Replace invalid values with an empty text."""
    name = step["sourceColumn"]
    dtype = table.dtype(name)
    if step.conditions:
        return Columns([NewColumn(name, pl.lit(""), in_place=True)])
    if not (dtype == pl.String or dtype.is_float() or step["advancedDataType"]):
        return table
    value = pl.when(invalid(step, table, name)).then(pl.lit("")).otherwise(as_text(pl.col(name), dtype))
    return Columns([NewColumn(name, value, in_place=True)])


@action(
    "REPLACE_WITH_NULL",
    FAMILY,
    column(),
    *TYPED,
    check=_check_typed,
    ambiguities=[
        INVALID,
        INVALID_TYPE,
        (
            "With conditions",
            "every value of the rows that meet them becomes null",
            "the condition says which values are meant",
        ),
    ],
)
def replace_with_null(step: Step, table: Table) -> Change:
    """Replace invalid values with null."""
    name = step["sourceColumn"]
    if step.conditions:
        return Columns([NewColumn(name, pl.lit(None, dtype=table.dtype(name)), in_place=True)])
    return Columns([NewColumn(name, _valid_values(step, table, name)[0], in_place=True)])


@action(
    "REPLACE_WITH_LAST_VALID",
    FAMILY,
    column(),
    *TYPED,
    check=_check_typed,
    ambiguities=[
        INVALID,
        INVALID_TYPE,
        WITH_CONDITIONS,
        ("Before the first valid value", "null", "there is no earlier value"),
    ],
)
def replace_with_last_valid(step: Step, table: Table) -> Change:
    """Replace an invalid value with the last valid one above it."""
    name = step["sourceColumn"]
    valid, _ = _valid_values(step, table, name)
    met = combined(step.conditions, table)
    if met is not None:
        return Columns([NewColumn(name, pl.when(~met).then(valid).forward_fill(), in_place=True)])
    value = pl.when(invalid(step, table, name)).then(valid.forward_fill()).otherwise(valid)
    return Columns([NewColumn(name, value, in_place=True)])


def _replace_rolling(kind: str, aggregate: Callable[[pl.Expr], pl.Expr]) -> None:
    @action(
        f"REPLACE_WITH_ROLLING_{kind}",
        FAMILY,
        column(),
        text("columnDataType", required=False),
        integer("period", minimum=1, maximum=1_000_000),
        check=_check_typed,
        ambiguities=[
            ("Which values are replaced", "each value, missing ones too", "the page: replaces each value in a column"),
            (
                "Whether the window holds the row itself",
                "no: the previous period rows; null in the first row",
                "the page: computed using the previous 10 rows",
            ),
        ],
    )
    def replace(step: Step, table: Table) -> Change:
        name, period = step["sourceColumn"], step["period"]
        shifted = table.double(name).shift(1) if kind == "AVERAGE" else table.numeric(name).shift(1)
        with_previous = table.with_columns([NewColumn("\x00previous", shifted)])
        changed = rolled(step, with_previous, name, aggregate(pl.col("\x00previous")), period - 1, 0, in_place=True)
        return changed.drop(["\x00previous"])


_replace_rolling("AVERAGE", lambda value: value.mean())
_replace_rolling("SUM", lambda value: pl.when(value.count() > 0).then(value.sum()))


def _earlier(table: Table, key: list[str]) -> pl.Expr:
    """Return where an earlier row has the same values; nulls equal each other."""
    return ~pl.struct(key).is_first_distinct()


@action("DELETE_DUPLICATE_ROWS", FAMILY)
def delete_duplicate_rows(step: Step, table: Table) -> Change:
    """Remove the rows that equal an earlier row."""
    return RemoveRows(_earlier(table, table.names))


@action(
    "REMOVE_DUPLICATES",
    FAMILY,
    column(),
    ambiguities=[("Nulls", "are equal to each other: the first stays", "AWS Glue's RemoveDuplicates table")],
)
def remove_duplicates(step: Step, table: Table) -> Change:
    """Remove the rows whose value in a column occurs in an earlier row."""
    table.require(step["sourceColumn"])
    return RemoveRows(_earlier(table, [step["sourceColumn"]]))


FLAGS: tuple[Parameter, ...] = (text("trueString", default="True"), text("falseString", default="False"))


@action(
    "FLAG_DUPLICATE_ROWS",
    FAMILY,
    new_column(),
    *FLAGS,
    ambiguities=[
        ("The first occurrence", "is not flagged", "both guides' text; the table on AWS Glue's page contradicts it")
    ],
)
def flag_duplicate_rows(step: Step, table: Table) -> Change:
    """Flag the rows that equal an earlier row."""
    flag = pl.when(_earlier(table, table.names)).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag)])


@action(
    "FLAG_DUPLICATES_IN_COLUMN",
    FAMILY,
    column(),
    new_column(),
    *FLAGS,
    ambiguities=[("Nulls", "are equal to each other", "AWS Glue's RemoveDuplicates table")],
)
def flag_duplicates_in_column(step: Step, table: Table) -> Change:
    """Flag the rows whose value in a column occurs in an earlier row."""
    table.require(step["sourceColumn"])
    flag = (
        pl.when(_earlier(table, [step["sourceColumn"]]))
        .then(pl.lit(step["trueString"]))
        .otherwise(pl.lit(step["falseString"]))
    )
    return Columns([NewColumn(step["targetColumn"], flag, step["sourceColumn"])])


DETAILS: tuple[Parameter, ...] = (column(), text("pattern"), text("advancedDataType"))
FOUND = (
    "What a detail is",
    "time zones as IANA names, states as two letters, TLD as in the public suffix list",
    "the page gives none; these can be joined with other data",
)


def _check_details(arguments: Mapping[str, Any]) -> Sequence[str]:
    kind = canonical_type(arguments["advancedDataType"])
    if kind not in PATTERNS:
        return [f"advancedDataType must be one of {', '.join(PATTERNS)}; it is {arguments['advancedDataType']!r}"]
    if canonical_pattern(arguments["pattern"]) not in PATTERNS[kind]:
        return [f"the pattern of {kind} must be one of {', '.join(PATTERNS[kind])}; it is {arguments['pattern']!r}"]
    return []


def _details(step: Step, table: Table) -> pl.Expr:
    source = step["sourceColumn"]
    kind = canonical_type(step["advancedDataType"])
    assert kind is not None
    pattern = canonical_pattern(step["pattern"])
    return per_value(
        lambda value: detail(kind, pattern, value), as_text(pl.col(source), table.dtype(source)), pl.String()
    )


@action("EXTRACT_ADVANCED_DATATYPE_DETAILS", FAMILY, *DETAILS, new_column(), check=_check_details, ambiguities=[FOUND])
def extract_advanced_datatype_details(step: Step, table: Table) -> Change:
    """Extract one detail, such as the domain of an e-mail address, into a new column."""
    return Columns([NewColumn(step["targetColumn"], _details(step, table), step["sourceColumn"])])


VALUES = strings("filterValues", aliases=("filter values",))


@action(
    "ADVANCED_DATATYPE_FLAG",
    FAMILY,
    *DETAILS,
    new_column(),
    VALUES,
    *FLAGS,
    check=_check_details,
    ambiguities=[FOUND, ("A value without the detail", "falseString", "it is not one of the filter values")],
)
def advanced_datatype_flag(step: Step, table: Table) -> Change:
    """Flag the rows whose detail is one of the given values."""
    found = one_of(_details(step, table), step["filterValues"], pl.String()).fill_null(False)
    flag = pl.when(found).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag, step["sourceColumn"])])


@action(
    "ADVANCED_DATATYPE_FILTER",
    FAMILY,
    *DETAILS,
    VALUES,
    choice("strategy", "KEEP_ROWS", "DISCARD_ROWS", "CLEAR_FILTERS", "CLEAR_OTHERS"),
    boolean("clearWithEmpty"),
    check=_check_details,
    ambiguities=[
        FOUND,
        (
            "CLEAR_FILTERS and CLEAR_OTHERS",
            "the values that match, or those that do not, become null (empty with clearWithEmpty)",
            "the names",
        ),
    ],
)
def advanced_datatype_filter(step: Step, table: Table) -> Change:
    """Keep, remove or clear the values whose detail is one of the given values."""
    source = step["sourceColumn"]
    found = one_of(_details(step, table), step["filterValues"], pl.String()).fill_null(False)
    strategy = step["strategy"]
    if strategy in ("KEEP_ROWS", "DISCARD_ROWS"):
        return RemoveRows(~found if strategy == "KEEP_ROWS" else found)
    value = as_text(pl.col(source), table.dtype(source))
    cleared = pl.lit("" if step["clearWithEmpty"] else None, dtype=pl.String)
    return Columns(
        [
            NewColumn(
                source,
                pl.when(found if strategy == "CLEAR_FILTERS" else ~found).then(cleared).otherwise(value),
                in_place=True,
            )
        ]
    )


@action(
    "GET_ADVANCED_DATATYPE",
    FAMILY,
    column(aliases=("columnName",)),
    new_column(required=False),
    ambiguities=[
        (
            "Where the answer goes",
            "into a new column, targetColumn or `<source>_advanced_datatype`, with the same value in every row",
            "a recipe job has no other place for it",
        ),
        (
            "When a column is of a type",
            "when at least half of the first 1,000 values are",
            "the guide: if 50% or more of the values meet the criteria; which values it looks at is not published",
        ),
    ],
)
def get_advanced_datatype(step: Step, table: Table) -> Change:
    """Write the advanced data type of a column into a new column."""
    source = step["sourceColumn"]
    values = (
        table.frame.select(as_text(pl.col(source), table.dtype(source)).drop_nulls().head(1000))
        .collect(engine="streaming")
        .to_series()
        .to_list()
    )
    target = step["targetColumn"] or f"{source}_advanced_datatype"
    return Columns(
        [NewColumn(target, pl.lit(best_type([value for value in values if value]), dtype=pl.String), source)]
    )
