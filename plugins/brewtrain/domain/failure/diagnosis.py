"""Classifies a failed execution: can a retry help, what should a person do, which runbook helps.

Must not import Airflow or boto3.

Source: "Handling errors in Step Functions workflows" in the AWS Step Functions Developer Guide; the
errors of docs/architecture.md; "Common Errors" of the services that the state machine calls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from brewtrain.domain.errors import RetrainingFailedError, TransientError
from brewtrain.domain.failure import error_names
from brewtrain.domain.run.ladder import Action, Execution
from brewtrain.domain.run.stages import FAILED_STATUSES, Stage

RUNBOOKS = "docs/runbooks/"
_CLEAR = "clear this task: the execution is redriven from the failed state, and finished stages do not run again"
_FRESH = "clear {start_task} and everything downstream: that starts a fresh execution"


class TransientRetrainingError(RetrainingFailedError, TransientError):
    """The remote retraining failed for a reason that may be gone when it is redriven."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


@dataclass(frozen=True)
class Diagnosis:
    """What a failure is, and what to do about it.

    :param kind: Short name, also that of the runbook.
    :param retryable: Whether a redrive without a person may help.
    :param advice: What a person should do.
    """

    kind: str
    retryable: bool
    advice: str

    @property
    def runbook(self) -> str:
        """Path of the page that says more."""
        return f"{RUNBOOKS}{self.kind}.md"


@dataclass(frozen=True)
class FailureClass:
    """A row of :data:`FAILURE_CLASSES`: the conditions, all of which must hold, and the diagnosis.

    :param kind: See :class:`Diagnosis`.
    :param advice: The same, with ``{clear}`` and ``{fresh}`` for the two ways to go on.
    :param retryable: See :class:`Diagnosis`.
    :param errors: Error names that the row is about; empty for any.
    :param not_errors: Error names that it is not about.
    :param error_pattern: Must be found in the error's name.
    :param cause_pattern: Must be found in AWS's text.
    :param status: Status of the execution.
    :param stage: Stage in which it failed.
    """

    kind: str
    advice: str
    retryable: bool = False
    errors: frozenset[str] = frozenset()
    not_errors: frozenset[str] = frozenset()
    error_pattern: re.Pattern[str] | None = None
    cause_pattern: re.Pattern[str] | None = None
    status: str | None = None
    stage: Stage | None = None

    def matches(self, error: str, cause: str, *, status: str, stage: Stage) -> bool:
        """Whether the row is about this failure; see :func:`diagnose` for the parameters."""
        return (
            (not self.errors or error in self.errors)
            and error not in self.not_errors
            and (self.error_pattern is None or self.error_pattern.search(error) is not None)
            and (self.cause_pattern is None or self.cause_pattern.search(cause) is not None)
            and self.status in (None, status)
            and self.stage in (None, stage)
        )


_TRANSIENT = re.compile(
    r"(Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ServiceUnavailable|ServiceException|InternalServer"
    r"|InternalFailure|InternalService|SdkClient|ConcurrentRunsExceeded|ConcurrentModification|CapacityError"
    r"|InsufficientCapacity|HttpConnectionTimeout|HttpTimeout)",
    re.IGNORECASE,
)
_ACCESS = re.compile(
    r"(AccessDenied|not authorized to perform|UnauthorizedOperation|States\.Permissions)", re.IGNORECASE
)
_JOB_FAILED = frozenset({error_names.TASK_FAILED})
_TIMEOUT = frozenset({error_names.TIMEOUT})
_ALLOW = "Allow the action in include/cloudformation/roles.yaml and deploy that stack. Then {clear}."
_WAIT = "AWS throttled a call or lacked capacity. If the retries are used up, {clear}."
_FIX = "Fix the cause. Then {clear}."
_FIX_BY_CAUSE = "Fix what the job reports. If data or recipe changed, {fresh}. Otherwise {clear}."

