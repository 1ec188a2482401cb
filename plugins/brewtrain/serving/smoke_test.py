"""Asks the endpoint, after a deployment, for rows whose scores the evaluation wrote down."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.evaluation.job import SMOKE_FILE
from brewtrain.domain.failure.diagnosis import RUNBOOKS
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving import smoke_test
from brewtrain.hooks.connection import AwsClientHook
from brewtrain.hooks.s3_run import S3RunHook
from brewtrain.hooks.sagemaker_endpoint import SageMakerEndpointHook, SageMakerRuntimeHook

log = logging.getLogger(__name__)

RUNBOOK = f"{RUNBOOKS}serving-skew.md"
# EndpointStatus (DescribeEndpoint) of an endpoint that scores rows: while it is updated, it does so
# with the config that it had before.
_SCORING = ("InService", "Updating", "SystemUpdating", "RollingBack")


class ServingSkewError(RetrainingFailedError):
    """The endpoint scores differently from the evaluated model; a retry does not help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


@dataclass(frozen=True)
class SmokeTestResult:
    """How a smoke test went.

    :param status: ``passed``, ``moved_on`` (the endpoint serves, or is about to serve, another
        config) or ``none`` (the run wrote no rows).
    :param message: One sentence.
    """

    status: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the result as documents hold it."""
        return {"status": self.status, "message": self.message}


def check_deployed(
    outcome: Outcome, *, pipeline: str, evaluation_uri: str | None, beside: AwsClientHook
) -> SmokeTestResult | None:
    """Compare the endpoint's scores with the evaluation's, if the execution deployed a model.

    :param outcome: What the execution reports.
    :param pipeline: Name of the pipeline.
    :param evaluation_uri: ``s3://…/evaluation/`` of the run that trained the model; ``None`` where
        there is none.
    :param beside: A hook of the same task, whose connection and session are used.
    :returns: ``None`` if nothing was deployed.
    :raises ServingSkewError: If the scores differ.
    :raises DeploymentError: If the endpoint is gone or out of service, or the rows are gone.
    :raises TransientError: If the endpoint gave no answer.
    """
    if not outcome.promoted or not outcome.endpoint_name or not outcome.endpoint_config_name:
        return None
    if evaluation_uri:
        deployed = _Deployed(pipeline, outcome.endpoint_name, outcome.endpoint_config_name, evaluation_uri)
        tested = deployed.check(beside)
    else:
        tested = SmokeTestResult("none", "the run has no evaluation, so there are no scores to compare with")
    log.info("smoke test: %s (%s)", tested.status, tested.message)
    return tested


@dataclass(frozen=True)
class _Deployed:
    """A model that an endpoint should serve.

    :param endpoint_config: The config that the run deployed; nothing is compared once the endpoint
        serves another.
    :param evaluation_uri: Where the run's evaluation is.
    """

    pipeline: str
    endpoint: str
    endpoint_config: str
    evaluation_uri: str

    def check(self, beside: AwsClientHook) -> SmokeTestResult:
        endpoints = SageMakerEndpointHook(str(beside.aws_conn_id), beside=beside)
        before = self._described(endpoints)
        if before["EndpointConfigName"] != self.endpoint_config:
            return SmokeTestResult(
                "moved_on",
                f"endpoint {self.endpoint} serves config {before['EndpointConfigName']} now, not this run's "
                f"{self.endpoint_config}: nothing to compare",
            )
        if before["EndpointStatus"] not in _SCORING:
            raise DeploymentError(
                f"endpoint {self.endpoint!r} is {before['EndpointStatus']} "
                f"({before.get('FailureReason', 'no reason given')}); fix it in SageMaker or trigger "
                f"{self.pipeline}__rollback, then clear this task"
            )
        test = _read(S3RunHook(str(beside.aws_conn_id), beside=beside), self.evaluation_uri)
        problem = _ask(SageMakerRuntimeHook(str(beside.aws_conn_id), beside=beside), self.endpoint, test)
        if problem is None:
            return SmokeTestResult(
                "passed", f"endpoint {self.endpoint} scores {len(test.rows)} validation rows as the evaluation did"
            )
        # It may be that an update which began meanwhile has answered.
        for seen in (before, endpoints.describe(self.endpoint) or {}):
            config = _config_to_come(seen)
            if config != self.endpoint_config:
                return SmokeTestResult(
                    "moved_on", f"endpoint {self.endpoint} is going over to config {config}: nothing to compare"
                )
        raise ServingSkewError(
            f"training/serving skew: endpoint {self.endpoint!r} serves config {self.endpoint_config}, but {problem}; "
            f"trigger {self.pipeline}__rollback, then see {RUNBOOK}"
        )

    def _described(self, endpoints: SageMakerEndpointHook) -> dict[str, Any]:
        found = endpoints.describe(self.endpoint)
        if found is None:
            raise DeploymentError(
                f"endpoint {self.endpoint!r} does not exist any more: somebody deleted it after the deployment; "
                f"trigger {self.pipeline}__retrain, or {self.pipeline}__promote for this run, to make it again"
            )
        return found


def _config_to_come(endpoint: Mapping[str, Any]) -> str | None:
    """Return the config that an endpoint changes to, or else the one that it serves."""
    pending = (endpoint.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
    return pending or endpoint.get("EndpointConfigName")


def _read(s3: S3RunHook, evaluation_uri: str) -> smoke_test.SmokeTest:
    source = f"{evaluation_uri.rstrip('/')}/{SMOKE_FILE}"
    text = s3.read_text(source)
    if text is None:
        raise DeploymentError(
            f"{source} does not exist, so nothing tells whether the endpoint serves what was evaluated; restore it "
            "from the bucket's versions and clear this task, or train that interval again"
        )
    return smoke_test.parse(text, source=source)


def _ask(runtime: SageMakerRuntimeHook, endpoint: str, test: smoke_test.SmokeTest) -> str | None:
    """Return how the endpoint's scores differ from those of the test; ``None`` if they do not."""
    served: list[float] | None = []
    for body in test.bodies():
        answer = runtime.invoke(endpoint, body, content_type=test.content_type)
        if answer.refusal is not None:
            return f"it refuses the rows that the evaluation scored ({answer.refusal})"
        scores = smoke_test.parse_scores(answer.body)
        served = None if served is None or scores is None else served + scores
    return smoke_test.skew(test, served)
