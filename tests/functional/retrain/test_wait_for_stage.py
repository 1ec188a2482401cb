"""A stage on a worker, after its trigger: the task returns, is skipped, or raises with a card."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from brewtrain.airflow_names import CARD, REPORTED_FAILURE
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError, TransientError
from brewtrain.domain.run.ladder import Action
from brewtrain.domain.run.stages import Stage
from brewtrain.operators.wait_for_stage import WaitForStageOperator, wait_for_deployment
from brewtrain.triggers.stage_events import (
    StageEvent,
    StageFailed,
    StageOver,
    StageOverdue,
    StageSkipped,
    WaitProblem,
    serialize,
)
from tests.fixtures.stage_waits import start, wait_for
from tests.fixtures.switched_execution import FAIL, SwitchedExecution


class ResumedTask:
    """A stage's task that goes on with a worker.

    :param execution_arn: What the task that starts executions has returned.
    """

    def __init__(self, operator: WaitForStageOperator, execution_arn: str = "None") -> None:
        self.operator = operator
        self.pushed: dict[str, Any] = {}
        started = {"execution_arn": execution_arn}
        instance = SimpleNamespace(
            xcom_pull=lambda task_ids, map_indexes: started if task_ids == operator.start_task else None,
            xcom_push=lambda key, value: self.pushed.update({key: value}),
        )
        self.context: Any = {"ti": instance}

    def resume(self, event: StageEvent) -> dict[str, Any]:
        return self.operator.resume(self.context, serialize(event))


def train(account: SwitchedExecution) -> WaitForStageOperator:
    return WaitForStageOperator(task_id="train", pipeline=account.pipeline, stage=Stage.TRAIN)


def failed(account: SwitchedExecution, name: str) -> str:
    account.let_pass(name)
    account.switch(name, "Model Training", FAIL)
    arn = start(account, name)
    wait_for(account, arn, "FAILED")
    return arn


def test_a_stage_that_is_over_returns_what_the_trigger_saw(account: SwitchedExecution) -> None:
    assert ResumedTask(train(account)).resume(StageOver({"stage": "train"})) == {"stage": "train"}


def test_a_model_that_was_not_deployed_skips_the_task(account: SwitchedExecution) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match=r"^The gate said no$"):
        ResumedTask(train(account)).resume(StageSkipped("The gate said no"))


def test_a_wait_that_is_impossible_says_why(account: SwitchedExecution) -> None:
    with pytest.raises(DeploymentError, match=r"^AWS denied it$"):
        ResumedTask(train(account)).resume(WaitProblem("AWS denied it"))


def test_another_triggers_event_is_refused(account: SwitchedExecution) -> None:
    task = ResumedTask(train(account))
    with pytest.raises(DeploymentError, match="task 'train' was resumed by another trigger: 'success' is not an event"):
        task.operator.resume(task.context, "success")  # type: ignore[arg-type]


def test_a_failure_is_reported_with_its_card(account: SwitchedExecution) -> None:
    arn = failed(account, "resume-failed")
    task = ResumedTask(train(account), arn)
    with pytest.raises(
        RetrainingFailedError,
        match=r"train failed in state 'Model Training' \(States\.IntrinsicFailure\): The function .* Fix the cause",
    ) as raised:
        task.resume(StageFailed(Action.REPORT))
    assert not raised.value.retryable
    assert not isinstance(raised.value, TransientError)
    assert str(raised.value).endswith("Then clear this task: the execution is redriven from the failed state, and "
                                      "finished stages do not run again.")  # fmt: skip
    assert task.pushed[REPORTED_FAILURE] == {"execution_arn": arn, "redrive_count": 0}
    card = task.pushed[CARD]
    for part in ("ON CALL", "resume-failed", "docs/runbooks/training-failed.md", "by clearing this task"):
        assert part in card
    assert set(task.operator.links) == {"execution page"}


def test_a_failure_that_cannot_be_redriven_names_the_dags_own_task(account: SwitchedExecution) -> None:
    arn = failed(account, "resume-fresh")
    wait = wait_for_deployment(task_id="deploy", pipeline=account.pipeline, start_task="start_rollback")
    with pytest.raises(RetrainingFailedError) as raised:
        ResumedTask(wait, arn).resume(StageFailed(Action.ADVISE_FRESH))
    assert str(raised.value).endswith(
        "This execution cannot be redriven. Clear start_rollback and everything downstream: that starts a fresh "
        "execution."
    )


def test_an_execution_that_does_not_exist_has_a_card_too(account: SwitchedExecution) -> None:
    arn = account.account.execution_arn(account.pipeline.name, "resume-missing")
    task = ResumedTask(train(account), arn)
    with pytest.raises(
        RetrainingFailedError, match=r"train failed \(does not exist\)\. The execution is older than 90"
    ):
        task.resume(StageFailed(Action.MISSING))
    assert REPORTED_FAILURE not in task.pushed
    assert "docs/runbooks/execution-failed.md" in task.pushed[CARD]


def test_an_overdue_stage_stops_its_execution(account: SwitchedExecution) -> None:
    account.let_pass("resume-overdue", but="Model Training")
    arn = start(account, "resume-overdue")
    task = ResumedTask(train(account), arn)
    with pytest.raises(RetrainingFailedError, match="Find out why it took so long, or raise the limit") as raised:
        task.resume(StageOverdue())
    assert not raised.value.retryable
    found = account.client("stepfunctions").describe_execution(executionArn=arn)
    assert (found["status"], found["error"]) == ("ABORTED", "Brewtrain.Stopped")
    assert found["cause"] == f"train took longer than {task.operator.limit}"
    assert "docs/runbooks/timed-out.md" in task.pushed[CARD]


def test_an_execution_that_a_person_stopped_is_not_retried_whatever_the_error(account: SwitchedExecution) -> None:
    account.let_pass("resume-stopped", but="Model Training")
    arn = start(account, "resume-stopped")
    states = account.client("stepfunctions")
    states.stop_execution(executionArn=arn, error="SageMaker.ThrottlingException", cause="Rate exceeded")
    task = ResumedTask(train(account), arn)
    with pytest.raises(RetrainingFailedError) as raised:
        task.resume(StageFailed(Action.REPORT))
    # Somebody stopped it: that is no failure of AWS, whatever the error is called.
    assert not raised.value.retryable
    assert "docs/runbooks/execution-stopped.md" in task.pushed[CARD]
