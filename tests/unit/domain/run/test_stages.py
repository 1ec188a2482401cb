"""Which stage a state belongs to, and what an observation means for a stage."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.run.stages import STAGE_OF_STATE, Observation, Stage, StageProgress, progress_of, stage_of

DEFINITION = Path(__file__).resolve().parents[4] / "include" / "statemachine" / "retraining.asl.json"
STATE_OF = {
    Stage.TRANSFORM: "Apply Transformation",
    Stage.SPLIT: "Split Train & Test DataSet",
    Stage.TRAIN: "Model Training",
    Stage.EVALUATE: "Query Training Results",
    Stage.GATE: "Accuracy > 90%",
    Stage.DEPLOY: "Save Model",
}
PAIRS = list(itertools.product(Stage, Stage))
PROMOTED = {"outcome": "promoted", "reason": "promoted"}
REJECTED = {"outcome": "rejected", "reason": "older_than_serving"}
PENDING = {"outcome": "pending", "reason": "awaiting_approval"}


def test_every_named_state_is_in_the_state_machine() -> None:
    states = json.loads(DEFINITION.read_text())["States"]
    assert set(STAGE_OF_STATE) <= set(states)


def test_nothing_before_the_gate_counts_as_deploy() -> None:
    """Until the gate, every state that a retraining can reach must be in the table."""
    document = json.loads(DEFINITION.read_text())
    states = document["States"]
    assert stage_of(document["StartAt"]) is Stage.TRANSFORM
    assert stage_of(states[document["StartAt"]]["Default"]) is Stage.TRANSFORM
    reached, seen = [("Apply Transformation", 0)], set()
    while reached:
        name, before = step = reached.pop()
        if step in seen:
            continue
        seen.add(step)
        assert name in STAGE_OF_STATE, f"add {name!r} to STAGE_OF_STATE"
        assert stage_of(name).position >= before, f"{name!r} goes back to an earlier stage"
        if stage_of(name) is Stage.GATE:
            continue
        state = states[name]
        targets = [state.get("Next"), state.get("Default"), *(choice["Next"] for choice in state.get("Choices", []))]
        targets += [catcher["Next"] for catcher in state.get("Catch", [])]
        reached += [(target, stage_of(name).position) for target in targets if target]
    gate = states[next(name for name, stage in STAGE_OF_STATE.items() if stage is Stage.GATE)]
    ways = [choice["Next"] for choice in gate["Choices"]] + [gate["Default"]]
    ends = [way for way in ways if states[way].get("End") or states[way]["Type"] == "Fail"]
    assert ends, "the gate refuses somehow"
    for way in ends:
        assert stage_of(way) is Stage.GATE, f"add {way!r} to STAGE_OF_STATE as gate: it refuses the model"


@pytest.mark.parametrize(("waiting", "at"), PAIRS)
@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_stage_is_over_when_a_running_execution_has_passed_it(waiting: Stage, at: Stage, status: str) -> None:
    progress = progress_of(waiting, Observation(status, 0, STATE_OF[at]))
    assert progress is (StageProgress.OVER if at.position > waiting.position else StageProgress.WAIT)


@pytest.mark.parametrize(("waiting", "at"), PAIRS)
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_bad_end_fails_its_stage_and_those_after_it(waiting: Stage, at: Stage, status: str) -> None:
    progress = progress_of(waiting, Observation(status, 0, STATE_OF[at]))
    assert progress is (StageProgress.OVER if at.position > waiting.position else StageProgress.FAILED)


def test_there_are_36_pairs() -> None:
    assert len(PAIRS) == 36


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_bad_end_outside_of_any_state_fails_every_stage(stage: Stage, status: str) -> None:
    assert progress_of(stage, Observation(status)) is StageProgress.FAILED


@pytest.mark.parametrize("stage", Stage)
def test_a_promotion_ends_every_stage(stage: Stage) -> None:
    assert progress_of(stage, Observation("SUCCEEDED", output=PROMOTED)) is StageProgress.OVER


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("output", [REJECTED, PENDING], ids=["rejected", "pending"])
def test_what_is_not_deployed_skips_deploy_alone(stage: Stage, output: dict[str, str]) -> None:
    expected = StageProgress.SKIPPED if stage is Stage.DEPLOY else StageProgress.OVER
    assert progress_of(stage, Observation("SUCCEEDED", output=output)) is expected


@pytest.mark.parametrize(
    "output",
    [None, {}, {"outcome": "won"}, {"outcome": "promoted"}],
    ids=["none", "empty", "an-unknown-outcome", "no-reason"],
)
def test_deploy_never_believes_an_output_it_cannot_read(output: dict[str, str] | None) -> None:
    with pytest.raises(DeploymentError, match="deploy DAG"):
        progress_of(Stage.DEPLOY, Observation("SUCCEEDED", output=output))


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("status", ["", "PAUSED", "succeeded"])
def test_a_status_that_aws_may_add_is_unknown(stage: Stage, status: str) -> None:
    assert progress_of(stage, Observation(status, 0, "Save Model")) is StageProgress.UNKNOWN


def test_a_metric_that_was_not_reported_is_left_out() -> None:
    outcome = Outcome.of({**PROMOTED, "metrics": {"validation:auc": 0.8, "validation:aucpr": None}})
    assert outcome.metrics == {"validation:auc": 0.8}


def test_what_the_training_reported_is_read_by_name() -> None:
    listed = [{"MetricName": "validation:auc", "Value": 0.8, "Timestamp": "2026-01-01T00:00:00Z"}]
    assert Outcome.of({**PROMOTED, "training_metrics": listed}).training_metrics == {"validation:auc": 0.8}
    written = Outcome.of({**PROMOTED, "training_metrics": listed}).model_dump(mode="json")
    assert Outcome.of(written).training_metrics == {"validation:auc": 0.8}
