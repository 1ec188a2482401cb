"""IAM roles, read only: do those that a pipeline passes on exist, and who may assume them.

Source: AWS Identity and Access Management API reference.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class IamRoleHook(AwsClientHook):
    """IAM roles."""

    service = "iam"

    def trust_policy(self, role_name: str) -> dict[str, Any] | None:
        """Return a role's decoded trust policy, or ``None`` if the role does not exist."""
        with self.errors(f"role {role_name!r}"):
            try:
                policy: dict[str, Any] = self.conn.get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
            except ClientError as error:
                if error_code(error) in ("NoSuchEntity", "NoSuchEntityException"):
                    return None
                raise
        return policy
