"""What kind of failure an execution's error is: whether a retry may mend it, what to do, and which runbook says more.

Must not import Airflow or boto3.

Source: "Handling errors in Step Functions workflows" in the AWS Step Functions Developer Guide; the
errors of docs/architecture.md; "Common Errors" of the services that the state machine calls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from brewtrain.domain.errors import RetrainingFailedError, TransientError
from brewtrain.domain.run.ladder import Action, Execution
from brewtrain.domain.run.stages import Stage

RUNBOOKS = "docs/runbooks/"


class TransientRetrainingError(RetrainingFailedError, TransientError):
    """The remote retraining failed for a reason that a redrive may mend by itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


@dataclass(frozen=True)
class Diagnosis:
    """What to make of a failure.

    :param kind: Short name, also the runbook's.
    :param retryable: Whether going up the ladder again by itself may help.
    :param advice: What a person should do, one sentence.
    """

    kind: str
    retryable: bool
    advice: str

    @property
    def runbook(self) -> str:
        """Path of the page that says more."""
        return f"{RUNBOOKS}{self.kind}.md"


_TRANSIENT = re.compile(
    r"(Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ServiceUnavailable|ServiceException|InternalServer"
    r"|InternalFailure|InternalService|SdkClient|ConcurrentRunsExceeded|ConcurrentModification|CapacityError"
    r"|InsufficientCapacity|HttpConnectionTimeout|HttpTimeout)",
    re.IGNORECASE,
)
_ACCESS = re.compile(
    r"(AccessDenied|not authorized to perform|UnauthorizedOperation|States\.Permissions)", re.IGNORECASE
)
_JOB_KIND = {
    Stage.TRANSFORM: "transform-failed",
    Stage.SPLIT: "split-failed",
    Stage.TRAIN: "training-failed",
    Stage.EVALUATE: "evaluation-failed",
}
# What a job reads is fixed once the run has begun: the recipe's version for the transform, and the
# transform's output for all that follows. A redrive would meet the same rows again.
_JOB_ADVICE = {
    Stage.TRANSFORM: "mend what the job says: deliver the data again, then {clear}; or deploy the recipe, then {fresh}",
    Stage.SPLIT: "mend the data, or deploy the recipe, as the job says, then {fresh} (a redrive splits the same rows)",
    Stage.TRAIN: "mend what the job says: for data or recipe {fresh}; for anything else {clear}",
    Stage.EVALUATE: "mend what the job says: for data, recipe or gate {fresh}; for anything else {clear}",
}
_CLEAR = "clear this task: the execution is redriven from the failed state and finished stages are not run again"
_FRESH = "clear start_execution with everything downstream: a fresh execution is started"


def diagnose(error: str, cause: str, *, status: str, stage: Stage) -> Diagnosis:
    """Classify a failure of the execution.

    :param error: Error name, e.g. ``States.TaskFailed``.
    :param cause: AWS's text.
    :param status: The execution's status.
    :param stage: Stage in which it happened.
    """
    if error == "Brewtrain.QualityGateFailed":
        return Diagnosis(
            "quality-gate",
            False,
            "look at the metrics: the model is worse than the pipeline file allows; mend the data or the gate",
        )
    if error == "Brewtrain.UnknownEntry":
        return Diagnosis("execution-failed", False, f"run the pipeline's deploy DAG, then {_FRESH}")
    if error == "Brewtrain.EndpointRolledBack":
        return Diagnosis("endpoint-rolled-back", False, f"mend what SageMaker rolled back for, then {_CLEAR}")
    if error in ("Brewtrain.EndpointFailed", "Brewtrain.EndpointStuck"):
        return Diagnosis("endpoint-failed", False, f"mend or wait for the endpoint in SageMaker, then {_CLEAR}")
    if status == "ABORTED" and error != "States.Timeout":
        return Diagnosis("execution-stopped", False, f"somebody stopped the execution; to go on, {_CLEAR}")
    # The job's failure is what a person can mend; a denied call inside the job reads as one too.
    if _ACCESS.search(error) or _ACCESS.search(cause):
        return Diagnosis(
            "access-denied",
            False,
            f"allow the action in include/cloudformation/roles.yaml, deploy that stack, then {_CLEAR}",
        )
    if _TRANSIENT.search(error) or (error == "States.TaskFailed" and _TRANSIENT.search(cause)):
        return Diagnosis(
            "aws-unavailable", True, f"AWS was short of something for a while; if the retries are used up, {_CLEAR}"
        )
    if error == "States.Timeout":
        return Diagnosis(
            "timed-out", False, f"see why it took so long, or raise the limit in the pipeline file; then {_CLEAR}"
        )
    kind = _JOB_KIND.get(stage, "deploy-stage-failed" if stage is Stage.DEPLOY else "execution-failed")
    job_failed = error == "States.TaskFailed" and stage in _JOB_ADVICE
    advice = _JOB_ADVICE[stage] if job_failed else "mend what the job says, then {clear}"
    return Diagnosis(kind, False, advice.format(clear=_CLEAR, fresh=_FRESH))


def advise(action: Action, execution: Execution | None, diagnosis: Diagnosis | None) -> str:
    """Return what the on-call person should do.

    :param action: The ladder's decision.
    :param execution: The execution, if there is one.
    :param diagnosis: What failed in it, if known.
    """
    if action is Action.MISSING or execution is None:
        return f"the execution is older than 90 days or was deleted; {_FRESH}"
    if action is Action.UNKNOWN:
        return f"status {execution.status!r} is not one this package knows; update brewtrain, or {_FRESH}"
    if diagnosis is None:
        return _CLEAR
    if execution.status in ("FAILED", "TIMED_OUT", "ABORTED") and (
        action is Action.ADVISE_FRESH or execution.redrive_status not in (None, "REDRIVABLE")
    ):
        reason = f" ({execution.redrive_status_reason})" if execution.redrive_status_reason else ""
        return f"the execution cannot be redriven{reason}: clear from start_execution, that is, {_FRESH}"
    return diagnosis.advice
