"""Roles that a call hands to a service: the caller needs ``iam:PassRole`` for each.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html. Must not import
moto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.core.call_identity import Call
from local_aws.iam.permissions.model import Permission

#: Service → operations and the path of the member with the role; ``*`` means every operation that
#: has the member.
_ROLE_MEMBERS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "stepfunctions": (("CreateStateMachine", ("roleArn",)), ("UpdateStateMachine", ("roleArn",))),
    "databrew": (("*", ("RoleArn",)),),
    "glue": (
        ("CreateJob", ("Role",)),
        ("UpdateJob", ("JobUpdate", "Role")),
        ("CreateCrawler", ("Role",)),
        ("UpdateCrawler", ("Role",)),
        ("CreateSession", ("Role",)),
        ("CreateMLTransform", ("Role",)),
        ("CreateDevEndpoint", ("RoleArn",)),
    ),
    "sagemaker": (("*", ("RoleArn",)), ("*", ("ExecutionRoleArn",))),
    "lambda": (("CreateFunction", ("Role",)), ("UpdateFunctionConfiguration", ("Role",))),
    "events": (("PutTargets", ("Targets", "RoleArn")), ("PutRule", ("RoleArn",))),
    "scheduler": (("*", ("Target", "RoleArn")),),
    "cloudformation": (("*", ("RoleARN",)),),
    "firehose": (("*", ("ExtendedS3DestinationConfiguration", "RoleARN")),),
}
_SERVICE_PRINCIPALS = {"stepfunctions": "states.amazonaws.com"}


def passed_roles(call: Call) -> Iterator[Permission]:
    """Yield one ``iam:PassRole`` for every role that the call hands to a service."""
    service = _SERVICE_PRINCIPALS.get(call.service, f"{call.service}.amazonaws.com")
    seen = set()
    for operation, path in _ROLE_MEMBERS.get(call.service, ()):
        if operation not in ("*", call.operation):
            continue
        for role in _values(call.params, path):
            if role in seen:
                continue
            seen.add(role)
            resource = role if role.startswith("arn:") else f"arn:aws:iam::{call.principal.account_id}:role/{role}"
            yield Permission("iam:PassRole", resource, {"iam:passedtoservice": (service,)})


def _values(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _values(entry, path)
    elif not path:
        if isinstance(value, str) and value:
            yield value
    elif isinstance(value, dict):
        yield from _values(value.get(path[0]), path[1:])
