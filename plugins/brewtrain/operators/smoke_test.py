"""Asks the endpoint, after a deployment, for rows whose scores the evaluation wrote down.

Called by tasks when they run: must not be imported while DAG files are parsed.
"""

from __future__ import annotations

from dataclasses import dataclass

from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.serving import smoke_test
from brewtrain.hooks.connection import AwsClientHook
from brewtrain.hooks.s3_run import S3RunHook
from brewtrain.hooks.sagemaker_endpoint import SageMakerEndpointHook, SageMakerRuntimeHook

SMOKE_FILE = "smoke.json"
RUNBOOK = "docs/runbooks/serving-skew.md"
# What answers invocations (EndpointStatus in DescribeEndpoint): while it is updated, the config
# before does.
_ANSWERING = ("InService", "Updating", "SystemUpdating", "RollingBack")


class ServingSkewError(RetrainingFailedError):
    """The endpoint answers otherwise than the model that was evaluated; a retry does not mend it."""

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
        """The result as a document takes it."""
        return {"status": self.status, "message": self.message}


def check_serving(
    aws_conn_id: str,
    *,
    pipeline: str,
    endpoint: str,
    endpoint_config: str,
    evaluation_uri: str | None,
    beside: AwsClientHook | None = None,
) -> SmokeTestResult:
    """Compare what an endpoint answers with what the evaluation wrote down.

    :param aws_conn_id: Airflow connection of type ``aws``.
    :param pipeline: Name of the pipeline.
    :param endpoint_config: Config that the run deployed; nothing is compared once the endpoint
        serves another.
    :param evaluation_uri: ``s3://…/evaluation/`` of the run that trained the model; ``None`` where
        there is none.
    :param beside: A hook of the same task, whose session is used as well.
    :raises ServingSkewError: If the answers differ.
    :raises DeploymentError: If the endpoint is gone or out of service, or the rows are gone.
    :raises TransientError: If it gave no answer.
    """
    if not evaluation_uri:
        return SmokeTestResult("none", "the run has no evaluation, so there are no scores to compare with")
    endpoints = SageMakerEndpointHook(aws_conn_id, beside=beside)
    before = endpoints.describe(endpoint)
    if before is None:
        raise DeploymentError(
            f"endpoint {endpoint!r} does not exist any more: somebody deleted it after the deployment; trigger "
            f"{pipeline}__retrain, or {pipeline}__promote for this run, to make it again"
        )
    if before["EndpointConfigName"] != endpoint_config:
        return SmokeTestResult(
            "moved_on",
            f"endpoint {endpoint} serves config {before['EndpointConfigName']} by now, not this run's "
            f"{endpoint_config}: nothing to compare",
        )
    if before["EndpointStatus"] not in _ANSWERING:
        raise DeploymentError(
            f"endpoint {endpoint!r} is {before['EndpointStatus']} ({before.get('FailureReason', 'no reason given')}); "
            f"mend it in SageMaker or trigger {pipeline}__rollback, then clear this task"
        )
    test = _read(S3RunHook(aws_conn_id, beside=endpoints), evaluation_uri)
    problem = _ask(SageMakerRuntimeHook(aws_conn_id, beside=endpoints), endpoint, test)
    if problem is None:
        return SmokeTestResult(
            "passed", f"endpoint {endpoint} scores {len(test.rows)} validation rows as the evaluation did"
        )
    # An update that began meanwhile answers too.
    after = endpoints.describe(endpoint) or {}
    for seen in (before, after):
        config = (seen.get("PendingDeploymentSummary") or {}).get("EndpointConfigName") or seen.get(
            "EndpointConfigName"
        )
        if config != endpoint_config:
            return SmokeTestResult(
                "moved_on", f"endpoint {endpoint} is going over to config {config}: nothing to compare"
            )
    raise ServingSkewError(
        f"training/serving skew: endpoint {endpoint!r} serves config {endpoint_config}, but {problem}; trigger "
        f"{pipeline}__rollback, then see {RUNBOOK}"
    )


def _read(s3: S3RunHook, evaluation_uri: str) -> smoke_test.SmokeTest:
    source = f"{evaluation_uri.rstrip('/')}/{SMOKE_FILE}"
    text = s3.read_text(source)
    if text is None:
        raise DeploymentError(
            f"{source} does not exist, so nothing tells whether the endpoint serves what was evaluated; restore it "
            "from the bucket's versions and clear this task, or clear start_execution with everything downstream"
        )
    return smoke_test.parse(text, source=source)


def _ask(runtime: SageMakerRuntimeHook, endpoint: str, test: smoke_test.SmokeTest) -> str | None:
    served: list[float] | None = []
    for body in test.bodies():
        answer = runtime.invoke(endpoint, body, content_type=test.content_type)
        if answer.refusal is not None:
            return f"it refuses the rows that the evaluation scored ({answer.refusal})"
        scores = smoke_test.parse_scores(answer.body)
        served = None if served is None or scores is None else served + scores
    return smoke_test.skew(test, served)
