"""Enforcement: every call is checked against its caller's policies before its service sees it.

``install`` plugs it into ``local_aws.core.authorisation``; without it every call is allowed.
"""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Mapping
from typing import Any

from local_aws.core import authorisation, control
from local_aws.core.authorisation import Denial
from local_aws.core.call_identity import Call
from local_aws.iam import denials, principals, resource_policies, resource_tags
from local_aws.iam.evaluation import AccessRequest, Decision, Identity, PolicySet, evaluate
from local_aws.iam.permissions import Permission, permissions_of
from local_aws.iam.policy_documents import Policy, PolicyDocumentError
from local_aws.iam.request_context import RequestContext, global_keys, principal_keys
from local_aws.iam.stored_objects import MotoObjects
from local_aws.iam.usage import PermissionUsage

#: The account of a bucket can always repair a policy that locks everybody out.
_BUCKET_POLICY_ACTIONS = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})


class Enforcer:
    """Decides calls by moto's policies and records its decisions in ``usage``."""

    def __init__(self) -> None:
        self.usage = PermissionUsage()
        self._stored = MotoObjects()

    def authorise(self, call: Call) -> Denial | None:
        """Decide whether the caller may make a call.

        :returns: None if so, otherwise the denial in AWS's words.
        """
        try:
            return self._authorise(call)
        except PolicyDocumentError as error:
            return denials.access_denied(call, f"{call.action} is denied: {error}")
        except Exception as error:  # noqa: BLE001 - a bug here must never let a call through
            traceback.print_exc()
            return denials.access_denied(call, f"{call.action} cannot be authorised: {type(error).__name__}: {error}")

    def _authorise(self, call: Call) -> Denial | None:
        try:
            identity = principals.identity_of(call.principal)
        except principals.CredentialProblem as problem:
            return denials.credential_refused(call, problem.code, str(problem))
        if identity.kind == "anonymous" and call.service != "s3":
            return denials.credential_refused(call, "MissingAuthenticationToken", "Missing Authentication Token")
        needed = permissions_of(call, self._stored)
        if not needed:
            return None
        policies = _policies(identity)
        session = principals.session_policy(call.principal)
        keys = global_keys(call, identity, datetime.datetime.now(datetime.UTC))
        refused = set()
        for permission in needed:
            request, decision = self._decide(identity, policies, session, permission, keys)
            if identity.kind != "root":
                self.usage.record(request, decision)
            if decision.allowed:
                continue
            if call.operation != "DeleteObjects":
                return denials.access_denied(call, denials.message(request, decision))
            refused.add(permission.resource)
        # The bucket reads it, reports an error for each of these keys and deletes the others.
        authorisation.refused_resources.set(frozenset(refused))
        return None

    def role_may(
        self, role_arn: str, session_name: str, action: str, resource: str, context: Mapping[str, tuple[str, ...]]
    ) -> Denial | None:
        """Decide whether a role may do what an AWS service does with it without an API call.

        :param role_arn: the role that the service has assumed.
        :param session_name: name of its session.
        :param action: for example ``events:PutRule``.
        :param resource: ARN of what it is done to.
        :param context: condition keys in lower case → values.
        :returns: None if so, otherwise the denial in AWS's words.
        """
        account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}"
        identity = Identity("role", arn, account, role_arn)
        permission = Permission(action, resource, context)
        try:
            request, decision = self._decide(identity, _policies(identity), None, permission, principal_keys(identity))
        except PolicyDocumentError as error:
            return Denial(f"{action} is denied: {error}", "AccessDeniedException", 400)
        self.usage.record(request, decision)
        if decision.allowed:
            return None
        return Denial(denials.message(request, decision), "AccessDeniedException", 400)

    @staticmethod
    def _decide(
        identity: Identity,
        own: tuple[tuple[Policy, ...], Policy | None],
        session: Policy | None,
        permission: Permission,
        keys: Mapping[str, tuple[str, ...]],
    ) -> tuple[AccessRequest, Decision]:
        resource = resource_policies.policies_of(permission.action, permission.resource)
        context = RequestContext({**keys, **permission.context}, lambda: resource_tags.tags_of(permission.resource))
        request = AccessRequest(identity, permission.action, permission.resource, context)
        if (
            identity.kind == "root"
            and permission.action in _BUCKET_POLICY_ACTIONS
            and resource.account_id == identity.account_id
        ):
            return request, Decision(True, False, "account root")
        policies = PolicySet(
            identity=own[0],
            boundary=own[1],
            session=session,
            resource=resource.policies,
            resource_account_id=resource.account_id,
            delegated=resource.delegated,
            resource_type=resource.type,
        )
        return request, evaluate(request, policies)


def _policies(identity: Identity) -> tuple[tuple[Policy, ...], Policy | None]:
    return principals.identity_policies(identity), principals.permissions_boundary(identity)


_enforcer: Enforcer | None = None


def install() -> Enforcer:
    """Enforce IAM from now on, with an empty record.

    :returns: the enforcer, with its record.
    """
    global _enforcer
    _enforcer = Enforcer()
    authorisation.set_authoriser(_enforcer.authorise, _enforcer.role_may)
    return _enforcer


def uninstall() -> None:
    """Allow everything again."""
    global _enforcer
    _enforcer = None
    authorisation.set_authoriser(authorisation.allow_all)


def handle_control(method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
    """Serve ``/_local/permissions``: GET shows mode and decisions, DELETE clears the record.

    :param method: HTTP method.
    :param path: unused.
    :param query: unused.
    :param body: unused.
    :returns: HTTP status and body.
    """
    if _enforcer is None:
        return 200, {"mode": "allow", "permissions": [], "denied": [], "dropped": 0}
    if method == "DELETE":
        _enforcer.usage.clear()
        return 200, {"cleared": True}
    if method != "GET":
        return 405, {"message": f"/_local/permissions supports GET and DELETE, not {method}."}
    return 200, {"mode": "enforce", **_enforcer.usage.read()}


def register() -> None:
    """Add ``/_local/permissions`` to the control endpoints."""
    control.register("permissions", handle_control)
