"""The classification of failures: what each row is about, and that no error is without one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from brewtrain.domain.failure import error_names
from brewtrain.domain.failure.diagnosis import FAILURE_CLASSES, TransientRetrainingError, advise, class_of, diagnose
from brewtrain.domain.run.ladder import Action, Execution
from brewtrain.domain.run.stages import Stage, stage_of

REPOSITORY = Path(__file__).resolve().parents[4]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:states:eu-central-1:123456789012:execution:brewtrain-x:x-20260102T0000-g0"
START = "start_execution"


@dataclass(frozen=True)
class Case:
    """A failure, and the row and diagnosis that it must get.

    :param row: Number of the row of FAILURE_CLASSES.
    """

    row: int
    kind: str
    error: str
    stage: Stage
    cause: str = ""
    status: str = "FAILED"
    retryable: bool = False


CASES = {
    "the gate refuses": Case(0, "quality-gate", "Brewtrain.QualityGateFailed", Stage.GATE),
    "an input of another release": Case(1, "execution-failed", "Brewtrain.UnknownEntry", Stage.TRANSFORM),
    "SageMaker rolls back": Case(2, "endpoint-rolled-back", "Brewtrain.EndpointRolledBack", Stage.DEPLOY),
    "the endpoint fails": Case(3, "endpoint-failed", "Brewtrain.EndpointFailed", Stage.DEPLOY),
    "the endpoint is stuck": Case(3, "endpoint-failed", "Brewtrain.EndpointStuck", Stage.DEPLOY),
    "a person stops it": Case(4, "execution-stopped", "Person", Stage.TRAIN, "stop", status="ABORTED"),
    "a denied call": Case(5, "access-denied", "SageMaker.AccessDeniedException", Stage.DEPLOY),
    "a job that is denied": Case(6, "access-denied", "States.TaskFailed", Stage.SPLIT, "AccessDenied for s3:PutObject"),
    "a role that is denied": Case(6, "access-denied", "States.TaskFailed", Stage.SPLIT, "not authorized to perform: x"),
    "throttling": Case(7, "aws-unavailable", "Glue.ThrottlingException", Stage.SPLIT, "Rate exceeded", retryable=True),
    "an error of the service": Case(
        7, "aws-unavailable", "DataBrew.InternalServerException", Stage.TRANSFORM, retryable=True
    ),
    "no capacity": Case(
        8, "aws-unavailable", "States.TaskFailed", Stage.TRAIN, "CapacityError: Unable to provision", retryable=True
    ),
    "a state takes too long": Case(9, "timed-out", "States.Timeout", Stage.TRAIN, status="TIMED_OUT"),
    "Airflow stops an overdue stage": Case(9, "timed-out", "States.Timeout", Stage.TRAIN, status="ABORTED"),
    "the transform's job": Case(10, "transform-failed", "States.TaskFailed", Stage.TRANSFORM, "bad recipe"),
    "the split's job": Case(11, "split-failed", "States.TaskFailed", Stage.SPLIT, "no such column"),
    "the training job": Case(12, "training-failed", "States.TaskFailed", Stage.TRAIN, "AlgorithmError"),
    "the evaluation's job": Case(13, "evaluation-failed", "States.TaskFailed", Stage.EVALUATE, "OneClassError"),
    "a call of the transform": Case(14, "transform-failed", "DataBrew.ValidationException", Stage.TRANSFORM),
    "a call of the split": Case(15, "split-failed", "Glue.EntityNotFoundException", Stage.SPLIT),
    "a call of the training": Case(16, "training-failed", "SomethingNew", Stage.TRAIN),
    "a call of the evaluation": Case(17, "evaluation-failed", "SageMaker.SageMakerException", Stage.EVALUATE),
    "a call of the deployment": Case(18, "deploy-stage-failed", "SageMaker.ValidationException", Stage.DEPLOY),
    "a mistake of the definition": Case(19, "execution-failed", "States.Runtime", Stage.GATE),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_failure_gets_its_row(case: Case) -> None:
    found = class_of(case.error, case.cause, status=case.status, stage=case.stage)
    assert found is FAILURE_CLASSES[case.row]
    diagnosis = diagnose(case.error, case.cause, status=case.status, stage=case.stage, start_task=START)
    assert (diagnosis.kind, diagnosis.retryable) == (case.kind, case.retryable)


def test_every_row_has_a_case() -> None:
    assert {case.row for case in CASES.values()} == set(range(len(FAILURE_CLASSES)))


def test_the_last_row_takes_any_failure() -> None:
    last = FAILURE_CLASSES[-1]
    assert all(last.matches("anything", "", status="FAILED", stage=stage) for stage in Stage)


NAMED = frozenset[str]().union(*(row.errors for row in FAILURE_CLASSES))


def fail_states(document: dict[str, Any], top: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fail states, each with the name of the top-level state that it is in."""
    for name, state in document["States"].items():
        if state["Type"] == "Fail":
            yield top or name, state
        for branch in state.get("Branches", ()):
            yield from fail_states(branch, top or name)


def test_every_fail_state_of_the_state_machine_has_a_row() -> None:
    text = (REPOSITORY / "include" / "statemachine" / "retraining.asl.json").read_text("utf-8")
    states = list(fail_states(json.loads(text)))
    errors = {state["Error"] for _, state in states if "Error" in state}
    assert errors == {name for name in vars(error_names).values() if str(name).startswith("Brewtrain.")} - {
        error_names.STOPPED,
        error_names.DATA_QUALITY_FAILED,
    }
    assert errors <= NAMED, "a new Fail state needs a row in FAILURE_CLASSES"
    # Those that pass AWS's own error on are named by the stage.
    passed_on = [top for top, state in states if "Error" not in state]
    assert passed_on
    for top in passed_on:
        assert class_of("Service.Exception", "", status="FAILED", stage=stage_of(top)).stage is stage_of(top)


