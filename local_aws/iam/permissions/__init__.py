"""What a call needs: every action, resource and condition key that AWS checks for it.

tests/unit/local_aws/test_iam_permissions.py compares it with
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html.
Must not import moto.
"""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.core.call_identity import Call
from local_aws.iam.permissions import images, passed_roles, resources, s3, tags
from local_aws.iam.permissions.model import Permission

__all__ = ["Permission", "permissions_of"]

#: Allowed for everybody with valid credentials.
_FREE = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
_CREATING = ("Create", "Register", "PutRule", "PutMetricAlarm")


def permissions_of(call: Call, stored: s3.StoredObjects) -> list[Permission]:
    """List everything that has to be allowed for a call, in the order in which AWS checks it.

    :param call: the identified call.
    :param stored: what S3 holds, for permissions that depend on it.
    """
    if call.action in _FREE:
        return []
    if call.service == "s3":
        return list(s3.permissions(call, stored))
    return list(_permissions(call))


def _permissions(call: Call) -> Iterator[Permission]:
    tag_context = tags.context(call)
    context = {**tag_context, **_service_context(call)}
    touched = resources.resources(call)
    for resource in touched:
        yield Permission(call.action, resource, context)
    prefix = call.action.partition(":")[0]
    tagging = tags.TAGGING_ACTIONS.get(prefix)
    if tagging and tag_context and call.operation.startswith(_CREATING):
        target = resources.databrew_created(call) if prefix == "databrew" else touched[0]
        yield Permission(tagging, target or "*", tag_context)
    if call.service == "stepfunctions" and call.params.get("publish") is True:
        yield Permission("states:PublishStateMachineVersion", touched[0])
    yield from passed_roles.passed_roles(call)
    yield from images.looked_at(call)


def _service_context(call: Call) -> dict[str, tuple[str, ...]]:
    if call.service == "stepfunctions":
        qualifier = resources.states_qualifier(call)
        return {"states:statemachinequalifier": (qualifier,)} if qualifier else {}
    if call.service == "cloudwatch" and call.operation == "PutMetricData":
        namespace = call.params.get("Namespace")
        return {"cloudwatch:namespace": (str(namespace),)} if namespace else {}
    if call.service == "sts":
        names = {"ExternalId": "sts:externalid", "RoleSessionName": "sts:rolesessionname"}
        return {key: (str(call.params[name]),) for name, key in names.items() if call.params.get(name)}
    return {}
