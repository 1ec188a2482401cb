"""Parameters, results and errors of a state machine's API calls, in the form of Step Functions.

See https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html. Must not import
moto.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from typing import Any

from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.asl.texts import json_text, timestamp_text
from local_aws.states.resources import TaskResource, service_model

#: Error prefix, base exception and service name in causes of the optimised integrations (AWS SDK
#: for Java 1 names).
_OPTIMIZED_NAMES = {
    "sagemaker": ("SageMaker", "AmazonSageMakerException", "AmazonSageMaker"),
    "glue": ("Glue", "AWSGlueException", "AWSGlue"),
    "databrew": ("DataBrew", "AWSGlueDataBrewException", "AWSGlueDataBrew"),
    "lambda": ("Lambda", "AWSLambdaException", "AWSLambda"),
    "sns": ("SNS", "AmazonSNSException", "AmazonSNS"),
    "sqs": ("SQS", "AmazonSQSException", "AmazonSQS"),
    "events": ("EventBridge", "AmazonEventBridgeException", "AmazonEventBridge"),
    "states": ("StepFunctions", "AWSStepFunctionsException", "AWSStepFunctions"),
    "dynamodb": ("DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2"),
}

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "STRING"),
    "integer": (int, "NUMBER"),
    "long": (int, "NUMBER"),
    "float": ((int, float), "NUMBER"),
    "double": ((int, float), "NUMBER"),
    "boolean": (bool, "BOOLEAN"),
    "structure": (dict, "STRUCTURE"),
    "map": (dict, "MAP"),
    "list": (list, "LIST"),
}

#: String members into which the optimised integrations put JSON for the user.
_JSON_TEXT = {("sns", "Message"), ("sqs", "MessageBody"), ("states", "Input"), ("events", "Detail")}


def sdk_class_name(service_id: str) -> str:
    """Write a service's name as the AWS SDK for Java 2 does.

    :param service_id: ``serviceId`` of botocore's model.
    :returns: for example ``SageMaker``, ``DynamoDb``, ``Sfn`` or ``S3``.
    """
    words = re.split(r"[\s\-]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", service_id))
    return "".join(word[:1].upper() + word[1:].lower() for word in words if word)


def to_request(value: Any, resource: TaskResource) -> dict[str, Any]:
    """Make the request members for boto3 from a task's parameters.

    :param value: the evaluated ``Parameters`` or ``Arguments`` (``None`` means no members).
    :param resource: the integration.
    :raises StateError: ``States.Runtime`` for values of the wrong type, in the words of Step
        Functions.
    """
    shape = service_model(resource.boto_service).operation_model(resource.operation).input_shape
    if value is None or shape is None:
        return {}
    problems: list[str] = []
    converted = _to_request(value, shape, "", resource, problems)
    if problems:
        text = json_text(value)
        raise RuntimeStateError(f"The Parameters '{text}' could not be used to start the Task: [{', '.join(problems)}]")
    request: dict[str, Any] = converted
    return request


def _to_request(value: Any, shape: Any, field: str, resource: TaskResource, problems: list[str]) -> Any:
    kind = shape.type_name
    if (
        kind == "string"
        and not isinstance(value, str)
        and (resource.service, field) in _JSON_TEXT
        and resource.kind == "optimized"
    ):
        return json_text(value)
    if kind == "blob":
        return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()
    if kind == "timestamp":
        return _timestamp(value, field, problems)
    expected, name = _KINDS.get(kind, (object, ""))
    given: Any = value
    if not isinstance(value, expected) or (isinstance(value, bool) and kind not in ("boolean",)):
        if kind == "structure" and getattr(shape, "is_document_type", False):
            return value
        problems.append(f"The value for the field '{field}' must be a {name}")
        return None
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        members = {member.lower(): member for member in shape.members}
        result = {}
        for key, item in given.items():
            member = members.get(key.lower())
            if member is None:
                problems.append(f'The field "{key}" is not supported by Step Functions')
            elif item is not None:
                result[member] = _to_request(item, shape.members[member], key, resource, problems)
        return result
    if kind == "list":
        return [_to_request(item, shape.member, field, resource, problems) for item in given]
    if kind == "map":
        return {key: _to_request(item, shape.value, key, resource, problems) for key, item in given.items()}
    return value


def _timestamp(value: Any, field: str, problems: list[str]) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        problems.append(f"The value for the field '{field}' must be a valid ISO-8601 timestamp")
        return None


def to_output(response: dict[str, Any], resource: TaskResource) -> dict[str, Any]:
    """Turn a boto3 response into the state's result.

    Keys begin with a capital. Dates become ISO strings in SDK integrations and epoch milliseconds
    in optimised ones, which have ``SdkHttpMetadata`` and ``SdkResponseMetadata`` too.

    :param response: what boto3 returned; streams are read.
    :param resource: the integration.
    """
    shape = service_model(resource.boto_service).operation_model(resource.operation).output_shape
    about = response.get("ResponseMetadata", {})
    body = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    converted = _to_output(body, shape, iso_dates=resource.kind == "aws-sdk")
    result: dict[str, Any] = converted if isinstance(converted, dict) else {}
    if resource.kind == "optimized":
        headers = {key: str(value) for key, value in about.get("HTTPHeaders", {}).items()}
        result["SdkHttpMetadata"] = {
            "AllHttpHeaders": {key: [value] for key, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": about.get("HTTPStatusCode", 200),
        }
        result["SdkResponseMetadata"] = {"RequestId": about.get("RequestId") or headers.get("x-amzn-requestid", "")}
    return result


def describe_output(response: dict[str, Any], boto_service: str, operation: str) -> dict[str, Any]:
    """Turn the description of a job into the result of a ``.sync`` integration.

    Keys begin with a capital; dates become epoch milliseconds.

    :param response: what boto3 returned.
    :param boto_service: the service's name in botocore.
    :param operation: the API operation that described the job.
    """
    shape = service_model(boto_service).operation_model(operation).output_shape
    body = {key: value for key, value in response.items() if key != "ResponseMetadata"}
    converted: dict[str, Any] = _to_output(body, shape, iso_dates=False)
    return converted


def _to_output(value: Any, shape: Any, *, iso_dates: bool) -> Any:
    if isinstance(value, datetime.datetime):
        moment = value.astimezone(datetime.UTC)
        if iso_dates:
            return timestamp_text(moment)
        return round(moment.timestamp() * 1000)
    if isinstance(value, dict):
        structure = (
            shape is not None and shape.type_name == "structure" and not getattr(shape, "is_document_type", False)
        )
        result = {}
        for key, item in value.items():
            member = shape.members.get(key) if structure else getattr(shape, "value", None)
            name = key[:1].upper() + key[1:] if structure else key
            result[name] = _to_output(item, member, iso_dates=iso_dates)
        return result
    if isinstance(value, list | tuple | set):
        return [_to_output(item, getattr(shape, "member", None), iso_dates=iso_dates) for item in value]
    if hasattr(value, "read"):
        try:
            value = value.read()
        finally:
            value_close = getattr(value, "close", None)
            if value_close is not None:
                value_close()
    if isinstance(value, bytes | bytearray):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)


def error_of(error: Exception, resource: TaskResource) -> StateError:
    """Return the error name and cause of a failed call.

    Optimised integrations name the exception classes of the AWS SDK for Java 1
    (``SageMaker.AmazonSageMakerException`` for codes that the service's model lacks), SDK
    integrations those of version 2 (``SageMaker.SageMakerException``).

    :param error: what boto3 raised.
    :param resource: the integration.
    """
    from botocore.exceptions import ClientError, ParamValidationError

    model = service_model(resource.boto_service)
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        about = error.response.get("ResponseMetadata", {})
        code, status = str(details.get("Code", "Unknown")), about.get("HTTPStatusCode", 400)
        message = str(details.get("Message") or details.get("message") or "")
        request_id = about.get("RequestId") or "00000000-0000-0000-0000-000000000000"
    elif isinstance(error, ParamValidationError):
        code, status, request_id = "ValidationException", 400, "00000000-0000-0000-0000-000000000000"
        message = "1 validation error detected: " + re.sub(r"\s+", " ", str(error.kwargs.get("report", error)))
    else:
        code, status, message, request_id = "SdkClientException", 0, f"Unable to execute HTTP request: {error}", ""
    name = _exception_name(code, model)
    if resource.kind == "aws-sdk":
        service = sdk_class_name(model.service_id)
        prefix, base = service, f"{service}Exception"
        if code == "SdkClientException":
            return StateError(f"{prefix}.SdkClientException", message)
        cause = f"{message} (Service: {service}, Status Code: {status}, Request ID: {request_id})"
    else:
        prefix, base, service = _OPTIMIZED_NAMES.get(
            resource.service,
            (sdk_class_name(model.service_id), f"{sdk_class_name(model.service_id)}Exception", resource.service),
        )
        if code == "SdkClientException":
            return StateError(f"{prefix}.SdkClientException", message)
        about_call = f"Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null"
        cause = f"{message} (Service: {service}; {about_call})"
    return StateError(f"{prefix}.{name or base}", cause)


def _exception_name(code: str, model: Any) -> str | None:
    """Return the SDK's exception class for a code, None if the service's model lacks it."""
    for shape in model.error_shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            name = str(shape.name).removesuffix("Fault")
            return name if name.endswith("Exception") else f"{name}Exception"
    return None
