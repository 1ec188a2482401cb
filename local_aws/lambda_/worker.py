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
from collections.abc import Callable
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
        """Return the milliseconds that are left until the timeout."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class FunctionError(Exception):
    """What the function did wrong, as Lambda answers it.

    :param kind: ``errorType``, for example ``Runtime.ExitError``.
    :param message: ``errorMessage``.
    :param details: further members, for example ``stackTrace``.
    """

    def __init__(self, kind: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.answer = {"errorType": kind, "errorMessage": message, **details}


def handle(payload: dict[str, Any]) -> int:
    """Call a function's handler; the worker's entry point.

    :param payload: ``event``, ``archive`` (base64 of the zip), ``handler``, ``runtime`` and what
        the context shows.
    :returns: exit code: 0 when the handler returned.
    """
    request_id = payload["request_id"]
    began = time.monotonic()
    print(f"START RequestId: {request_id} Version: {payload['function_version']}")
    result: dict[str, Any]
    try:
        result = {"payload": _call(payload)}
    except FunctionError as error:
        result = {"function_error": error.answer}
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


def _call(payload: dict[str, Any]) -> str:
    """Return the handler's answer as JSON text."""
    _refuse_unsupported(payload)
    task = Path("task").absolute()
    _unpack(payload["archive"], task)
    os.environ.update(_environment(payload, task))
    hide_this_repository()
    sys.path.insert(0, str(task))
    os.chdir(task)
    handler = _load_handler(payload, task)
    try:
        answer = handler(payload["event"], Context(payload))
    except SystemExit as stop:
        raise FunctionError(
            "Runtime.ExitError",
            f"RequestId: {payload['request_id']} Error: Runtime exited with error: exit status {stop.code}",
        ) from None
    except BaseException as error:  # noqa: BLE001  a script may raise anything
        raise _raised(error, payload, task) from None
    try:
        return json.dumps(answer)
    except (TypeError, ValueError) as error:
        raise FunctionError(
            "Runtime.MarshalError",
            f"Unable to marshal response: {error}",
            requestId=payload["request_id"],
            stackTrace=[],
        ) from None


def _refuse_unsupported(payload: dict[str, Any]) -> None:
    if payload["package_type"] != "Zip" or not payload["runtime"].startswith("python"):
        what = payload["runtime"] or f"package type {payload['package_type']}"
        raise FunctionError(
            "Runtime.Unsupported",
            f"functions with {what} cannot run on local AWS; use a zip archive with a Python runtime",
        )


def _unpack(archive: str, task: Path) -> None:
    task.mkdir()
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as opened:
            opened.extractall(task)
    except (zipfile.BadZipFile, OSError) as error:
        raise FunctionError(
            "Runtime.InvalidArchive", f"the function's code is not a zip archive that can be unpacked: {error}"
        ) from None


def _environment(payload: dict[str, Any], task: Path) -> dict[str, str]:
    return {
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


def _load_handler(payload: dict[str, Any], task: Path) -> Callable[[Any, Context], Any]:
    module_name, _, function_name = payload["handler"].rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise FunctionError(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}", stackTrace=[]
        ) from None
    except SyntaxError as error:
        raise FunctionError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", stackTrace=[]
        ) from None
    except BaseException as error:  # noqa: BLE001  a script may raise anything
        raise _raised(error, payload, task) from None
    handler: Callable[[Any, Context], Any] | None = getattr(module, function_name, None)
    if handler is None:
        raise FunctionError(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'", stackTrace=[]
        )
    return handler


def _raised(error: BaseException, payload: dict[str, Any], task: Path) -> FunctionError:
    """Print what the function's code raised, and return it as Lambda answers it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(task))]
    stack = [line.replace(str(task), "/var/task") for line in traceback.format_list(frames)]
    print(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):\n" + "".join(stack))
    return FunctionError(type(error).__name__, str(error), requestId=payload["request_id"], stackTrace=stack)
