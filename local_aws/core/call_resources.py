"""The ARN of the resource that a call touches, for the call log and for fault rules.

One resource a call, as far as the request names it; what IAM checks is in
`local_aws.iam.permissions`. Must not import moto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: IAM action prefixes that are not the botocore service name.
ACTION_PREFIX = {
    "stepfunctions": "states",
    "sagemaker-runtime": "sagemaker",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
}

#: How the ARN of the touched resource is built: the first member present in the request decides.
_RESOURCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "glue": (("JobName", "job/{}"), ("Name", "job/{}")),
    "sagemaker": (
        ("TrainingJobName", "training-job/{}"),
        ("ProcessingJobName", "processing-job/{}"),
        ("TransformJobName", "transform-job/{}"),
        ("EndpointName", "endpoint/{}"),
        ("EndpointConfigName", "endpoint-config/{}"),
        ("ModelPackageGroupName", "model-package-group/{}"),
        ("ModelPackageName", "model-package/{}"),
        ("ModelName", "model/{}"),
    ),
    "sagemaker-runtime": (("EndpointName", "endpoint/{}"),),
    "lambda": (("FunctionName", "function:{}"),),
    "logs": (("logGroupName", "log-group:{}:*"), ("logGroupIdentifier", "log-group:{}:*")),
    "cloudformation": (("StackName", "stack/{}/*"),),
    "stepfunctions": (("name", "stateMachine:{}"),),
    "sns": (("Name", "{}"),),
    "sqs": (("QueueName", "{}"),),
    "cloudwatch": (("AlarmName", "alarm:{}"), ("AlarmNames", "alarm:{}")),
    "events": (("RuleName", "rule/{}"), ("Name", "rule/{}"), ("Rule", "rule/{}")),
    "iam": (
        ("RoleName", "role/{}"),
        ("PolicyName", "policy/{}"),
        ("UserName", "user/{}"),
        ("InstanceProfileName", "instance-profile/{}"),
    ),
    "kms": (("KeyId", "key/{}"),),
}


def resource_arn(service: str, operation: str, params: Mapping[str, Any], region: str, account: str) -> str:
    """Return the ARN of the resource that a call touches, ``*`` if it names none.

    :param service: botocore service name.
    :param operation: API operation name.
    :param params: the request's members.
    :param region: region the request was signed for.
    :param account: twelve digits.
    """
    if service == "s3":
        bucket, key = params.get("Bucket"), params.get("Key")
        if not bucket:
            return "*"
        return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    if service == "sts":
        return str(params.get("RoleArn") or "*")
    if service == "databrew":
        return _databrew_arn(operation, params, region, account)
    for key, value in params.items():
        if isinstance(value, str) and value.startswith("arn:") and "role" not in key.lower():
            return value
    for member, template in _RESOURCES.get(service, ()):
        value = params.get(member)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value:
            name = template.format(value)
            if service == "iam":
                return f"arn:aws:iam::{account}:{name}"
            return f"arn:aws:{ACTION_PREFIX.get(service, service)}:{region}:{account}:{name}"
    return "*"


def _databrew_arn(operation: str, params: Mapping[str, Any], region: str, account: str) -> str:
    kinds = (
        ("Job", "job"),
        ("Recipe", "recipe"),
        ("Dataset", "dataset"),
        ("Ruleset", "ruleset"),
        ("Schedule", "schedule"),
    )
    if isinstance(params.get("ResourceArn"), str):
        return str(params["ResourceArn"])
    name = params.get("name") or params.get("Name") or params.get("JobName")
    # Creating calls have no resource type (Service Authorization Reference): only a policy on
    # everything allows them.
    if not isinstance(name, str) or operation.startswith("Create"):
        return "*"
    kind = next((noun for word, noun in kinds if word in operation), "project")
    return f"arn:aws:databrew:{region}:{account}:{kind}/{name}"
