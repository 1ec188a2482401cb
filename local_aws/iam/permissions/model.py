"""The permission that a call needs: action, resource, and the condition keys of its service.

Must not import moto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource that has to be allowed.

    :param action: for example ``glue:StartJobRun``.
    :param resource: an ARN, or ``*`` for actions without a resource type.
    :param context: condition keys in lower case → values, beyond those of every request.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def arn(service: str, region: str, account: str, resource: str) -> str:
    """Write an ARN of the partition ``aws``."""
    return f"arn:aws:{service}:{region}:{account}:{resource}"