def test_every_error_that_the_state_machine_handles_is_classified() -> None:
    text = (REPOSITORY / "include" / "statemachine" / "retraining.asl.json").read_text("utf-8")
    handled = {
        name
        for names in re.findall(r'"ErrorEquals": \[(.*?)\]', text, re.DOTALL)
        for name in re.findall(r'"(.+?)"', names)
    }
    assert len(handled) > 20
    for name in handled:
        for stage in Stage:
            found = class_of(name, "", status="FAILED", stage=stage)
            assert found.kind != "execution-failed" or stage is Stage.GATE, (name, stage)


def test_every_error_of_the_architectures_table_has_a_row() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    table = text.partition("Executions that FAILED carry one of these errors")[2].partition("\n## ")[0]
    errors = set(re.findall(r"`((?:Brewtrain|States)\.\w+)`", table))
    assert len(errors) == 7
    assert errors <= NAMED
    assert "`<Service>.<Exception>`" in table
    assert class_of("Service.Exception", "", status="FAILED", stage=Stage.DEPLOY).kind == "deploy-stage-failed"


def test_every_kind_of_failure_has_its_page() -> None:
    pages = {
        diagnose(case.error, case.cause, status=case.status, stage=case.stage, start_task=START).runbook
        for case in CASES.values()
    }
    assert len(pages) == 13
    for page in pages:
        assert (REPOSITORY / page).is_file(), page


@pytest.mark.parametrize(
    ("stage", "fresh", "clear"),
    [
        pytest.param(Stage.TRANSFORM, True, True, id="the-transform-reads-the-source-again"),
        pytest.param(Stage.SPLIT, True, False, id="the-split-reads-the-same-rows"),
        pytest.param(Stage.TRAIN, True, True, id="the-training-depends"),
        pytest.param(Stage.DEPLOY, False, True, id="the-deployment-reads-no-rows"),
    ],
)
def test_a_job_that_would_read_the_same_again_is_not_to_be_redriven(stage: Stage, fresh: bool, clear: bool) -> None:
    advice = diagnose("States.TaskFailed", "column is text", status="FAILED", stage=stage, start_task=START).advice
    assert ("clear start_execution" in advice) is fresh
    assert ("clear this task" in advice) is clear


def failed(redrive_status: str = "REDRIVABLE", status: str = "FAILED", reason: str | None = None) -> Execution:
    return Execution(arn=ARN, status=status, started_at=NOW, stopped_at=NOW, redrive_status=redrive_status,
                     redrive_status_reason=reason)  # fmt: skip


FRESH = "Clear start_execution and everything downstream: that starts a fresh execution."


def test_advice_follows_what_can_be_done() -> None:
    diagnosis = diagnose("States.TaskFailed", "bad", status="FAILED", stage=Stage.TRAIN, start_task=START)
    assert "clear this task" in advise(Action.REPORT, failed(), diagnosis, start_task=START)
    refused = advise(
        Action.ADVISE_FRESH, failed("NOT_REDRIVABLE", reason="14 days passed"), diagnosis, start_task=START
    )
    assert refused == f"This execution cannot be redriven (14 days passed). {FRESH}"
    not_redrivable = f"This execution cannot be redriven. {FRESH}"
    assert advise(Action.REPORT, failed("NOT_REDRIVABLE"), diagnosis, start_task=START) == not_redrivable
    assert advise(Action.ADVISE_FRESH, failed(), None, start_task=START) == not_redrivable
    missing = f"The execution is older than 90 days, or was deleted. {FRESH}"
    assert advise(Action.MISSING, None, None, start_task=START) == missing
    assert "'PAUSED'" in advise(Action.UNKNOWN, failed(status="PAUSED"), None, start_task=START)


@pytest.mark.parametrize("start_task", ["start_deployment", "start_rollback"])
def test_advice_names_the_dags_own_task(start_task: str) -> None:
    diagnosis = diagnose("States.TaskFailed", "bad", status="FAILED", stage=Stage.SPLIT, start_task=start_task)
    advices = [
        diagnosis.advice,
        advise(Action.MISSING, None, None, start_task=start_task),
        advise(Action.UNKNOWN, failed(status="PAUSED"), None, start_task=start_task),
        advise(Action.ADVISE_FRESH, failed("NOT_REDRIVABLE"), diagnosis, start_task=start_task),
    ]
    for advice in advices:
        assert f"lear {start_task} and everything downstream" in advice
        assert START not in advice


CLEAR = "Clear this task: the execution is redriven from the failed state, and finished stages do not run again."


def test_a_failure_that_nothing_is_known_of_is_redriven_by_a_clear() -> None:
    assert advise(Action.REPORT, failed(), None, start_task=START) == CLEAR


def test_an_execution_that_is_gone_is_not_redriven_whatever_was_decided() -> None:
    gone = f"The execution is older than 90 days, or was deleted. {FRESH}"
    assert advise(Action.REPORT, None, None, start_task=START) == gone
    assert advise(Action.MISSING, failed(), None, start_task=START) == gone


def test_a_failure_that_a_retry_may_help_is_transient() -> None:
    error = TransientRetrainingError("the card")
    assert (str(error), error.retryable) == ("the card", True)
