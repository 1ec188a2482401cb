"""The seam for IAM: one decision per call, made before the call reaches its service.

By default every call is allowed; ``local_aws.iam.enforcement`` replaces both decisions through
``set_authoriser``. Must not import moto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from local_aws.core.call_identity import Call


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a call is refused.

    :param message: in AWS's words.
    :param code: the service's error code; empty for the usual one of the call's protocol.
    :param status: HTTP status.
    """

    message: str
    code: str = ""
    status: int = 403


#: Resources that the call being served must not touch: DeleteObjects is decided key by key.
refused_resources: ContextVar[frozenset[str]] = ContextVar("refused_resources", default=frozenset())

Authoriser = Callable[[Call], Denial | None]
#: ``(role ARN, session name, action, resource, condition keys) -> Denial | None``
RoleCheck = Callable[[str, str, str, str, Mapping[str, tuple[str, ...]]], Denial | None]


def allow_all(call: Call) -> Denial | None:
    """Allow every call: the default while policies are not enforced."""
    return None


_authoriser: Authoriser = allow_all
_role_check: RoleCheck | None = None


def set_authoriser(authoriser: Authoriser, role_check: RoleCheck | None = None) -> None:
    """Decide with ``authoriser`` from now on; ``allow_all`` switches enforcement off.

    :param authoriser: decides every call.
    :param role_check: decides what services do with a role without making a call; ``None`` allows
        it all.
    """
    global _authoriser, _role_check
    _authoriser, _role_check = authoriser, role_check


def authorise(call: Call) -> Denial | None:
    """Return why the caller may not make this call, ``None`` if it may."""
    refused_resources.set(frozenset())
    return _authoriser(call)


def is_enforced() -> bool:
    """Whether policies decide; only then do trust policies of state machines' roles count."""
    return _role_check is not None


def role_may(
    role_arn: str,
    session_name: str,
    action: str,
    resource: str = "*",
    context: Mapping[str, tuple[str, ...]] | None = None,
) -> Denial | None:
    """Return why a role may not be used for what AWS does unseen, such as pulling a job's image.

    :param role_arn: the role of the job or state machine.
    :param session_name: session name in the caller's ARN.
    :param action: IAM action.
    :param resource: ARN, or ``*``.
    :param context: condition keys in lower case → values.
    :returns: ``None`` if it may.
    """
    return None if _role_check is None else _role_check(role_arn, session_name, action, resource, context or {})
