"""Container images in Amazon ECR, which SageMaker reads with the caller's or a role's permissions.

See https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html. Must not import moto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local_aws.core.call_identity import Call
from local_aws.iam.permissions.model import Permission, arn

_IMAGE = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
)


def repository_arn(image: str) -> str | None:
    """Return the ARN of the ECR repository of an image, None for an image outside ECR.

    :param image: for example
        ``683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1``.
    """
    match = _IMAGE.match(image)
    return arn("ecr", match["region"], match["registry"], f"repository/{match['repository']}") if match else None


def looked_at(call: Call) -> Iterator[Permission]:
    """Yield what CreateModelPackage asks of ECR in its caller's name.

    See the managed policy AmazonSageMakerModelRegistryFullAccess:
    https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-model-registry.html.
    """
    if call.service != "sagemaker" or call.operation != "CreateModelPackage":
        return
    specification: Any = call.params.get("InferenceSpecification")
    containers = specification.get("Containers") if isinstance(specification, dict) else None
    for container in containers or ():
        repository = repository_arn(str(container.get("Image") or ""))
        if repository is not None:
            yield Permission("ecr:BatchGetImage", repository)
            yield Permission("ecr:DescribeImages", repository)
