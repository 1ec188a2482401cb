"""Roles that runs work with: whether the service may assume one and pull the run's image with it, and its keys.

Every call a run makes carries its role's keys, so that whoever enforces IAM in front of the server
sees the right principal.
"""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.core import authorisation
from local_aws.iam.permissions.images import repository_arn
from local_aws.iam.trust import role_problem

__all__ = ["SERVICE_PRINCIPALS", "Credentials", "assume_role", "image_problem", "role_problem"]

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


@dataclass(frozen=True)
class Credentials:
    """Temporary keys of an assumed role."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    role_arn: str

    def environment(self) -> dict[str, str]:
        """The keys as the environment variables that every AWS SDK reads."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


def assume_role(role_arn: str, session_name: str, region: str, duration_seconds: int = 43_200) -> Credentials:
    """Take temporary keys of a role, as a service does.

    Parameters
    ----------
    role_arn:
        ARN of a role for which `role_problem` had nothing to say.
    session_name:
        Name of the session; the calls show up as ``assumed-role/<role>/<session>``.
    region:
        Region of the run.
    duration_seconds:
        How long the keys are good for.
    """
    from moto.sts.models import sts_backends
    from moto.utilities.utils import get_partition

    account_id = role_arn.split(":")[4]
    backend = sts_backends[account_id][get_partition(region)]
    assumed = backend.assume_role(
        region_name=region,
        role_session_name=session_name[:64],
        role_arn=role_arn,
        policy=None,
        duration=duration_seconds,
        external_id=None,
    )
    return Credentials(assumed.access_key_id, assumed.secret_access_key, assumed.session_token, role_arn)


def image_problem(role_arn: str, session_name: str, image: str) -> str | None:
    """Why a role may not pull an image from Amazon ECR, in one sentence; None if it may, or the image lies elsewhere.

    SageMaker pulls with the role of the job or model:
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html.

    Parameters
    ----------
    role_arn, session_name:
        Whose permissions count.
    image:
        For example ``683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1``.
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
