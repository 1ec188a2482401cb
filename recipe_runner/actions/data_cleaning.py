"""Data cleaning actions: letter case, dates, and replacing, removing and extracting text.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.data-cleaning.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from recipe_runner.errors import RecipeError
from recipe_runner.language.date_patterns import strftime_pattern
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.operands import per_value
from recipe_runner.language.parameters import boolean, column, integer, new_column, pattern, text
from recipe_runner.language.patterns import Pattern
from recipe_runner.tables.datatypes import as_text, to_timestamp
from recipe_runner.tables.table import Change, Columns, NewColumn, Table, type_name

FAMILY = "Data cleaning"
ONE_BASED = (
    "Whether positions count from 0 or 1",
    "from 1, the end included",
    "the examples: characters_3_to_9, chars_5_through_8",
)


def capital_case(value: pl.Expr) -> pl.Expr:
    """Capitalise each word between blanks and lower all other letters, as Spark's initcap does."""
    word = pl.element()
    return (
        value.str.to_lowercase()
        .str.split(" ")
        .list.eval(word.str.slice(0, 1).str.to_uppercase() + word.str.slice(1))
        .list.join(" ")
    )


# Opening quotes and brackets come before a sentence's first letter.
_SENTENCE_START = re.compile(r"((?:^|[.!?][^\w\s]*\s)[^\w]*)(\w)")


def sentence_case(value: str) -> str:
    """Capitalise the first letter of each sentence and lower all other letters."""
    return _SENTENCE_START.sub(lambda found: found.group(1) + found.group(2).upper(), value.lower())


def _in_place(name: str, change: Callable[[pl.Expr], pl.Expr]) -> None:
    @action(name, FAMILY, column())
    def apply(step: Step, table: Table) -> Change:
        source = step["sourceColumn"]
        return Columns([NewColumn(source, change(as_text(pl.col(source), table.dtype(source))), in_place=True)])


_in_place("CAPITAL_CASE", capital_case)
_in_place("LOWER_CASE", lambda value: value.str.to_lowercase())
_in_place("UPPER_CASE", lambda value: value.str.to_uppercase())
_in_place("SENTENCE_CASE", lambda value: per_value(sentence_case, value, pl.String()))
_in_place("ADD_DOUBLE_QUOTES", lambda value: pl.lit('"') + value + pl.lit('"'))
_in_place("ADD_SINGLE_QUOTES", lambda value: pl.lit("'") + value + pl.lit("'"))


@action("ADD_PREFIX", FAMILY, column(), text("pattern"))
def add_prefix(step: Step, table: Table) -> Change:
    """Put a text before each value."""
    source = step["sourceColumn"]
    value = pl.lit(step["pattern"]) + as_text(pl.col(source), table.dtype(source))
    return Columns([NewColumn(source, value, in_place=True)])


@action("ADD_SUFFIX", FAMILY, column(), text("pattern"))
def add_suffix(step: Step, table: Table) -> Change:
    """Put a text after each value."""
    source = step["sourceColumn"]
    value = as_text(pl.col(source), table.dtype(source)) + pl.lit(step["pattern"])
    return Columns([NewColumn(source, value, in_place=True)])


@action(
    "FORMAT_DATE",
    FAMILY,
    column(),
    text("targetDateFormat", aliases=("dateTimeFormat",)),
    ambiguities=[
        ("Which spellings of a date are understood", "those of AWS's MONTH_NAME table", "the best public evidence"),
        ("A text that is not a date", "null", "as other unconvertible values"),
        (
            "`mm`: month or minute",
            "minute next to an hour or second, month elsewhere",
            "the pages and console exports contradict each other",
        ),
    ],
)
def format_date(step: Step, table: Table) -> Change:
    """Write dates in another format; a text that is not a date becomes null."""
    source = step["sourceColumn"]
    moment = to_timestamp(pl.col(source), table.dtype(source))
    return Columns([NewColumn(source, moment.dt.strftime(strftime_pattern(step["targetDateFormat"])), in_place=True)])


_PUNCTUATION = ".!,?"
_QUOTES = "'\""
_SPECIAL = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def _class(characters: str) -> str:
    # Escape only what has a meaning inside a class: Rust reads `\\<` as a word boundary.
    return "[" + "".join("\\" + character if character in "\\]^[-&~" else character for character in characters) + "]"


