"""Text functions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.text.html)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl
import regex

from recipe_runner.actions.data_cleaning import ONE_BASED, capital_case, check_positions, slice_inclusive
from recipe_runner.errors import RecipeError
from recipe_runner.language.declaration import Step, action, function_page
from recipe_runner.language.operands import (
    ONE_OF_SOURCE_OR_VALUE,
    PAIR,
    SOURCE_OR_VALUE,
    check_pair,
    check_source_or_value,
    last_source,
    pair_names,
    per_value,
    text_operand,
)
from recipe_runner.language.parameters import boolean, columns, integer, new_column, number, pattern, text
from recipe_runner.language.patterns import SECONDS_PER_VALUE, Pattern, compiled
from recipe_runner.tables.datatypes import as_text
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Text functions"
MAX_REPEATS = 100_000


def _function(
    name: str, change: Callable[[pl.Expr], pl.Expr], ambiguities: Sequence[tuple[str, str, str]] = ()
) -> None:
    @action(
        name,
        FAMILY,
        *SOURCE_OR_VALUE,
        new_column(),
        one_of=ONE_OF_SOURCE_OR_VALUE,
        check=check_source_or_value,
        ambiguities=ambiguities,
        page=function_page(name),
    )
    def apply(step: Step, table: Table) -> Change:
        return Columns([NewColumn(step["targetColumn"], change(text_operand(step, table)), step["sourceColumn"])])


_function("LEN", lambda value: value.str.len_chars().cast(pl.Int64))
_function("LOWER", lambda value: value.str.to_lowercase())
_function("UPPER", lambda value: value.str.to_uppercase())
_function(
    "PROPER",
    capital_case,
    [("Letters after a hyphen or apostrophe", "stay lower", "words are separated by blanks, as in Spark's initcap")],
)
_function("TRIM", lambda value: value.str.strip_chars())
_function("REMOVE_WHITESPACE", lambda value: value.str.replace_all(r"\s", ""))
_function(
    "REMOVE_SYMBOLS",
    lambda value: value.str.replace_all(r"[^\p{L}\p{M}\p{N}\s]", ""),
    [("Letters of other scripts", "stay", "they are letters")],
)
_function(
    "UNICODE",
    lambda value: per_value(lambda text_value: ord(text_value[0]) if text_value else None, value, pl.Int64()),
    [("An empty text", "null", "it has no first character")],
)


def _character(value: int) -> str | None:
    # Halves of surrogate pairs are not characters and cannot be written as UTF-8.
    return chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else None


@action(
    "CHAR",
    FAMILY,
    SOURCE_OR_VALUE[0],
    number("value", required=False),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("CHAR"),
    ambiguities=[("A number that is not a Unicode character", "null", "there is nothing to return")],
)
def char(step: Step, table: Table) -> Change:
    """Write the Unicode character of a number into a new column."""
    source = step["sourceColumn"]
    operand = table.numeric(source) if source else pl.lit(step["value"])
    value = per_value(_character, operand.cast(pl.Int64, strict=False), pl.String())
    return Columns([NewColumn(step["targetColumn"], value, source)])


def _edge(name: str, pattern_for: Callable[[str], str]) -> None:
    @action(
        name,
        FAMILY,
        *SOURCE_OR_VALUE,
        pattern(),
        new_column(),
        one_of=ONE_OF_SOURCE_OR_VALUE,
        check=check_source_or_value,
        page=function_page(name),
        ambiguities=[("Type of the result", "boolean", "the page: returns true")],
    )
    def apply(step: Step, table: Table) -> Change:
        found = Pattern(pattern_for(step["pattern"])).contains(text_operand(step, table))
        return Columns([NewColumn(step["targetColumn"], found, step["sourceColumn"])])


_edge("STARTS_WITH", lambda source: rf"\A(?:{source})")
_edge("ENDS_WITH", lambda source: rf"(?:{source})\z" if "(?<" not in source else rf"(?:{source})\Z")


def _compare(name: str, change: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> None:
    @action(
        name,
        FAMILY,
        *PAIR,
        new_column(),
        check=check_pair,
        page=function_page(name),
        ambiguities=[
            ("Order of texts", "by code point, upper before lower case", "as Java's and Spark's comparison"),
            ("Null on a side", "null", "a comparison with null has no result"),
        ],
    )
    def apply(step: Step, table: Table) -> Change:
        left, right = (
            text_operand(step, table, source=operand, value=operand)
            if operand.startswith("source")
            else pl.lit(str(step[operand]), dtype=pl.String)
            for operand in pair_names(step)
        )
        return Columns([NewColumn(step["targetColumn"], change(left, right), last_source(step))])


_compare("EXACT", lambda a, b: a == b)
_compare("STRING_GREATER_THAN", lambda a, b: a > b)
_compare("STRING_GREATER_THAN_EQUAL", lambda a, b: a >= b)
_compare("STRING_LESS_THAN", lambda a, b: a < b)
_compare("STRING_LESS_THAN_EQUAL", lambda a, b: a <= b)


@action(
    "LEFT",
    FAMILY,
    *SOURCE_OR_VALUE,
    integer("position", minimum=0),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("LEFT"),
)
def left(step: Step, table: Table) -> Change:
    """Write the first characters of a text into a new column."""
    return Columns(
        [
            NewColumn(
                step["targetColumn"], text_operand(step, table).str.slice(0, step["position"]), step["sourceColumn"]
            )
        ]
    )


@action(
    "RIGHT",
    FAMILY,
    *SOURCE_OR_VALUE,
    integer("position", minimum=0),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("RIGHT"),
)
def right(step: Step, table: Table) -> Change:
    """Write the last characters of a text into a new column."""
    value = text_operand(step, table)
    result = value.str.tail(step["position"]) if step["position"] else value.str.slice(0, 0)
    return Columns([NewColumn(step["targetColumn"], result, step["sourceColumn"])])


@action(
    "SUBSTRING",
    FAMILY,
    *SOURCE_OR_VALUE,
    integer("startPosition", minimum=0),
    integer("endPosition", minimum=0),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=lambda arguments: [*check_source_or_value(arguments), *check_positions(arguments)],
    page=function_page("SUBSTRING"),
    ambiguities=[ONE_BASED],
)
def substring(step: Step, table: Table) -> Change:
    """Write the characters between two positions into a new column."""
    value = slice_inclusive(text_operand(step, table), step["startPosition"], step["endPosition"])
    return Columns([NewColumn(step["targetColumn"], value, step["sourceColumn"])])


POSITION = (
    "What is returned",
    "the position of the match, counted from 1 at the left end; 0 if there is none",
    "as spreadsheets' FIND and Spark's locate",
)


def _from_left(wanted: regex.Pattern[str], value: str, offset: int) -> int:
    found = wanted.search(value, offset, timeout=SECONDS_PER_VALUE)
    return found.start() + 1 if found else 0


def _from_right(wanted: regex.Pattern[str], value: str, offset: int) -> int:
    for start in range(len(value) - 1 - offset, -1, -1):
        if wanted.match(value, start, timeout=SECONDS_PER_VALUE):
            return start + 1
    return 0


def _find(name: str, place: Callable[[regex.Pattern[str], str, int], int]) -> None:
    @action(
        name,
        FAMILY,
        *SOURCE_OR_VALUE,
        pattern(),
        integer("position", default=1, minimum=0),
        boolean("ignoreCase"),
        new_column(),
        one_of=ONE_OF_SOURCE_OR_VALUE,
        check=check_source_or_value,
        page=function_page(name),
        ambiguities=[POSITION],
    )
    def apply(step: Step, table: Table) -> Change:
        wanted = compiled(step["pattern"], ignore_case=step["ignoreCase"])
        offset = max(step["position"], 1) - 1

        def position(value: str) -> int:
            try:
                return place(wanted, value, offset)
            except TimeoutError:
                raise RecipeError(
                    f"the regular expression {step['pattern']!r} takes too long to match; simplify it",
                    column=step["sourceColumn"] or "",
                ) from None

        return Columns(
            [
                NewColumn(
                    step["targetColumn"],
                    per_value(position, text_operand(step, table), pl.Int64()),
                    step["sourceColumn"],
                )
            ]
        )


_find("FIND", _from_left)
_find("RIGHT_FIND", _from_right)


def merged(step: Step, table: Table) -> Change:
    """Join the texts of the source columns with a delimiter, right of the last one."""
    names = step["sourceColumns"]
    table.require(*names)
    items = [as_text(pl.col(name), table.dtype(name)) for name in names]
    value = pl.concat_str(items, separator=step["delimiter"] or "", ignore_nulls=True)
    return Columns([NewColumn(step["targetColumn"], value, names[-1])])


MERGE_NULL = ("A null among the values", "left out, with its delimiter", "as Spark's concat_ws")
action(
    "MERGE_COLUMNS_AND_VALUES",
    FAMILY,
    columns(),
    text("delimiter", required=False),
    new_column(),
    page=function_page("MERGE"),
    ambiguities=[MERGE_NULL],
)(merged)


@action(
    "REPEAT_STRING",
    FAMILY,
    *SOURCE_OR_VALUE,
    integer("count", minimum=0, maximum=MAX_REPEATS),
    new_column(),
    one_of=ONE_OF_SOURCE_OR_VALUE,
    check=check_source_or_value,
    page=function_page("REPEAT"),
)
def repeat_string(step: Step, table: Table) -> Change:
    """Repeat a text a number of times."""
    times = step["count"]
    value = per_value(lambda text_value: text_value * times, text_operand(step, table), pl.String())
    return Columns([NewColumn(step["targetColumn"], value, step["sourceColumn"])])
