"""What an execution's history tells: the state, the end, what failed, and the job behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brewtrain.domain.run.execution_history import (
    PROCESSING,
    Failure,
    JobReference,
    detail_of,
    end_status,
    last_state_entered,
    read_failure,
)


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"id": 1, "type": kind, f"{kind[0].lower()}{kind[1:]}EventDetails": detail}


def entered(name: str) -> dict[str, Any]:
    return {"id": 1, "type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}}


def scheduled(service: str = "glue", resource: str = "startJobRun.sync", **parameters: Any) -> dict[str, Any]:
    parameters = parameters or {"JobName": "split"}
    return event("TaskScheduled", resourceType=service, resource=resource, parameters=json.dumps(parameters))


def submitted(**output: Any) -> dict[str, Any]:
    return event("TaskSubmitted", output=json.dumps(output))


STARTED = {"id": 1, "type": "ExecutionStarted", "executionStartedEventDetails": {"input": "{}"}}
REDRIVEN = {"id": 1, "type": "ExecutionRedriven", "executionRedrivenEventDetails": {"redriveCount": 1}}


def test_the_details_of_an_event_are_those_of_its_type() -> None:
    assert detail_of({"type": "TaskFailed", "id": 1, "taskFailedEventDetails": {"error": "E"}}) == {"error": "E"}
    assert detail_of({"type": "TaskFailed", "more": {"a": 1}, "taskFailedEventDetails": {"error": "E"}}) == {
        "error": "E"
    }
    assert detail_of({"type": "TaskStarted", "taskStartedEventDetails": None}) == {}
    assert detail_of({"type": "WaitStateAborted", "id": 1}) == {}


def test_the_state_is_the_one_entered_last() -> None:
    assert last_state_entered([event("TaskStarted"), entered("Split"), entered("Transform")]) == "Split"
    assert last_state_entered([STARTED]) is None
    assert last_state_entered([]) is None


@pytest.mark.parametrize(
    ("newest", "status"),
    [
        pytest.param("ExecutionSucceeded", "SUCCEEDED", id="succeeded"),
        pytest.param("ExecutionFailed", "FAILED", id="failed"),
        pytest.param("ExecutionAborted", "ABORTED", id="stopped"),
        pytest.param("ExecutionTimedOut", "TIMED_OUT", id="out of time"),
        pytest.param("TaskStarted", None, id="running"),
    ],
)
def test_only_the_newest_event_ends_an_execution(newest: str, status: str | None) -> None:
    assert end_status([event(newest), event("ExecutionFailed")]) == status


def test_an_execution_without_events_runs() -> None:
    assert end_status([]) is None


JOBS: dict[str, tuple[dict[str, Any], dict[str, Any], JobReference]] = {
    "DataBrew": (
        scheduled("databrew", Name="j"),
        submitted(RunId="db_1"),
        JobReference("databrew", "j", "db_1"),
    ),
    "Glue": (scheduled(), submitted(JobRunId="jr_1"), JobReference("glue", "split", "jr_1")),
    "a training": (
        scheduled("sagemaker", "createTrainingJob.sync", TrainingJobName="t"),
        submitted(TrainingJobArn="arn"),
        JobReference("sagemaker", "t"),
    ),
    "an evaluation": (
        scheduled("sagemaker", "createProcessingJob.sync", ProcessingJobName="e"),
        submitted(ProcessingJobArn="arn"),
        JobReference(PROCESSING, "e"),
    ),
}


@pytest.mark.parametrize(("task", "start", "job"), JOBS.values(), ids=JOBS)
def test_a_failure_names_the_job_that_its_state_ran(
    task: dict[str, Any], start: dict[str, Any], job: JobReference
) -> None:
    failed = event("TaskFailed", error="States.TaskFailed", cause="because")
    end = event("ExecutionFailed", error="States.TaskFailed", cause="because")
    found = read_failure([end, failed, start, task, entered("Work"), entered("Before")], status="FAILED")
    assert found == Failure("Work", "States.TaskFailed", "because", job)


NO_JOBS: dict[str, dict[str, Any]] = {
    "another service": scheduled("states", "startExecution.sync", Name="j"),
    "no service": event("TaskScheduled", resource="startJobRun.sync", parameters='{"JobName": "split"}'),
    "a call that does not wait": scheduled("glue", "getJobRun", JobName="split"),
    "no resource": event("TaskScheduled", resourceType="glue", parameters='{"JobName": "split"}'),
    "no parameters": event("TaskScheduled", resourceType="glue", resource="startJobRun.sync"),
    "parameters that are no JSON": event(
        "TaskScheduled", resourceType="glue", resource="startJobRun.sync", parameters="{"
    ),
    "parameters that are a list": event(
        "TaskScheduled", resourceType="glue", resource="startJobRun.sync", parameters="[]"
    ),
    "a job without a name": scheduled("glue", "startJobRun.sync", JobName=""),
}


@pytest.mark.parametrize("task", NO_JOBS.values(), ids=NO_JOBS)
def test_a_state_that_waits_for_no_known_job_names_none(task: dict[str, Any]) -> None:
    events = [event("ExecutionFailed", error="E", cause="c"), task, entered("Work")]
    assert read_failure(events, status="FAILED") == Failure("Work", "E", "c")


def test_a_job_that_was_not_started_has_no_run() -> None:
    events = [event("TaskFailed", error="Glue.Busy", cause="c"), scheduled(), entered("Split")]
    assert read_failure(events, status="FAILED").job == JobReference("glue", "split")


def test_of_several_tries_the_newest_counts() -> None:
    events = [
        event("TaskFailed", error="New", cause="new"),
        submitted(JobRunId="jr_2"),
        scheduled(),
        event("TaskFailed", error="Old", cause="old"),
        submitted(JobRunId="jr_1"),
        scheduled(JobName="older"),
        entered("Split"),
    ]
    assert read_failure(events, status="FAILED") == Failure(
        "Split", "New", "new", JobReference("glue", "split", "jr_2")
    )


def test_a_try_that_was_not_submitted_has_no_run_of_an_earlier_one() -> None:
    events = [event("TaskFailed", error="E"), scheduled(), submitted(JobRunId="jr_1"), scheduled(), entered("Split")]
    assert read_failure(events, status="FAILED").job == JobReference("glue", "split")


@pytest.mark.parametrize("life", [pytest.param(REDRIVEN, id="redriven"), pytest.param(STARTED, id="started")])
def test_a_redriven_task_belongs_to_the_state_that_was_entered_before(life: dict[str, Any]) -> None:
    events = [
        event("TaskFailed", error="E", cause="c"),
        submitted(JobRunId="jr_2"),
        scheduled(),
        life,
        event("ExecutionFailed", error="Old", cause="old"),
        entered("Split"),
    ]
    assert read_failure(events, status="FAILED") == Failure("Split", "E", "c", JobReference("glue", "split", "jr_2"))


def test_an_execution_out_of_time_is_told_as_such_whatever_a_state_met_before() -> None:
    before = [event("TaskFailed", error="Glue.Busy", cause="busy"), scheduled(), entered("Split")]
    assert read_failure([{"id": 9, "type": "ExecutionTimedOut"}, *before], status="TIMED_OUT") == Failure(
        "Split",
        "States.Timeout",
        "the execution took longer than its state machine allows",
        JobReference("glue", "split"),
    )
    told = event("ExecutionTimedOut", error="Mine", cause="mine")
    assert read_failure([told, *before], status="TIMED_OUT") == Failure(
        "Split", "Mine", "mine", JobReference("glue", "split")
    )


@pytest.mark.parametrize(
    ("newest", "error", "cause"),
    [
        pytest.param(event("TaskTimedOut", cause="slow"), "States.Timeout", "slow", id="a task out of time"),
        pytest.param(event("TaskTimedOut", error="Mine"), "Mine", "", id="a task out of time, with an error"),
        pytest.param(event("ExecutionAborted", error="Killed", cause="by ada"), "Killed", "by ada", id="stopped"),
        pytest.param(event("ActivityFailed", error="E", cause="c"), "E", "c", id="another kind of failure"),
    ],
)
def test_whatever_failed_is_told_in_its_own_words(newest: dict[str, Any], error: str, cause: str) -> None:
    assert read_failure([newest, entered("Split")], status="FAILED") == Failure("Split", error, cause)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param("TIMED_OUT", "States.Timeout", id="out of time"),
        pytest.param("ABORTED", "Aborted", id="stopped"),
        pytest.param("FAILED", "Unknown", id="failed"),
    ],
)
def test_a_history_that_names_no_error_is_told_by_the_status(status: str, error: str) -> None:
    assert read_failure([event("TaskStarted")], status=status) == Failure(None, error, "")
