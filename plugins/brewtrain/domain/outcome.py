"""The three ways in which a retraining ends, read from the execution's output.

Must not import Airflow or boto3. The document is described under "Execution output" in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from brewtrain.domain.errors import DeploymentError


class Outcome(BaseModel):
    """What an execution that SUCCEEDED reports.

    :param outcome: ``promoted``: the endpoint serves the new model; ``rejected``: the model was not deployed.
    :param reason: Why: ``promoted``, ``quality_gate``, ``older_than_serving`` or ``deploy_never``.
    :param message: One sentence for people.
    :param metrics: Value of each metric by its name, e.g. ``validation:auc``.
    """

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    outcome: Literal["promoted", "rejected"]
    reason: str
    message: str = ""
    run: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    split: dict[str, Any] = {}
    training_job_name: str | None = None
    model_artifacts: str | None = None
    model_name: str | None = None
    endpoint_config_name: str | None = None
    endpoint_name: str | None = None

    @field_validator("metrics", mode="before")
    @classmethod
    def _reported(cls, value: Any) -> Any:
        # A metric that SageMaker did not report is null in the document.
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, Mapping) else value

    @classmethod
    def of(cls, output: Mapping[str, Any] | None) -> Outcome:
        """Read an execution's output.

        :raises DeploymentError: If the output is not the document that the deployed state machine writes.
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
    def passed_gate(self) -> bool:
        """Whether the model was good enough, deployed or not."""
        return self.reason != "quality_gate"
