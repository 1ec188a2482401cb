"""Runs a Lambda function's handler in a forked process with the function role's keys.

Must not import moto or anything of the server.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import sys
import time
import traceback
import zipfile
from pathlib import Path
from typing import Any

from local_aws.jobs.entry import hide_this_repository, write_result


class _Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """The context object of https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self.function_name = payload["function_name"]
        self.function_version = payload["function_version"]
        self.invoked_function_arn = payload["function_arn"]
        self.memory_limit_in_mb = str(payload["memory_mb"])
        self.aws_request_id = payload["request_id"]
        self.log_group_name = payload["log_group"]
        self.log_stream_name = payload["log_stream"]
        self.identity = _Identity()
        self.client_context = None
        self._deadline = time.monotonic() + payload["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def handle(payload: dict[str, Any]) -> int:
    """Entry point of the worker.

    Parameters
    ----------
    payload:
        ``event``, ``archive`` (base64 of the zip), ``handler``, ``runtime`` and what the context shows.

    Returns
    -------
    Exit code: 0 when the handler returned.
    """
    request_id = payload["request_id"]
    began = time.monotonic()
    print(f"START RequestId: {request_id} Version: {payload['function_version']}")
    try:
        error = _refusal(payload)
        result = {"function_error": error} if error else _call(payload)
    finally:
        elapsed = (time.monotonic() - began) * 1000
        sys.stdout.flush()
        print(f"END RequestId: {request_id}")
        print(
            f"REPORT RequestId: {request_id}\tDuration: {elapsed:.2f} ms\tBilled Duration: {int(elapsed) + 1}"
            f" ms\tMemory Size: {payload['memory_mb']} MB"
        )
    write_result(payload, result)
    return 0 if "payload" in result else 1


def _refusal(payload: dict[str, Any]) -> dict[str, Any] | None:
    if payload["package_type"] != "Zip" or not payload["runtime"].startswith("python"):
        what = payload["runtime"] or f"package type {payload['package_type']}"
        return {
            "errorType": "Runtime.Unsupported",
            "errorMessage": f"functions with {what} cannot run on local AWS; use a zip archive with a Python runtime",
        }
    return None


def _call(payload: dict[str, Any]) -> dict[str, Any]:
    task = Path("task").absolute()
    problem = _unpack(payload, task)
    if problem:
        return {"function_error": problem}
    os.environ.update(
        {
            "_HANDLER": payload["handler"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{payload['runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": payload["function_name"],
            "AWS_LAMBDA_FUNCTION_VERSION": payload["function_version"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(payload["memory_mb"]),
            "AWS_LAMBDA_LOG_GROUP_NAME": payload["log_group"],
            "AWS_LAMBDA_LOG_STREAM_NAME": payload["log_stream"],
            "LAMBDA_TASK_ROOT": str(task),
            **payload["environment"],
        }
    )
    hide_this_repository()
    sys.path.insert(0, str(task))
    os.chdir(task)
    module_name, _, function_name = payload["handler"].rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return {
            "function_error": {
                "errorMessage": f"Unable to import module '{module_name}': {error}",
                "errorType": "Runtime.ImportModuleError",
                "stackTrace": [],
            }
        }
    except SyntaxError as error:
        return {
            "function_error": {
                "errorMessage": f"Syntax error in module '{module_name}': {error}",
                "errorType": "Runtime.UserCodeSyntaxError",
                "stackTrace": [],
            }
        }
    except BaseException as error:  # noqa: BLE001  a script may raise anything
        return {"function_error": _described(error, payload, task)}
    handler = getattr(module, function_name, None)
    if handler is None:
        return {
            "function_error": {
                "errorMessage": f"Handler '{function_name}' missing on module '{module_name}'",
                "errorType": "Runtime.HandlerNotFound",
                "stackTrace": [],
            }
        }
    try:
        answer = handler(payload["event"], Context(payload))
    except SystemExit as stop:
        return {
            "function_error": {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"RequestId: {payload['request_id']} Error: Runtime exited with error: exit"
                f" status {stop.code}",
            }
        }
    except BaseException as error:  # noqa: BLE001  a script may raise anything
        return {"function_error": _described(error, payload, task)}
    try:
        return {"payload": json.dumps(answer)}
    except (TypeError, ValueError) as error:
        return {
            "function_error": {
                "errorMessage": f"Unable to marshal response: {error}",
                "errorType": "Runtime.MarshalError",
                "requestId": payload["request_id"],
                "stackTrace": [],
            }
        }


def _unpack(payload: dict[str, Any], task: Path) -> dict[str, Any] | None:
    task.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(payload["archive"]))) as archive:
            archive.extractall(task)
    except (zipfile.BadZipFile, OSError) as error:
        return {
            "errorType": "Runtime.InvalidArchive",
            "errorMessage": f"the function's code is not a zip archive that can be unpacked: {error}",
        }
    return None


def _described(error: BaseException, payload: dict[str, Any], task: Path) -> dict[str, Any]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(task))]
    stack = [line.replace(str(task), "/var/task") for line in traceback.format_list(frames)]
    print(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):\n" + "".join(stack))
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": payload["request_id"],
        "stackTrace": stack,
    }
