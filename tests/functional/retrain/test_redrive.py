"""The ladder as the trigger climbs it: what was reported is redriven once, the rest is reported."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from brewtrain.domain.failure import error_names
from brewtrain.domain.run.ladder import stop_cause
from brewtrain.domain.run.stages import Stage
from tests.fixtures.stage_waits import DeferredTask, event_of, first_event, start, wait_for
from tests.fixtures.switched_execution import FAIL, PASS, SwitchedExecution

STATE = "Model Training"


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> DeferredTask:
    """Return a task that waits for the training."""
    return DeferredTask(monkeypatch, Stage.TRAIN)


def failed(account: SwitchedExecution, name: str) -> str:
    account.let_pass(name)
    account.switch(name, STATE, FAIL)
    arn = start(account, name)
    wait_for(account, arn, "FAILED")
    return arn


def redrives(account: SwitchedExecution, arn: str) -> int:
    found: int = account.client("stepfunctions").describe_execution(executionArn=arn)["redriveCount"]
    return found


def test_what_was_not_reported_is_reported(account: SwitchedExecution, task: DeferredTask) -> None:
    arn = failed(account, "unreported")
    assert event_of(task.trigger(arn, attempt=2)).payload["action"] == "report"
    assert redrives(account, arn) == 0


def test_what_was_reported_is_redriven(account: SwitchedExecution, task: DeferredTask) -> None:
    arn = failed(account, "reported")
    task.reported(arn, redrive_count=0)
    account.switch("reported", STATE, PASS)
    assert str(event_of(task.trigger(arn, attempt=2)).task_instance_state) == "success"
    assert redrives(account, arn) == 1


def test_a_failure_after_the_redrive_is_reported_and_not_redriven_again(
    account: SwitchedExecution, task: DeferredTask
) -> None:
    arn = failed(account, "again")
    task.reported(arn, redrive_count=0)
    assert event_of(task.trigger(arn, attempt=2)).payload["action"] == "report"
    assert redrives(account, arn) == 1
    # A triggerer that takes over this very try finds the second life's failure, which nobody has
    # reported.
    assert event_of(task.trigger(arn, attempt=2)).payload["action"] == "report"
    assert redrives(account, arn) == 1


def test_fresh_mode_never_redrives(account: SwitchedExecution, task: DeferredTask) -> None:
    arn = failed(account, "fresh")
    task.reported(arn, redrive_count=0)
    event = event_of(task.trigger(arn, attempt=2, rerun_mode="fresh"))
    assert event.payload["action"] == "advise_fresh"
    assert redrives(account, arn) == 0


def test_a_refused_redrive_advises_a_fresh_execution(
    account: SwitchedExecution, task: DeferredTask, local_aws_server: Any
) -> None:
    arn = failed(account, "refused")
    task.reported(arn, redrive_count=0)
    rule = local_aws_server.front.fault_rules.add(
        {
            "service": "stepfunctions",
            "operation": "RedriveExecution",
            "effect": "error",
            "code": "ExecutionNotRedrivable",
        }
    )
    try:
        assert event_of(task.trigger(arn, attempt=2)).payload["action"] == "advise_fresh"
    finally:
        local_aws_server.front.fault_rules.clear(rule)


@pytest.mark.parametrize("by", ["train", "split"])
def test_what_airflow_stopped_before_is_redriven(account: SwitchedExecution, task: DeferredTask, by: str) -> None:
    name = f"stopped-{by}"
    account.let_pass(name, but=STATE)
    arn = start(account, name)
    account.client("stepfunctions").stop_execution(executionArn=arn, error=error_names.STOPPED, cause=stop_cause(by, 1))
    wait_for(account, arn, "ABORTED")
    account.switch(name, STATE, PASS)
    assert str(event_of(task.trigger(arn, attempt=2)).task_instance_state) == "success"
    assert redrives(account, arn) == 1


def test_a_task_that_waits_no_more_redrives_nothing(account: SwitchedExecution, task: DeferredTask) -> None:
    arn = failed(account, "zombie")
    task.reported(arn, redrive_count=0)
    task.state = None

    async def look() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await first_event(task.trigger(arn, attempt=2))

    asyncio.run(look())
    assert redrives(account, arn) == 0
