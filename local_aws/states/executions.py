"""Running executions: start, stop, redrive, and what happens to them at shutdown.

One thread per execution. See
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-executions.html. Must
not import moto.
"""

from __future__ import annotations

import datetime
import json
import sys
import threading
import time
import traceback
from typing import Any

from local_aws.core import clients, persistence
from local_aws.states import role_checks
from local_aws.states.asl.errors import StateError
from local_aws.states.asl.texts import json_text, timestamp_text
from local_aws.states.cancellation import Cancelled, CancelScope, ExecutionTimeout
from local_aws.states.history import HistoryWriter, Trail
from local_aws.states.interpreter import Frame, Interpreter, Program
from local_aws.states.models import TERMINAL, Execution
from local_aws.states.task_tokens import TaskTokens

_STOP_WAIT_SECONDS = 5.0
#: Error and cause of executions that were running when local_aws ended; they can be redriven after
#: the next start.
SERVER_STOPPED = ("LocalAws.ServerStopped", "local_aws was stopped while this execution ran; redrive it to continue.")
_ROLE_SESSION = "StepFunctions"

#: Tasks of every execution that wait for a callback.
TOKENS = TaskTokens()


def _iso(seconds: float) -> str:
    return timestamp_text(datetime.datetime.fromtimestamp(seconds, datetime.UTC))


def _program(execution: Execution, definition: dict[str, Any]) -> Program:
    region = execution.arn.split(":")[3]
    about: dict[str, Any] = {
        "Id": execution.arn,
        "Input": json.loads(execution.input),
        "Name": execution.name,
        "RoleArn": execution.role_arn,
        "StartTime": _iso(execution.start_date),
        "RedriveCount": execution.redrive_count,
    }
    if execution.redrive_date is not None:
        about["RedriveTime"] = _iso(execution.redrive_date)
    machine_arn = execution.version_arn or execution.state_machine_arn

    def client(service: str) -> Any:
        problem = role_checks.assumption_problem(execution.role_arn, execution.state_machine_arn)
        if problem is not None:
            raise StateError("States.Runtime", f"Step Functions cannot assume the state machine's role: {problem}.")
        credentials = clients.role_credentials(execution.role_arn, _ROLE_SESSION, region)
        return clients.client(service, credentials, region=region)

    return Program(
        definition=definition,
        context={
            "Execution": about,
            "StateMachine": {"Id": machine_arn, "Name": execution.state_machine_arn.rsplit(":", 1)[-1]},
        },
        region=region,
        execution_arn=execution.arn,
        client=client,
        tokens=TOKENS,
    )


def start(execution: Execution) -> None:
    """Write the first event of a new execution and run it in a thread of its own."""
    trail = Trail()
    execution.history.append(
        trail,
        "ExecutionStarted",
        "executionStartedEventDetails",
        input=execution.input,
        inputDetails={"truncated": False},
        roleArn=execution.role_arn,
        stateMachineAliasArn=execution.alias_arn,
        stateMachineVersionArn=execution.version_arn,
    )
    _launch(execution, trail)


def redrive(execution: Execution) -> None:
    """Continue a closed execution from the state in which it ended.

    The caller holds the execution's lock and has checked that it can be redriven. See
    https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html.
    """
    execution.redrive_count += 1
    execution.redrive_date = time.time()
    execution.status = "RUNNING"
    execution.stop_date = execution.error = execution.cause = execution.output = None
    execution.stop_request = None
    if execution.frame is not None:
        _reset_retries(execution.frame)
    trail = Trail(len(execution.history))
    execution.history.append(
        trail, "ExecutionRedriven", "executionRedrivenEventDetails", redriveCount=execution.redrive_count
    )
    _launch(execution, trail)


def _reset_retries(frame: Frame) -> None:
    # "The retry attempt count for these states is reset to 0 to allow for the maximum number of
    # attempts on redrive."
    frame.retry_count, frame.retries = 0, {}
    for branch in frame.branches or ():
        if branch.status != "SUCCEEDED":
            _reset_retries(branch)


