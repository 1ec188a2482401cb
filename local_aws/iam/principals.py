"""Who a principal is and which policies it has, as moto stores them.

Of the AWS-managed policies, those that are attached or named as a boundary count.
"""

from __future__ import annotations

import datetime
import json
import re
from functools import lru_cache
from typing import Any

from local_aws.core.call_identity import Principal
from local_aws.iam.evaluation import Identity
from local_aws.iam.policy_documents import Policy, PolicyDocumentError, parse

_TEMPORARY_OR_USER_KEY = re.compile(r"A[KS]IA[A-Z0-9]{16}")
_AWS_MANAGED = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(?:.*/)?([^/]+)")


class CredentialProblem(Exception):  # noqa: N818 - a response for the caller, in AWS's words
    """The access key is not accepted.

    :param code: AWS's error code.
    :param message: AWS's message.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def identity_of(principal: Principal) -> Identity:
    """Return the identity to which the access key of a call belongs.

    :raises CredentialProblem: a key in AWS's own form belongs to nobody, is inactive or has
        expired.
    """
    key = principal.access_key_id
    if key is None:
        return Identity("anonymous", "anonymous", "")
    if principal.role_arn is not None:
        if _has_expired(principal):
            raise CredentialProblem("ExpiredToken", "The security token included in the request is expired")
        return Identity("role", principal.arn, principal.account_id, principal.role_arn)
    if principal.arn.endswith(":root"):
        if _TEMPORARY_OR_USER_KEY.fullmatch(key):
            raise CredentialProblem("InvalidClientTokenId", "The security token included in the request is invalid.")
        return Identity("root", principal.arn, principal.account_id)
    if _is_inactive(principal):
        raise CredentialProblem("InvalidClientTokenId", "The security token included in the request is invalid.")
    return Identity("user", principal.arn, principal.account_id)


def _session_of(principal: Principal) -> Any | None:
    """Return what moto stores of an assumed role's session, None if it does not exist."""
    from moto.sts.models import sts_backends

    for backend in list(sts_backends[principal.account_id].values()):
        for session in reversed(backend.assumed_roles):
            if session.access_key_id == principal.access_key_id:
                return session
    return None


def _has_expired(principal: Principal) -> bool:
    session = _session_of(principal)
    if session is None:
        return False
    expiration: datetime.datetime = session.expiration
    now = datetime.datetime.now(datetime.UTC)
    return expiration < (now if expiration.tzinfo else now.replace(tzinfo=None))


def _is_inactive(principal: Principal) -> bool:
    user = find_user(principal.arn)
    keys = [] if user is None else user.access_keys
    return any(key.access_key_id == principal.access_key_id and key.status != "Active" for key in keys)


def _backend(arn: str) -> Any:
    from moto.iam.models import iam_backends

    _, partition, _, _, account, _ = arn.split(":", 5)
    return iam_backends[account][partition]


def find_role(role_arn: str) -> Any | None:
    """Return moto's role, None if it does not exist or the text is not the ARN of a role."""
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", role_arn):
        return None
    return next((role for role in list(_backend(role_arn).roles.values()) if role.arn == role_arn), None)


def find_user(user_arn: str) -> Any | None:
    """Return moto's user, None if it does not exist."""
    return next((user for user in list(_backend(user_arn).users.values()) if user.arn == user_arn), None)


def identity_policies(identity: Identity) -> tuple[Policy, ...]:
    """Return the inline and attached policies of a user (with its groups) or a session's role.

    :raises PolicyDocumentError: one of them cannot be read.
    """
    if identity.kind == "role" and identity.role_arn:
        role = find_role(identity.role_arn)
        return () if role is None else tuple(_policies(role))
    if identity.kind == "user":
        user = find_user(identity.arn)
        if user is None:
            return ()
        groups = [group for group in list(_backend(identity.arn).groups.values()) if user in group.users]
        return (*_policies(user), *(policy for group in groups for policy in _policies(group)))
    return ()


def _policies(owner: Any) -> list[Policy]:
    inline = [parse(document, name) for name, document in list(owner.policies.items())]
    attached = [parse(_document(policy), arn) for arn, policy in list(owner.managed_policies.items())]
    return [*inline, *attached]


def _document(managed_policy: Any) -> str:
    return str(next(version.document for version in managed_policy.versions if version.is_default))


def permissions_boundary(identity: Identity) -> Policy | None:
    """Return the permissions boundary of a role; moto stores none for users.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html.

    :raises PolicyDocumentError: the boundary does not exist or cannot be read; then nothing is
        allowed.
    """
    if identity.kind != "role" or not identity.role_arn:
        return None
    role = find_role(identity.role_arn)
    arn = role.permissions_boundary_arn if role is not None else None
    if not arn:
        return None
    found = _backend(identity.role_arn).managed_policies.get(arn)
    document = _document(found) if found is not None else _aws_managed_document(arn)
    if document is None:
        raise PolicyDocumentError(f"The permissions boundary {arn} of {identity.role_arn} does not exist.")
    return parse(document, arn)


def session_policy(principal: Principal) -> Policy | None:
    """Return the inline policy that AssumeRole gave a session, None without one.

    See https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
    """
    if principal.role_arn is None:
        return None
    session = _session_of(principal)
    return parse(session.policy, "session policy") if session is not None and session.policy else None


@lru_cache(maxsize=64)
def _aws_managed_document(arn: str) -> str | None:
    match = _AWS_MANAGED.fullmatch(arn)
    if match is None:
        return None
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    data = json.loads(aws_managed_policies_data).get(match[1])
    return None if data is None else json.dumps(data["Document"])
