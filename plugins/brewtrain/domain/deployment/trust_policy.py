"""Whether a role's trust policy lets an AWS service assume the role.

Must not import Airflow or boto3. Conditions are not evaluated, since they speak of a caller who is
not known yet.

Source: IAM User Guide, "IAM JSON policy elements: Principal" and "Policy evaluation logic".
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any


def allows_service(policy: Mapping[str, Any], service: str) -> bool:
    """Return whether the policy allows ``sts:AssumeRole`` to the service.

    :param policy: The decoded ``AssumeRolePolicyDocument``.
    :param service: Service principal without domain, e.g. ``glue``.
    """
    allowed = False
    for statement in _listed(policy.get("Statement")):
        if not isinstance(statement, Mapping) or not _names_action(statement) or not _names_service(statement, service):
            continue
        if statement.get("Effect") == "Deny" and not statement.get("Condition"):
            return False
        allowed = allowed or statement.get("Effect") == "Allow"
    return allowed


def _names_action(statement: Mapping[str, Any]) -> bool:
    return any(fnmatchcase("sts:assumerole", str(action).lower()) for action in _listed(statement.get("Action")))


def _names_service(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    return any(str(name).split(".")[0] == service for name in _listed(principal.get("Service"))) or "*" in _listed(
        principal.get("AWS")
    )


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