def _launch(execution: Execution, trail: Trail) -> None:
    definition = json.loads(execution.definition)
    timeout = definition.get("TimeoutSeconds")
    deadline = time.monotonic() + timeout if timeout else float("inf")
    execution.scope = CancelScope(deadline=deadline)
    writer = execution.history.writer()
    execution.thread = threading.Thread(
        target=_run,
        args=(execution, definition, execution.scope, trail, writer),
        name=f"states-{execution.name}",
        daemon=True,
    )
    execution.thread.start()


def _run(
    execution: Execution, definition: dict[str, Any], scope: CancelScope, trail: Trail, writer: HistoryWriter
) -> None:
    interpreter = Interpreter(_program(execution, definition), writer)
    frame = execution.frame
    assert frame is not None
    try:
        output = interpreter.run(frame, definition["States"], scope, trail)
    except StateError as error:
        _close(execution, scope, trail, "FAILED", error=error.error or None, cause=error.cause or None)
    except ExecutionTimeout:
        _close(execution, scope, trail, "TIMED_OUT")
    except Cancelled:
        error_text, cause = execution.stop_request or (None, None)
        _close(execution, scope, trail, "ABORTED", error=error_text, cause=cause)
    except Exception as error:  # noqa: BLE001 - a bug of the interpreter must end the execution, visibly
        traceback.print_exc(file=sys.stderr)
        cause = f"local_aws could not interpret this state: {type(error).__name__}: {error}"
        _close(execution, scope, trail, "FAILED", error="States.Runtime", cause=cause)
    else:
        _close(execution, scope, trail, "SUCCEEDED", output=json_text(output))


def _close(
    execution: Execution,
    scope: CancelScope,
    trail: Trail,
    status: str,
    *,
    output: str | None = None,
    error: str | None = None,
    cause: str | None = None,
) -> None:
    with execution.lock:
        if execution.scope is not scope or execution.status in TERMINAL:
            return
        if execution.stop_request is not None and status != "SUCCEEDED":
            status, (error, cause) = "ABORTED", execution.stop_request
        names = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}
        details = (
            {"output": output, "outputDetails": {"truncated": False}}
            if status == "SUCCEEDED"
            else {"error": error, "cause": cause}
        )
        execution.history.append(trail, f"Execution{names[status]}", f"execution{names[status]}EventDetails", **details)
        execution.output, execution.error, execution.cause = output, error, cause
        execution.stop_date = time.time()
        execution.status = status
        execution.history.end_attempt()
        execution.scope = execution.thread = None
        if status == "SUCCEEDED":
            execution.frame = None
        execution.history.freeze()
    persistence.state_changed()


def stop(execution: Execution, error: str | None, cause: str | None) -> float:
    """Stop a running execution and the remote job it waits for; a closed execution stays as it is.

    Return once the execution is closed, or after a few seconds if a call it makes does not return.

    :param error: error name for DescribeExecution.
    :param cause: its cause.
    :returns: the stop date in epoch seconds.
    """
    with execution.lock:
        if execution.status in TERMINAL:
            return execution.stop_date or time.time()
        execution.stop_request = (error, cause)
        scope, thread = execution.scope, execution.thread
    if scope is not None:
        scope.cancel()
    if thread is not None:
        thread.join(_STOP_WAIT_SECONDS)
    with execution.lock:
        if execution.status not in TERMINAL and scope is not None:
            _close(execution, scope, Trail(len(execution.history)), "ABORTED", error=error, cause=cause)
        return execution.stop_date or time.time()


def abort_interrupted(execution: Execution) -> None:
    """Close an execution of a saved state that was running when its process ended."""
    if execution.status in TERMINAL:
        return
    error, cause = SERVER_STOPPED
    execution.history.append(
        Trail(len(execution.history)), "ExecutionAborted", "executionAbortedEventDetails", error=error, cause=cause
    )
    execution.status, execution.error, execution.cause = "ABORTED", error, cause
    execution.stop_date = time.time()
    execution.history.freeze()