def _check_combined(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    if arguments["removeCustomCharacters"] and not arguments["customCharacters"]:
        problems.append("removeCustomCharacters needs customCharacters")
    if arguments["removeCustomValue"] and not arguments["customValue"]:
        problems.append("removeCustomValue needs customValue")
    return problems


@action(
    "REMOVE_COMBINED",
    FAMILY,
    column(),
    boolean("collapseConsecutiveWhitespace"),
    boolean("removeAllPunctuation"),
    boolean("removeAllQuotes"),
    boolean("removeAllWhitespace"),
    text("customCharacters", required=False),
    text("customValue", required=False),
    boolean("removeCustomCharacters"),
    boolean("removeCustomValue"),
    # The page's list has two names that its own examples contradict.
    boolean("removeLeadingAndTrailingPunctuation", aliases=("punctuationally",)),
    boolean("removeLeadingAndTrailingQuotes", aliases=("antidisestablishmentarianism",)),
    boolean("removeLeadingAndTrailingWhitespace"),
    boolean("removeLetters"),
    boolean("removeNumbers"),
    boolean("removeSpecialCharacters"),
    check=_check_combined,
    ambiguities=[
        (
            "Order of the removals when several are asked",
            "characters first, then leading and trailing ones, white space last",
            "so that nothing to be removed remains",
        ),
        ("removeSpecialCharacters and white space", "white space stays", "the page's list has none"),
    ],
)
def remove_combined(step: Step, table: Table) -> Change:
    """Remove several kinds of characters from a column in one step."""
    source = step["sourceColumn"]
    value = as_text(pl.col(source), table.dtype(source))
    if step["removeCustomValue"]:
        value = value.str.replace_all(pl.lit(step["customValue"]), pl.lit(""), literal=True)
    if step["removeCustomCharacters"]:
        value = Pattern(_class(step["customCharacters"])).replace_all(value, "")
    removals = [
        (step["removeAllPunctuation"], _class(_PUNCTUATION)),
        (step["removeAllQuotes"], _class(_QUOTES)),
        (step["removeSpecialCharacters"], _class(_SPECIAL)),
        (step["removeLetters"], "[A-Za-z]"),
        (step["removeNumbers"], "[0-9]"),
        (step["removeAllWhitespace"], r"\s"),
    ]
    for wanted, found in removals:
        if wanted:
            value = value.str.replace_all(found, "")
    edges = [
        (step["removeLeadingAndTrailingPunctuation"], _PUNCTUATION),
        (step["removeLeadingAndTrailingQuotes"], _QUOTES),
    ]
    if step["removeLeadingAndTrailingWhitespace"]:
        value = value.str.strip_chars()
    for wanted, characters in edges:
        if wanted:
            value = value.str.strip_chars(characters)
    if step["collapseConsecutiveWhitespace"]:
        value = value.str.replace_all(r"\s{2,}", " ")
    if step["removeLeadingAndTrailingWhitespace"]:
        value = value.str.strip_chars()
    return Columns([NewColumn(source, value, in_place=True)])


@action(
    "REPLACE_TEXT",
    FAMILY,
    column(),
    pattern(),
    text("value"),
    ambiguities=[
        (
            "`$1` in the value",
            "the pattern's first group where it has one, else itself",
            "as Java's replaceAll, which the service uses",
        ),
        ("A column that is not text", "becomes text", "a replacement is an operation on characters"),
    ],
)
def replace_text(step: Step, table: Table) -> Change:
    """Replace every match of a regular expression."""
    source = step["sourceColumn"]
    value = Pattern(step["pattern"]).replace_all(as_text(pl.col(source), table.dtype(source)), step["value"])
    return Columns([NewColumn(source, value, in_place=True)])


@action(
    "EXTRACT_BETWEEN_DELIMITERS",
    FAMILY,
    column(),
    new_column(),
    pattern("startPattern"),
    pattern("endPattern"),
    ambiguities=[
        ("No delimited part", "null", "there is nothing to extract"),
        ("Several", "the first, as short as possible", "the literal reading"),
    ],
)
def extract_between_delimiters(step: Step, table: Table) -> Change:
    """Extract the first text between two delimiters into a new column."""
    source = step["sourceColumn"]
    found = Pattern(f"(?s)(?:{step['startPattern']})(?P<between>.*?)(?:{step['endPattern']})")
    value = as_text(pl.col(source), table.dtype(source))
    group = Pattern(step["startPattern"]).groups + 1
    return Columns([NewColumn(step["targetColumn"], found.extract(value, group=group), source)])


def check_positions(arguments: Mapping[str, Any]) -> Sequence[str]:
    """Return a message if startPosition lies beyond endPosition."""
    if arguments["startPosition"] > arguments["endPosition"]:
        return ["startPosition must not be beyond endPosition"]
    return []


@action(
    "EXTRACT_BETWEEN_POSITIONS",
    FAMILY,
    column(),
    new_column(),
    integer("startPosition", minimum=0),
    integer("endPosition", minimum=0),
    check=check_positions,
    ambiguities=[ONE_BASED],
)
def extract_between_positions(step: Step, table: Table) -> Change:
    """Extract the characters between two positions into a new column."""
    source = step["sourceColumn"]
    value = slice_inclusive(as_text(pl.col(source), table.dtype(source)), step["startPosition"], step["endPosition"])
    return Columns([NewColumn(step["targetColumn"], value, source)])


def slice_inclusive(value: pl.Expr, start: int, end: int) -> pl.Expr:
    """Return characters `start` to `end`, counted from 1 and both included; 0 counts as 1."""
    first = max(start, 1)
    return value.str.slice(first - 1, max(end - first + 1, 0))


@action(
    "EXTRACT_PATTERN",
    FAMILY,
    column(),
    new_column(),
    pattern(),
    ambiguities=[
        ("A pattern with groups", "the whole match", "the page speaks of the pattern only"),
        ("No match", "null", "there is nothing to extract"),
    ],
)
def extract_pattern(step: Step, table: Table) -> Change:
    """Extract the first match of a regular expression into a new column."""
    source = step["sourceColumn"]
    value = Pattern(step["pattern"]).extract(as_text(pl.col(source), table.dtype(source)))
    return Columns([NewColumn(step["targetColumn"], value, source)])


_PATH = re.compile(r"`((?:[^`]|``)*)`|\[(\d+)\]|\.|([A-Za-z_][\w$-]*)")


def path_parts(path: str) -> list[str | int]:
    """Split a path such as `` `user`.`phones`[1] `` into field names and indexes.

    Plain field names need no back-ticks.

    :raises RecipeError: the path is malformed.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(path):
        found = _PATH.match(path, at)
        if found is None:
            raise RecipeError(f"the path {path!r} is malformed at character {at + 1}; write it as `column`.`field`[0]")
        if found.group(1) is not None:
            parts.append(found.group(1).replace("``", "`"))
        elif found.group(2) is not None:
            parts.append(int(found.group(2)))
        elif found.group(3) is not None:
            parts.append(found.group(3))
        at = found.end()
    return parts


def _check_path(arguments: Mapping[str, Any]) -> Sequence[str]:
    try:
        parts = path_parts(arguments["path"])
    except RecipeError as problem:
        return [problem.message]
    return [] if parts else ["path is empty"]


@action(
    "EXTRACT_VALUE",
    FAMILY,
    column(),
    new_column(),
    text("path"),
    check=_check_path,
    ambiguities=[("An index beyond the array", "null", "as Spark's getItem")],
)
def extract_value(step: Step, table: Table) -> Change:
    """Extract the value at a path inside a struct or an array into a new column."""
    source = step["sourceColumn"]
    dtype: Any = table.dtype(source)
    parts = path_parts(step["path"])
    if parts and parts[0] == source:
        parts = parts[1:]
    value = pl.col(source)
    for part in parts:
        if isinstance(dtype, pl.List) and isinstance(part, int):
            value, dtype = value.list.get(part, null_on_oob=True), dtype.inner
        elif isinstance(dtype, pl.Struct) and isinstance(part, str):
            fields = {field.name: field.dtype for field in dtype.fields}
            if part not in fields:
                raise RecipeError(
                    f"the path {step['path']!r} names {part!r}, but there are only {', '.join(fields)}", column=source
                )
            value, dtype = value.struct.field(part), fields[part]
        else:
            raise RecipeError(
                f"the path {step['path']!r} goes into {part!r}, but the value there is {type_name(dtype)}",
                column=source,
            )
    return Columns([NewColumn(step["targetColumn"], value, source)])


@action(
    "REPLACE_BETWEEN_DELIMITERS",
    FAMILY,
    column(),
    pattern("startPattern"),
    pattern("endPattern"),
    text("value"),
    ambiguities=[
        ("Whether the delimiters stay", "they stay", "the page: replaces the characters between two delimiters"),
        ("Several delimited parts", "each of them", "as REPLACE_TEXT, which replaces all"),
    ],
)
def replace_between_delimiters(step: Step, table: Table) -> Change:
    """Replace the text between two delimiters, and keep the delimiters."""
    source = step["sourceColumn"]
    start, end = step["startPattern"], step["endPattern"]
    inner = Pattern(start).groups
    found = Pattern(f"(?s)({start}).*?({end})")
    # $1 is the start delimiter, then come its own groups, then the end delimiter.
    replacement = "$1" + step["value"].replace("\\", "\\\\").replace("$", "\\$") + f"${inner + 2}"
    value = found.replace_all(as_text(pl.col(source), table.dtype(source)), replacement)
    return Columns([NewColumn(source, value, in_place=True)])


@action(
    "REPLACE_BETWEEN_POSITIONS",
    FAMILY,
    column(),
    integer("startPosition", minimum=0),
    integer("endPosition", minimum=0),
    text("value"),
    check=check_positions,
    ambiguities=[ONE_BASED, ("A text shorter than startPosition", "stays as it is", "there is nothing to replace")],
)
def replace_between_positions(step: Step, table: Table) -> Change:
    """Replace the characters between two positions."""
    source = step["sourceColumn"]
    value = as_text(pl.col(source), table.dtype(source))
    first = max(step["startPosition"], 1)
    changed = (
        value.str.slice(0, first - 1) + pl.lit(step["value"]) + value.str.slice(max(step["endPosition"], first - 1))
    )
    return Columns(
        [NewColumn(source, pl.when(value.str.len_chars() >= first).then(changed).otherwise(value), in_place=True)]
    )
