"""Whose run it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brewtrain.domain.errors import InputError
from brewtrain.domain.run.identity import earlier_generations, identity_for_start, identity_of_run
from brewtrain.domain.run.interval import DataInterval
from tests.fixtures.pipelines import smallest_pipeline

PIPELINE = smallest_pipeline("bank_x")
INTERVAL = DataInterval(datetime(2010, 11, 28, tzinfo=UTC), datetime(2010, 11, 29, tzinfo=UTC))


def identity(clear_number: int, mode: str = "auto", dag_run_id: str = "a") -> str:
    return identity_for_start(
        PIPELINE,
        INTERVAL,
        clear_number=clear_number,
        rerun_mode=mode,
        dag_run_id=dag_run_id,  # type: ignore[arg-type]
    ).run_id


def test_a_retry_finds_its_execution_and_a_cleared_run_gets_a_new_one() -> None:
    assert identity(0) == identity(0) == "bank-x-20101129T0000-g0"
    assert identity(1) == "bank-x-20101129T0000-g1"


def test_two_dag_runs_of_one_interval_share_it() -> None:
    assert identity(0, dag_run_id="scheduled") == identity(0, dag_run_id="manual")


def test_fresh_gives_each_dag_run_its_own() -> None:
    first, second = identity(0, "fresh", "a"), identity(0, "fresh", "b")
    assert first != second != identity(0)
    assert first == identity(0, "fresh", "a")


def test_the_execution_name_tells_the_identity() -> None:
    for run_id in (identity(0), identity(7), identity(2, "fresh")):
        assert identity_of_run(PIPELINE, INTERVAL, run_id).run_id == run_id


def test_earlier_generations_newest_first() -> None:
    now = identity_for_start(PIPELINE, INTERVAL, clear_number=3, rerun_mode="redrive", dag_run_id="a")
    assert [one.generation for one in earlier_generations(now, clear_number=3)] == ["2", "1", "0"]
    fresh = identity_for_start(PIPELINE, INTERVAL, clear_number=1, rerun_mode="fresh", dag_run_id="a")
    assert [one.generation[0] for one in earlier_generations(fresh, clear_number=1)] == ["0"]
    assert earlier_generations(fresh, clear_number=1)[0].generation[1:] == fresh.generation[1:]


def test_a_run_cleared_too_often_is_told_so_by_an_error_that_no_retry_repeats() -> None:
    long_name = smallest_pipeline("a" * 24)
    with pytest.raises(InputError, match="trigger a new DAG run instead of clearing this one again"):
        identity_for_start(long_name, INTERVAL, clear_number=10**12, rerun_mode="auto", dag_run_id="a")
    with pytest.raises(InputError, match="clear prepare_run"):
        identity_of_run(long_name, INTERVAL, "somebody-elses")


def test_the_data_date_is_the_pipelines_newest_day() -> None:
    behind = smallest_pipeline("bank_x", source={"path": "s3://{bucket}/dt={date}/", "lag_days": 1})
    found = identity_for_start(behind, INTERVAL, clear_number=0, rerun_mode="auto", dag_run_id="a")
    assert found.data_date == "2010-11-27"
    assert found.with_generation("3").data_date == "2010-11-27"
    assert identity_of_run(behind, INTERVAL, found.run_id) == found
