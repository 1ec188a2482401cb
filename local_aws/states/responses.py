"""Step Functions over HTTP: requests and responses in AWS JSON 1.0.

Registered with moto in place of its own handler. See
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from local_aws.core.call_identity import principal_of
from local_aws.states.api import StatesApi
from local_aws.states.errors import ApiError, validation
from local_aws.states.resources import service_model

API = StatesApi()

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/")


def serve(request: Any, full_url: str, headers: Any) -> tuple[int, dict[str, str], str]:
    """Serve one request; the signature is the one that moto requires of a handler.

    :returns: status, headers and body.
    """
    request_id = secrets.token_hex(16)
    answer_headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": request_id}
    try:
        body = json.dumps(_answer(request))
    except ApiError as error:
        shown = {"__type": error.code, "message": error.message}
        if error.reason:
            shown["reason"] = error.reason
        return error.status, {**answer_headers, "x-amzn-errortype": error.code}, json.dumps(shown)
    return 200, answer_headers, body


def _answer(request: Any) -> dict[str, Any]:
    operation = request.headers.get("X-Amz-Target", "").rsplit(".", 1)[-1]
    method = getattr(API, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower(), None)
    model = service_model("stepfunctions")
    if operation not in model.operation_names:
        raise ApiError("UnknownOperationException", f"Unknown operation '{operation}'.")
    if method is None:
        raise ApiError(
            "UnknownOperationException", f"local_aws does not serve states:{operation}; see docs/local-aws.md."
        )
    try:
        members = json.loads(request.get_data() or b"{}")
    except ValueError as error:
        raise ApiError("SerializationException", f"Request body is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise ApiError("SerializationException", "Request body must be a JSON object.")
    members = {key: value for key, value in members.items() if value is not None}
    problems: list[str] = []
    _check(members, model.operation_model(operation).input_shape, "", problems)
    if problems:
        plural = "error" if len(problems) == 1 else "errors"
        raise validation(f"{len(problems)} validation {plural} detected: {'; '.join(problems)}")
    match = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    access_key, region = match.groups() if match else (None, "us-east-1")
    answer: dict[str, Any] = method(members, region, principal_of(access_key).account_id)
    return answer


def _check(value: Any, shape: Any, where: str, problems: list[str]) -> None:
    """Check what botocore's model demands and a raw client may violate, in AWS's words."""
    kind = shape.type_name
    expected = {"structure": dict, "list": list, "map": dict, "string": str, "boolean": bool, "integer": int}.get(kind)
    if expected is not None and (not isinstance(value, expected) or (isinstance(value, bool) and kind == "integer")):
        raise ApiError("SerializationException", f"'{where or 'request'}' must be of type {kind}.")
    if kind == "structure":
        problems += [
            f"Value null at '{_dotted(where, member)}' failed to satisfy constraint: Member must not be null"
            for member in shape.required_members
            if value.get(member) is None
        ]
        for member, item in value.items():
            if member in shape.members and item is not None:
                _check(item, shape.members[member], _dotted(where, member), problems)
        return
    limits = shape.metadata
    size = value if kind in ("integer", "long") else len(value) if kind in ("string", "list") else None
    if size is not None:
        noun = "value" if kind in ("integer", "long") else "length"
        if limits.get("min") is not None and size < limits["min"]:
            problems.append(_broken(value, where, f"Member must have {noun} greater than or equal to {limits['min']}"))
        if limits.get("max") is not None and size > limits["max"] and not limits.get("sensitive"):
            problems.append(_broken(value, where, f"Member must have {noun} less than or equal to {limits['max']}"))
    if kind == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        problems.append(_broken(value, where, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
    if kind == "list":
        for index, item in enumerate(value):
            _check(item, shape.member, f"{where}.{index + 1}.member", problems)


def _dotted(where: str, member: str) -> str:
    return f"{where}.{member}" if where else member


def _broken(value: Any, where: str, constraint: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"Value '{text[:200]}' at '{where}' failed to satisfy constraint: {constraint}"
