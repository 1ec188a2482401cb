"""An execution's output: what it says, and what is wrong with one that is not this package's."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.run.outcome import Outcome


@pytest.mark.parametrize(
    ("outcome", "promoted", "rejected", "pending"),
    [
        pytest.param("promoted", True, False, False, id="promoted"),
        pytest.param("rejected", False, True, False, id="rejected"),
        pytest.param("pending", False, False, True, id="pending"),
    ],
)
def test_an_outcome_is_one_of_three(outcome: str, promoted: bool, rejected: bool, pending: bool) -> None:
    found = Outcome.of({"outcome": outcome, "reason": "older_than_serving"})
    assert (found.promoted, found.rejected, found.pending) == (promoted, rejected, pending)
    assert found.passed_gate is True


def test_only_the_gate_says_that_a_model_was_not_good_enough() -> None:
    assert Outcome.of({"outcome": "rejected", "reason": "quality_gate"}).passed_gate is False


def test_what_an_output_leaves_out_is_empty() -> None:
    found = Outcome.of({"outcome": "promoted", "reason": "promoted"})
    assert (found.message, found.run, found.metrics, found.evaluation) == ("", {}, {}, {})
    assert (found.training_metrics, found.split) == ({}, {})
    names = (found.image_uri, found.training_job_name, found.model_artifacts, found.model_name)
    assert (*names, found.endpoint_config_name, found.endpoint_name) == (None,) * 6


def test_metrics_that_were_not_measured_are_left_out_and_trainings_are_read_by_name() -> None:
    found = Outcome.of(
        {
            "outcome": "promoted",
            "reason": "promoted",
            "metrics": {"validation:auc": 0.8, "validation:ece": None},
            "training_metrics": [{"MetricName": "train:auc", "Value": 0.9, "Timestamp": 1}],
        }
    )
    assert found.metrics == {"validation:auc": 0.8}
    assert found.training_metrics == {"train:auc": 0.9}


FOREIGN: dict[str, tuple[Any, str]] = {
    "no output": (None, "'outcome' (field required)"),
    "no reason": ({"outcome": "promoted"}, "'reason' (field required)"),
    "another outcome": (
        {"outcome": "done", "reason": "r"},
        "'outcome' (input should be 'promoted', 'rejected' or 'pending')",
    ),
    "a metric that is text": (
        {"outcome": "promoted", "reason": "r", "metrics": {"validation:auc": "high"}},
        "'metrics.validation:auc' (input should be a valid number, unable to parse string as a number)",
    ),
    "a list": ([1], "'document' (input should be a valid dictionary or instance of outcome)"),
}


@pytest.mark.parametrize(("output", "problem"), FOREIGN.values(), ids=FOREIGN)
def test_an_output_that_is_not_this_packages_is_refused_with_the_way_out(output: Any, problem: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        Outcome.of(output)
    assert str(caught.value) == (
        f"the execution's output has no valid {problem}: the deployed state machine is not this package's; run the "
        "pipeline's deploy DAG"
    )
