"""Invoke: run a function and answer with its result or its error, as Lambda does.

API: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html; error forms:
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from datetime import UTC, datetime
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import RawAnswer, Request, refuse_unsupported
from local_aws.jobs.roles import role_problem
from local_aws.jobs.runs import Outcome, RunPlan, start_run

_UNSUPPORTED = ("ClientContext", "DurableExecutionName", "TenantId")
MAX_SYNCHRONOUS_BYTES = 6 * 1024 * 1024
MAX_ASYNCHRONOUS_BYTES = 1024 * 1024


def invoke(request: Request) -> RawAnswer:
    """Run a function, and return its answer unless the call is asynchronous.

    :raises AwsError: ``ResourceNotFoundException``, ``InvalidRequestContentException``,
        ``RequestTooLargeException``, ``AccessDeniedException`` for a role that cannot be assumed.
        What the function itself does wrong is an answer with ``FunctionError``.
    """
    refuse_unsupported(request, _UNSUPPORTED, "InvalidParameterValueException")
    function = _find(request)
    kind = request.params.get("InvocationType") or "RequestResponse"
    limit = MAX_ASYNCHRONOUS_BYTES if kind == "Event" else MAX_SYNCHRONOUS_BYTES
    if len(request.body) > limit:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
            413,
        )
    try:
        event = json.loads(request.body) if request.body.strip() else {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {error}") from None
    problem = role_problem(function.role, "lambda.amazonaws.com", function.function_arn)
    if problem is not None:
        raise AwsError(
            "AccessDeniedException", f"The role defined for the function cannot be assumed by Lambda: {problem}.", 403
        )
    if kind == "DryRun":
        return RawAnswer(204, {}, b"")
    request_id = _request_id()
    done = threading.Event()
    outcomes: list[Outcome] = []

    def on_end(outcome: Outcome) -> None:
        outcomes.append(outcome)
        done.set()

    start_run(_plan(request, function, event, request_id), lambda: None, on_end)
    if kind == "Event":
        return RawAnswer(202, {"x-amzn-requestid": request_id}, b"")
    done.wait()
    return _answer(request, function, outcomes[0], request_id)


def _find(request: Request) -> Any:
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.models import lambda_backends
    from moto.core.exceptions import ServiceException

    name, qualifier = request.params["FunctionName"], request.params.get("Qualifier")
    short = name
    if ":" in name:
        match = re.fullmatch(r"(?:arn:[\w-]+:lambda:[\w-]+:)?(?:\d{12}:)?(?:function:)?([\w-]+)(?::([\w$-]+))?", name)
        if match is None:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint:"
                f" no function name or ARN",
            )
        short, qualifier = match.group(1), match.group(2) or qualifier
    try:
        return lambda_backends[request.account_id][request.region].get_function(short, qualifier)
    except (LambdaClientError, ServiceException, KeyError, ValueError):
        suffix = f":{qualifier}" if qualifier else ""
        arn = request.arn("lambda", f"function:{short}{suffix}")
        raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404, Type="User") from None


def _plan(request: Request, function: Any, event: Any, request_id: str) -> RunPlan:
    archive = function.code_bytes
    group = f"/aws/lambda/{function.function_name}"
    version = str(function.version)
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{secrets.token_hex(16)}"
    return RunPlan(
        service="lambda",
        worker_kind="python",
        entry="local_aws.lambda_.worker:handle",
        payload={
            "event": event,
            "archive": base64.b64encode(archive).decode() if archive else "",
            "handler": function.handler,
            "runtime": function.run_time or "",
            "package_type": getattr(function, "package_type", None) or "Zip",
            "function_name": function.function_name,
            "function_version": version,
            "function_arn": function.function_arn,
            "memory_mb": function.memory_size,
            "timeout_seconds": function.timeout,
            "request_id": request_id,
            "log_group": group,
            "log_stream": stream,
            "environment": {key: str(value) for key, value in (function.environment_vars or {}).items()},
        },
        role_arn=function.role,
        session_name=function.function_name,
        source_arn=function.function_arn,
        endpoint_url=request.endpoint_url,
        region=request.region,
        timeout_seconds=float(function.timeout),
        stdout_log=(group, stream),
    )


def _answer(request: Request, function: Any, outcome: Outcome, request_id: str) -> RawAnswer:
    headers = {
        "Content-Type": "application/json",
        "x-amzn-requestid": request_id,
        "X-Amz-Executed-Version": str(function.version),
    }
    if request.params.get("LogType") == "Tail":
        headers["X-Amz-Log-Result"] = base64.b64encode(outcome.log_tail).decode()
    if outcome.kind == "succeeded" and "payload" in outcome.result:
        body = str(outcome.result["payload"]).encode()
        if len(body) > MAX_SYNCHRONOUS_BYTES:
            return _function_error(
                headers,
                {
                    "errorMessage": f"Response payload size exceeded maximum allowed payload size"
                    f" ({MAX_SYNCHRONOUS_BYTES} bytes).",
                    "errorType": "Function.ResponseSizeTooLarge",
                },
            )
        return RawAnswer(200, headers, body)
    if outcome.kind == "timeout":
        message = f"RequestId: {request_id} Error: Task timed out after {float(function.timeout):.2f} seconds"
        return _function_error(headers, {"errorType": "Sandbox.Timedout", "errorMessage": message})
    error = outcome.result.get("function_error")
    if error is None:
        error = {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {request_id} Error:"
            f" {outcome.message or 'the function ended without an answer'}",
        }
    return _function_error(headers, error)


def _function_error(headers: dict[str, str], error: dict[str, Any]) -> RawAnswer:
    return RawAnswer(200, {**headers, "X-Amz-Function-Error": "Unhandled"}, json.dumps(error).encode())


def _request_id() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
