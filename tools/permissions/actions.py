"""Find the IAM actions that a boto3 call or a state of the state machine needs.

Must not import Airflow, boto3 (botocore's models are enough) or local_aws.

Sources: Service Authorization Reference; the "IAM policies" sections of
https://docs.aws.amazon.com/step-functions/latest/dg/connect-databrew.html, connect-glue.html,
connect-sagemaker.html.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name

# What an integration needs in addition to the call that its resource names.
SYNC_ACTIONS = {
    "databrew:startJobRun": {"databrew:ListJobRuns", "databrew:StopJobRun"},
    "glue:startJobRun": {"glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"},
    "sagemaker:createTrainingJob": {
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
        "sagemaker:AddTags",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    },
    "sagemaker:createProcessingJob": {
        "sagemaker:DescribeProcessingJob",
        "sagemaker:StopProcessingJob",
        "sagemaker:AddTags",
        "events:PutTargets",
        "events:PutRule",
        "events:DescribeRule",
    },
}
# Not in AWS's lists for the integrations: what their pollers call, or what SageMaker checks for its
# caller.
POLLED = {
    "databrew:startJobRun": {"databrew:DescribeJobRun"},
    "sagemaker:createTrainingJob": {"sagemaker:ListTags"},
    "sagemaker:createProcessingJob": {"sagemaker:ListTags"},
    "sagemaker:updateEndpoint": {"cloudwatch:DescribeAlarms"},
}
PREFIXES = {"stepfunctions": "states", "service-quotas": "servicequotas"}
S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
}
SQS_ACTIONS = {"DeleteMessageBatch": "DeleteMessage"}
CLIENTS = (
    "databrew",
    "glue",
    "stepfunctions",
    "sagemaker",
    "sagemaker-runtime",
    "s3",
    "logs",
    "iam",
    "sts",
    "sns",
    "sqs",
    "cloudwatch",
    "cloudformation",
    "service-quotas",
)
# Everybody may call these.
FREE = {"sts:GetCallerIdentity"}


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action of an operation.

    :param service: Name of the boto3 client.
    :param operation: Its name in the API, e.g. ``ListObjectsV2``.
    """
    renamed = {"s3": S3_ACTIONS, "sqs": SQS_ACTIONS}.get(service, {})
    operation = renamed.get(operation, operation)
    return f"{PREFIXES.get(service, service).removesuffix('-runtime')}:{operation}"


def state_actions(state: Mapping[str, Any]) -> set[str]:
    """Return the actions that a state of the state machine needs; only Task states need any.

    :param state: The state, in Amazon States Language.
    """
    if state["Type"] != "Task":
        return set()
    integration = state["Resource"].removeprefix("arn:aws:states:::").removeprefix("aws-sdk:")
    call, _, pattern = integration.partition(".")
    service, action = call.split(":")
    wanted = {iam_action(service, action[0].upper() + action[1:])}
    if pattern == "sync":
        wanted |= SYNC_ACTIONS[call]
    parameters = state.get("Parameters", {})
    if "Tags.$" in parameters:
        wanted.add(f"{service}:AddTags")
    if any(key in parameters for key in ("RoleArn.$", "ExecutionRoleArn.$")):
        wanted.add("iam:PassRole")
    return wanted


@cache
def operations() -> Mapping[str, Mapping[str, str]]:
    """Return boto3's methods, each with the API's name of its operation by client."""
    session = botocore.session.get_session()
    found: dict[str, dict[str, str]] = {}
    for service in CLIENTS:
        for operation in session.get_service_model(service).operation_names:
            found.setdefault(xform_name(operation), {})[service] = operation
    return found


def declared_clients(text: str) -> set[str]:
    """Return the clients that a module creates.

    :param text: Source of the module.
    """
    return set(
        re.findall(r"""(?:service\b[^=\n]*=\s*|client\(\s*|client_type\s*=\s*|ProbeHook\()["']([a-z-]+)["']""", text)
    )


def calls(tree: ast.AST, text: str) -> Iterator[dict[str, str]]:
    """Yield the operations that code calls, each as the operation by every client it may mean.

    :param tree: The code.
    :param text: Source of its module, which says what clients there are.
    """
    known = operations()
    declared = declared_clients(text)
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Attribute) and node.attr in known:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            name = node.attr if owner in ("conn", "client", "s3") else None
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get_paginator", "get_waiter")
            and isinstance(node.args[0], ast.Constant)
        ):
            name = str(node.args[0].value)
        if name in known:
            candidates = known[str(name)]
            narrowed = {service: operation for service, operation in candidates.items() if service in declared}
            yield narrowed or dict(candidates)
