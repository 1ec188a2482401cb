"""Service integrations: what a Task state does when it runs.

One table describes every ``.sync`` integration (start, describe, stop, states); everything else is
one API call. Calls go through boto3 to this server with the credentials of the state machine's
role. See https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html. Must not
import moto.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from local_aws.states import service_calls
from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.cancellation import TaskTimeout
from local_aws.states.resources import TaskResource

FIRST_POLL_SECONDS = 0.05
#: Long jobs are looked at less often; override to trade latency for fewer calls.
MAX_POLL_SECONDS = float(os.environ.get("LOCAL_AWS_STATES_MAX_POLL_SECONDS", "1.0"))
_POLL_GROWTH = 1.15
_STOP_ATTEMPTS = 8
_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
    }
)


class TaskContext(Protocol):
    """What the interpreter offers to a running task."""

    region: str
    task_token: str | None
    tokens: TaskTokens
    execution_arn: str

    def client(self, service: str) -> Any:
        """A boto3 client with the credentials of the state machine's role, without retries."""

    def wait(self, seconds: float) -> None:
        """Wait; raises when the task times out or the execution is stopped."""

    def call(self, function: Callable[[], Any], late: Callable[[Any], None] | None = None) -> Any:
        """Run a call that may block for long, so that a stop or timeout need not wait for it.

        ``late`` is given the answer if it arrives after the task is over.
        """

    def submitted(self, output: Any) -> None:
        """Record TaskSubmitted."""


class RemoteJob(Protocol):
    """A started job that can be stopped."""

    def stop(self) -> None:
        """Stop it; never raises."""


@dataclass(frozen=True, slots=True)
class SyncJob:
    """How Step Functions runs a job: start it, describe it until it ends, stop it when the task is aborted.

    ``describe`` and ``stop`` answer request members from the start request and response;
    ``description`` names the job in the describe response, ``listed`` the list in it and the member
    that is equal in the start response.
    """

    describe_operation: str
    describe: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
    status: str
    succeeded: frozenset[str]
    failed: frozenset[str]
    stop_operation: str
    stop: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]
    description: str | None = None
    listed: tuple[str, str] | None = None


