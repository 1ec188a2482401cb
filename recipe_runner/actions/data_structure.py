"""Data structure actions (https://docs.aws.amazon.com/databrew/latest/dg/recipe-actions.data-structure.html).

Polars has no map type: a map is held as a struct whose null fields are absent keys, which JSON
writes alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from recipe_runner.actions.aggregate_functions import mode_of
from recipe_runner.actions.basic_column import selected_columns
from recipe_runner.errors import RecipeError
from recipe_runner.language.conditions import combined
from recipe_runner.language.declaration import Step, action
from recipe_runner.language.parameters import (
    Parameter,
    boolean,
    choice,
    column,
    columns,
    integer,
    json_list,
    new_column,
    pattern,
    strings,
    text,
)
from recipe_runner.tables.datatypes import as_text, convert, normal_type
from recipe_runner.tables.table import (
    Change,
    Columns,
    DatasetFiles,
    NewColumn,
    SecondaryInput,
    Table,
    missing_column,
    require_plain,
    type_name,
)

FAMILY = "Data structure"
MAX_PIVOT = 10
NEST: tuple[Parameter, ...] = (columns(), new_column(), boolean("removeSourceColumns", aliases=("removeSourceColumn",)))
AFTER_LAST = ("Place of the new column", "right of the last source listed", "seen on the service for one source")


def common_type(types: Sequence[pl.DataType]) -> pl.DataType | None:
    """Return the type that can hold values of all given types; None means text.

    It is their own type if they are equal, and a number type if all are numbers.
    """
    plain = [dtype for dtype in types if dtype != pl.Null]
    if not plain:
        return pl.String()
    if len(set(plain)) == 1:
        return plain[0]
    if all(dtype.is_numeric() for dtype in plain):
        return pl.Int64() if all(dtype.is_integer() for dtype in plain) else pl.Float64()
    return None


def cast_common(table: Table, names: Sequence[str]) -> list[pl.Expr]:
    """Return columns as expressions of their common type."""
    target = common_type([table.dtype(name) for name in names])
    return [
        pl.col(name).cast(target) if target is not None else as_text(pl.col(name), table.dtype(name)) for name in names
    ]


def _nest(step: Step, table: Table, value: pl.Expr) -> Change:
    names = step["sourceColumns"]
    target = step["targetColumn"]
    if step["removeSourceColumns"] and target in names:
        changed = table.with_columns([NewColumn(target, value, in_place=True)], combined(step.conditions, table))
        return changed.drop([name for name in names if name != target])
    return Columns([NewColumn(target, value, names[-1])], drop=names if step["removeSourceColumns"] else ())


@action(
    "NEST_TO_ARRAY",
    FAMILY,
    *NEST,
    ambiguities=[
        AFTER_LAST,
        ("The common type", "double for mixed numbers, else text", "the page: typecast to a common type"),
    ],
)
def nest_to_array(step: Step, table: Table) -> Change:
    """Nest columns into one column of arrays."""
    return _nest(step, table, pl.concat_list(cast_common(table, step["sourceColumns"])))


@action(
    "NEST_TO_MAP",
    FAMILY,
    *NEST,
    ambiguities=[
        AFTER_LAST,
        ("The common type", "double for mixed numbers, else text", "the page: typecast to a common type"),
    ],
)
def nest_to_map(step: Step, table: Table) -> Change:
    """Nest columns into one column of maps from column name to value."""
    names = step["sourceColumns"]
    return _nest(
        step,
        table,
        pl.struct([value.alias(name) for name, value in zip(names, cast_common(table, names), strict=True)]),
    )


@action("NEST_TO_STRUCT", FAMILY, *NEST, ambiguities=[AFTER_LAST])
def nest_to_struct(step: Step, table: Table) -> Change:
    """Nest columns into one column of structs."""
    table.require(*step["sourceColumns"])
    return _nest(step, table, pl.struct(step["sourceColumns"]))


def _struct_fields(table: Table, name: str) -> dict[str, pl.DataType]:
    dtype = table.dtype(name)
    if not isinstance(dtype, pl.Struct):
        raise RecipeError(
            f"the column holds {type_name(dtype)}, not a struct; convert JSON text with JSON_TO_STRUCTS first",
            column=name,
        )
    return {field.name: pl.Series(dtype=field.dtype).dtype for field in dtype.fields}


@action(
    "UNNEST_ARRAY",
    FAMILY,
    column(),
    new_column(required=False),
    boolean("removeSourceColumn"),
    takes_conditions=False,
    ambiguities=[
        ("An empty or null array", "one row with null", "no row is lost (Spark's explode_outer)"),
        (
            "The source column",
            "stays, unless it is the target or removeSourceColumn is true",
            "the page: unnests into a new column",
        ),
    ],
)
def unnest_array(step: Step, table: Table) -> Change:
    """Make a row of each element of an array."""
    source, target = step["sourceColumn"], step["targetColumn"] or step["sourceColumn"]
    dtype = table.dtype(source)
    if not isinstance(dtype, pl.List | pl.Array):
        raise RecipeError(f"the column holds {type_name(dtype)}, not an array", column=source)
    if target != source:
        table = table.with_columns([NewColumn(target, pl.col(source), source)])
    exploded = table.with_frame(table.lazy().explode(target, empty_as_null=True, keep_nulls=True))
    return exploded.drop([source]) if step["removeSourceColumn"] and target != source else exploded


@action(
    "UNNEST_MAP",
    FAMILY,
    column(),
    boolean("removeSourceColumn"),
    text("targetColumn", required=False),
    takes_conditions=False,
    ambiguities=[
        (
            "Names of the two columns",
            "`<prefix>.key` and `<prefix>.value`; the prefix is targetColumn, else the source",
            "UNNEST_STRUCT_N's page joins names with a point",
        ),
        ("An empty or null map", "one row with nulls", "no row is lost"),
        (
            "A key whose value is null",
            "counts as absent",
            "a map is read from JSON objects that need not have all keys",
        ),
    ],
)
def unnest_map(step: Step, table: Table) -> Change:
    """Make a row of each entry of a map, with a column for the key and one for the value."""
    source = step["sourceColumn"]
    fields = _struct_fields(table, source)
    prefix = step["targetColumn"] or source
    target = common_type(list(fields.values()))
    entries = []
    for name, dtype in fields.items():
        raw = pl.col(source).struct.field(name)
        value = raw.cast(target) if target is not None else as_text(raw, dtype)
        entries.append(pl.when(value.is_not_null()).then(pl.struct(pl.lit(name).alias("key"), value.alias("value"))))
    pairs = pl.concat_list(entries).list.drop_nulls()
    key, value_name = f"{prefix}.key", f"{prefix}.value"
    table.require_free(key)
    table.require_free(value_name)
    widened = table.with_columns([NewColumn("\x00pairs", pairs, source)])
    exploded = widened.with_frame(widened.lazy().explode("\x00pairs", empty_as_null=True, keep_nulls=True))
    done = exploded.with_columns(
        [
            NewColumn(key, pl.col("\x00pairs").struct.field("key"), source),
            NewColumn(value_name, pl.col("\x00pairs").struct.field("value"), source),
        ]
    )
    return done.drop(["\x00pairs", *([source] if step["removeSourceColumn"] else [])])


@action(
    "UNNEST_STRUCT",
    FAMILY,
    column(),
    boolean("removeSourceColumn"),
    text("targetColumn", required=False),
    ambiguities=[
        (
            "Names of the new columns",
            "`<prefix>.<field>`; the prefix is targetColumn, else the source",
            "UNNEST_STRUCT_N's page joins names with a point",
        )
    ],
)
def unnest_struct(step: Step, table: Table) -> Change:
    """Make a column of each field of a struct."""
    source = step["sourceColumn"]
    prefix = step["targetColumn"] or source
    new = [
        NewColumn(f"{prefix}.{name}", pl.col(source).struct.field(name), source)
        for name in _struct_fields(table, source)
    ]
    return Columns(new, drop=[source] if step["removeSourceColumn"] else [])


def _leaves(value: pl.Expr, dtype: pl.DataType, name: str, level: int, delimiter: str) -> list[tuple[str, pl.Expr]]:
    if level > 0 and isinstance(dtype, pl.Struct):
        return [
            leaf
            for field in dtype.fields
            for leaf in _leaves(
                value.struct.field(field.name),
                pl.Series(dtype=field.dtype).dtype,
                f"{name}{delimiter}{field.name}",
                level - 1,
                delimiter,
            )
        ]
    return [(name, value)]


@action(
    "UNNEST_STRUCT_N",
    FAMILY,
    columns(required=False),
    pattern("regexColumnSelector", required=False),
    boolean("removeSourceColumn"),
    integer("unnestLevel", default=1, minimum=1),
    text("delimiter", default="."),
    json_list("conditionExpressions", required=False),
    one_of=[("sourceColumns", "regexColumnSelector")],
    ambiguities=[("unnestLevel absent", "1", "the least")],
)
def unnest_struct_n(step: Step, table: Table) -> Change:
    """Make a column of each field of structs, down to a given level of nesting."""
    names = selected_columns(step, table)
    new: list[NewColumn] = []
    for name in names:
        _struct_fields(table, name)
        leaves = _leaves(pl.col(name), table.dtype(name), name, step["unnestLevel"], step["delimiter"])
        new.extend(NewColumn(leaf, value, name) for leaf, value in leaves)
    return Columns(new, drop=names if step["removeSourceColumn"] else [])


Aggregate = Callable[[pl.Expr], pl.Expr]
AGGREGATES: dict[str, Aggregate] = {
    "COUNT": lambda value: value.count().cast(pl.Int64),
    "COUNT_DISTINCT": lambda value: value.drop_nulls().n_unique().cast(pl.Int64),
    "SUM": lambda value: pl.when(value.count() > 0).then(value.sum()),
    "AVERAGE": lambda value: value.mean(),
    "MEDIAN": lambda value: value.median(),
    "MODE": lambda value: mode_of(value, None),
    "MIN": lambda value: value.min(),
    "MAX": lambda value: value.max(),
    "STANDARD_DEVIATION": lambda value: value.std(ddof=1),
    "VARIANCE": lambda value: value.var(ddof=1),
    "KURTOSIS": lambda value: value.kurtosis().fill_nan(None),
    "SKEWNESS": lambda value: value.skew().fill_nan(None),
    "ANY": lambda value: value.drop_nulls().first(),
    "FIRST": lambda value: value.first(),
    "LAST": lambda value: value.last(),
    # One list per group, window or table.
    "COLLECT_LIST": lambda value: value.drop_nulls().implode(),
    "COLLECT_SET": lambda value: value.drop_nulls().unique(maintain_order=True).implode(),
    "UNAGGREGATED": lambda value: value.drop_nulls().implode(),
}
UNAGGREGATED = "UNAGGREGATED"
AGGREGATE_ALIASES = {
    "AVG": "AVERAGE",
    "MEAN": "AVERAGE",
    "STDDEV": "STANDARD_DEVIATION",
    "STANDARDDEVIATION": "STANDARD_DEVIATION",
    "STDEV": "STANDARD_DEVIATION",
    "VAR": "VARIANCE",
    "COUNTDISTINCT": "COUNT_DISTINCT",
    "MINIMUM": "MIN",
    "MAXIMUM": "MAX",
    "ANY_VALUE": "ANY",
}
NUMERIC_AGGREGATES = ("SUM", "AVERAGE", "MEDIAN", "STANDARD_DEVIATION", "VARIANCE", "KURTOSIS", "SKEWNESS")


def aggregate_name(name: Any) -> str | None:
    """Return the canonical name of an aggregate as recipes spell it; None if there is none."""
    upper = str(name).strip().upper().replace(" ", "_")
    upper = AGGREGATE_ALIASES.get(upper, upper)
    return upper if upper in AGGREGATES else None


def aggregated(table: Table, function: str, name: str) -> pl.Expr:
    """Return an aggregate of a column as an expression."""
    return AGGREGATES[function](_aggregated_values(table, function, name))


def _aggregated_values(table: Table, function: str, name: str) -> pl.Expr:
    """Return the values that an aggregate needs: as numbers for a numeric aggregate."""
    table.require(name)
    if function not in NUMERIC_AGGREGATES:
        return pl.col(name)
    return table.numeric(name) if function == "SUM" else table.without_decimals(name)


_MEMBERS = ("sourceColumnName", "targetColumnName", "targetColumnDataType", "functionName")


def _check_group(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems: list[str] = []
    options = arguments["groupByAggFunctionOptions"] or []
    for entry in options if options != [UNAGGREGATED] else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("functionName"), str):
            problems.append(
                "each of groupByAggFunctionOptions must be an object with sourceColumnName, targetColumnName and "
                "functionName"
            )
            continue
        problems.extend(
            f"groupByAggFunctionOptions has no member {key!r}; it takes {', '.join(_MEMBERS)}"
            for key in entry
            if key not in _MEMBERS
        )
        if aggregate_name(entry["functionName"]) is None:
            problems.append(
                f"there is no aggregate function {entry['functionName']!r}; the functions are {', '.join(AGGREGATES)}"
            )
        if not isinstance(entry.get("sourceColumnName"), str):
            problems.append("each of groupByAggFunctionOptions needs sourceColumnName")
    return problems


@action(
    "GROUP_BY",
    FAMILY,
    columns(),
    json_list("groupByAggFunctionOptions", required=False, aliases=("groupByAggFunctions",), words=(UNAGGREGATED,)),
    boolean("useNewDataFrame", default=True),
    check=_check_group,
    ambiguities=[
        (
            "Name of the aggregations' parameter",
            "groupByAggFunctionOptions and groupByAggFunctions",
            "the page's text and example disagree",
        ),
        ("Order of the groups", "that of their first rows", "it does not depend on the machine"),
        (
            "useNewDataFrame false, or conditions",
            "false: every row stays and gets its group's results; conditions: only the rows that meet them are grouped",
            "the console offers both; conditions come before the action",
        ),
        ("targetColumnName absent", "`<source>_<function>` in lower case", "the page's example: all_votes_count"),
        (
            "UNAGGREGATED in place of the list of functions",
            "the groups alone, one row each",
            "the page: no aggregation; a group has nothing else to show",
        ),
        ("UNAGGREGATED as the function of a column", "the group's values as an array", "as COLLECT_LIST in PIVOT"),
        ("useNewDataFrame absent", "true", "the page: summarizes the data"),
    ],
)
def group_by(step: Step, table: Table) -> Change:
    """Aggregate columns by groups of rows, into one row per group or beside every row."""
    keys = step["sourceColumns"]
    table.require(*keys)
    results: dict[str, pl.Expr] = {}
    wanted_types: dict[str, str] = {}
    options = step["groupByAggFunctionOptions"] or []
    for entry in options if options != [UNAGGREGATED] else []:
        function = aggregate_name(entry["functionName"])
        assert function is not None
        name = entry["sourceColumnName"]
        target = entry.get("targetColumnName") or f"{name}_{function.lower()}"
        if target in results or (target in keys if step["useNewDataFrame"] else target in table.schema):
            raise RecipeError(f"a column {target!r} already exists; choose another targetColumnName", column=target)
        results[target] = aggregated(table, function, name)
        if entry.get("targetColumnDataType"):
            wanted_types[target] = str(entry["targetColumnDataType"])
    require_plain(results)
    condition = combined(step.conditions, table)
    if not step["useNewDataFrame"]:
        new = [NewColumn(target, expression.over(keys)) for target, expression in results.items()]
        return _typed(table.with_columns(new, condition), wanted_types)
    frame = table.lazy() if condition is None else table.lazy().filter(condition)
    grouped = frame.group_by(keys, maintain_order=True).agg(
        [expression.alias(target) for target, expression in results.items()]
    )
    return _typed(table.with_frame(grouped.select([*keys, *results])), wanted_types)


def _typed(table: Table, wanted: Mapping[str, str]) -> Table:
    new = []
    for name, type_text in wanted.items():
        to = normal_type(type_text)
        dtype = table.dtype(name)
        if to is None or dtype.is_nested() or (type_text.lower() == "number" and dtype.is_numeric()):
            continue
        new.append(NewColumn(name, convert(pl.col(name), dtype, to), in_place=True))
    return table.with_columns(new) if new else table


def _check_aggregate(arguments: Mapping[str, Any]) -> Sequence[str]:
    if aggregate_name(arguments["aggregateFunction"]) is None:
        return [
            f"there is no aggregate function {arguments['aggregateFunction']!r}; the functions are "
            f"{', '.join(AGGREGATES)}"
        ]
    return []


@action(
    "PIVOT",
    FAMILY,
    column(),
    column("valueColumn"),
    text("aggregateFunction"),
    check=_check_aggregate,
    ambiguities=[
        ("Names of the new columns", "the values themselves; null makes `null`", "the page: row values into columns"),
        ("Order of the new columns", "alphabetical", "Spark's pivot, and seen for ONE_HOT_ENCODING"),
        ("More than ten values", "an error", "the page's limit"),
        (
            "Which rows are put together",
            "those equal in all other columns, in the order of their first rows",
            "Spark's groupBy of the rest",
        ),
        ("A cell without rows", "null (an empty list for COLLECT_LIST)", "as Spark"),
        ("Conditions", "only the rows that meet them are pivoted", "as for GROUP_BY"),
    ],
)
def pivot(step: Step, table: Table) -> Change:
    """Make a column of each distinct value (at most ten), with an aggregate in each cell."""
    source, value = step["sourceColumn"], step["valueColumn"]
    function = aggregate_name(step["aggregateFunction"])
    assert function is not None
    table.require(source, value)
    if source == value:
        raise RecipeError("sourceColumn and valueColumn must be different columns", column=source)
    condition = combined(step.conditions, table)
    frame = table.lazy() if condition is None else table.lazy().filter(condition)
    found = frame.select(pl.col(source).unique()).collect(engine="streaming").to_series().sort(nulls_last=True)
    if len(found) > MAX_PIVOT:
        raise RecipeError(
            f"the column has {len(found)} distinct values, and a pivot takes at most {MAX_PIVOT}", column=source
        )
    keys = [name for name in table.names if name not in (source, value)]
    cells: dict[str, pl.Expr] = {}
    for item, name in zip(
        found, pl.DataFrame({"v": found}).select(as_text(pl.col("v"), table.dtype(source))).to_series(), strict=True
    ):
        chosen = pl.col(source).eq_missing(pl.lit(item, dtype=table.dtype(source)))
        target = "null" if name is None else name
        if target in keys or target in cells:
            raise RecipeError(f"the pivot would make the column {target!r} twice", column=source)
        operand = _aggregated_values(table, function, value)
        cells[target] = AGGREGATES[function](operand.filter(chosen))
    require_plain(cells)
    expressions = [expression.alias(name) for name, expression in cells.items()]
    if not keys:
        return table.with_frame(frame.select(expressions))
    return table.with_frame(frame.group_by(keys, maintain_order=True).agg(expressions).select([*keys, *cells]))


@action(
    "UNPIVOT",
    FAMILY,
    columns(),
    new_column("unpivotColumn"),
    new_column("valueColumn"),
    takes_conditions=False,
    ambiguities=[
        (
            "What the two columns hold",
            "unpivotColumn the name of the source column, valueColumn the value",
            "the page's picture",
        ),
        ("Order of the rows", "row by row, the sources in the order listed", "Spark's stack"),
        ("Sources of different types", "double for mixed numbers, else text", "one column has one type"),
    ],
)
def unpivot(step: Step, table: Table) -> Change:
    """Turn columns into rows: one column for the name, one for the value."""
    names, variable, value = step["sourceColumns"], step["unpivotColumn"], step["valueColumn"]
    table.require(*names)
    rest = [name for name in table.names if name not in names]
    for target in (variable, value):
        if target in rest:
            raise RecipeError(f"a column {target!r} already exists; choose another name", column=target)
    if variable == value:
        raise RecipeError("unpivotColumn and valueColumn must be different names", column=value)
    pairs = [
        pl.struct(pl.lit(name).alias(variable), cell.alias(value))
        for name, cell in zip(names, cast_common(table, names), strict=True)
    ]
    frame = (
        table.lazy()
        .select(*rest, pl.concat_list(pairs).alias("\x00pair"))
        .explode("\x00pair", empty_as_null=True, keep_nulls=True)
        .unnest("\x00pair")
    )
    return table.with_frame(frame)


@action(
    "TRANSPOSE",
    FAMILY,
    columns("pivotColumns"),
    columns("valueColumns"),
    text("aggregateFunction"),
    new_column("newColumn"),
    takes_conditions=False,
    check=_check_aggregate,
    ambiguities=[
        ("Several pivotColumns", "their values joined by `_` name the new columns", "Spark's naming"),
        ("Order of the new columns", "that of the rows they come from", "a transposition keeps the order"),
        ("Columns in neither list", "are dropped", "a transposed table has no place for them"),
    ],
)
def transpose(step: Step, table: Table) -> Change:
    """Turn rows into columns and columns into rows."""
    pivots, values = step["pivotColumns"], step["valueColumns"]
    function = aggregate_name(step["aggregateFunction"])
    assert function is not None
    table.require(*pivots, *values)
    label = pl.concat_str(
        [as_text(pl.col(name), table.dtype(name)).fill_null("null") for name in pivots], separator="_"
    ).alias("\x00label")
    columns_cast = cast_common(table, values)
    if function in NUMERIC_AGGREGATES:
        numbers = [table.numeric(name) for name in values]
        if all(table.dtype(name) == pl.Null for name in values):
            columns_cast = numbers  # nothing there says what it would be: it may be numbers
    cells = [cell.alias(name) for name, cell in zip(values, columns_cast, strict=True)]
    rows = table.lazy().select(label, *cells).collect(engine="streaming")
    labels = rows["\x00label"].unique(maintain_order=True).to_list()
    if step["newColumn"] in labels:
        raise RecipeError(
            f"the transposition would make the column {step['newColumn']!r} twice", column=step["newColumn"]
        )
    if len(labels) > 10_000:
        raise RecipeError(f"the transposition would make {len(labels)} columns", column=pivots[0])
    parts = []
    for name in values:
        operand = pl.col(name)
        made = rows.group_by("\x00label", maintain_order=True).agg(AGGREGATES[function](operand).alias("\x00cell"))
        parts.append(
            pl.DataFrame(
                {
                    step["newColumn"]: [name],
                    **{key: pl.Series([cell], dtype=made.schema["\x00cell"]) for key, cell in made.iter_rows()},
                }
            )
        )
    return table.with_frame(pl.concat(parts, how="vertical_relaxed").lazy())


JOIN_TYPES = (
    "INNER_JOIN",
    "LEFT_JOIN",
    "RIGHT_JOIN",
    "OUTER_JOIN",
    "LEFT_EXCLUDING_JOIN",
    "RIGHT_EXCLUDING_JOIN",
    "OUTER_EXCLUDING_JOIN",
)


def secondary_table(table: Table, name: str, location: str) -> Table:
    """Open a second dataset as a table.

    :raises RecipeError: its files cannot be found.
    """
    context = table.context
    if context.secondary is None or context.scan is None:
        raise RecipeError(
            f"the second dataset {name or location!r} cannot be found; name its file with --dataset "
            f"{name or 'NAME'}=PATH"
        )
    files: DatasetFiles = context.secondary(SecondaryInput(name, location))
    return Table.of(context.scan(files), context)


def _either(name: str, left_type: pl.DataType, right_type: pl.DataType) -> pl.Expr:
    """Return the left key or, in a row without a left side, the right one."""
    left, right = pl.col(name), pl.col(f"\x00shared_{name}")
    target = common_type([left_type, right_type])
    if target is None:
        return pl.coalesce(as_text(left, left_type), as_text(right, right_type)).alias(name)
    return pl.coalesce(left.cast(target), right.cast(target)).alias(name)


def _check_join(arguments: Mapping[str, Any]) -> Sequence[str]:
    problems = [
        "each of joinKeys must be an object with key (a column of this dataset) and value (one of the other)"
        for key in arguments["joinKeys"]
        if not isinstance(key, dict) or not isinstance(key.get("key"), str) or not isinstance(key.get("value"), str)
    ]
    if not arguments["joinKeys"]:
        problems.append("joinKeys must name at least one pair of columns")
    return problems


@action(
    "JOIN",
    FAMILY,
    json_list("joinKeys"),
    choice("joinType", *JOIN_TYPES),
    columns("leftColumns"),
    columns("rightColumns"),
    text("secondInputLocation", required=False),
    text("secondaryDatasetName", required=False),
    takes_conditions=False,
    one_of=[("secondInputLocation", "secondaryDatasetName")],
    check=_check_join,
    ambiguities=[
        (
            "Columns made by earlier steps that leftColumns does not list",
            "stay",
            "public recipes list only the dataset's own columns and use the new ones later",
        ),
        (
            "A right column whose name is taken",
            "`<secondaryDatasetName>_<column>`; left out if it is a join key of the same name",
            "the page does not say; nothing is lost",
        ),
        (
            "Order of the rows",
            "that of this dataset; of the other for right joins",
            "it does not depend on the machine",
        ),
        ("Null keys", "match nothing", "SQL"),
        (
            "Keys of different types",
            "are compared as numbers if both are, else as texts",
            "files without types can give both",
        ),
    ],
)
def join(step: Step, table: Table) -> Change:
    """Join the table with a second dataset on pairs of key columns."""
    other = secondary_table(table, step["secondaryDatasetName"] or "", step["secondInputLocation"] or "")
    table.require(*step["leftColumns"])
    other.require(*step["rightColumns"])
    how = step["joinType"]
    lefts = [name for name in table.names if name in step["leftColumns"] or name not in table.origin]
    shared, renamed = _right_columns(step, lefts)
    left_keys, right_keys = _join_keys(step, table, other)
    keys = list(left_keys)
    left = table.lazy().with_columns(**left_keys).select([*lefts, *keys]).with_columns(pl.lit(True).alias(_LEFT))
    right = other.lazy().with_columns(**right_keys)
    right = right.select(
        [
            *(pl.col(old).alias(f"\x00right_{new}") for old, new in renamed.items()),
            *(pl.col(old).alias(f"\x00shared_{old}") for old in shared),
            *keys,
        ]
    ).with_columns(pl.lit(True).alias(_RIGHT))
    frame = _joined(left, right, keys, how)
    # If every row has a left side, its key is the key; else the right key fills the gaps, in a type
    # that holds both.
    filled = shared if how not in ("INNER_JOIN", "LEFT_JOIN", "LEFT_EXCLUDING_JOIN") else []
    values = [_either(name, table.dtype(name), other.dtype(name)) if name in filled else pl.col(name) for name in lefts]
    return table.with_frame(
        frame.select([*values, *(pl.col(f"\x00right_{new}").alias(new) for new in renamed.values())])
    )


_LEFT, _RIGHT = "\x00left", "\x00right"


def _join_keys(step: Step, table: Table, other: Table) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    """Return the keys of both sides in one type per pair, under names that no column has."""
    lefts: dict[str, pl.Expr] = {}
    rights: dict[str, pl.Expr] = {}
    for index, pair in enumerate(step["joinKeys"]):
        left, right = pl.col(pair["key"]), pl.col(pair["value"])
        left_type, right_type = table.dtype(pair["key"]), other.dtype(pair["value"])
        target = common_type([left_type, right_type])
        lefts[f"\x00key{index}"] = left.cast(target) if target is not None else as_text(left, left_type)
        rights[f"\x00key{index}"] = right.cast(target) if target is not None else as_text(right, right_type)
    return lefts, rights


def _right_columns(step: Step, lefts: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the right columns that are shared keys, and the new names of the others."""
    same_named = {pair["value"] for pair in step["joinKeys"] if pair["key"] == pair["value"] and pair["key"] in lefts}
    renamed: dict[str, str] = {}
    shared: list[str] = []
    for name in step["rightColumns"]:
        if name in same_named:
            shared.append(name)
            continue
        target = f"{step['secondaryDatasetName'] or 'right'}_{name}" if name in lefts else name
        while target in lefts or target in renamed.values():
            target += "_1"
        renamed[name] = target
    return shared, renamed


