"""What the ``Resource`` of a Task state names: an integration, its service and its API action.

Exists apart from the integrations so that a definition can be validated without calling anything.
See https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html. Must not
import moto.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_SERVICE_RESOURCE = re.compile(r"^arn:aws[a-z-]*:states:[a-z0-9-]*:[0-9]*:(?P<rest>.+)$")
_LAMBDA_FUNCTION = re.compile(r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$")
_ACTIVITY = re.compile(r"^arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:activity:.+$")

#: Optimised integrations that run here: (service, action) → the patterns AWS offers for them.
OPTIMIZED: dict[tuple[str, str], frozenset[str]] = {
    ("databrew", "startJobRun"): frozenset({"", "sync"}),
    ("glue", "startJobRun"): frozenset({"", "sync"}),
    ("sagemaker", "createTrainingJob"): frozenset({"", "sync"}),
    ("sagemaker", "createProcessingJob"): frozenset({"", "sync"}),
    ("sagemaker", "createTransformJob"): frozenset({"", "sync"}),
    ("sagemaker", "createHyperParameterTuningJob"): frozenset({"", "sync"}),
    ("sagemaker", "createLabelingJob"): frozenset({"", "sync"}),
    ("sagemaker", "createModel"): frozenset({""}),
    ("sagemaker", "createEndpointConfig"): frozenset({""}),
    ("sagemaker", "createEndpoint"): frozenset({""}),
    ("sagemaker", "updateEndpoint"): frozenset({""}),
    ("lambda", "invoke"): frozenset({"", "waitForTaskToken"}),
    ("sns", "publish"): frozenset({"", "waitForTaskToken"}),
    ("sqs", "sendMessage"): frozenset({"", "waitForTaskToken"}),
    ("events", "putEvents"): frozenset({"", "waitForTaskToken"}),
    ("states", "startExecution"): frozenset({"", "sync", "sync:2", "waitForTaskToken"}),
    ("dynamodb", "getItem"): frozenset({""}),
    ("dynamodb", "putItem"): frozenset({""}),
    ("dynamodb", "updateItem"): frozenset({""}),
    ("dynamodb", "deleteItem"): frozenset({""}),
}

#: Services that AWS integrates in optimised form but local_aws does not run.
_OTHER_OPTIMIZED = frozenset(
    {
        "apigateway",
        "athena",
        "batch",
        "bedrock",
        "codebuild",
        "ecs",
        "eks",
        "elasticmapreduce",
        "emr-containers",
        "emr-serverless",
        "http",
        "mediaconvert",
    }
)

#: SDK integration names that are neither botocore's name nor that name without hyphens.
_SDK_NAMES = {
    "sfn": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "elasticloadbalancingv2": "elbv2",
    "elasticloadbalancing": "elb",
    "cognitoidentityprovider": "cognito-idp",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "elasticsearch": "es",
    "applicationdiscovery": "discovery",
    "cloudwatchevents": "events",
    "servicecatalogappregistry": "servicecatalog-appregistry",
    "sagemakerfeaturestoreruntime": "sagemaker-featurestore-runtime",
}


class UnknownResourceError(ValueError):
    """The integration does not exist; the message is in the words of Step Functions."""


@dataclass(frozen=True, slots=True)
class TaskResource:
    """A parsed ``Resource``.

    :param arn: the text.
    :param kind: ``lambda`` (function ARN), ``optimized``, ``aws-sdk`` or ``activity``.
    :param service: the service's name in the ARN.
    :param boto_service: the service's name in botocore.
    :param action: the action in camelCase.
    :param operation: the operation as the API writes it.
    :param pattern: empty, ``sync``, ``sync:2`` or ``waitForTaskToken``.
    :param supported: False for what AWS runs and local_aws does not.
    """

    arn: str
    kind: str
    service: str
    boto_service: str
    action: str
    operation: str
    pattern: str
    supported: bool = True

    @property
    def resource_type(self) -> str:
        """The member ``resourceType`` of events."""
        return f"aws-sdk:{self.service}" if self.kind == "aws-sdk" else self.service

    @property
    def resource_name(self) -> str:
        """The member ``resource`` of events."""
        return f"{self.action}.{self.pattern}" if self.pattern else self.action


_model_lock = threading.RLock()


@lru_cache(maxsize=64)
def service_model(boto_service: str) -> Any:
    """Return the model that botocore has of a service."""
    with _model_lock:
        import botocore.session

        return botocore.session.get_session().get_service_model(boto_service)


@lru_cache(maxsize=1)
def _available_services() -> dict[str, str]:
    with _model_lock:
        import botocore.session

        names = botocore.session.get_session().get_available_services()
    return {name.replace("-", ""): name for name in names}


def boto_service_of(sdk_name: str) -> str | None:
    """Return the botocore name of a service in an ``aws-sdk`` resource, None if it has none."""
    return _SDK_NAMES.get(sdk_name) or _available_services().get(sdk_name)


def operation_of(boto_service: str, action: str) -> str | None:
    """Return the API operation that a camelCase action names, None if it does not exist."""
    wanted = action[:1].upper() + action[1:]
    names = service_model(boto_service).operation_names
    if wanted in names:
        return wanted
    return next((name for name in names if name.lower() == wanted.lower()), None)


@lru_cache(maxsize=1024)
def parse(arn: str) -> TaskResource:
    """Parse and check a ``Resource``.

    :param arn: ARN of a function, an activity or an integration.
    :raises UnknownResourceError: Step Functions has no integration with this ARN.
    """
    if _LAMBDA_FUNCTION.match(arn):
        return TaskResource(arn, "lambda", "lambda", "lambda", "invoke", "Invoke", "")
    if _ACTIVITY.match(arn):
        return TaskResource(arn, "activity", "states", "stepfunctions", "activity", "", "", supported=False)
    match = _SERVICE_RESOURCE.match(arn)
    if match is None:
        raise UnknownResourceError(f"Value is not a valid resource ARN: '{arn}'")
    rest, _, pattern = match["rest"].partition(".")
    parts = rest.split(":")
    unknown = UnknownResourceError(
        f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the resource is not "
        "available in this region."
    )
    if parts[0] == "aws-sdk":
        if len(parts) != 3 or pattern not in ("", "waitForTaskToken"):
            raise unknown
        boto_service = boto_service_of(parts[1])
        operation = operation_of(boto_service, parts[2]) if boto_service else None
        if boto_service is None or operation is None or parts[2][:1].isupper():
            raise unknown
        return TaskResource(arn, "aws-sdk", parts[1], boto_service, parts[2], operation, pattern)
    if len(parts) != 2:
        raise unknown
    service, action = parts
    patterns = OPTIMIZED.get((service, action))
    if patterns is None:
        if service in _OTHER_OPTIMIZED:
            return TaskResource(arn, "optimized", service, "", action, "", pattern, supported=False)
        raise unknown
    if pattern not in patterns:
        raise unknown
    boto_service = {"states": "stepfunctions"}.get(service, service)
    return TaskResource(
        arn, "optimized", service, boto_service, action, operation_of(boto_service, action) or "", pattern
    )
