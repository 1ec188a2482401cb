"""Roles that runs work with: which service assumes them, and whether they may pull the run's image.

Every call that a run makes carries its role's keys (`local_aws.core.clients.assume_role`), so that
IAM sees the right principal.
"""

from __future__ import annotations

from local_aws.core import authorisation
from local_aws.iam.permissions.images import repository_arn
from local_aws.iam.trust import role_problem

__all__ = ["SERVICE_PRINCIPALS", "image_problem", "role_problem"]

#: Whose principal assumes the role of a run, by `RunPlan.service`.
SERVICE_PRINCIPALS = {
    "databrew": "databrew.amazonaws.com",
    "glue": "glue.amazonaws.com",
    "training": "sagemaker.amazonaws.com",
    "processing": "sagemaker.amazonaws.com",
    "serving": "sagemaker.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
}
_PULL_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def image_problem(role_arn: str, session_name: str, image: str) -> str | None:
    """Return why a role may not pull an image from Amazon ECR; None if it may, or for other images.

    SageMaker pulls with the role of the job or model:
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html.

    :param role_arn: the role of the job or model.
    :param session_name: session name in the caller's ARN.
    :param image: for example
        ``683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1``.
    """
    repository = repository_arn(image)
    if repository is None:
        return None
    needed = [("ecr:GetAuthorizationToken", "*"), *((action, repository) for action in _PULL_ACTIONS)]
    for action, resource in needed:
        denial = authorisation.role_may(role_arn, session_name, action, resource)
        if denial is not None:
            registry, name = repository.split(":")[4], repository.split(":repository/")[1]
            return (
                f"Access denied for registry: {registry}, repository: {name}. Please check if your ECR image exists and"
                f" has proper pull permissions for SageMaker. ({denial.message})"
            )
    return None
