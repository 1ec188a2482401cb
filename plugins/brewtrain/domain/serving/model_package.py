"""A candidate as a version in SageMaker's model registry: its content and its approval.

Pure: the same candidate gives the same request and the same client token, so that a repeated
registration is the same version. Must not import Airflow or boto3.

Source: CreateModelPackage, UpdateModelPackage and ModelPackageContainerDefinition in the Amazon
SageMaker API Reference (limits: 50 metadata properties, keys of 128 and values of 256 characters
out of letters, separators, numbers and ``_.:/=+-@``; descriptions of 1,024 characters without
control characters; client tokens of 36).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from brewtrain.domain.evaluation.metrics import full_name, short_name

ApprovalStatus = Literal["Approved", "Rejected", "PendingManualApproval"]

# Keys of CustomerMetadataProperties. Metrics stand beside them under their own names, e.g.
# validation:auc, and the champion's under the same with CHAMPION_PREFIX for validation:.
RUN_ID = "run_id"
TRAINING_JOB = "training_job"
OUTCOME = "outcome"
REASON = "reason"
DECIDED_BY = "decided_by"
CHAMPION_PREFIX = "champion:"

_KEY_LENGTH = 128
_VALUE_LENGTH = 256
_DESCRIPTION_LENGTH = 1024
_PUNCTUATION = frozenset("_.:/=+-@")


@dataclass(frozen=True)
class Decision:
    """Whether a candidate may be deployed, and who says so.

    :param outcome: ``promoted``, ``rejected`` or ``pending``.
    :param reason: Why, e.g. ``quality_gate``.
    :param message: One sentence for people.
    :param decided_by: ARN of the execution that decided.
    """

    outcome: str
    reason: str
    message: str
    decided_by: str

    @property
    def status(self) -> ApprovalStatus:
        """Approval status: only what serves is approved, only what was found bad is rejected."""
        if self.outcome == "promoted":
            return "Approved"
        if self.reason in ("quality_gate", "serving_skew", "approval_refused"):
            return "Rejected"
        return "PendingManualApproval"

    @property
    def description(self) -> str:
        """The message as ApprovalDescription takes it."""
        return _one_line(self.message) or f"{self.outcome}: {self.reason}"

    @property
    def metadata(self) -> dict[str, str]:
        """The decision as metadata properties."""
        return _metadata({OUTCOME: self.outcome, REASON: self.reason, DECIDED_BY: self.decided_by})


@dataclass(frozen=True)
class Candidate:
    """A trained and evaluated model.

    :param pipeline: Name of the pipeline.
    :param run_id: Id of its run.
    :param data_date: Last day that it was trained on, ``YYYY-MM-DD``.
    :param execution_arn: Execution that trained it.
    :param started_at: When that execution was started: no version of the candidate is older.
    :param training_job: Name of the training job.
    :param model_artifacts: ``s3://…/model.tar.gz``.
    :param image_uri: XGBoost image that serves it.
    :param instance_type: Instance type that the pipeline serves it on.
    :param evaluation_uri: ``s3://…/evaluation.json``; ``None`` where there is none.
    :param metrics: Metric, e.g. ``validation:auc`` → value.
    :param champion_metrics: The same of the model that served then; empty unless compared.
    :param facts: Further metadata, e.g. window and revision; values that are empty are left out.
    """

    pipeline: str
    run_id: str
    data_date: str
    execution_arn: str
    started_at: datetime
    training_job: str
    model_artifacts: str
    image_uri: str
    instance_type: str
    evaluation_uri: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    champion_metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The package's description, which names the run; no call can change it."""
        return _one_line(
            f"Pipeline {self.pipeline}, data up to {self.data_date}, run {self.run_id}, "
            f"training job {self.training_job}"
        )

    @property
    def client_token(self) -> str:
        """Makes a repeated CreateModelPackage of this candidate the same version."""
        return hashlib.sha256(f"{self.run_id}/{self.training_job}".encode()).hexdigest()[:36]

    def is_described_by(self, description: str) -> bool:
        """Whether a listed package may be this candidate; only its metadata are certain."""
        return description == self.description

    def is_package(self, package: Mapping[str, Any]) -> bool:
        """Whether a described package is this candidate."""
        properties = package.get("CustomerMetadataProperties", {})
        wanted = _metadata({RUN_ID: self.run_id, TRAINING_JOB: self.training_job})
        return all(properties.get(key) == value for key, value in wanted.items())

    def request(self, decision: Decision) -> dict[str, Any]:
        """Return what CreateModelPackage takes, but for the group.

        A version of a group takes no tags; they are the group's.
        """
        metadata = {
            RUN_ID: self.run_id,
            "pipeline": self.pipeline,
            "data_date": self.data_date,
            "execution_arn": self.execution_arn,
            TRAINING_JOB: self.training_job,
            "evaluation": self.evaluation_uri,
            **self.facts,
            **{full_name(name): _number(value) for name, value in self.metrics.items()},
            **{CHAMPION_PREFIX + short_name(name): _number(value) for name, value in self.champion_metrics.items()},
        }
        request: dict[str, Any] = {
            "ModelPackageDescription": self.description,
            "ModelApprovalStatus": decision.status,
            "InferenceSpecification": {
                "Containers": [{"Image": self.image_uri, "ModelDataUrl": self.model_artifacts}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": [self.instance_type],
            },
            "MetadataProperties": {"GeneratedBy": self.execution_arn},
            "CustomerMetadataProperties": _metadata(metadata) | decision.metadata,
            "ClientToken": self.client_token,
        }
        revision = self.facts.get("git_revision")
        if revision and revision != "unknown":
            request["MetadataProperties"]["CommitId"] = _one_line(revision)
        if self.evaluation_uri is not None:
            statistics = {"ContentType": "application/json", "S3Uri": self.evaluation_uri}
            request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
        return request


@dataclass(frozen=True)
class Registration:
    """A candidate's version in the registry.

    :param arn: ARN of the model package.
    :param version: Its number in the group.
    :param status: Its approval status now, which may be a person's.
    :param created: Whether it was made just now.
    """

    arn: str
    version: int
    status: str
    created: bool


@dataclass(frozen=True)
class Update:
    """What UpdateModelPackage has to change.

    :param status: Approval status.
    :param description: Approval description.
    :param metadata: Metadata to set; empty for none.
    """

    status: str
    description: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def update_of(package: Mapping[str, Any], decision: Decision) -> Update | None:
    """Return what has to change in a package to record a decision; ``None`` if nothing has.

    A decision that is recorded already stays as it is: a person may have
    approved or rejected the version since. So does one that another execution took later, such as a
    promotion.

    :param package: What DescribeModelPackage returns.
    :param decision: What the candidate's own execution says.
    """
    found = package.get("CustomerMetadataProperties", {})
    if found.get(DECIDED_BY, decision.metadata[DECIDED_BY]) != decision.metadata[DECIDED_BY]:
        return None
    if all(found.get(key) == value for key, value in decision.metadata.items()):
        if package.get("ApprovalDescription"):
            return None
        # CreateModelPackage takes no description of the approval.
        return Update(package.get("ModelApprovalStatus", decision.status), decision.description)
    return Update(decision.status, decision.description, decision.metadata)


def version_of(arn: str) -> int:
    """Return the version that a model package's ARN ends with.

    :raises ValueError: If it is not the ARN of a version.
    """
    return int(arn.rsplit("/", 1)[-1])


def _number(value: float) -> str:
    return f"{value:.6g}"


def _one_line(text: str) -> str:
    return " ".join("".join(one if unicodedata.category(one)[0] != "C" else " " for one in text).split())[
        :_DESCRIPTION_LENGTH
    ]


def _metadata(properties: Mapping[str, str | None]) -> dict[str, str]:
    """Return properties as the API takes them: ``_`` for what it refuses, no empty values."""
    return {_allowed(key, _KEY_LENGTH): _allowed(value, _VALUE_LENGTH) for key, value in properties.items() if value}


def _allowed(text: str, length: int) -> str:
    return "".join(
        one if one in _PUNCTUATION or unicodedata.category(one)[0] in "LZN" else "_" for one in text[:length]
    )