def _sagemaker(kind: str, member: str) -> SyncJob:
    def name(request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        return {member: request[member]}

    return SyncJob(
        describe_operation=f"Describe{kind}",
        describe=name,
        status=f"{kind}Status",
        succeeded=frozenset({"Completed"}),
        failed=frozenset({"Failed", "Stopped"}),
        stop_operation=f"Stop{kind}",
        stop=name,
    )


SYNC_JOBS: dict[tuple[str, str], SyncJob] = {
    ("databrew", "startJobRun"): SyncJob(
        # What AWS's policy for this integration allows is listing, not describing.
        describe_operation="ListJobRuns",
        describe=lambda request, response: {"Name": request["Name"]},
        listed=("JobRuns", "RunId"),
        status="State",
        succeeded=frozenset({"SUCCEEDED"}),
        failed=frozenset({"FAILED", "STOPPED", "TIMEOUT"}),
        stop_operation="StopJobRun",
        stop=lambda request, response: {"Name": request["Name"], "RunId": response["RunId"]},
    ),
    ("glue", "startJobRun"): SyncJob(
        describe_operation="GetJobRun",
        describe=lambda request, response: {"JobName": request["JobName"], "RunId": response["JobRunId"]},
        status="JobRunState",
        succeeded=frozenset({"SUCCEEDED"}),
        failed=frozenset({"FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"}),
        stop_operation="BatchStopJobRun",
        stop=lambda request, response: {"JobName": request["JobName"], "JobRunIds": [response["JobRunId"]]},
        description="JobRun",
    ),
    ("sagemaker", "createTrainingJob"): _sagemaker("TrainingJob", "TrainingJobName"),
    ("sagemaker", "createProcessingJob"): _sagemaker("ProcessingJob", "ProcessingJobName"),
    ("sagemaker", "createTransformJob"): _sagemaker("TransformJob", "TransformJobName"),
    ("sagemaker", "createHyperParameterTuningJob"): _sagemaker(
        "HyperParameterTuningJob", "HyperParameterTuningJobName"
    ),
    ("sagemaker", "createLabelingJob"): SyncJob(
        describe_operation="DescribeLabelingJob",
        describe=lambda request, response: {"LabelingJobName": request["LabelingJobName"]},
        status="LabelingJobStatus",
        succeeded=frozenset({"Completed"}),
        failed=frozenset({"Failed", "Stopped"}),
        stop_operation="StopLabelingJob",
        stop=lambda request, response: {"LabelingJobName": request["LabelingJobName"]},
    ),
    ("states", "startExecution"): SyncJob(
        describe_operation="DescribeExecution",
        describe=lambda request, response: {"executionArn": response["executionArn"]},
        status="status",
        succeeded=frozenset({"SUCCEEDED"}),
        failed=frozenset({"FAILED", "TIMED_OUT", "ABORTED"}),
        stop_operation="StopExecution",
        stop=lambda request, response: {"executionArn": response["executionArn"]},
    ),
}


def is_transient(error: Exception) -> bool:
    """Whether a failed describe or stop call should be made again: throttling, 5xx and lost connections."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return code in _THROTTLING or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500
    return isinstance(error, ConnectionError | HTTPClientError)


class TaskTokens:
    """Tasks that wait for SendTaskSuccess or SendTaskFailure, by token."""

    def __init__(self) -> None:
        self._queues: dict[str, queue.Queue[tuple[str, Any, Any]]] = {}
        self._lock = threading.Lock()

    def open(self, token: str) -> queue.Queue[tuple[str, Any, Any]]:
        """Expect a callback for ``token``."""
        with self._lock:
            return self._queues.setdefault(token, queue.Queue())

    def close(self, token: str) -> None:
        """Expect no more callbacks."""
        with self._lock:
            self._queues.pop(token, None)

    def send(self, token: str, kind: str, one: Any = None, other: Any = None) -> bool:
        """Deliver a callback; ``False`` if no task waits for the token."""
        with self._lock:
            waiting = self._queues.get(token)
        if waiting is None:
            return False
        waiting.put((kind, one, other))
        return True


class _StartedJob:
    """A job that a ``.sync`` task has started."""

    def __init__(self, context: TaskContext, resource: TaskResource, job: SyncJob, request: Any, response: Any) -> None:
        self._context, self._resource, self._job = context, resource, job
        self._request, self._response = request, response

    def _call(self, operation: str, members: dict[str, Any]) -> Any:
        from botocore import xform_name

        client = self._context.client(self._resource.boto_service)
        return getattr(client, xform_name(operation))(**members)

    def describe(self) -> dict[str, Any]:
        """The describe response; a list in it is reduced to this job."""
        members = self._job.describe(self._request, self._response)
        response: dict[str, Any] = self._call(self._job.describe_operation, members)
        if self._job.listed is None:
            return response
        items, identity = self._job.listed
        while True:
            found = [item for item in response[items] if item[identity] == self._response[identity]]
            token = response.get("NextToken")
            if found or not token:
                return {items: found}
            response = self._call(self._job.describe_operation, {**members, "NextToken": token})

    def stop(self) -> None:
        # Best effort, as on AWS; but a throttled stop must not leave an orphan.
        for attempt in range(_STOP_ATTEMPTS):
            try:
                self._call(self._job.stop_operation, self._job.stop(self._request, self._response))
            except Exception as error:  # noqa: BLE001 - a job that has just ended cannot be stopped, which is fine
                if not is_transient(error):
                    return
                time.sleep(min(0.05 * 2**attempt, 1.0))
            else:
                return


def run(
    resource: TaskResource,
    arguments: Any,
    context: TaskContext,
    heartbeat_seconds: float | None,
    on_job: Callable[[RemoteJob], None],
) -> Any:
    """Run a task to its end and answer its result.

    :param resource: the parsed ``Resource``.
    :param arguments: evaluated ``Parameters`` (for a Lambda ARN: the payload).
    :param context: the interpreter's services.
    :param heartbeat_seconds: longest silence of a task that waits for a token.
    :param on_job: told the remote job as soon as it is started, so that it can be stopped.
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
            # A job that started although its task is already over would be an orphan.
            job = SYNC_JOBS[(resource.service, resource.action)]
            late = lambda response: _StartedJob(context, resource, job, request, response).stop()  # noqa: E731
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
    started = _StartedJob(context, resource, job, request, response)
    on_job(started)
    context.submitted(service_calls.to_output(response, resource))
    pause = FIRST_POLL_SECONDS
    while True:
        context.wait(pause)
        pause = min(pause * _POLL_GROWTH, MAX_POLL_SECONDS)
        try:
            answer = started.describe()
        except Exception as error:
            # An error of the poll is no failure of the job.
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
                raise StateError("States.TaskFailed", json.dumps(output, separators=(",", ":"), ensure_ascii=False))
            return output


def _description(answer: dict[str, Any], job: SyncJob) -> dict[str, Any]:
    """The job in a describe response."""
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
                kind, one, other = waiting.get_nowait()
            except queue.Empty:
                if heartbeat_seconds is not None and time.monotonic() - last_beat > heartbeat_seconds:
                    raise TaskTimeout("States.HeartbeatTimeout") from None
                context.wait(FIRST_POLL_SECONDS)
                continue
            if kind == "success":
                return one
            if kind == "failure":
                raise StateError(one or "", other or "")
            last_beat = time.monotonic()
    finally:
        context.tokens.close(token)


def _invoke_function(resource: TaskResource, payload: Any, context: TaskContext) -> Any:
    """A Lambda function as ``Resource``: its payload is the state's input, its result the state's result."""
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