FAILURE_CLASSES: tuple[FailureClass, ...] = (
    FailureClass(
        "quality-gate",
        "Look at the reasons: a metric is worse than the pipeline file allows, or a feature died. Fix the data or the "
        "recipe, or change the gate.",
        errors=frozenset({error_names.QUALITY_GATE_FAILED}),
    ),
    FailureClass(
        "execution-failed",
        "Run the pipeline's deploy DAG. Then {fresh}.",
        errors=frozenset({error_names.UNKNOWN_ENTRY}),
    ),
    FailureClass(
        "endpoint-rolled-back",
        "Fix the cause of the rollback. Then {clear}.",
        errors=frozenset({error_names.ENDPOINT_ROLLED_BACK}),
    ),
    FailureClass(
        "endpoint-failed",
        "Fix the endpoint in SageMaker, or wait until it is InService. Then {clear}.",
        errors=frozenset({error_names.ENDPOINT_FAILED, error_names.ENDPOINT_STUCK}),
    ),
    FailureClass(
        "execution-stopped",
        "Somebody stopped the execution. To go on, {clear}.",
        status="ABORTED",
        # An execution that Airflow stopped because its stage took too long has timed out.
        not_errors=_TIMEOUT,
    ),
    FailureClass("access-denied", _ALLOW, error_pattern=_ACCESS),
    FailureClass("access-denied", _ALLOW, cause_pattern=_ACCESS),
    FailureClass("aws-unavailable", _WAIT, retryable=True, error_pattern=_TRANSIENT),
    FailureClass("aws-unavailable", _WAIT, retryable=True, errors=_JOB_FAILED, cause_pattern=_TRANSIENT),
    FailureClass(
        "timed-out",
        "Find out why it took so long, or raise the limit in the pipeline file. Then {clear}.",
        errors=_TIMEOUT,
    ),
    # What a job reads is fixed once the run has begun: the recipe's version for the transform, and
    # the transform's output for all that follows. A redrive would read the same rows again.
    FailureClass(
        "transform-failed",
        "Fix what the job reports. If you deliver the data again, {clear}. If you deploy the recipe again, {fresh}.",
        errors=_JOB_FAILED,
        stage=Stage.TRANSFORM,
    ),
    FailureClass(
        "split-failed",
        "Fix the data, or deploy the recipe, as the job reports. Then {fresh} (a redrive splits the same rows).",
        errors=_JOB_FAILED,
        stage=Stage.SPLIT,
    ),
    FailureClass("training-failed", _FIX_BY_CAUSE, errors=_JOB_FAILED, stage=Stage.TRAIN),
    FailureClass("evaluation-failed", _FIX_BY_CAUSE, errors=_JOB_FAILED, stage=Stage.EVALUATE),
    # Calls that failed beside the jobs: <Service>.<Exception>.
    FailureClass("transform-failed", _FIX, stage=Stage.TRANSFORM),
    FailureClass("split-failed", _FIX, stage=Stage.SPLIT),
    FailureClass("training-failed", _FIX, stage=Stage.TRAIN),
    FailureClass("evaluation-failed", _FIX, stage=Stage.EVALUATE),
    FailureClass("deploy-stage-failed", _FIX, stage=Stage.DEPLOY),
    FailureClass("execution-failed", _FIX),
)
"""How failures are classified: the first row that matches counts, and the last matches any.

A denied call comes before the job's failure, since it reads as one where the job made the call, and
is what a person can fix.
"""


def class_of(error: str, cause: str, *, status: str, stage: Stage) -> FailureClass:
    """Return the row of :data:`FAILURE_CLASSES` that a failure falls under.

    :param error: Error name, e.g. ``States.TaskFailed``.
    :param cause: AWS's text.
    :param status: The execution's status.
    :param stage: Stage in which it happened.
    """
    return next(row for row in FAILURE_CLASSES if row.matches(error, cause, status=status, stage=stage))


def diagnose(error: str, cause: str, *, status: str, stage: Stage, start_task: str) -> Diagnosis:
    """Classify a failure of the execution.

    :param error: Error name, e.g. ``States.TaskFailed``.
    :param cause: AWS's text.
    :param status: The execution's status.
    :param stage: Stage in which it happened.
    :param start_task: The DAG's task that starts executions, for the advice.
    """
    found = class_of(error, cause, status=status, stage=stage)
    advice = found.advice.format(clear=_CLEAR, fresh=_fresh(start_task))
    return Diagnosis(found.kind, found.retryable, advice)


def advise(action: Action, execution: Execution | None, diagnosis: Diagnosis | None, *, start_task: str) -> str:
    """Return what the on-call person should do.

    :param action: The ladder's decision.
    :param execution: The execution, if it exists.
    :param diagnosis: What failed in it, if known.
    :param start_task: The DAG's task that starts executions.
    """
    fresh = _fresh(start_task)
    if action is Action.MISSING or execution is None:
        return f"The execution is older than 90 days, or was deleted. {_sentence(fresh)}"
    if action is Action.UNKNOWN:
        return f"This version of brewtrain does not know the status {execution.status!r}. Update brewtrain, or {fresh}."
    if execution.status in FAILED_STATUSES and (
        action is Action.ADVISE_FRESH or (diagnosis and execution.redrive_status not in (None, "REDRIVABLE"))
    ):
        reason = f" ({execution.redrive_status_reason})" if execution.redrive_status_reason else ""
        return f"This execution cannot be redriven{reason}. {_sentence(fresh)}"
    return diagnosis.advice if diagnosis else _sentence(_CLEAR)


def _fresh(start_task: str) -> str:
    return _FRESH.format(start_task=start_task)


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
