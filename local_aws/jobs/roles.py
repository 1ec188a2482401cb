"""Roles that services assume: does the role exist, does it trust the service, and the temporary keys that the run
then works with.

Every call a run makes carries its role's keys, so that whoever enforces IAM in front of the server sees the right
principal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


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


def role_problem(role_arn: str, service_principal: str) -> str | None:
    """Why a service cannot assume a role.

    Parameters
    ----------
    role_arn:
        ARN of the role.
    service_principal:
        For example ``sagemaker.amazonaws.com``.

    Returns
    -------
    One sentence, or None when the role exists and its trust policy allows the service. A role without any trust
    statement is accepted:
    only a policy that says something can say no.
    """
    parts = role_arn.split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        return f"{role_arn} is not the ARN of an IAM role"
    role = _find_role(role_arn)
    if role is None:
        return f"the role {role_arn} does not exist"
    document = role.assume_role_policy_document
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except json.JSONDecodeError:
        return f"the trust policy of {role_arn} is not JSON"
    statements = policy.get("Statement", []) if isinstance(policy, dict) else []
    if isinstance(statements, dict):
        statements = [statements]
    if statements and not _trusts(statements, service_principal):
        return f"the trust policy of {role_arn} does not allow {service_principal} to assume it"
    return None


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


def _find_role(role_arn: str) -> Any | None:
    from moto.core.exceptions import ServiceException
    from moto.iam.models import iam_backends

    parts = role_arn.split(":")
    try:
        return iam_backends[parts[4]][parts[1]].get_role_by_arn(role_arn)
    except (ServiceException, KeyError):
        return None


def _trusts(statements: list[dict[str, Any]], service_principal: str) -> bool:
    allowed = False
    for statement in statements:
        actions = statement.get("Action", [])
        actions = [actions] if isinstance(actions, str) else actions
        if not any(action in ("*", "sts:*", "sts:AssumeRole") for action in actions):
            continue
        principal = statement.get("Principal", {})
        if principal == "*":
            matches = True
        else:
            services = principal.get("Service", []) if isinstance(principal, dict) else []
            services = [services] if isinstance(services, str) else services
            matches = service_principal in services or "*" in services
        if matches and statement.get("Effect") == "Deny":
            return False
        allowed = allowed or (matches and statement.get("Effect") == "Allow")
    return allowed
