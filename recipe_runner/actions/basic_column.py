"""Basic column actions: order, names and types of columns.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.basic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.date_patterns import strftime_pattern
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.parameters import (
    boolean,
    choice,
    column,
    columns,
    integer,
    json_list,
    new_column,
    pattern,
    text,
)
from recipe_runner.language.patterns import SECONDS_PER_VALUE, compiled
from recipe_runner.tables.datatypes import POLARS_TYPES, convert, listed_text, listed_value, normal_type
from recipe_runner.tables.streaming import mapped
from recipe_runner.tables.table import Change, Columns, NewColumn, Table, type_name

FAMILY = "Basic column"


def _check_type(arguments: Mapping[str, Any]) -> Sequence[str]:
    name = arguments["columnDataType"]
    if normal_type(name) is None:
        return [f"columnDataType must be one of {', '.join(POLARS_TYPES)}; it is {name!r}"]
    return []


@action(
    "CHANGE_DATA_TYPE",
    FAMILY,
    column(),
    text("columnDataType"),
    text("dateTimeFormat", required=False),
    check=_check_type,
    ambiguities=[
        (
            "A text such as `12.7` into a whole-number type",
            "the fraction is cut off (12)",
            "as in Spark, which the service uses",
        ),
        ("A number into timestamp", "seconds since 1970", "Spark's cast"),
        ("A value beyond the range of the type", "null", "the page: unconvertible values become NULL"),
        (
            "dateTimeFormat",
            "texts that fit it are read with it, others as without it",
            "a parameter of the API that the page does not list; with it 03/04/2021 can be the third of April",
        ),
    ],
)
def change_data_type(step: Step, table: Table) -> Change:
    """Convert a column to another data type; a value that cannot be converted becomes null."""
    source = step["sourceColumn"]
    to = normal_type(step["columnDataType"])
    assert to is not None
    dtype = table.dtype(source)
    value = convert(pl.col(source), dtype, to)
    pattern_text = strftime_pattern(step["dateTimeFormat"] or "")
    if dtype == pl.String and to in ("date", "timestamp") and "%y" in pattern_text.lower():
        read = pl.col(source).str.strip_chars().str.to_datetime(pattern_text, time_unit="us", strict=False)
        value = pl.coalesce(read.dt.date() if to == "date" else read, value)
    return Columns([NewColumn(source, value, in_place=True)])


def _change_to(to: str, *values: str) -> None:
    @action(f"TO_{values[0].upper()}_COLUMN", FAMILY, column(), choice("columnDataType", *values, required=False))
    def change(step: Step, table: Table) -> Change:
        source = step["sourceColumn"]
        return Columns([NewColumn(source, convert(pl.col(source), table.dtype(source), to), in_place=True)])


_change_to("boolean", "boolean")
_change_to("double", "double", "number")
_change_to("string", "string")


@action(
    "TO_NUMBER_COLUMN",
    FAMILY,
    column(),
    choice("columnDataType", "number", required=False),
    ambiguities=[
        ("Which number type NUMBER is", "double, but a whole-number column stays as it is", "no value is lost")
    ],
)
def to_number_column(step: Step, table: Table) -> Change:
    """Convert a column to double; a column of numbers keeps its type."""
    source = step["sourceColumn"]
    dtype = table.dtype(source)
    if dtype.is_numeric():
        return Columns([NewColumn(source, pl.col(source), in_place=True)])
    return Columns([NewColumn(source, convert(pl.col(source), dtype, "double"), in_place=True)])


@action(
    "DELETE",
    FAMILY,
    column(required=False),
    columns(required=False),
    one_of=[("sourceColumn", "sourceColumns")],
    takes_conditions=False,
    ambiguities=[
        (
            "A column that does not exist",
            "an error",
            "a silent skip would hide a misspelt column that then leaks into training",
        )
    ],
)
def delete(step: Step, table: Table) -> Change:
    """Remove columns."""
    names = list(step["sourceColumns"] or [])
    if step["sourceColumn"] and step["sourceColumn"] not in names:
        names.append(step["sourceColumn"])
    return table.drop(names)


@action("DUPLICATE", FAMILY, column(), new_column())
def duplicate(step: Step, table: Table) -> Change:
    """Copy a column under a new name."""
    table.require(step["sourceColumn"])
    return Columns([NewColumn(step["targetColumn"], pl.col(step["sourceColumn"]), step["sourceColumn"])])


@action(
    "RENAME",
    FAMILY,
    column(),
    new_column(),
    takes_conditions=False,
    ambiguities=[
        ("Place of the renamed column", "where it was", "as in the console; the page says only create and remove")
    ],
)
def rename(step: Step, table: Table) -> Change:
    """Rename a column in its place."""
    return table.rename(step["sourceColumn"], step["targetColumn"])


def _moved(table: Table, name: str, index: int) -> Table:
    rest = [other for other in table.names if other != name]
    rest.insert(index, name)
    return table.select(rest)


@action("MOVE_TO_START", FAMILY, column(), takes_conditions=False)
def move_to_start(step: Step, table: Table) -> Change:
    """Make a column the first one."""
    table.require(step["sourceColumn"])
    return _moved(table, step["sourceColumn"], 0)


@action("MOVE_TO_END", FAMILY, column(), takes_conditions=False)
def move_to_end(step: Step, table: Table) -> Change:
    """Make a column the last one."""
    table.require(step["sourceColumn"])
    return _moved(table, step["sourceColumn"], len(table.schema))


@action(
    "MOVE_TO_INDEX",
    FAMILY,
    column(),
    integer("targetIndex", minimum=0),
    takes_conditions=False,
    ambiguities=[("An index beyond the last column", "an error", "the recipe expects columns that do not exist")],
)
def move_to_index(step: Step, table: Table) -> Change:
    """Move a column to a position counted from 0."""
    table.require(step["sourceColumn"])
    if step["targetIndex"] >= len(table.schema):
        raise RecipeError(
            f"targetIndex {step['targetIndex']} is beyond the last column ({len(table.schema) - 1})",
            column=step["sourceColumn"],
        )
    return _moved(table, step["sourceColumn"], step["targetIndex"])


def _move_beside(step: Step, table: Table, offset: int) -> Table:
    source, target = step["sourceColumn"], step["targetColumn"]
    table.require(source, target)
    if source == target:
        return table
    rest = [name for name in table.names if name != source]
    rest.insert(rest.index(target) + offset, source)
    return table.select(rest)


@action("MOVE_AFTER", FAMILY, column(), column("targetColumn"), takes_conditions=False)
def move_after(step: Step, table: Table) -> Change:
    """Move a column to the right of another."""
    return _move_beside(step, table, 1)


@action("MOVE_BEFORE", FAMILY, column(), column("targetColumn"), takes_conditions=False)
def move_before(step: Step, table: Table) -> Change:
    """Move a column to the left of another."""
    return _move_beside(step, table, 0)


def _word(entry: Mapping[str, Any], name: str) -> str:
    """Return a word of a sort expression in upper case; empty if absent, null or empty."""
    return str(entry.get(name) or "").upper()


def _check_sort(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems: list[str] = []
    known = {"sourceColumn", "ordering", "nullsOrdering", "customOrder", "isCustomOrderCaseSensitive"}
    if not arguments["expressions"]:
        problems.append("expressions must name at least one column")
    for entry in arguments["expressions"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("sourceColumn"), str):
            problems.append("each of expressions must be an object with sourceColumn")
            continue
        problems.extend(
            f"expressions has no member {key!r}; it takes {', '.join(sorted(known))}"
            for key in entry
            if key not in known
        )
        if _word(entry, "ordering") not in ("", "ASCENDING", "DESCENDING"):
            problems.append(f"ordering must be ASCENDING or DESCENDING; it is {entry['ordering']!r}")
        if _word(entry, "nullsOrdering") not in ("", "NULLS_TOP", "NULLS_BOTTOM"):
            problems.append(f"nullsOrdering must be NULLS_TOP or NULLS_BOTTOM; it is {entry['nullsOrdering']!r}")
        if entry.get("customOrder") and not isinstance(entry["customOrder"], list):
            problems.append("customOrder must be a list of strings")
    return problems


@action(
    "SORT",
    FAMILY,
    json_list("expressions"),
    takes_conditions=False,
    check=_check_sort,
    ambiguities=[
        ("Rows that compare equal", "keep their order (stable)", "the only order that does not depend on the machine"),
        ("Empty texts", "sorted like nulls", "the page: nullsOrdering places null or missing values"),
        ("nullsOrdering absent", "nulls first ascending, last descending", "Spark's default"),
        (
            "Values outside customOrder",
            "after the listed ones, in alphabetical order",
            "the listed ones are what the user ranked",
        ),
    ],
)
def sort(step: Step, table: Table) -> Change:
    """Sort the rows by columns, or by a custom order of their values; the sort is stable."""
    keys: list[pl.Expr] = []
    descending: list[bool] = []
    nulls_last: list[bool] = []
    for entry in step["expressions"]:
        name = entry["sourceColumn"]
        dtype = table.dtype(name)
        down = _word(entry, "ordering") == "DESCENDING"
        nulls = _word(entry, "nullsOrdering")
        last = nulls == "NULLS_BOTTOM" if nulls else down
        # Missing values go where the nulls go.
        key = pl.when(pl.col(name) != "").then(pl.col(name)) if dtype == pl.String else pl.col(name)
        if entry.get("customOrder"):
            exact = str(entry.get("isCustomOrderCaseSensitive", "false")).lower() == "true"
            listed = [listed_value(value, dtype) for value in entry["customOrder"]]
            order = listed if exact else [value.lower() for value in listed]
            value = listed_text(key, dtype)
            value = value if exact else value.str.to_lowercase()
            rank = {text_value: index for index, text_value in reversed(list(enumerate(order)))}
            unlisted = pl.when(value.is_not_null()).then(pl.lit(len(order), dtype=pl.Int64))
            keys.append(mapped(value, rank, unlisted, pl.Int64()))
            descending.append(down)
            nulls_last.append(last)
        if dtype.is_nested():
            raise RecipeError("a nested column cannot be sorted; extract a value from it first", column=name)
        keys.append(key)
        descending.append(down)
        nulls_last.append(last)
    return table.with_frame(table.lazy().sort(keys, descending=descending, nulls_last=nulls_last, maintain_order=True))


@action(
    "JSON_TO_STRUCTS",
    FAMILY,
    columns(required=False),
    pattern("regexColumnSelector", required=False),
    boolean("removeSourceColumn"),
    integer("unnestLevel", default=1, minimum=0),
    json_list("conditionExpressions", required=False),
    text("targetColumn", required=False),
    one_of=[("sourceColumns", "regexColumnSelector")],
    ambiguities=[
        (
            "Name of the new column when the source is kept",
            "targetColumn if given, else `<source>_struct`, right of the source",
            "the page gives no name",
        ),
        ("Text that is not JSON", "null", "as other unconvertible values"),
        (
            "Rows that fail the conditions when the source is removed",
            "null",
            "a column of structs cannot keep the text",
        ),
        (
            "Objects below unnestLevel",
            "kept as JSON text",
            "the page: how many levels of JSON objects to convert to structs",
        ),
        (
            "An object, a list and a single value in the same place",
            "all of them as JSON text",
            "the page: the most generic schema",
        ),
    ],
)
def json_to_structs(step: Step, table: Table) -> Change:
    """Convert columns of JSON text to structs, after a first pass that finds their common type."""
    new: list[NewColumn] = []
    names = selected_columns(step, table)
    if step["targetColumn"] and len(names) > 1:
        raise RecipeError(f"targetColumn names one column, but {len(names)} are converted; leave it out")
    for name in names:
        if table.dtype(name) not in (pl.String, pl.Null):
            raise RecipeError(f"the column holds {type_name(table.dtype(name))}, not JSON text", column=name)
        level = step["unnestLevel"] or 1
        values = table.frame.select(name).collect(engine="streaming").to_series()
        parsed = _generic([_limited(_parsed(value), level) for value in values])
        try:
            found = pl.DataFrame({"value": parsed}, strict=False).schema["value"]
            dtype = pl.String() if found == pl.Null else found
        except (pl.exceptions.PolarsError, TypeError, OverflowError) as problem:
            raise RecipeError(f"the JSON objects have no common schema: {problem}", column=name) from problem

        def decode(series: pl.Series, dtype: pl.DataType = dtype, level: int = level) -> pl.Series:
            fitted = [_fitted(_limited(_parsed(value), level), dtype) for value in series]
            return pl.Series(series.name, fitted, dtype=dtype, strict=False)

        expression = pl.col(name).map_batches(decode, return_dtype=dtype, is_elementwise=True)
        if step["removeSourceColumn"]:
            new.append(NewColumn(name, expression, in_place=True))
        else:
            new.append(NewColumn(step["targetColumn"] or f"{name}_struct", expression, name))
    return Columns(new)


def _parsed(value: str | None) -> Any:
    if value is None:
        return None
    try:
        parsed = json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def _limited(value: Any, level: int) -> Any:
    if isinstance(value, dict):
        if level <= 0:
            return json.dumps(value, ensure_ascii=False)
        return {key: _limited(item, level - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_limited(item, level - 1) if isinstance(item, dict) else item for item in value]
    return value


def _generic(values: list[Any]) -> list[Any]:
    """Convert values to text where objects, lists and single values stand in the same place."""
    shapes = {dict if isinstance(v, dict) else list if isinstance(v, list) else None for v in values if v is not None}
    if shapes == {dict}:
        keys = list(dict.fromkeys(key for value in values if value is not None for key in value))
        fields = {key: _generic([None if value is None else value.get(key) for value in values]) for key in keys}
        return [None if value is None else {key: fields[key][row] for key in keys} for row, value in enumerate(values)]
    if shapes == {list}:
        items = iter(_generic([item for value in values if value is not None for item in value]))
        return [None if value is None else [next(items) for _ in value] for value in values]
    return [None if value is None else _as_text(value) for value in values] if len(shapes) > 1 else values


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fitted(value: Any, dtype: Any) -> Any:
    """Bring a value into the type that was found for the values of `_generic`."""
    if isinstance(dtype, pl.Struct) and isinstance(value, dict):
        return {field.name: _fitted(value.get(field.name), field.dtype) for field in dtype.fields}
    if isinstance(dtype, pl.List) and isinstance(value, list):
        return [_fitted(item, dtype.inner) for item in value]
    return _as_text(value) if dtype == pl.String and isinstance(value, dict | list) else value


def selected_columns(step: Step, table: Table) -> list[str]:
    """Return the columns that the step names or that its regexColumnSelector matches as a whole."""
    if step["sourceColumns"]:
        table.require(*step["sourceColumns"])
        return list(step["sourceColumns"])
    if step["sourceColumn"]:
        table.require(step["sourceColumn"])
        return [step["sourceColumn"]]
    wanted = compiled(step["regexColumnSelector"])
    try:
        found = [name for name in table.names if wanted.fullmatch(name, timeout=SECONDS_PER_VALUE)]
    except TimeoutError:
        raise RecipeError(
            f"the regular expression {step['regexColumnSelector']!r} takes too long to match; simplify it"
        ) from None
    if not found:
        raise RecipeError(
            f"no column matches regexColumnSelector {re.sub(r'[ ]+', ' ', step['regexColumnSelector'])!r}"
        )
    return found
