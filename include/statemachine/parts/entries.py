"""The entries of the state machine.

One machine has all of them, so that every deployment is watched in the same way.
"""

from __future__ import annotations

from typing import Any

from parts.outcomes import METRICS, SUMMARY, UNKNOWN_ENTRY
from parts.sdk import BaseRule, ChoiceRule, all_of, choice, steps


def choose_entry(retrain: Any, promote: Any, rollback: Any) -> Any:
    """Build the first state of the machine.

    :param retrain: First state of a retraining.
    :param promote: First state of a promotion.
    :param rollback: First state of a rollback.
    """
    unknown = steps.Fail(
        "Unknown Entry",
        error=UNKNOWN_ENTRY,
        cause=(
            "The input has no entry of this state machine (retrain, promote, rollback): it was not made by the same "
            "release of brewtrain as the state machine. Run the deploy DAG of the pipeline, then start a new execution."
        ),
    )
    return choice(
        "Choose Entry",
        [(_asked_for("retrain"), retrain), (_asked_for("promote"), promote), (_asked_for("rollback"), rollback)],
        unknown,
    )


def _asked_for(name: str) -> BaseRule:
    return all_of(ChoiceRule.IsPresent("$.entry", True), ChoiceRule.StringEquals("$.entry", name))


def begin_rollback(prepare: Any) -> Any:
    """Fill in what the output documents name and a rollback does not have.

    :param prepare: First state of the deployment of a config that exists.
    """
    given = ("entry", "run", "model", "endpoint_config", "endpoint", "tags")
    state = steps.Pass(
        "Begin Rollback",
        parameters={f"{field}.$": f"$.{field}" for field in given}
        | {
            "training": {"image_uri": None},
            "training_job": {"name": None, "model_artifacts": None},
            "training_results": {"metrics": []},
            "evaluation": {"output_uri": None},
            "champion": {"uri": None},
            "verdict": {
                "metrics": dict.fromkeys(METRICS),
                "champion_status": None,
                "champion_metrics": {},
                "reasons": [],
            },
            "split_summary": {"document": dict.fromkeys(SUMMARY)},
        },
        comment="Nothing was trained or evaluated.",
    )
    state.next(prepare)
    return state
