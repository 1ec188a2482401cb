"""The end of an execution, which must have come before anything is recorded."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.run.ladder import Execution
from brewtrain.domain.run.outcome import Outcome
from brewtrain.hooks.stepfunctions import StepFunctionsHook


def ended_well(states: StepFunctionsHook, execution_arn: str, *, start_task: str) -> tuple[Execution, Outcome]:
    """Return an execution that has SUCCEEDED, and its outcome.

    :param execution_arn: The execution.
    :param start_task: Task that started it, for the advice.
    :raises AirflowSkipException: If it still runs: somebody marked the tasks that wait for it
        success.
    :raises DeploymentError: If it does not exist any more or ended badly, or its output cannot be
        read.
    """
    execution = states.describe(execution_arn)
    if execution is None:
        raise DeploymentError(
            f"execution {execution_arn} does not exist any more; clear {start_task} and everything downstream"
        )
    if execution.active:
        raise AirflowSkipException(
            f"execution {execution.name} still runs, although the tasks that wait for it are marked success: nothing "
            "is recorded yet; clear this task when the execution has ended"
        )
    if execution.status != "SUCCEEDED":
        raise DeploymentError(
            f"execution {execution.name} is {execution.status} ({execution.error}), although no task that waits for "
            "it has failed; clear the stage that failed"
        )
    return execution, Outcome.of(execution.output)
