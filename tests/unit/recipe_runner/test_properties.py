"""Properties that hold for any data: rows, order and nulls are kept, and runs are repeatable."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipe_runner.checking import typed_steps
from recipe_runner.files.inputs import scan_dataset
from recipe_runner.files.outputs import printable
from recipe_runner.language.conditions import CONDITIONS
from recipe_runner.plan import build_plan
from recipe_runner.tables.table import DatasetFiles, RunContext, Table
from tests.fixtures.recipe_steps import step
from tests.unit.recipe_runner.action_cases import CASES, Case

CONTEXT = RunContext(started_at=datetime(2024, 5, 1, tzinfo=UTC))
SETTINGS = settings(
    max_examples=15,
    deadline=None,
    print_blob=True,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# There are over a hundred actions: a few examples of each do.
PER_ACTION = settings(SETTINGS, max_examples=8)
# What changes the number of rows, or which rows there are.
ROW_CHANGING = {
    "DELETE_DUPLICATE_ROWS",
    "REMOVE_DUPLICATES",
    "REMOVE_INVALID",
    "REMOVE_MISSING",
    "REMOVE_VALUES",
    "REMOVE_OUTLIERS",
    "ADVANCED_DATATYPE_FILTER",
    "GROUP_BY",
    "PIVOT",
    "UNPIVOT",
    "TRANSPOSE",
    "UNNEST_ARRAY",
    "UNNEST_MAP",
    "SORT",
}
# What gives a value for a missing one, or does not look at the source alone.
NULL_FILLING = ROW_CHANGING | {
    "FILL",
    "NEXT",
    "PREV",
    "FLAG_COLUMN_FROM_NULL",
    "FLAG_COLUMN_FROM_PATTERN",
    "FLAG_DUPLICATES_IN_COLUMN",
    "FLAG_OUTLIERS",
    "ADVANCED_DATATYPE_FLAG",
    "GET_ADVANCED_DATATYPE",
    "ONE_HOT_ENCODING",
    "CATEGORICAL_MAPPING",
    "SPLIT_COLUMN_BETWEEN_DELIMITER",
    "DATE_DIFF",
    "SESSION",
}


def table_of(columns: dict[str, Any]) -> Table:
    return Table.of(pl.LazyFrame(columns, strict=False), CONTEXT)


def adding_cases() -> list[Case]:
    """Return one case of each action with a source column a and a new column t."""
    found: dict[str, Case] = {}
    for case in CASES:
        if (
            case.parameters.get("sourceColumn") == "a"
            and case.parameters.get("targetColumn") == "t"
            and not isinstance(case.columns["a"][0], dict)
        ):
            found.setdefault(case.operation, case)
    return list(found.values())


def in_place_cases() -> list[Case]:
    found: dict[str, Case] = {}
    for case in CASES:
        if case.names == ["a", "z"] and case.operation not in ROW_CHANGING:
            found.setdefault(case.operation, case)
    return list(found.values())


def values_like(case: Case) -> st.SearchStrategy[Any]:
    sample = next(value for value in case.columns["a"] if value is not None)
    if isinstance(sample, bool):
        return st.booleans()
    if isinstance(sample, int):
        return st.integers(-1000, 1000)
    if isinstance(sample, float):
        return st.floats(-1e6, 1e6, allow_nan=False)
    return st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
        ["2021-03-30", "1", "a b"]
    )


def data_for(case: Case, draw: Any) -> list[Any]:
    values = draw(st.lists(st.none() | values_like(case), min_size=1, max_size=8))
    return (
        values
        if any(value is not None for value in values)
        else [*values, next(v for v in case.columns["a"] if v is not None)]
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", adding_cases(), ids=lambda case: case.operation)
@given(data=st.data())
@PER_ACTION
def test_a_new_column_keeps_rows_and_order_and_stands_right_of_its_source(case: Case, data: st.DataObject) -> None:
    values = data_for(case, data.draw)
    columns = {"p": list(range(len(values))), "a": values, "z": [f"r{number}" for number in range(len(values))]}
    extra = {name: [column[0]] * len(values) for name, column in case.columns.items() if name not in columns}
    table = build_plan(typed_steps([step(case.operation, **case.parameters)]), table_of({**columns, **extra}))
    if case.operation in ROW_CHANGING or table.context is None:
        return
    frame = table.lazy().collect()
    assert frame["p"].to_list() == columns["p"]
    assert frame["z"].to_list() == columns["z"]
    if case.operation not in ("CATEGORICAL_MAPPING",):
        assert frame["a"].to_list() == pl.Series(values, strict=False).to_list()
    assert table.names[:3] == ["p", "a", "t"]
    if case.operation not in NULL_FILLING and not case.operation.startswith("ROLLING"):
        assert all(result is None for value, result in zip(values, frame["t"].to_list(), strict=True) if value is None)


@pytest.mark.slow
@pytest.mark.parametrize("case", in_place_cases(), ids=lambda case: case.operation)
@given(data=st.data())
@PER_ACTION
def test_a_change_in_place_keeps_rows_and_order(case: Case, data: st.DataObject) -> None:
    values = data_for(case, data.draw)
    columns = {"p": list(range(len(values))), "a": values, "z": [f"r{number}" for number in range(len(values))]}
    table = build_plan(typed_steps([step(case.operation, **case.parameters)]), table_of(columns))
    frame = table.lazy().collect()
    assert table.names == ["p", "a", "z"]
    assert frame["p"].to_list() == columns["p"]
    assert frame["z"].to_list() == columns["z"]
    if not case.operation.startswith(("FILL_WITH", "REPLACE_WITH_ROLLING", "REPLACE_WITH_LAST")):
        assert all(result is None for value, result in zip(values, frame["a"].to_list(), strict=True) if value is None)


def test_the_properties_cover_most_actions() -> None:
    assert len(adding_cases()) >= 70
    assert len(in_place_cases()) >= 40


@given(
    rows=st.lists(st.tuples(st.none() | st.integers(0, 5), st.none() | st.text('ab"\n;, é', max_size=4)), max_size=30)
)
@SETTINGS
def test_csv_through_a_recipe_to_csv_is_deterministic_and_streaming_equals_eager(
    rows: list[tuple[Any, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    source = pl.DataFrame(rows, schema={"n": pl.Int64, "t": pl.String}, orient="row")
    source.write_csv(folder / "in.csv")
    steps = typed_steps(
        [
            step(
                "CATEGORICAL_MAPPING",
                sourceColumn="t",
                targetColumn="m",
                categoryMap='{"a":"1"}',
                mapType="NUMERIC",
                other="0",
            ),
            step("ROW_NUMBER", groupByColumns='["n"]', targetColumn="r"),
            step("DELETE_DUPLICATE_ROWS"),
            step("FILL", sourceColumn="t", numRowsBefore="2", numRowsAfter="1", targetColumn="f"),
        ]
    )

    def run(engine: Any) -> str:
        table = build_plan(steps, Table.of(scan_dataset(DatasetFiles([folder / "in.csv"], "CSV")).frame, CONTEXT))
        sink = io.BytesIO()
        printable(table, "CSV").collect(engine=engine).write_csv(sink)
        return sink.getvalue().decode()

    assert run("streaming") == run("in-memory") == run("streaming")


@given(values=st.lists(st.none() | st.integers(-50, 50), min_size=1, max_size=20), bound=st.integers(-50, 50))
@SETTINGS
def test_a_condition_and_its_opposite_split_the_rows_that_have_a_value(values: list[int | None], bound: int) -> None:
    def kept(condition: str, value: str) -> list[int | None]:
        entry = {"Condition": condition, "Value": value, "TargetColumn": "a"}
        table = table_of({"a": pl.Series(values, dtype=pl.Int64)})
        return (
            build_plan(typed_steps([step("REMOVE_VALUES", [entry], sourceColumn="a")]), table)
            .lazy()
            .collect()["a"]
            .to_list()
        )

    for one, other in (("LESS_THAN", "GREATER_THAN_EQUAL"), ("LESS_THAN_EQUAL", "GREATER_THAN"), ("IS", "IS_NOT")):
        assert {one, other} <= set(CONDITIONS)
        first, second = kept(one, str(bound)), kept(other, str(bound))
        missing = values.count(None)
        assert len(first) + len(second) - 2 * missing == len(values) - missing
        assert first.count(None) == second.count(None) == missing


@given(low=st.integers(-100, 100), size=st.integers(0, 100), rows=st.integers(1, 200))
@SETTINGS
def test_random_numbers_keep_their_bounds_and_are_repeatable(low: int, size: int, rows: int) -> None:
    steps = typed_steps(
        [
            step("RANDOM_BETWEEN", lowerBound=str(low), upperBound=str(low + size), targetColumn="r"),
            step("RANDOM", targetColumn="u"),
            step(
                "REPLACE_WITH_RANDOM_BETWEEN",
                sourceColumns='["a"]',
                lowerBound=str(low),
                upperBound=str(low + size + 0.5),
            ),
            step(
                "REPLACE_WITH_RANDOM_DATE_BETWEEN",
                sourceColumns='["d"]',
                startDate="2020-12-12 12:12:12",
                endDate="2021-12-12 12:12:12",
            ),
            step("SHUFFLE_ROWS", sourceColumns='["s"]', groupByColumns='["g"]'),
        ]
    )
    columns = {
        "a": [1, *[None] * (rows - 1)],
        "d": ["x"] * rows,
        "s": list(range(rows)),
        "g": [row % 3 for row in range(rows)],
    }
    frames = [build_plan(steps, table_of(columns)).lazy().collect() for _ in range(2)]
    assert frames[0].equals(frames[1])
    frame = frames[0]
    assert frame["r"].is_between(low, low + size).all()
    assert frame["u"].is_between(0, 1, closed="left").all()
    assert frame["a"].drop_nulls().is_between(low, low + size + 0.5).all()
    assert frame["a"].null_count() == rows - 1
    assert frame["d"].is_between(pl.lit("2020-12-12 12:12:12"), pl.lit("2021-12-12 12:12:12")).all()
    assert sorted(frame["s"].to_list()) == columns["s"]
    assert all(value % 3 == group for value, group in zip(frame["s"].to_list(), frame["g"].to_list(), strict=True))


@given(
    texts=st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=5), secret=st.text(min_size=1, max_size=10)
)
@SETTINGS
def test_deterministic_encryption_hides_and_can_be_reversed(texts: list[str | None], secret: str) -> None:
    encrypt = step("DETERMINISTIC_ENCRYPT", sourceColumns='["a"]', secretId=secret)
    decrypt = step("DETERMINISTIC_DECRYPT", sourceColumns='["a"]', secretId=secret)
    column = {"a": pl.Series(texts, dtype=pl.String)}
    hidden = build_plan(typed_steps([encrypt]), table_of(column)).lazy().collect()["a"].to_list()
    assert all(
        (value is None) == (given is None) and (value is None or value != given)
        for value, given in zip(hidden, texts, strict=True)
    )
    assert build_plan(typed_steps([encrypt, decrypt]), table_of(column)).lazy().collect()["a"].to_list() == texts
    other = step("DETERMINISTIC_DECRYPT", sourceColumns='["a"]', secretId=f"{secret}x")
    assert build_plan(typed_steps([encrypt, other]), table_of(column)).lazy().collect()["a"].to_list() == hidden
