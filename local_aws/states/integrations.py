"""Service integrations: what a Task state does when it runs.

A ``.sync`` integration starts a job (``sync_jobs``) and waits for its end; ``.waitForTaskToken``
makes a call and waits for a callback (``task_tokens``); everything else is one API call. Calls go
through boto3 to this server with the credentials of the state machine's role. See
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html. Must not import moto.
"""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

from local_aws.states import service_calls
from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.asl.texts import json_text
from local_aws.states.cancellation import TaskTimeout
from local_aws.states.resources import TaskResource
from local_aws.states.sync_jobs import SYNC_JOBS, StartedJob, SyncJob, is_transient
from local_aws.states.task_tokens import TaskTokens

FIRST_POLL_SECONDS = 0.05
#: Long jobs are polled less often; set it lower for less latency, higher for fewer calls.
MAX_POLL_SECONDS = float(os.environ.get("LOCAL_AWS_STATES_MAX_POLL_SECONDS", "1.0"))
_POLL_GROWTH = 1.15


class TaskContext(Protocol):
    """What the interpreter offers to a running task.

    ``task_token`` is None for tasks that do not wait for a callback.
    """

    region: str
    task_token: str | None
    tokens: TaskTokens
    execution_arn: str

    def client(self, service: str) -> Any:
        """Return a boto3 client that uses the state machine's role and does not retry."""

    def wait(self, seconds: float) -> None:
        """Wait, unless the task times out or the execution is stopped first.

        :raises TaskTimeout: the task times out.
        :raises Cancelled: the execution is stopped.
        """

    def call(self, function: Callable[[], Any], late: Callable[[Any], None] | None = None) -> Any:
        """Run a call that may block for long, so that a stop or timeout need not wait for it.

        :param function: makes the call.
        :param late: is given the response if it arrives after the task is over.
        """

    def submitted(self, output: Any) -> None:
        """Write to the history that the job has been started; ``output`` is the response."""


class RemoteJob(Protocol):
    """A job that has been started and can be stopped."""

    def stop(self) -> None:
        """Stop the job; never raise."""


def run(
    resource: TaskResource,
    arguments: Any,
    context: TaskContext,
    heartbeat_seconds: float | None,
    on_job: Callable[[RemoteJob], None],
) -> Any:
    """Run a task to its end and return its result.

    :param resource: the parsed ``Resource``.
    :param arguments: evaluated ``Parameters`` (for a Lambda ARN: the payload).
    :param context: the interpreter's services.
    :param heartbeat_seconds: longest silence of a task that waits for a token.
    :param on_job: is given the remote job as soon as it is started, so that it can be stopped.
    :raises StateError: the task failed.
    """
    if not resource.supported:
        raise RuntimeStateError(f"local_aws does not run the integration {resource.arn}; see docs/local-aws.md.")
    if resource.kind == "lambda":
        return _invoke_function(resource, arguments, context)
    request = service_calls.to_request(_prepare(resource, arguments, context), resource)
    response = _start(resource, request, context)
    if resource.pattern == "waitForTaskToken":
        context.submitted(service_calls.to_output(response, resource))
        return _await_token(context, heartbeat_seconds)
    if resource.pattern.startswith("sync"):
        return _await_job(resource, request, response, context, on_job)
    if resource.kind == "optimized" and resource.service == "lambda":
        return _function_answer(response, resource)
    return service_calls.to_output(response, resource)


def _prepare(resource: TaskResource, arguments: Any, context: TaskContext) -> Any:
    if not isinstance(arguments, dict) or resource.kind != "optimized":
        return arguments
    if resource.service == "states":
        return {key: value for key, value in arguments.items() if key != "AssociateWithParent"}
    if resource.service == "lambda" and "Payload" in arguments:
        return {**arguments, "Payload": json.dumps(arguments["Payload"], separators=(",", ":"))}
    return arguments


