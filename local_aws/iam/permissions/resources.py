"""The resources of calls to the JSON and query services.

As in the Service Authorization Reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html.
A call without a resource type has the resource ``*``. Must not import moto.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local_aws.core.call_identity import Call
from local_aws.iam.permissions.model import arn

Resources = list[str]


def _arn(call: Call, service: str, resource: str) -> str:
    return arn(service, call.region, call.principal.account_id, resource)


def _text(call: Call, *names: str) -> str | None:
    for name in names:
        value = call.params.get(name)
        if isinstance(value, str) and value:
            return value
    return None


# SageMaker: names in ARNs are in lower case.

_SAGEMAKER_MEMBERS = {
    "TrainingJobName": "training-job",
    "ProcessingJobName": "processing-job",
    "TransformJobName": "transform-job",
    "HyperParameterTuningJobName": "hyper-parameter-tuning-job",
    "LabelingJobName": "labeling-job",
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelPackageGroupName": "model-package-group",
    "ModelPackageName": "model-package",
    "ModelName": "model",
}


def _sagemaker(call: Call) -> Resources:
    operation = call.operation
    if operation in ("AddTags", "ListTags", "DeleteTags"):
        return [_text(call, "ResourceArn") or "*"]
    if operation in ("CreateModelPackage", "ListModelPackages"):
        group = _text(call, "ModelPackageGroupName")
        if group:
            # A version of a group; AWS decides which one.
            return [_sagemaker_arn(call, "model-package", f"{group.rsplit('/', 1)[-1]}/*")]
    elif operation.startswith("List") or operation == "Search":
        return ["*"]
    if operation in ("CreateEndpoint", "UpdateEndpoint"):
        members = ["EndpointName", "EndpointConfigName"]
    else:
        noun = re.sub(r"^(Create|Describe|Delete|Update|Stop|Invoke|BatchDescribe)", "", operation)
        preferred = f"{noun}Name"
        order = [preferred] if preferred in _SAGEMAKER_MEMBERS else []
        members = [*order, *_SAGEMAKER_MEMBERS]
    found = []
    for member in members:
        value = _text(call, member)
        if value is None and member == "ModelPackageName":
            value = _text(call, "ModelPackageArn")
        if value is not None:
            found.append(value if value.startswith("arn:") else _sagemaker_arn(call, _SAGEMAKER_MEMBERS[member], value))
            if operation not in ("CreateEndpoint", "UpdateEndpoint"):
                break
    return found or ["*"]


def _sagemaker_arn(call: Call, kind: str, name: str) -> str:
    return _arn(call, "sagemaker", f"{kind}/{name.lower()}")


# Glue

_GLUE_NOUNS = (("Crawler", "crawler"), ("Trigger", "trigger"), ("Workflow", "workflow"), ("Session", "session"))


def _glue(call: Call) -> Resources:
    if tagged := _text(call, "ResourceArn"):
        return [tagged]
    if "Job" in call.operation:
        names = call.params.get("JobNames")
        if isinstance(names, list):
            return [_arn(call, "glue", f"job/{name}") for name in names] or ["*"]
        name = _text(call, "JobName", "Name")
        return [_arn(call, "glue", f"job/{name}")] if name else ["*"]
    for word, kind in _GLUE_NOUNS:
        if word in call.operation and (name := _text(call, f"{word}Name", "Name", "Id")):
            return [_arn(call, "glue", f"{kind}/{name}")]
    return ["*"]


# DataBrew: creating and listing have no resource type.

_DATABREW_NOUNS = ("Dataset", "Ruleset", "Schedule", "Project", "Recipe", "Job")


def _databrew(call: Call) -> Resources:
    operation = call.operation
    if tagged := _text(call, "ResourceArn"):
        return [tagged]
    name = _text(call, "name", "Name")
    if name is None or operation.startswith("Create"):
        return ["*"]
    if operation in ("UpdateRecipeJob", "UpdateProfileJob") or "JobRun" in operation:
        kind = "job"
    else:
        kind = next((noun.lower() for noun in _DATABREW_NOUNS if noun in operation), "project")
    return [_arn(call, "databrew", f"{kind}/{name}")]


def databrew_created(call: Call) -> str | None:
    """Return the ARN of what a DataBrew call creates, for the tagging action."""
    name = _text(call, "name", "Name")
    kinds = {"CreateRecipeJob": "job", "CreateProfileJob": "job"}
    noun = call.operation.removeprefix("Create").lower()
    return _arn(call, "databrew", f"{kinds.get(call.operation, noun)}/{name}") if name else None


# Step Functions: versions and aliases are authorised by their state machine's ARN
# (https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html).

_MACHINE = re.compile(r"^(arn:[^:]+:states:[^:]*:[^:]*:stateMachine:[^:]+)(?::(.+))?$")


def states_qualifier(call: Call) -> str | None:
    """Return the version or alias that a call names, for ``states:StateMachineQualifier``.

    See https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html.
    """
    for value in _states_arns(call):
        match = _MACHINE.match(value)
        if match and match[2]:
            return match[2]
    return None


def _states_arns(call: Call) -> list[str]:
    names = ("stateMachineArn", "stateMachineAliasArn", "stateMachineVersionArn", "executionArn", "resourceArn",
             "mapRunArn", "activityArn")  # fmt: skip
    return [str(call.params[name]) for name in names if isinstance(call.params.get(name), str)]


def _states(call: Call) -> Resources:
    operation = call.operation
    if operation in ("CreateStateMachine", "CreateActivity"):
        kind = "stateMachine" if operation == "CreateStateMachine" else "activity"
        return [_arn(call, "states", f"{kind}:{call.params.get('name', '')}")]
    if operation == "CreateStateMachineAlias":
        routes = call.params.get("routingConfiguration") or []
        targets = {_unqualified(str(route.get("stateMachineVersionArn"))) for route in routes if route}
        return sorted(targets) or ["*"]
    found = [_unqualified(value) for value in _states_arns(call)]
    return found[:1] or ["*"]


def _unqualified(value: str) -> str:
    match = _MACHINE.match(value)
    return match[1] if match else value


# Others


def _logs(call: Call) -> Resources:
    if named := _text(call, "logGroupArn", "logGroupIdentifier", "resourceArn"):
        if named.startswith("arn:"):
            return [named]
        group = named
    else:
        group = _text(call, "logGroupName") or ""
    stream = _text(call, "logStreamName") or ""
    if not group and not call.operation.startswith("DescribeLogGroups"):
        return ["*"]
    # As in AWS's own messages, with an empty stream where the call is about the group.
    return [_arn(call, "logs", f"log-group:{group}:log-stream:{stream}")]


def _sns(call: Call) -> Resources:
    named = _text(call, "TopicArn", "TargetArn", "ResourceArn")
    if named:
        return [named]
    if subscription := _text(call, "SubscriptionArn"):
        return [subscription.rpartition(":")[0]]
    name = _text(call, "Name")
    return [_arn(call, "sns", name)] if name and call.operation == "CreateTopic" else ["*"]


def _sqs(call: Call) -> Resources:
    url = _text(call, "QueueUrl")
    name = url.rstrip("/").rsplit("/", 1)[-1] if url else _text(call, "QueueName")
    return [_arn(call, "sqs", name)] if name else ["*"]


def _lambda(call: Call) -> Resources:
    name = _text(call, "FunctionName", "functionName")
    if name is None:
        return ["*"]
    if name.startswith("arn:"):
        return [name]
    qualifier = _text(call, "Qualifier")
    short = name.rsplit(":function:", 1)[-1]
    return [_arn(call, "lambda", f"function:{short}" + (f":{qualifier}" if qualifier else ""))]


def _cloudwatch(call: Call) -> Resources:
    if call.operation == "PutMetricAlarm" and (name := _text(call, "AlarmName")):
        return [_arn(call, "cloudwatch", f"alarm:{name}")]
    if call.operation in ("DescribeAlarms", "DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions"):
        names = call.params.get("AlarmNames")
        if isinstance(names, list) and names:
            return [_arn(call, "cloudwatch", f"alarm:{name}") for name in names]
        if call.operation == "DescribeAlarms":
            return [_arn(call, "cloudwatch", "alarm:*")]
    if named := _text(call, "ResourceARN"):
        return [named]
    return ["*"]


def _events(call: Call) -> Resources:
    if named := _text(call, "ResourceARN"):
        return [named]
    if call.operation == "PutEvents":
        buses = {str(entry.get("EventBusName") or "default") for entry in call.params.get("Entries") or ()}
        return [bus if bus.startswith("arn:") else _arn(call, "events", f"event-bus/{bus}") for bus in sorted(buses)]
    name = _text(call, "Rule", "Name")
    if name is None or not re.search("Rule|Target", call.operation):
        return ["*"]
    bus = _text(call, "EventBusName") or "default"
    rule = name if bus == "default" else f"{bus.rsplit('/', 1)[-1]}/{name}"
    return [_arn(call, "events", f"rule/{rule}")]


def _kms(call: Call) -> Resources:
    named = _text(call, "KeyId", "TargetKeyId")
    if named is None:
        return ["*"]
    return [named if named.startswith("arn:") else _arn(call, "kms", f"key/{named}")]


def _iam(call: Call) -> Resources:
    account = call.principal.account_id
    if named := _text(call, "PolicySourceArn"):
        return [named]
    for member, kind in (
        ("RoleName", "role"), ("UserName", "user"), ("GroupName", "group"), ("InstanceProfileName", "instance-profile"),
    ):  # fmt: skip
        if name := _text(call, member):
            return [f"arn:aws:iam::{account}:{kind}/{name}"]
    if named := _text(call, "PolicyArn"):
        return [named]
    if (name := _text(call, "PolicyName")) and call.operation == "CreatePolicy":
        return [f"arn:aws:iam::{account}:policy/{name}"]
    return ["*"]


def _ecr(call: Call) -> Resources:
    name = _text(call, "repositoryName")
    registry = _text(call, "registryId") or call.principal.account_id
    return [arn("ecr", call.region, registry, f"repository/{name}")] if name else ["*"]


_SERVICES: dict[str, Callable[[Call], Resources]] = {
    "sagemaker": _sagemaker,
    "sagemaker-runtime": _sagemaker,
    "glue": _glue,
    "databrew": _databrew,
    "stepfunctions": _states,
    "logs": _logs,
    "sns": _sns,
    "sqs": _sqs,
    "lambda": _lambda,
    "cloudwatch": _cloudwatch,
    "events": _events,
    "kms": _kms,
    "iam": _iam,
    "ecr": _ecr,
    "servicequotas": lambda call: ["*"],
    "sts": lambda call: [_text(call, "RoleArn") or "*"],
}


def resources(call: Call) -> Resources:
    """List the ARNs of the resources that a call uses; all of them have to be allowed."""
    found: Any = _SERVICES.get(call.service)
    return found(call) if found is not None else [call.resource]
