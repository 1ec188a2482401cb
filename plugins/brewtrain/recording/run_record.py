"""All that is recorded of a run, in the forms that its result document and the registry take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.evaluation.job import EVALUATION_FILE
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.ladder import Execution
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving.model_package import Candidate, Decision
from brewtrain.recording.results import evaluation_prefix
from brewtrain.run_context import RunContext
from brewtrain.serving.smoke_test import SmokeTestResult


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run whose execution has ended.

    :param pipeline: The pipeline file.
    :param execution: The execution.
    :param outcome: What the execution reports.
    :param run: The DAG run.
    :param identity: The run's identity.
    :param bucket: Bucket of the result document.
    :param revision: Revision of the DAGs.
    :param read: What ``check_input`` returned; ``None`` if it has returned nothing.
    :param quality: What became of the quality rules, in short; ``None`` without rules.
    """

    pipeline: Pipeline
    execution: Execution
    outcome: Outcome
    run: RunContext
    identity: names.RunIdentity
    bucket: str
    revision: str
    read: Mapping[str, Any] | None = None
    quality: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """Key of the result document."""
        return f"{names.run_prefix(self.identity)}{names.RESULT_FILE}"

    @property
    def uri(self) -> str:
        """Address of the result document."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def evaluation_prefix(self) -> str | None:
        """Address of the evaluation's files, with a trailing slash; ``None`` without evaluation."""
        return evaluation_prefix(self.outcome.evaluation)

    @property
    def evaluation_uri(self) -> str | None:
        """Address of evaluation.json."""
        return f"{self.evaluation_prefix}{EVALUATION_FILE}" if self.evaluation_prefix else None

    @property
    def champion_metrics(self) -> dict[str, float]:
        """The champion's metrics on the same rows; empty unless the two were compared."""
        found = self.outcome.evaluation.get("champion_metrics") or {}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def decision(self) -> Decision:
        """What became of the model, as the registry takes it."""
        outcome = self.outcome
        return Decision(outcome.outcome, outcome.reason, outcome.message, self.execution.arn)

    @property
    def candidate(self) -> Candidate | None:
        """The model as the registry takes it; ``None`` if the execution names none."""
        given = self.execution.input or {}
        image = self.outcome.image_uri or (given.get("training") or {}).get("image_uri")
        if not (self.outcome.training_job_name and self.outcome.model_artifacts and image):
            return None
        return Candidate(
            pipeline=self.pipeline.name,
            run_id=self.identity.run_id,
            data_date=self.identity.data_date,
            execution_arn=self.execution.arn,
            started_at=self.execution.started_at,
            training_job=self.outcome.training_job_name,
            model_artifacts=self.outcome.model_artifacts,
            image_uri=image,
            instance_type=(given.get("endpoint") or {}).get("instance_type") or self.pipeline.endpoint.instance_type,
            evaluation_uri=self.evaluation_uri,
            metrics=self.outcome.metrics,
            champion_metrics=self.champion_metrics,
            facts=self._facts(given),
        )

    def _facts(self, given: Mapping[str, Any]) -> dict[str, str | None]:
        evaluation, split = self.outcome.evaluation, self.outcome.split
        window = self.pipeline.data_days.window(date.fromisoformat(self.identity.data_date))
        return {
            "first_day": window.first.isoformat(),
            "last_day": window.last.isoformat(),
            "recipe": names.recipe(self.pipeline.name),
            "recipe_version": _text((given.get("run") or {}).get("recipe_version")),
            "git_revision": self.revision,
            "dag_run_id": self.run.dag_run_id,
            "run_type": self.run.run_type,
            "result": self.uri,
            "champion_status": _text(evaluation.get("champion_status")),
            "champion": _text(evaluation.get("champion_uri")),
            **{name: _text(split.get(name)) for name in ("train_rows", "validation_rows", "validation_positives")},
        }

    def document(self, model_package_arn: str | None, tested: SmokeTestResult | None) -> dict[str, Any]:
        """Return the result document.

        :param model_package_arn: The model's version in the registry.
        :param tested: The smoke test, if there was one.
        """
        execution, identity = self.execution, self.identity
        return {
            **self.outcome.model_dump(mode="json"),
            "pipeline": self.pipeline.name,
            "run_id": identity.run_id,
            "interval_start": identity.interval_start.isoformat(),
            "interval_end": identity.interval_end.isoformat(),
            "data_date": identity.data_date,
            "dag_run_id": self.run.dag_run_id,
            "run_type": self.run.run_type,
            "backfill": self.run.backfill,
            "execution_arn": execution.arn,
            "redrives": execution.redrive_count,
            "started_at": execution.started_at.isoformat(),
            "stopped_at": execution.stopped_at.isoformat() if execution.stopped_at else None,
            "recorded_at": datetime.now(UTC).isoformat(),
            "git_revision": self.revision,
            "model_package_arn": model_package_arn,
            "smoke_test": tested.as_dict() if tested else None,
            "input": self._input,
            "quality": None if self.quality is None else dict(self.quality),
        }

    @property
    def _input(self) -> dict[str, Any] | None:
        """What the run has read, and what had changed since the run before it."""
        if self.read is None or "input" not in self.read:
            return None
        fields = ("partitions", "missing_days", "changed_since")
        return {"uri": self.read["input"], **{name: self.read.get(name) for name in fields}}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