def _start(resource: TaskResource, request: dict[str, Any], context: TaskContext) -> Any:
    from botocore import xform_name

    try:
        function = getattr(context.client(resource.boto_service), xform_name(resource.operation))
        late = None
        if resource.pattern.startswith("sync"):
            # A job that started after its task was over would run with nobody waiting for it.
            late = lambda response: StartedJob(context.client, resource, request, response).stop()  # noqa: E731
        return context.call(lambda: function(**request), late)
    except (StateError, TaskTimeout):
        raise
    except Exception as error:
        raise service_calls.error_of(error, resource) from error


def _await_job(
    resource: TaskResource,
    request: dict[str, Any],
    response: Any,
    context: TaskContext,
    on_job: Callable[[RemoteJob], None],
) -> Any:
    job = SYNC_JOBS[(resource.service, resource.action)]
    started = StartedJob(context.client, resource, request, response)
    on_job(started)
    context.submitted(service_calls.to_output(response, resource))
    pause = FIRST_POLL_SECONDS
    while True:
        context.wait(pause)
        pause = min(pause * _POLL_GROWTH, MAX_POLL_SECONDS)
        try:
            answer = started.describe()
        except Exception as error:
            # An error of the poll does not mean that the job has failed.
            if is_transient(error):
                continue
            raise service_calls.error_of(error, resource) from error
        if job.listed and not answer[job.listed[0]]:
            # As with any listing, a run that has just been started may not be in it yet.
            continue
        status = _description(answer, job)[job.status]
        if status in job.succeeded | job.failed:
            output = _description(
                service_calls.describe_output(answer, resource.boto_service, job.describe_operation), job
            )
            if resource.service == "states":
                output = _execution_output(output, resource)
            if status in job.failed:
                raise StateError("States.TaskFailed", json_text(output))
            return output


def _description(answer: dict[str, Any], job: SyncJob) -> dict[str, Any]:
    """Return the description of the job from a describe response."""
    if job.listed:
        found: dict[str, Any] = answer[job.listed[0]][0]
        return found
    return answer[job.description] if job.description else answer


def _execution_output(output: dict[str, Any], resource: TaskResource) -> dict[str, Any]:
    if resource.pattern == "sync:2":
        for member in ("Input", "Output"):
            if isinstance(output.get(member), str):
                output[member] = json.loads(output[member])
    return output


def _await_token(context: TaskContext, heartbeat_seconds: float | None) -> Any:
    token = context.task_token or ""
    waiting = context.tokens.open(token)
    try:
        last_beat = time.monotonic()
        while True:
            try:
                callback = waiting.get_nowait()
            except queue.Empty:
                if heartbeat_seconds is not None and time.monotonic() - last_beat > heartbeat_seconds:
                    raise TaskTimeout("States.HeartbeatTimeout") from None
                context.wait(FIRST_POLL_SECONDS)
                continue
            if callback.kind == "success":
                return callback.output
            if callback.kind == "failure":
                raise StateError(callback.error or "", callback.cause or "")
            last_beat = time.monotonic()
    finally:
        context.tokens.close(token)


def _invoke_function(resource: TaskResource, payload: Any, context: TaskContext) -> Any:
    """Call a Lambda function whose ARN is the ``Resource``; its result is the state's result."""
    function = resource.arn.split(":function:", 1)[1]
    _, _, qualifier = function.partition(":")
    request: dict[str, Any] = {"FunctionName": resource.arn if not qualifier else resource.arn.rsplit(":", 1)[0]}
    if qualifier:
        request["Qualifier"] = qualifier
    request["Payload"] = json.dumps(payload, separators=(",", ":")).encode()
    optimized = TaskResource(resource.arn, "optimized", "lambda", "lambda", "invoke", "Invoke", "")
    return _function_answer(_start(optimized, request, context), optimized)["Payload"]


def _function_answer(response: dict[str, Any], resource: TaskResource) -> dict[str, Any]:
    text = response["Payload"].read().decode() if "Payload" in response else ""
    try:
        payload = json.loads(text) if text else None
    except ValueError:
        payload = text
    if response.get("FunctionError"):
        error = payload.get("errorType") if isinstance(payload, dict) else None
        raise StateError(error or "Lambda.Unknown", text)
    output = service_calls.to_output({**response, "Payload": None}, resource)
    return {**output, "Payload": payload}
