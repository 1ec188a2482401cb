"""The outcome of an execution that FAILED because the gate refused the model.

It fails only where the pipeline file says so (``on_reject: fail``). Such an execution has no
output, but the model was evaluated like any other, and the input of the Fail state has all that is
known of it. Must not import Airflow or boto3.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from brewtrain.domain.run.execution_history import detail_of
from brewtrain.domain.run.outcome import Outcome

_METRIC_PREFIX = "validation:"


def refused_outcome(events: Iterable[Mapping[str, Any]], *, message: str) -> Outcome | None:
    """Read the outcome from the Fail state's input; ``None`` if it names no trained model.

    :param events: The execution's events, newest first, with data, down to where the Fail state was
        entered.
    :param message: The execution's cause.
    """
    state = next((detail_of(event) for event in events if event["type"] == "FailStateEntered"), {})
    try:
        data = json.loads(state.get("input", ""))
        job = data["training_job"]
        verdict = data.get("verdict") or {}
        evaluation = data.get("evaluation") or {}
        return Outcome.model_validate(
            {
                "outcome": "rejected",
                "reason": "quality_gate",
                "message": message,
                "run": data.get("run") or {},
                "metrics": {_METRIC_PREFIX + name: value for name, value in (verdict.get("metrics") or {}).items()},
                "evaluation": {
                    "uri": evaluation.get("output_uri"),
                    "champion_status": verdict.get("champion_status"),
                    "champion_metrics": verdict.get("champion_metrics"),
                    "champion_uri": (data.get("champion") or {}).get("uri"),
                    "reasons": verdict.get("reasons"),
                },
                "split": (data.get("split_summary") or {}).get("document") or {},
                "training_job_name": job["name"],
                "model_artifacts": job["model_artifacts"],
                "image_uri": (data.get("training") or {}).get("image_uri"),
                "endpoint_name": (data.get("endpoint") or {}).get("name"),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
