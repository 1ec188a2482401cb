"""The outcome of an execution that the gate made fail: as whole as one with an output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brewtrain.domain.failure.gate_refusal import refused_outcome
from brewtrain.domain.run.outcome import Outcome

DATA: dict[str, Any] = {
    "run": {"id": "p-20240102T0000-g0", "data_date": "2024-01-01"},
    "training_job": {"name": "t", "model_artifacts": "s3://b/model.tar.gz"},
    "training": {"image_uri": "image:1.7-1"},
    "verdict": {
        "metrics": {"auc": 0.6, "error": 0.2},
        "champion_status": "compared",
        "champion_metrics": {"auc": 0.7},
        "reasons": ["auc 0.6000 is below its floor of 0.7000"],
    },
    "evaluation": {"output_uri": "s3://b/e/"},
    "champion": {"uri": "s3://b/champion.tar.gz"},
    "split_summary": {"document": {"train_rows": 70}},
    "endpoint": {"name": "e"},
}
FAILED = {"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "Brewtrain.QualityGateFailed"}}


def entered(data: object, kind: str = "FailStateEntered") -> dict[str, Any]:
    text = data if isinstance(data, str) else json.dumps(data)
    return {"type": kind, "stateEnteredEventDetails": {"name": "Refused", "input": text}}


def outcome(data: object) -> Outcome | None:
    return refused_outcome([FAILED, entered(data), entered("{}", "TaskStateEntered")], message="Too weak.")


def test_a_refused_model_is_told_of_with_all_that_is_known() -> None:
    assert outcome(DATA) == Outcome(
        outcome="rejected",
        reason="quality_gate",
        message="Too weak.",
        run={"id": "p-20240102T0000-g0", "data_date": "2024-01-01"},
        metrics={"validation:auc": 0.6, "validation:error": 0.2},
        evaluation={
            "uri": "s3://b/e/",
            "champion_status": "compared",
            "champion_metrics": {"auc": 0.7},
            "champion_uri": "s3://b/champion.tar.gz",
            "reasons": ["auc 0.6000 is below its floor of 0.7000"],
        },
        split={"train_rows": 70},
        training_job_name="t",
        model_artifacts="s3://b/model.tar.gz",
        image_uri="image:1.7-1",
        endpoint_name="e",
    )


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param({}, id="left out"),
        pytest.param(
            dict.fromkeys([name for name in DATA if name != "training_job"]),
            id="null",
        ),
        pytest.param({"verdict": {"metrics": None}, "split_summary": {"document": None}}, id="null within"),
    ],
)
def test_what_the_state_does_not_know_is_empty(rest: dict[str, Any]) -> None:
    assert outcome({"training_job": DATA["training_job"], **rest}) == Outcome(
        outcome="rejected",
        reason="quality_gate",
        message="Too weak.",
        evaluation={
            "uri": None,
            "champion_status": None,
            "champion_metrics": None,
            "champion_uri": None,
            "reasons": None,
        },
        training_job_name="t",
        model_artifacts="s3://b/model.tar.gz",
    )


NO_MODEL: dict[str, object] = {
    "no training job": {name: value for name, value in DATA.items() if name != "training_job"},
    "a training job without a name": {**DATA, "training_job": {"model_artifacts": "s3://b/model.tar.gz"}},
    "a training job without a model": {**DATA, "training_job": {"name": "t"}},
    "a training job that is null": {**DATA, "training_job": None},
    "a verdict that is text": {**DATA, "verdict": "refuse"},
    "metrics that are no numbers": {**DATA, "verdict": {"metrics": {"auc": "low"}}},
    "a list": [],
    "no JSON": "{",
    "nothing": "",
}


@pytest.mark.parametrize("data", NO_MODEL.values(), ids=NO_MODEL)
def test_an_input_that_names_no_trained_model_is_no_outcome(data: object) -> None:
    assert outcome(data) is None


def test_a_history_without_a_fail_state_is_no_outcome() -> None:
    assert refused_outcome([FAILED, entered(DATA, "TaskStateEntered")], message="Too weak.") is None
    assert refused_outcome([{"type": "FailStateEntered", "stateEnteredEventDetails": {}}], message="m") is None
    assert refused_outcome([], message="Too weak.") is None


def test_the_fail_state_entered_last_counts() -> None:
    older = {**DATA, "training_job": {"name": "older", "model_artifacts": "s3://b/older.tar.gz"}}
    found = refused_outcome([FAILED, entered(DATA), entered(older)], message="Too weak.")
    assert found is not None
    assert found.training_job_name == "t"
