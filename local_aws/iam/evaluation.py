"""Policy evaluation: an explicit Deny wins, something has to allow, boundaries only take away.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
Not modelled: service and resource control policies, VPC endpoint policies, managed session
policies. Must not import moto.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from local_aws.iam.conditions import holds
from local_aws.iam.policy_documents import Policy, Principals, Statement
from local_aws.iam.wildcards import Context, arn_matches, matches

PolicyType = Literal[
    "identity-based policy",
    "resource-based policy",
    "permissions boundary",
    "session policy",
    "role trust policy",
    "account root",
]
#: How a resource policy names a principal, strongest first.
_Grant = Literal["direct", "role", "account"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a request.

    :param kind: ``root``, ``user``, ``role`` (an assumed role's session), ``service`` or
        ``anonymous``.
    :param arn: ARN; of a service its name, such as ``glue.amazonaws.com``.
    :param account_id: the account.
    :param role_arn: ARN of the assumed role.
    """

    kind: Literal["root", "user", "role", "service", "anonymous"]
    arn: str
    account_id: str
    role_arn: str | None = None


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One question: whether an identity may do an action on a resource.

    :param identity: who asks.
    :param action: for example ``s3:GetObject``.
    :param resource: ARN of the resource, or ``*`` for an action without a resource type.
    :param context: condition keys in lower case → values.
    """

    identity: Identity
    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies that decide a request.

    :param identity: policies of the identity.
    :param boundary: its permissions boundary, None without one.
    :param session: policy of its session, None without one.
    :param resource: policies of the resource.
    :param resource_account_id: account of the resource; None counts as the identity's own.
    :param delegated: whether the resource's policy has to allow the account before identity
        policies count, as with KMS keys and roles.
    :param resource_type: what a policy of the resource is called in messages.
    """

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: Policy | None = None
    resource: tuple[Policy, ...] = ()
    resource_account_id: str | None = None
    delegated: bool = False
    resource_type: PolicyType = "resource-based policy"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a request and its reason.

    :param allowed: whether the identity may.
    :param explicit: whether a statement says so, not merely the absence of one.
    :param policy_type: the type of policy that decided.
    :param policy: name of the policy; None for implicit denials.
    :param sid: Sid of the statement; None for implicit denials.
    """

    allowed: bool
    explicit: bool
    policy_type: PolicyType
    policy: str | None = None
    sid: str | None = None


def evaluate(request: AccessRequest, policies: PolicySet) -> Decision:
    """Decide one request.

    :param request: the question.
    :param policies: everything that decides it.
    """
    denied = _explicit_deny(request, policies)
    if denied is not None:
        return denied
    grant, granting = _resource_grant(request, policies)
    own = request.identity
    same_account = policies.resource_account_id in (None, own.account_id)
    if own.kind in ("service", "anonymous"):
        return granting or Decision(False, False, policies.resource_type)
    identity = _identity_grant(request, policies)
    if not same_account:
        if granting is None:
            return Decision(False, False, policies.resource_type)
        return identity
    if grant == "direct" and granting is not None:
        return granting
    if grant == "role" and granting is not None:
        return _limited(request, policies) or granting
    if policies.delegated and grant is None:
        return Decision(False, False, policies.resource_type)
    return identity


def _identity_grant(request: AccessRequest, policies: PolicySet) -> Decision:
    if request.identity.kind == "root":
        return Decision(True, False, "account root")
    found = _first(request, policies.identity, allow=True)
    if found is None:
        return Decision(False, False, "identity-based policy")
    return _limited(request, policies) or Decision(True, True, "identity-based policy", *found)


def _limited(request: AccessRequest, policies: PolicySet) -> Decision | None:
    """Return the denial of a boundary or session policy that does not allow the request."""
    limits: tuple[tuple[PolicyType, Policy | None], ...] = (
        ("permissions boundary", policies.boundary),
        ("session policy", policies.session),
    )
    for kind, policy in limits:
        if policy is not None and _first(request, (policy,), allow=True) is None:
            return Decision(False, False, kind)
    return None


def _explicit_deny(request: AccessRequest, policies: PolicySet) -> Decision | None:
    groups: tuple[tuple[PolicyType, Iterable[Policy]], ...] = (
        ("identity-based policy", policies.identity),
        ("permissions boundary", (policies.boundary,) if policies.boundary else ()),
        ("session policy", (policies.session,) if policies.session else ()),
    )
    for kind, group in groups:
        found = _first(request, group, allow=False)
        if found is not None:
            return Decision(False, True, kind, *found)
    for policy in policies.resource:
        for statement in policy.statements:
            if not statement.allow and _grant_of(statement, request.identity) and _says(statement, request):
                return Decision(False, True, policies.resource_type, policy.name, statement.sid)
    return None


def _first(request: AccessRequest, policies: Iterable[Policy], *, allow: bool) -> tuple[str, str] | None:
    for policy in policies:
        for statement in policy.statements:
            if statement.allow is allow and _says(statement, request):
                return policy.name, statement.sid
    return None


def _resource_grant(request: AccessRequest, policies: PolicySet) -> tuple[_Grant | None, Decision | None]:
    best: tuple[_Grant | None, Decision | None] = (None, None)
    order: tuple[_Grant | None, ...] = ("direct", "role", "account", None)
    for policy in policies.resource:
        for statement in policy.statements:
            if not statement.allow:
                continue
            grant = _grant_of(statement, request.identity)
            if grant and order.index(grant) < order.index(best[0]) and _says(statement, request):
                best = grant, Decision(True, True, policies.resource_type, policy.name, statement.sid)
    return best


def _says(statement: Statement, request: AccessRequest) -> bool:
    """Whether action, resource and conditions of a statement fit, whoever asks."""
    if not _action_fits(statement, request.action):
        return False
    if not _resource_fits(statement, request):
        return False
    return all(holds(condition, request.context) for condition in statement.conditions)


def _action_fits(statement: Statement, action: str) -> bool:
    if statement.actions is not None:
        return any(matches(pattern, action, ignore_case=True) for pattern in statement.actions)
    return not any(matches(pattern, action, ignore_case=True) for pattern in statement.not_actions or ())


def _resource_fits(statement: Statement, request: AccessRequest) -> bool:
    if statement.resources is not None:
        return any(arn_matches(pattern, request.resource, request.context) for pattern in statement.resources)
    if statement.not_resources is not None:
        return not any(arn_matches(pattern, request.resource, request.context) for pattern in statement.not_resources)
    # A trust policy names no resource, because it applies to its own role.
    return True


def _grant_of(statement: Statement, identity: Identity) -> _Grant | None:
    """Say how a statement names the identity; None if it does not."""
    if statement.principals is not None:
        return _named(statement.principals, identity)
    if statement.not_principals is not None:
        return None if _named(statement.not_principals, identity) in ("direct", "role") else "direct"
    return None


def _named(principals: Principals, identity: Identity) -> _Grant | None:
    if identity.kind == "service":
        return "direct" if {identity.arn, "*"} & set(principals.of("Service")) else None
    names = principals.of("AWS")
    if "*" in names or identity.arn in names:
        return "direct"
    if identity.role_arn is not None and identity.role_arn in names:
        return "role"
    if any(_is_account(name, identity.account_id) for name in names):
        return "direct" if identity.kind == "root" else "account"
    return None


def _is_account(name: str, account_id: str) -> bool:
    return name == account_id or re.fullmatch(rf"arn:[a-z-]+:iam::{account_id}:root", name) is not None
