"""What killing a wait does to its execution: stopped, unless the task was marked success or only moved."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from brewtrain.domain.run.ladder import STOPPED_ERROR
from brewtrain.domain.run.stages import Stage
from brewtrain.triggers.stepfunctions import ExecutionStageTrigger
from tests.fixtures.switched_execution import SwitchedExecution
from tests.functional.retrain.test_trigger import start

TASK = SimpleNamespace(
    id="i", dag_id="d", run_id="r", task_id="train", try_number=1, map_index=-1, task=SimpleNamespace(
        template_ext=(), template_fields=(), start_trigger_args=None,
    ),
)  # fmt: skip


def killed(
    arn: str, state: str | None, *, cleared: bool = False, ended: bool = False, passed: bool = False
) -> ExecutionStageTrigger:
    """A trigger whose task Airflow says is in a state, killed."""

    class Known(ExecutionStageTrigger):
        def _task_state(self) -> str | None:
            return state

        def _cleared(self) -> bool:
            return cleared

        def _passed_again(self) -> bool:
            return passed

    trigger = Known(arn, Stage.TRAIN.value, "brewtrain_aws")
    trigger.task_instance = TASK  # type: ignore[assignment]
    trigger._ended = ended
    asyncio.run(trigger.on_kill())
    return trigger


@pytest.mark.parametrize(
    ("state", "cleared", "ended", "stopped"),
    [
        ("failed", False, False, True),
        (None, False, False, True),
        ("upstream_failed", False, False, True),
        ("deferred", True, False, True),
        ("deferred", False, False, False),
        ("success", False, False, False),
        ("skipped", False, False, False),
        ("failed", False, True, False),
    ],
)
def test_kill(account: SwitchedExecution, state: str | None, cleared: bool, ended: bool, stopped: bool) -> None:
    arn = start(account, f"kill-{state}-{cleared}-{ended}".lower())
    killed(arn, state, cleared=cleared, ended=ended)
    states: Any = account.client("stepfunctions")
    found = states.describe_execution(executionArn=arn)
    assert found["status"] == ("ABORTED" if stopped else "RUNNING")
    if stopped:
        assert found["error"] == STOPPED_ERROR
        assert found["cause"].startswith("train attempt 1 ")
    else:
        states.stop_execution(executionArn=arn)


def test_a_wait_that_was_cleared_with_the_stage_before_it_leaves_the_new_tries_their_execution(
    account: SwitchedExecution,
) -> None:
    arn = start(account, "kill-passed-again")
    killed(arn, "scheduled", cleared=True, passed=True)
    states: Any = account.client("stepfunctions")
    assert states.describe_execution(executionArn=arn)["status"] == "RUNNING"
    states.stop_execution(executionArn=arn)


@pytest.mark.parametrize(
    ("theirs", "mine", "passed"), [(2, "1", True), (1, "1", False), (None, "1", False), (2, None, False)]
)
def test_the_stage_before_tells_by_its_setup(
    theirs: int | None, mine: str | None, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.bases.xcom import BaseXCom

    asked: list[str] = []

    def get_one(*, task_id: str, **_: Any) -> dict[str, Any]:
        asked.append(task_id)
        return {"stage": task_id, "setup": theirs}

    monkeypatch.setattr(BaseXCom, "get_one", get_one)
    arn = "arn:aws:states:us-east-1:123456789012:execution:m:e"
    trigger = ExecutionStageTrigger(arn, Stage.TRAIN.value, "brewtrain_aws", prepared_try=mine)
    trigger.task_instance = TASK  # type: ignore[assignment]
    assert trigger._passed_again() is passed
    assert asked in ([], ["split"])
