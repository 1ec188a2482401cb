"""The ladder as the trigger climbs it: what was reported is redriven, once; what was not is reported."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from brewtrain.domain.run.ladder import STOPPED_ERROR, Execution, stop_cause
from brewtrain.domain.run.stages import Stage
from brewtrain.triggers.stepfunctions import ExecutionStageTrigger
from tests.fixtures.switched_execution import FAIL, PASS, SwitchedExecution
from tests.functional.retrain.test_kill import TASK
from tests.functional.retrain.test_trigger import event_of, first_event, start, wait_for

STATE = "Model Training"


class Known(ExecutionStageTrigger):
    """A trigger for which Airflow's answers are given: the life that was reported, and the task's state."""

    reported_life: int | None = None
    state = "deferred"

    async def _reported(self, execution: Execution) -> bool:
        return execution.redrive_count == self.reported_life

    def _task_state(self) -> str | None:
        return self.state


def waiting(arn: str, *, reported_life: int | None = None, state: str = "deferred", **more: Any) -> Known:
    trigger = Known(arn, Stage.TRAIN.value, "brewtrain_aws", **more)
    trigger.task_instance = TASK  # type: ignore[assignment]
    trigger.reported_life, trigger.state = reported_life, state
    return trigger


def failed(account: SwitchedExecution, name: str) -> str:
    account.let_pass(name)
    account.switch(name, STATE, FAIL)
    arn = start(account, name)
    wait_for(account, arn, "FAILED")
    return arn


def redrives(account: SwitchedExecution, arn: str) -> int:
    found: int = account.client("stepfunctions").describe_execution(executionArn=arn)["redriveCount"]
    return found


def test_what_was_not_reported_is_reported(account: SwitchedExecution) -> None:
    arn = failed(account, "unreported")
    assert event_of(waiting(arn, attempt=2)).payload["action"] == "report"
    assert redrives(account, arn) == 0


def test_what_was_reported_is_redriven(account: SwitchedExecution) -> None:
    arn = failed(account, "reported")
    account.switch("reported", STATE, PASS)
    assert str(event_of(waiting(arn, reported_life=0, attempt=2)).task_instance_state) == "success"
    assert redrives(account, arn) == 1


def test_a_failure_after_the_redrive_is_reported_and_not_redriven_again(account: SwitchedExecution) -> None:
    arn = failed(account, "again")
    assert event_of(waiting(arn, reported_life=0, attempt=2)).payload["action"] == "report"
    assert redrives(account, arn) == 1
    # A triggerer that takes over this very try finds the second life's failure, which nobody has
    # reported.
    assert event_of(waiting(arn, reported_life=0, attempt=2)).payload["action"] == "report"
    assert redrives(account, arn) == 1


def test_fresh_mode_never_redrives(account: SwitchedExecution) -> None:
    arn = failed(account, "fresh")
    event = event_of(waiting(arn, reported_life=0, attempt=2, rerun_mode="fresh"))
    assert event.payload["action"] == "advise_fresh"
    assert redrives(account, arn) == 0


def test_a_refused_redrive_advises_a_fresh_execution(account: SwitchedExecution, local_aws_server: Any) -> None:
    arn = failed(account, "refused")
    rule = local_aws_server.front.fault_rules.add(
        {
            "service": "stepfunctions",
            "operation": "RedriveExecution",
            "effect": "error",
            "code": "ExecutionNotRedrivable",
        }
    )
    try:
        assert event_of(waiting(arn, reported_life=0, attempt=2)).payload["action"] == "advise_fresh"
    finally:
        local_aws_server.front.fault_rules.clear(rule)


@pytest.mark.parametrize("by", ["train", "split"])
def test_what_airflow_stopped_before_is_redriven(account: SwitchedExecution, by: str) -> None:
    name = f"stopped-{by}"
    account.let_pass(name, but=STATE)
    arn = start(account, name)
    account.client("stepfunctions").stop_execution(executionArn=arn, error=STOPPED_ERROR, cause=stop_cause(by, 1))
    wait_for(account, arn, "ABORTED")
    account.switch(name, STATE, PASS)
    assert str(event_of(waiting(arn, attempt=2)).task_instance_state) == "success"
    assert redrives(account, arn) == 1


def test_a_task_that_waits_no_more_redrives_nothing(account: SwitchedExecution) -> None:
    arn = failed(account, "zombie")

    async def look() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await first_event(waiting(arn, reported_life=0, attempt=2, state="None"))

    asyncio.run(look())
    assert redrives(account, arn) == 0
