"""The ways in which an execution ends well, read from the execution's output.

Must not import Airflow or boto3. The document is described under "Execution output" in
docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from brewtrain.domain.errors import DeploymentError


class Outcome(BaseModel):
    """What an execution that SUCCEEDED reports.

    :param outcome: ``promoted``: the endpoint serves the model; ``rejected``: the model was not
        deployed; ``pending``: it was not deployed yet.
    :param reason: Why: ``promoted``, ``rolled_back_to``, ``quality_gate``, ``older_than_serving``,
        ``deploy_never`` or ``awaiting_approval``.
    :param message: One sentence for people.
    :param metrics: The evaluation's value of each metric by its name, e.g. ``validation:auc``.
    :param evaluation: ``uri`` (S3 prefix of evaluation.json and its neighbours),
        ``champion_status``, ``champion_metrics``, ``champion_uri`` and ``reasons``; each null where
        there was no evaluation.
    :param training_metrics: What the training job itself reported, by the same names.
    :param image_uri: Image that the model was trained with.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    outcome: Literal["promoted", "rejected", "pending"]
    reason: str
    message: str = ""
    run: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    evaluation: dict[str, Any] = {}
    training_metrics: dict[str, float] = {}
    split: dict[str, Any] = {}
    image_uri: str | None = None
    training_job_name: str | None = None
    model_artifacts: str | None = None
    model_name: str | None = None
    endpoint_config_name: str | None = None
    endpoint_name: str | None = None

    @field_validator("metrics", mode="before")
    @classmethod
    def _measured(cls, value: Any) -> Any:
        # Null where nothing was evaluated: a rollback, or a candidate from before there was an
        # evaluation.
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, Mapping) else value

    @field_validator("training_metrics", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        # The state machine passes DescribeTrainingJob's FinalMetricDataList on as it is.
        return {one["MetricName"]: one["Value"] for one in value} if isinstance(value, list) else value

    @classmethod
    def of(cls, output: Mapping[str, Any] | None) -> Outcome:
        """Read an execution's output.

        :raises DeploymentError: If the output is not the document that the deployed state machine
            writes.
        """
        try:
            return cls.model_validate(output or {})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "document"
            raise DeploymentError(
                f"the execution's output has no valid {field!r} ({first['msg'].lower()}): the deployed state machine "
                "is not this package's; run the pipeline's deploy DAG"
            ) from None

    @property
    def promoted(self) -> bool:
        """Whether the endpoint serves the new model."""
        return self.outcome == "promoted"

    @property
    def rejected(self) -> bool:
        """Whether the model was kept from the endpoint on purpose."""
        return self.outcome == "rejected"

    @property
    def pending(self) -> bool:
        """Whether the model waits for a person's approval."""
        return self.outcome == "pending"

    @property
    def passed_gate(self) -> bool:
        """Whether the model was good enough, deployed or not."""
        return self.reason != "quality_gate"
