"""The document that a good execution ends with, and the error names of a failed one.

Both are described in docs/architecture.md.
"""

from __future__ import annotations

from typing import Any

from parts.sdk import steps

ROLLED_BACK = "Brewtrain.EndpointRolledBack"
FAILED = "Brewtrain.EndpointFailed"
STUCK = "Brewtrain.EndpointStuck"
QUALITY_GATE = "Brewtrain.QualityGateFailed"
UNKNOWN_ENTRY = "Brewtrain.UnknownEntry"

METRICS = ("auc", "aucpr", "logloss", "error", "brier", "ece", "lift_top_decile")
SUMMARY = (
    "train_rows",
    "validation_rows",
    "train_positives",
    "validation_positives",
    "majority_class_error",
    "features",
)


def outcome_with_model(name: str, outcome: str, reason: str, message: str, *, comment: str) -> Any:
    """Build the Pass state that ends an execution which created a model and an endpoint config.

    :param name: State name.
    :param outcome: ``promoted`` or ``rejected``.
    :param reason: Which of the ends it is, in one word.
    :param message: Intrinsic function that gives one sentence.
    :param comment: Comment of the state.
    """
    made = {"model_name.$": "$.model.name", "endpoint_config_name.$": "$.endpoint_config.name"}
    return steps.Pass(name, parameters=_document(outcome, reason, message) | made, comment=comment)


def outcome_without_model(name: str, outcome: str, reason: str, message: str, *, comment: str) -> Any:
    """Build the Pass state that ends an execution before it creates a model.

    :param name: State name.
    :param outcome: ``rejected`` or ``pending``.
    :param reason: Which of the ends it is, in one word.
    :param message: Intrinsic function that gives one sentence.
    :param comment: Comment of the state.
    """
    absent = {"model_name": None, "endpoint_config_name": None}
    return steps.Pass(name, parameters=_document(outcome, reason, message) | absent, comment=comment)


def _document(outcome: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "reason": reason,
        "message.$": message,
        "run.$": "$.run",
        "metrics": {f"validation:{metric}.$": f"$.verdict.metrics.{metric}" for metric in METRICS},
        "evaluation": {
            "uri.$": "$.evaluation.output_uri",
            "champion_status.$": "$.verdict.champion_status",
            "champion_metrics.$": "$.verdict.champion_metrics",
            "champion_uri.$": "$.champion.uri",
            "reasons.$": "$.verdict.reasons",
        },
        "training_metrics.$": "$.training_results.metrics",
        "split": {f"{name}.$": f"$.split_summary.document.{name}" for name in SUMMARY},
        "training_job_name.$": "$.training_job.name",
        "model_artifacts.$": "$.training_job.model_artifacts",
        "image_uri.$": "$.training.image_uri",
        "endpoint_name.$": "$.endpoint.name",
    }
