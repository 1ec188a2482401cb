"""Airflow never stops, or calls late, what the state machine still allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brewtrain.domain.names import Account, RunIdentity
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.execution_input import execution_input
from brewtrain.domain.run.limits import API_CALLS, late_after, stage_limit
from brewtrain.domain.run.stages import Stage, stage_of
from brewtrain.resources import evaluation_code, images
from tests.contract import asl
from tests.fixtures.pipelines import shipped_pipeline

ACCOUNT = Account("123456789012", "us-east-1")
IDENTITY = RunIdentity(
    "bank_marketing", datetime(2010, 11, 28, tzinfo=UTC), datetime(2010, 11, 29, tzinfo=UTC), generation="0"
)
# A job that runs to its timeout is not tried again; one that AWS gives up on half-way may be.
JOB_RUNS = 2
# One look at the endpoint is an API call or three, between two waits.
LOOK_SECONDS = 5
# Until the endpoint is free, and until it serves.
ENDPOINT_WAITS = 2

PIPELINES: dict[str, dict[str, dict[str, Any]]] = {
    "the shipped pipeline": {},
    "a long evaluation": {"evaluation": {"max_runtime_seconds": 36_000}},
    "a short evaluation": {"evaluation": {"max_runtime_seconds": 60}},
    "the longest of everything": {
        "limits": {"transform_minutes": 2880, "split_minutes": 2880},
        "training": {"max_runtime_seconds": 432_000},
        "evaluation": {"max_runtime_seconds": 432_000},
        "endpoint": {"ready_minutes": 480},
    },
    "the shortest of everything": {
        "limits": {"transform_minutes": 5, "split_minutes": 1},
        "training": {"max_runtime_seconds": 60},
        "evaluation": {"max_runtime_seconds": 60},
        "endpoint": {"ready_minutes": 5},
    },
}


@pytest.fixture(params=PIPELINES.values(), ids=PIPELINES)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """Give the shipped pipeline the limits of one case."""
    return shipped_pipeline(**request.param)


@pytest.fixture
def document(pipeline: Pipeline) -> dict[str, Any]:
    """Build the input of the pipeline's execution."""
    return execution_input(pipeline, IDENTITY, ACCOUNT, images=images(), recipe_version="1.0", code=evaluation_code())


def _delays(retrier: dict[str, Any]) -> Iterator[float]:
    for number in range(retrier["MaxAttempts"]):
        delay = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number
        yield min(delay, retrier.get("MaxDelaySeconds", delay))


def _value(document: dict[str, Any], path: str) -> int:
    section, name = asl.segments(path)
    value: int = document[section][name]
    return value


def _once(state: dict[str, Any], document: dict[str, Any]) -> float:
    """Seconds that a state may take when nothing is tried again."""
    if "TimeoutSecondsPath" in state:
        return _value(document, state["TimeoutSecondsPath"])
    if "SecondsPath" in state:
        looks = ENDPOINT_WAITS * _value(document, "$.endpoint.max_waits")
        return looks * (_value(document, state["SecondsPath"]) + LOOK_SECONDS)
    # A short wait is one of the looks too, and takes the place of a longer one.
    return float(state.get("TimeoutSeconds", 0))


def _at_most(state: dict[str, Any], document: dict[str, Any]) -> float:
    """Seconds that a state may take with all its retries."""
    retriers = state.get("Retry", [])
    pauses = sum(delay for retrier in retriers for delay in _delays(retrier))
    if "TimeoutSecondsPath" in state:
        return JOB_RUNS * _once(state, document) + pauses
    timeouts = sum(retrier["MaxAttempts"] for retrier in retriers if "States.Timeout" in retrier["ErrorEquals"])
    return (1 + timeouts) * _once(state, document) + pauses


def _states_of(stage: Stage, definition: dict[str, Any]) -> list[dict[str, Any]]:
    return [state for name, state in definition["States"].items() if stage_of(name) is stage]


def _seconds(duration: timedelta) -> float:
    return duration.total_seconds()


@pytest.mark.parametrize("stage", Stage)
def test_airflow_waits_for_a_stage_as_long_as_its_states_may_take(
    stage: Stage, pipeline: Pipeline, document: dict[str, Any], definition: dict[str, Any]
) -> None:
    states = _states_of(stage, definition)
    assert states
    assert _seconds(stage_limit(pipeline, stage)) >= sum(_at_most(state, document) for state in states)


def test_a_model_is_late_when_every_state_has_had_its_time(
    pipeline: Pipeline, document: dict[str, Any], definition: dict[str, Any]
) -> None:
    assert _seconds(late_after(pipeline)) >= sum(_once(state, document) for state in definition["States"].values())


def test_a_model_is_late_from_when_its_data_was_due_at_the_latest(pipeline: Pipeline) -> None:
    waiting = pipeline.model_copy(update={"source": pipeline.source.model_copy(update={"wait": timedelta(hours=6)})})
    assert late_after(waiting) - late_after(pipeline) == timedelta(hours=6)


def test_a_state_outlasts_the_job_that_it_waits_for(document: dict[str, Any], definition: dict[str, Any]) -> None:
    bounded = {
        name: (state["Parameters"]["StoppingCondition"]["MaxRuntimeInSeconds.$"], state["TimeoutSecondsPath"])
        for name, state in definition["States"].items()
        if "StoppingCondition" in state.get("Parameters", {})
    }
    assert set(bounded) == {"Model Training", "Evaluate Model"}
    for name, (job, state) in bounded.items():
        assert _value(document, job) < _value(document, state), name


@pytest.mark.parametrize("stage", Stage)
def test_every_api_call_of_a_stage_is_counted(stage: Stage, definition: dict[str, Any]) -> None:
    calls = [state for state in _states_of(stage, definition) if "TimeoutSeconds" in state]
    assert API_CALLS.get(stage, 0) == len(calls), "count the calls of the state machine in domain/run/limits.py"


def test_the_execution_outlasts_all_stages_of_the_shipped_pipeline(definition: dict[str, Any]) -> None:
    pipeline = shipped_pipeline()
    together = sum((stage_limit(pipeline, stage) for stage in Stage), timedelta())
    assert _seconds(together) < definition["TimeoutSeconds"]