def _joined(left: pl.LazyFrame, right: pl.LazyFrame, keys: list[str], how: str) -> pl.LazyFrame:
    if how == "INNER_JOIN":
        return left.join(right, on=keys, how="inner", maintain_order="left_right")
    if how in ("LEFT_JOIN", "LEFT_EXCLUDING_JOIN"):
        frame = left.join(right, on=keys, how="left", maintain_order="left_right")
    elif how in ("RIGHT_JOIN", "RIGHT_EXCLUDING_JOIN"):
        frame = right.join(left, on=keys, how="left", maintain_order="left_right")
    else:
        # Polars' full join puts rows of the other side with null keys before the rest of them.
        matched = left.join(right, on=keys, how="left", maintain_order="left_right")
        others = right.join(left.select(keys), on=keys, how="anti", maintain_order="left")
        frame = pl.concat([matched, others], how="diagonal")
    no_left, no_right = pl.col(_LEFT).is_null(), pl.col(_RIGHT).is_null()
    excluded = {
        "LEFT_EXCLUDING_JOIN": no_right,
        "RIGHT_EXCLUDING_JOIN": no_left,
        "OUTER_EXCLUDING_JOIN": no_left | no_right,
    }
    return frame.filter(excluded[how]) if how in excluded else frame


def _check_union(arguments: Mapping[str, Any]) -> Sequence[str]:
    lists, targets = arguments["datasetsColumns"], arguments["targetColumnNames"]
    problems = []
    if not all(isinstance(entry, list) for entry in lists):
        return ["datasetsColumns must be a list of lists of column names, one for each dataset"]
    if any(len(entry) != len(targets) for entry in lists):
        problems.append(f"each list of datasetsColumns must have as many entries as targetColumnNames ({len(targets)})")
    if len(set(targets)) != len(targets):
        problems.append("targetColumnNames names a column twice")
    names, inputs = arguments["secondaryDatasetNames"] or [], arguments["secondaryInputs"] or []
    if len(lists) != 1 + max(len(names), len(inputs)):
        problems.append(
            f"datasetsColumns has {len(lists)} lists, but there are {1 + max(len(names), len(inputs))} datasets"
        )
    if any(not isinstance(name, str | None) for entry in lists for name in entry):
        problems.append("datasetsColumns must hold column names or null")
    return problems


