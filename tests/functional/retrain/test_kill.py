"""Killing a wait stops its execution, unless the task was marked success or only moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brewtrain.domain.failure import error_names
from brewtrain.domain.run.stages import Stage
from tests.fixtures.stage_waits import DeferredTask, start
from tests.fixtures.switched_execution import SwitchedExecution

BEGUN_AFTER_SETUP = 1


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> DeferredTask:
    """Return a task that waits for the training, begun after the first try of the run's setup."""
    deferred = DeferredTask(monkeypatch, Stage.TRAIN)
    deferred.setup_ran(BEGUN_AFTER_SETUP)
    return deferred


def waiting(task: DeferredTask, arn: str) -> Any:
    return task.trigger(arn, prepared_try=str(BEGUN_AFTER_SETUP))


def status(account: SwitchedExecution, arn: str) -> Any:
    return account.client("stepfunctions").describe_execution(executionArn=arn)


def stop(account: SwitchedExecution, arn: str) -> None:
    account.client("stepfunctions").stop_execution(executionArn=arn)


@pytest.mark.parametrize(
    ("state", "setup_ran"),
    [
        pytest.param("failed", 1, id="the-task-was-marked-failed"),
        pytest.param(None, 1, id="the-task-was-cleared"),
        pytest.param("upstream_failed", 1, id="the-run-was-failed"),
        pytest.param("deferred", 2, id="the-task-was-cleared-and-waits-again"),
    ],
)
def test_killing_a_wait_stops_its_execution(
    account: SwitchedExecution, task: DeferredTask, state: str | None, setup_ran: int
) -> None:
    arn = start(account, f"kill-{state}-{setup_ran}".lower())
    task.state = state
    task.setup_ran(setup_ran)
    asyncio.run(waiting(task, arn).on_kill())
    found = status(account, arn)
    assert found["status"] == "ABORTED"
    assert found["error"] == error_names.STOPPED
    assert found["cause"].startswith("train attempt 1 ")


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("deferred", id="the-wait-moved-to-another-triggerer"),
        pytest.param("success", id="the-task-was-marked-success"),
        pytest.param("skipped", id="the-task-was-marked-skipped"),
    ],
)
def test_the_execution_is_left_alone(account: SwitchedExecution, task: DeferredTask, state: str) -> None:
    arn = start(account, f"leave-{state}")
    task.state = state
    asyncio.run(waiting(task, arn).on_kill())
    assert status(account, arn)["status"] == "RUNNING"
    stop(account, arn)


def test_a_wait_that_has_ended_leaves_its_execution_alone(account: SwitchedExecution, task: DeferredTask) -> None:
    account.let_pass("kill-ended", but="Save Model")
    arn = start(account, "kill-ended")
    ended = waiting(task, arn)

    async def wait_then_kill() -> None:
        async with asyncio.timeout(60):
            events: AsyncIterator[Any] = ended.run()
            assert str((await anext(events)).task_instance_state) == "success"
            task.state = "failed"
            await ended.on_kill()

    asyncio.run(wait_then_kill())
    assert status(account, arn)["status"] == "RUNNING"
    stop(account, arn)


def test_a_wait_that_was_cleared_with_the_stage_before_it_leaves_the_new_tries_their_execution(
    account: SwitchedExecution, task: DeferredTask
) -> None:
    arn = start(account, "kill-passed-again")
    task.state = "scheduled"
    task.setup_ran(2)
    task.passed(Stage.SPLIT, after_setup=2)
    asyncio.run(waiting(task, arn).on_kill())
    assert task.asked == ["split"]
    assert status(account, arn)["status"] == "RUNNING"
    stop(account, arn)


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        pytest.param(1, "1", id="both-after-the-same-setup"),
        pytest.param(None, "1", id="the-stage-before-does-not-know-its-setup"),
        pytest.param(2, None, id="the-wait-does-not-know-its-setup"),
    ],
)
def test_a_stage_before_that_was_not_passed_again_does_not_keep_the_execution(
    account: SwitchedExecution, task: DeferredTask, theirs: int | None, mine: str | None
) -> None:
    arn = start(account, f"kill-not-again-{theirs}-{mine}".lower())
    task.state = "failed"
    task.passed(Stage.SPLIT, after_setup=theirs)
    asyncio.run(task.trigger(arn, prepared_try=mine).on_kill())
    assert task.asked in ([], ["split"])
    assert status(account, arn)["status"] == "ABORTED"
