"""Lambda: results, every form of function error, timeout, logs, credentials, refusals."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.job_services import error_of, log_lines

CODE = """
import json, os, sys, time
import boto3
import beside

def answer(event, context):
    print("got", json.dumps(event))
    who = boto3.client("sts").get_caller_identity()["Arn"]
    return {"event": event, "who": who, "stage": os.environ["STAGE"], "beside": beside.VALUE,
            "name": context.function_name, "left": 0 < context.get_remaining_time_in_millis() <= 20000}

def raising(event, context):
    raise KeyError("validation:auc")

def sleeping(event, context):
    print("before", flush=True)
    time.sleep(600)

def leaving(event, context):
    sys.exit(4)

def unserialisable(event, context):
    return {"value": {1, 2}}

def dying(event, context):
    os.kill(os.getpid(), 9)
"""


def zip_of(members: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def make_function(
    aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]
) -> Callable[..., str]:
    def make(handler: str, **options: Any) -> str:
        name = unique("function")
        members = options.pop("members", {"app.py": CODE, "beside.py": "VALUE = 7\n"})
        wanted = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": roles["lambda"],
            "Handler": handler,
            "Code": {"ZipFile": zip_of(members)},
            "Timeout": 20,
            "Environment": {"Variables": {"STAGE": "test"}},
        }
        aws_client("lambda").create_function(**{**wanted, **options})
        return name

    return make


def test_a_function_returns_its_result_and_writes_its_log_with_its_role(
    make_function: Callable[..., str], aws_client: Callable[..., Any]
) -> None:
    client, name = aws_client("lambda"), make_function("app.answer")
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"a": [1, None]}).encode(), LogType="Tail")
    assert (answer["StatusCode"], answer.get("FunctionError"), answer["ExecutedVersion"]) == (200, None, "$LATEST")
    assert json.loads(answer["Payload"].read()) == {
        "event": {"a": [1, None]},
        "who": f"arn:aws:sts::123456789012:assumed-role/job-services-lambda/{name}",
        "stage": "test",
        "beside": 7,
        "name": name,
        "left": True,
    }
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert [line.split(" ")[0].split("\t")[0] for line in tail.splitlines()] == ["START", "got", "END", "REPORT"]
    assert 'got {"a": [1, null]}' in log_lines(aws_client, f"/aws/lambda/{name}", "")
    by_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert client.invoke(FunctionName=by_arn, Payload=b"{}")["StatusCode"] == 200


ERRORS: dict[str, tuple[dict[str, Any], str, str]] = {
    "raises": ({"handler": "app.raising"}, "KeyError", "'validation:auc'"),
    "times out": ({"handler": "app.sleeping", "Timeout": 1}, "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    "exits": ({"handler": "app.leaving"}, "Runtime.ExitError", "Runtime exited with error: exit status 4"),
    "cannot be serialised": ({"handler": "app.unserialisable"}, "Runtime.MarshalError", "Unable to marshal response"),
    "is killed": ({"handler": "app.dying"}, "Runtime.ExitError", "signal 9"),
    "has no such handler": (
        {"handler": "app.nothing"},
        "Runtime.HandlerNotFound",
        "Handler 'nothing' missing on module 'app'",
    ),
    "has no such module": (
        {"handler": "other.answer"},
        "Runtime.ImportModuleError",
        "Unable to import module 'other': No module named 'other'",
    ),
    "is not Python": (
        {"handler": "app.answer", "members": {"app.py": "def ("}},
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'app'",
    ),
    "has another runtime": (
        {"handler": "app.answer", "Runtime": "nodejs20.x"},
        "Runtime.Unsupported",
        "nodejs20.x cannot run on local AWS",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_a_function_does_wrong_is_an_answer(
    case: str, make_function: Callable[..., str], aws_client: Callable[..., Any]
) -> None:
    options, kind, text = ERRORS[case]
    name = make_function(**options)
    answer = aws_client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == kind
    assert text in error["errorMessage"]
    if case == "raises":
        assert 'File "/var/task/app.py"' in error["stackTrace"][-1]


def test_a_function_can_be_invoked_asynchronously_and_dry(
    make_function: Callable[..., str], aws_client: Callable[..., Any]
) -> None:
    client, name = aws_client("lambda"), make_function("app.answer")
    assert client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    assert client.invoke(FunctionName=name, InvocationType="DryRun", Payload=b"{}")["StatusCode"] == 204


def test_invalid_invocations_are_refused(make_function: Callable[..., str], aws_client: Callable[..., Any]) -> None:
    client, name = aws_client("lambda"), make_function("app.answer")
    assert error_of(lambda: client.invoke(FunctionName="nix", Payload=b"{}")) == (
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nix",
    )
    code, message = error_of(lambda: client.invoke(FunctionName=name, Payload=b"{not json"))
    assert (code, message.startswith("Could not parse request body into json")) == (
        "InvalidRequestContentException",
        True,
    )
    context = base64.b64encode(b"{}").decode()
    assert error_of(lambda: client.invoke(FunctionName=name, Payload=b"{}", ClientContext=context)) == (
        "InvalidParameterValueException",
        "Invoke: local AWS does not support ClientContext; leave it out.",
    )
    big = json.dumps("x" * (6 * 1024 * 1024 + 1)).encode()
    assert error_of(lambda: client.invoke(FunctionName=name, Payload=big))[0] == "RequestTooLargeException"
