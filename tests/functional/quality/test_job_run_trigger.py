"""The wait for a job run: when it is over, what it survives, and when it stops the job run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from brewtrain.domain.names import CONNECTION_ID
from local_aws.jobs import knobs
from tests.fixtures.local_aws_control import LocalAwsControl
from tests.fixtures.quality_runs import QualityRun, csv_of, first_event
from tests.fixtures.waiting import wait_until

NewRun = Callable[..., QualityRun]
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
ENDED = {"why": "ended", "problem": ""}


def trigger(job: str, run_id: str, deadline: str = LATER) -> Any:
    from brewtrain.triggers.job_run import JobRunTrigger

    return JobRunTrigger(job, run_id, deadline, CONNECTION_ID)


@pytest.fixture
def control(local_aws: str) -> Any:
    """Give the control of local AWS; the test's faults end with it."""
    found = LocalAwsControl(local_aws)
    yield found
    found.remove_faults()


@pytest.fixture
def run(new_run: NewRun) -> QualityRun:
    """Return a prepared run with data."""
    made = new_run()
    made.account.deliver(made.day, body=csv_of(30, 31))
    made.prepare()
    return made


def start(run: QualityRun, *, delay_seconds: float = 0) -> str:
    knobs.set_delay("databrew", delay_seconds)
    started: str = run.account.client("databrew").start_job_run(Name=run.job)["RunId"]
    return started


def state(run: QualityRun, run_id: str) -> str:
    found: str = run.account.client("databrew").describe_job_run(Name=run.job, RunId=run_id)["State"]
    return found


def test_it_waits_until_the_job_run_has_ended(run: QualityRun) -> None:
    started = start(run, delay_seconds=1)
    assert first_event(trigger(run.job, started)) == ENDED
    assert state(run, started) == "SUCCEEDED"


def test_a_triggerer_makes_it_again(run: QualityRun) -> None:
    from airflow._shared.module_loading import import_string

    waiting = trigger(run.job, "db_1")
    path, arguments = waiting.serialize()
    assert import_string(path)(**arguments).serialize() == waiting.serialize()


def test_a_job_run_that_is_gone_is_over(run: QualityRun) -> None:
    assert first_event(trigger(run.job, "db_1")) == ENDED


def test_throttling_is_no_end(run: QualityRun, control: LocalAwsControl) -> None:
    started = start(run)
    rule = control.add_fault(service="databrew", operation="DescribeJobRun", effect="throttle", times=6)
    assert first_event(trigger(run.job, started)) == ENDED
    assert next(one["applied"] for one in control.faults() if one["id"] == rule) == 6


def test_a_refusal_that_lasts_ends_the_wait_with_its_sentence(run: QualityRun, control: LocalAwsControl) -> None:
    started = start(run)
    control.add_fault(
        service="databrew", operation="DescribeJobRun", effect="error", code="AccessDeniedException", status=403,
        message="no",
    )  # fmt: skip
    event = first_event(trigger(run.job, started))
    assert event["why"] == "refused"
    assert "AWS denied databrew:DescribeJobRun" in event["problem"]


def test_the_deadline_is_seen_whatever_the_triggerer_did_before(run: QualityRun) -> None:
    started = start(run, delay_seconds=60)
    passed = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert first_event(trigger(run.job, started, passed)) == {"why": "overdue", "problem": ""}


def killed(run: QualityRun, run_id: str, task_state: str | None, patch: pytest.MonkeyPatch) -> Any:
    """Kill a wait whose task is in a state; return the trigger."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    answer = {} if task_state is None else {"r": {"validate": task_state}}
    patch.setattr(RuntimeTaskInstance, "get_task_states", lambda **_: answer)
    waiting = trigger(run.job, run_id)
    waiting.task_instance = SimpleNamespace(
        id="i", dag_id="d", run_id="r", task_id="validate", try_number=1, map_index=-1,
        task=SimpleNamespace(template_ext=(), template_fields=(), start_trigger_args=None),
    )  # fmt: skip
    asyncio.run(waiting.on_kill())
    return waiting


@pytest.mark.parametrize(
    "task_state",
    [
        pytest.param(None, id="the-task-was-cleared"),
        pytest.param("failed", id="the-task-was-marked-failed"),
        pytest.param("success", id="the-task-was-marked-success"),
        pytest.param("upstream_failed", id="the-run-was-failed"),
    ],
)
def test_a_person_who_ends_the_wait_ends_the_job_run(
    run: QualityRun, task_state: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start(run, delay_seconds=60)
    killed(run, started, task_state, monkeypatch)
    wait_until(lambda: state(run, started) == "STOPPED", seconds=30, what="the job run stops")


def test_a_wait_that_moves_to_another_triggerer_leaves_the_job_run_alone(
    run: QualityRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start(run, delay_seconds=60)
    killed(run, started, "deferred", monkeypatch)
    assert state(run, started) in ("STARTING", "RUNNING")


def test_a_job_run_that_has_ended_is_no_error_to_stop(run: QualityRun, monkeypatch: pytest.MonkeyPatch) -> None:
    started = start(run)
    wait_until(lambda: state(run, started) == "SUCCEEDED", seconds=60, what="the job run succeeds")
    killed(run, started, "failed", monkeypatch)
    killed(run, "db_1", "failed", monkeypatch)
