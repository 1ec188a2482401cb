"""How a deployment fails: a report for people, then a Fail state that a redrive can leave again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parts.outcomes import FAILED, ROLLED_BACK, STUCK
from parts.sdk import ChoiceRule, choice, steps, with_fields

CAUSE, ERROR = "$.failure.Cause", "$.failure.Error"


@dataclass(frozen=True)
class Failures:
    """States that end a deployment.

    :param as_caught: Fails with the error and cause that were caught.
    :param rolled_back: SageMaker went back to the config from before.
    :param failed_with_reason: The endpoint is broken and SageMaker gives a reason.
    :param failed_without_reason: The endpoint is broken and SageMaker gives none.
    :param deleted: The endpoint disappeared during the deployment.
    :param stuck: The endpoint took longer than the pipeline allows.
    """

    as_caught: Any
    rolled_back: Any
    failed_with_reason: Any
    failed_without_reason: Any
    deleted: Any
    stuck: Any


def failures(prepare: Any) -> Failures:
    """Build the states that end a deployment.

    :param prepare: Where a redrive starts over.
    """
    failed = _deployment_failed()
    failed.next(prepare)
    return Failures(
        as_caught=failed,
        rolled_back=_report(
            "Report Rollback",
            ROLLED_BACK,
            "States.Format('Endpoint {} is InService on endpoint config {} instead of {}: SageMaker rolled the update"
            " back (alarms that roll it back: {}); see those alarms, the endpoint events and its CloudWatch log, then"
            " redrive.', $.endpoint.name, $.serving.EndpointConfigName, $.endpoint_config.name, $.endpoint.alarms)",
            failed,
        ),
        failed_with_reason=_report(
            "Report Endpoint Failure With Reason",
            FAILED,
            "States.Format('Endpoint {} is {} ({}); fix or delete it, then redrive.',"
            " $.endpoint.name, $.serving.EndpointStatus, $.serving.FailureReason)",
            failed,
        ),
        failed_without_reason=_report(
            "Report Endpoint Failure",
            FAILED,
            "States.Format('Endpoint {} is {} and SageMaker gives no reason; see its CloudWatch log, fix or delete it,"
            " then redrive.', $.endpoint.name, $.serving.EndpointStatus)",
            failed,
        ),
        deleted=_report(
            "Report Endpoint Deleted",
            FAILED,
            "States.Format('Endpoint {} was deleted while endpoint config {} was being deployed to it; redrive to"
            " create it.', $.endpoint.name, $.endpoint_config.name)",
            failed,
        ),
        stuck=_report(
            "Report Endpoint Stuck",
            STUCK,
            "States.Format('Endpoint {} was checked {} times, {} seconds apart, and still does not serve endpoint"
            " config {}; see its status and events in SageMaker, then redrive.',"
            " $.endpoint.name, $.waits.count, $.endpoint.wait_seconds, $.endpoint_config.name)",
            failed,
        ),
    )


def _report(name: str, error: str, cause: str, failed: Any) -> Any:
    """Put error and cause where the Fail states read them.

    :param name: State name.
    :param error: Error name of the execution.
    :param cause: Intrinsic function that gives one sentence.
    :param failed: State that fails the execution.
    """
    state = steps.Pass(name, parameters={"Error": error, "Cause.$": cause}, result_path="$.failure")
    state.next(failed)
    return state


def _deployment_failed() -> Any:
    """Fail with the error in ``$.failure``, and look at the endpoint again after a redrive."""
    look_again = steps.Pass("Look At Endpoint Again", comment="Leads back to Prepare Deployment.")
    fail_states = {
        ROLLED_BACK: steps.Fail("Endpoint Rolled Back", error=ROLLED_BACK),
        FAILED: steps.Fail("Endpoint Failed", error=FAILED),
        STUCK: steps.Fail("Endpoint Stuck", error=STUCK),
    }
    for state in fail_states.values():
        with_fields(state, CausePath=CAUSE)
    call_failed = with_fields(
        steps.Fail("Endpoint Call Failed", comment="Waiting cannot help here: error and cause are AWS's own."),
        ErrorPath=ERROR,
        CausePath=CAUSE,
    )
    redriven = ChoiceRule.NumericGreaterThanPath("$$.Execution.RedriveCount", "$.deployment.redrive_count")
    which_failure = choice(
        "Redriven Since",
        [
            (redriven, look_again),
            *((ChoiceRule.StringEquals(ERROR, name), state) for name, state in fail_states.items()),
        ],
        call_failed,
    )
    failed = steps.Parallel(
        "Deployment Failed",
        result_path=None,
        comment=(
            "Not for parallel work. A redrive enters a Fail state again and fails again, but it also gives a Parallel "
            "its retries back: the one retry runs the branch from its Choice, which sees the redrive and looks at the "
            "endpoint again (docs/adr/0010-state-machine.md)."
        ),
        retry=steps.Retry(error_equals=["States.ALL"], interval_seconds=1, max_attempts=1, backoff_rate=1.0),
    )
    failed.add_branch(which_failure)
    return failed