def _input_location(entry: Any) -> str:
    definition = entry.get("S3InputDefinition", entry) if isinstance(entry, dict) else {}
    return f"s3://{definition.get('Bucket', '')}/{definition.get('Key', '')}" if definition else ""


@action(
    "UNION",
    FAMILY,
    json_list("datasetsColumns"),
    strings("secondaryDatasetNames", required=False),
    json_list("secondaryInputs", required=False),
    strings("targetColumnNames"),
    takes_conditions=False,
    one_of=[("secondaryDatasetNames", "secondaryInputs")],
    check=_check_union,
    ambiguities=[
        ("Columns of different types", "double for mixed numbers, else text", "one column has one type"),
        ("Order of the rows", "this dataset, then the others as listed", "the literal reading"),
    ],
)
def union(step: Step, table: Table) -> Change:
    """Append the rows of other datasets."""
    names = step["secondaryDatasetNames"] or []
    inputs = step["secondaryInputs"] or []
    tables = [
        table,
        *(
            secondary_table(
                table,
                names[index] if index < len(names) else "",
                _input_location(inputs[index]) if index < len(inputs) else "",
            )
            for index in range(max(len(names), len(inputs)))
        ),
    ]
    frames = []
    for one, chosen in zip(tables, step["datasetsColumns"], strict=True):
        expressions = []
        for slot, (name, target) in enumerate(zip(chosen, step["targetColumnNames"], strict=True)):
            types = [
                other.dtype(row[slot])
                for other, row in zip(tables, step["datasetsColumns"], strict=True)
                if row[slot] is not None
            ]
            common = common_type(types)
            if name is None:
                expressions.append(pl.lit(None, dtype=common or pl.String()).alias(target))
                continue
            if name not in one.schema:
                raise missing_column(name, one.names)
            value = pl.col(name).cast(common) if common is not None else as_text(pl.col(name), one.dtype(name))
            expressions.append(value.alias(target))
        frames.append(one.lazy().select(expressions))
    return replace(table.with_frame(pl.concat(frames, how="vertical_relaxed")), origin=table.origin)
