"""Column structure actions: flags, expressions, and splitting and merging of columns.

https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.column-structure.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from recipe_runner.actions.data_cleaning import check_positions
from recipe_runner.actions.text_functions import MERGE_NULL, merged
from recipe_runner.errors import RecipeError
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.java_patterns import from_java
from recipe_runner.language.operands import per_value
from recipe_runner.language.parameters import (
    boolean,
    choice,
    column,
    columns,
    integer,
    json_list,
    json_map,
    new_column,
    pattern,
    text,
    to_number,
)
from recipe_runner.language.patterns import SECONDS_PER_VALUE, Pattern, compiled, literal
from recipe_runner.language.value_expressions import (
    Parser,
    Typed,
    aggregate_values,
    check_with_expressions,
    constant,
    truth,
    unified,
)
from recipe_runner.tables.datatypes import as_text
from recipe_runner.tables.table import Change, Columns, NewColumn, Table

FAMILY = "Column structure"


@action(
    "FLAG_COLUMN_FROM_PATTERN",
    FAMILY,
    column(),
    new_column(),
    choice("flagType", "Pattern", required=False),
    pattern(),
    text("trueString", default="True"),
    text("falseString", default="False"),
    ambiguities=[
        ("Full match or search", "search", "the page speaks of the presence of a pattern"),
        ("Null in the source", "falseString", "the pattern is not present in it"),
    ],
)
def flag_column_from_pattern(step: Step, table: Table) -> Change:
    """Flag the rows whose value contains a regular expression."""
    source = step["sourceColumn"]
    found = Pattern(step["pattern"]).contains(as_text(pl.col(source), table.dtype(source)))
    flag = pl.when(found).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag, source)])


@action(
    "FLAG_COLUMN_FROM_NULL",
    FAMILY,
    column(),
    new_column(),
    choice("flagType", "Null values", required=False),
    text("trueString", default="True"),
    text("falseString", default="False"),
    ambiguities=[("An empty text", "is not null: falseString", "the page speaks of null values only")],
)
def flag_column_from_null(step: Step, table: Table) -> Change:
    """Flag the rows whose value is null."""
    source = step["sourceColumn"]
    table.require(source)
    flag = pl.when(pl.col(source).is_null()).then(pl.lit(step["trueString"])).otherwise(pl.lit(step["falseString"]))
    return Columns([NewColumn(step["targetColumn"], flag, source)])


def _check_expressions(*names: str) -> Callable[[Mapping[str, Any]], Sequence[str]]:
    def check(arguments: Mapping[str, Any]) -> Sequence[str]:
        problems = check_with_expressions(arguments["withExpressions"])
        if problems:
            return problems
        known = {entry["name"]: 0 for entry in arguments["withExpressions"] or []}
        for name in names:
            try:
                Parser(arguments[name], None, known).parse()
            except RecipeError as problem:
                # Without a table every column is of unknown type, so only faults of syntax show.
                problems.append(f"{name}: {problem.message}")
        return problems

    return check


def _operand(source: str, table: Table, aggregates: Mapping[str, Any]) -> Typed:
    """Parse a result of BOOLEAN_OPERATION.

    It is a column or aggregate in back-ticks, a text in quotes, or else the constant itself.
    """
    stripped = source.strip()
    if stripped.startswith(("`", "'", ":")) and stripped[:2] != ": ":
        try:
            return Parser(stripped, table, aggregates).parse()
        except RecipeError:
            if stripped.startswith("`"):
                raise
    return constant(source)


def _as_number(value: Typed) -> Typed:
    if not isinstance(value.literal, str):
        return value
    try:
        return constant(to_number(value.literal))
    except ValueError:
        return value


@action(
    "BOOLEAN_OPERATION",
    FAMILY,
    text("valueExpression"),
    text("trueValueExpression"),
    text("falseValueExpression"),
    json_list("withExpressions", required=False),
    new_column(),
    check=_check_expressions("valueExpression"),
    ambiguities=[
        ("Place of the new column", "at the far right", "the expression may name many columns or none"),
        ("A condition that is null", "falseValueExpression", "SQL's IF"),
        (
            "Constants such as 1 and 0",
            "numbers where both results are numbers, else texts",
            "flags are meant to be counted",
        ),
    ],
)
def boolean_operation(step: Step, table: Table) -> Change:
    """Write one of two values into a new column, depending on a condition."""
    aggregates = aggregate_values(step["withExpressions"], table)
    condition = truth(Parser(step["valueExpression"], table, aggregates).parse())
    results = [_operand(step[name], table, aggregates) for name in ("trueValueExpression", "falseValueExpression")]
    numeric = [_as_number(result) for result in results]
    if all(result.dtype.is_numeric() for result in numeric):
        results = numeric
    values, _ = unified(results)
    return Columns([NewColumn(step["targetColumn"], pl.when(condition).then(values[0]).otherwise(values[1]))])


@action(
    "CASE_OPERATION",
    FAMILY,
    text("valueExpression"),
    json_list("withExpressions", required=False),
    new_column(),
    check=_check_expressions("valueExpression"),
    ambiguities=[
        ("Place of the new column", "at the far right", "the expression may name many columns or none"),
        ("No branch holds and there is no else", "null", "SQL's CASE"),
        (
            "Columns without back-ticks, IS NULL, IN, BETWEEN, LIKE",
            "as in SQL",
            "a public recipe uses them, and the service uses Spark SQL",
        ),
        ("Branches of different types", "texts", "one column has one type"),
    ],
)
def case_operation(step: Step, table: Table) -> Change:
    """Write the value of a `case when … then … else … end` expression into a new column."""
    aggregates = aggregate_values(step["withExpressions"], table)
    return Columns(
        [NewColumn(step["targetColumn"], Parser(step["valueExpression"], table, aggregates).parse().expression)]
    )


action("MERGE", FAMILY, columns(), text("delimiter", required=False), new_column(), ambiguities=[MERGE_NULL])(merged)

NAMES = (
    "Names of the new columns",
    "`<source>_1`, `<source>_2` …, and the source stays",
    "the pages give none; the console's preview shows these",
)
DELIMITER = (
    "Whether a delimiter is a regular expression",
    "no, its characters are literal; with a backslash, yes",
    "the pages say one or more characters; those of other actions say regular expression",
)
MAX_SPLITS = 20


def _parts(step: Step, values: list[pl.Expr]) -> Change:
    source = step["sourceColumn"]
    return Columns([NewColumn(f"{source}_{number}", value, source) for number, value in enumerate(values, 1)])


def _text_of(step: Step, table: Table) -> pl.Expr:
    return as_text(pl.col(step["sourceColumn"]), table.dtype(step["sourceColumn"]))


def _check_option(name: str) -> Callable[[Mapping[str, Any]], Sequence[str]]:
    def check(arguments: Mapping[str, Any]) -> Sequence[str]:
        options = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
        return [message for option in options for message in _option_faults(name, option)]

    return check


def delimiter_pattern(delimiter: str) -> str:
    """Return a delimiter as a regular expression: literal unless it contains a backslash."""
    return from_java(delimiter) if "\\" in delimiter else literal(delimiter)


def _option_faults(name: str, option: Any) -> list[str]:
    if not isinstance(option, dict) or not isinstance(option.get("pattern"), str) or not option["pattern"]:
        return [f"{name} must give a pattern"]
    try:
        Pattern(delimiter_pattern(option["pattern"]))
    except RecipeError as problem:
        return [f"{name}: {problem.message}"]
    return []


def _included(option: Mapping[str, Any]) -> bool:
    return str(option.get("includeInSplit", "false")).lower() == "true"


@action(
    "SPLIT_COLUMN_BETWEEN_DELIMITER",
    FAMILY,
    column(),
    json_map("patternOption1"),
    json_map("patternOption2"),
    check=lambda arguments: [*_check_option("patternOption1")(arguments), *_check_option("patternOption2")(arguments)],
    ambiguities=[
        NAMES,
        DELIMITER,
        (
            "Which columns",
            "before, between and after the delimiters; null where they are not found",
            "the page: three new columns",
        ),
        ("Where an included delimiter goes", "to the part between", "it is what the delimiters enclose"),
    ],
)
def split_column_between_delimiter(step: Step, table: Table) -> Change:
    """Split a column into the parts before, between and after two delimiters."""
    one, two = step["patternOption1"], step["patternOption2"]
    start_source, end_source = delimiter_pattern(one["pattern"]), delimiter_pattern(two["pattern"])
    first, second = Pattern(start_source), Pattern(end_source)
    whole = Pattern(f"(?s)^(.*?)({start_source})(.*?)({end_source})(.*)$")
    value = _text_of(step, table)
    inner = 3 + first.groups
    start = whole.extract(value, group=2) if _included(one) else pl.lit("")
    end = whole.extract(value, group=inner + 1) if _included(two) else pl.lit("")
    between = start + whole.extract(value, group=inner) + end
    return _parts(step, [whole.extract(value, group=1), between, whole.extract(value, group=inner + 2 + second.groups)])


OFFSET = ("Meaning of a position", "the number of characters before the cut", "the pages speak of offsets")


@action(
    "SPLIT_COLUMN_BETWEEN_POSITIONS",
    FAMILY,
    column(),
    integer("startPosition", minimum=0),
    integer("endPosition", minimum=0),
    check=check_positions,
    ambiguities=[NAMES, OFFSET],
)
def split_column_between_positions(step: Step, table: Table) -> Change:
    """Split a column into the parts before, between and after two positions."""
    value, start, end = _text_of(step, table), step["startPosition"], step["endPosition"]
    return _parts(step, [value.str.slice(0, start), value.str.slice(start, end - start), value.str.slice(end)])


@action("SPLIT_COLUMN_FROM_START", FAMILY, column(), integer("position", minimum=0), ambiguities=[NAMES, OFFSET])
def split_column_from_start(step: Step, table: Table) -> Change:
    """Split a column in two at a position counted from the start."""
    value, position = _text_of(step, table), step["position"]
    return _parts(step, [value.str.slice(0, position), value.str.slice(position)])


@action("SPLIT_COLUMN_FROM_END", FAMILY, column(), integer("position", minimum=0), ambiguities=[NAMES, OFFSET])
def split_column_from_end(step: Step, table: Table) -> Change:
    """Split a column in two at a position counted from the end."""
    value, position = _text_of(step, table), step["position"]
    if position == 0:
        return _parts(step, [value, value.str.slice(0, 0)])
    return _parts(step, [value.str.head(-position), value.str.tail(position)])


def _split(step: Step, table: Table, options: list[Mapping[str, Any]]) -> Change:
    """Split at the first `limit` delimiters; an included delimiter ends the part before it."""
    limit = step["limit"]
    patterns = [compiled(delimiter_pattern(option["pattern"])) for option in options]

    def cut(value: str) -> list[str]:
        parts: list[str] = []
        at = 0
        for _ in range(limit):
            found = [
                (hit.start(), -hit.end(), index, hit)
                for index, one in enumerate(patterns)
                if (hit := one.search(value, at, timeout=SECONDS_PER_VALUE))
            ]
            found = [entry for entry in found if entry[3].end() > entry[3].start()]
            if not found:
                break
            _, _, index, hit = min(found, key=lambda entry: entry[:3])
            parts.append(value[at : hit.end() if _included(options[index]) else hit.start()])
            at = hit.end()
        return [*parts, value[at:]]

    def guarded(value: str) -> list[str]:
        try:
            return cut(value)
        except TimeoutError:
            raise RecipeError(
                "a delimiter's regular expression takes too long to match; simplify it", column=step["sourceColumn"]
            ) from None

    pieces = per_value(guarded, _text_of(step, table), pl.List(pl.String()))
    return _parts(step, [pieces.list.get(index, null_on_oob=True) for index in range(limit + 1)])


SPLIT = [
    NAMES,
    DELIMITER,
    ("Number of new columns", "limit + 1, null where a row has fewer parts", "each split adds a part"),
    ("Where an included delimiter goes", "to the end of the part before it", "nothing of the text is lost"),
]


def _check_delimiter(arguments: Mapping[str, Any]) -> Sequence[str]:
    delimiter = arguments["pattern"]
    if not delimiter:
        return ["pattern must be at least one character"]
    try:
        Pattern(delimiter_pattern(delimiter))
    except RecipeError as problem:
        return [f"pattern: {problem.message}"]
    return []


@action(
    "SPLIT_COLUMN_SINGLE_DELIMITER",
    FAMILY,
    column(),
    text("pattern"),
    integer("limit", default=1, minimum=1, maximum=MAX_SPLITS),
    boolean("includeInSplit"),
    check=_check_delimiter,
    ambiguities=SPLIT,
)
def split_column_single_delimiter(step: Step, table: Table) -> Change:
    """Split a column at each of the first `limit` occurrences of a delimiter."""
    source, limit = step["sourceColumn"], step["limit"]
    delimiter = step["pattern"]
    if "\\" not in delimiter and not step["includeInSplit"]:
        pieces = _text_of(step, table).str.splitn(delimiter, limit + 1)
        table.require(source)
        return _parts(step, [pieces.struct.field(f"field_{index}") for index in range(limit + 1)])
    return _split(step, table, [{"pattern": delimiter, "includeInSplit": step["includeInSplit"]}])


@action(
    "SPLIT_COLUMN_MULTIPLE_DELIMITER",
    FAMILY,
    column(),
    json_list("patternOptions"),
    integer("limit", default=1, minimum=1, maximum=MAX_SPLITS),
    check=_check_option("patternOptions"),
    ambiguities=SPLIT,
)
def split_column_multiple_delimiter(step: Step, table: Table) -> Change:
    """Split a column at the first `limit` occurrences of any of several delimiters."""
    return _split(step, table, step["patternOptions"])


@action(
    "SPLIT_COLUMN_WITH_INTERVALS",
    FAMILY,
    column(),
    integer("startPosition", default=0, minimum=0),
    integer("interval", minimum=1),
    ambiguities=[
        NAMES,
        OFFSET,
        (
            "Number of new columns",
            "as many as the longest text needs, at most 21",
            "the limit of 20 splits of the other split actions",
        ),
    ],
)
def split_column_with_intervals(step: Step, table: Table) -> Change:
    """Split a column into parts of equal length."""
    value, start, interval = _text_of(step, table), step["startPosition"], step["interval"]
    longest = table.collect_one(longest=value.str.len_chars().max())["longest"] or 0
    cuts = list(range(start, max(longest, 1), interval))[: MAX_SPLITS + 1] or [0]
    values = [value.str.slice(0, start)] if start else []
    values += [value.str.slice(cut, interval) for cut in cuts[: MAX_SPLITS + 1 - len(values)]]
    return _parts(step, [pl.when(part != "").then(part) for part in values])
