"""Every action does what its cases say, run lazily and streaming alike."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from recipe_runner.checking import typed_steps
from recipe_runner.files.json_inputs import frame_of_rows
from recipe_runner.files.outputs import printable
from recipe_runner.language.declaration import OTHER_NAMES
from recipe_runner.plan import build_plan
from recipe_runner.tables.table import RunContext, Table
from tests.unit.recipe_runner.action_cases import CASES, Case

CONTEXT = RunContext(started_at=datetime(2024, 5, 1, 12, 34, 56, tzinfo=UTC))


def applied(case: Case) -> Table:
    return build_plan(typed_steps([case.step]), Table.of(frame_of_rows(case.rows).lazy(), CONTEXT))


def plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [json.loads(line) for line in frame.write_ndjson().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.operation}-{number}" for number, case in enumerate(CASES)])
def test_an_action_gives_the_expected_columns(case: Case) -> None:
    table = applied(case)
    result = plain(printable(table, "JSON").collect())
    for name, values in case.expected.items():
        found = [row[name] for row in result]
        assert found == [pytest.approx(value) if isinstance(value, float) else value for value in values], name
    if case.names is not None:
        assert table.names == case.names


@pytest.mark.parametrize("case", CASES, ids=[f"{case.operation}-{number}" for number, case in enumerate(CASES)])
def test_declared_schema_is_the_real_one_and_streaming_gives_the_same(case: Case) -> None:
    table = applied(case)
    eager = table.lazy().collect(engine="in-memory")
    assert dict(eager.schema) == dict(table.schema)
    streamed = table.lazy().collect(engine="streaming")
    assert plain(streamed) == plain(eager)


@pytest.mark.parametrize(("other", "name"), OTHER_NAMES.items())
def test_other_names_of_the_guide_mean_the_same(other: str, name: str) -> None:
    parameters = next(case.parameters for case in CASES if case.operation == name)
    both = [typed_steps([{"Operation": operation, "Parameters": parameters}])[0] for operation in (other, name)]
    assert both[0] == both[1]
