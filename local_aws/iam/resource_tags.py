"""Tags of resources for ``aws:ResourceTag/…``, which the services of local_aws look up.

Exists because IAM must not import a service. Must not import moto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Lookup = Callable[[str], Mapping[str, str]]

_lookups: dict[str, Lookup] = {}


def register(prefix: str, look_up: Lookup) -> None:
    """Register how the tags of a service's resources are found.

    :param prefix: the service's name in ARNs.
    :param look_up: returns the tags of a resource, given its ARN.
    """
    _lookups[prefix] = look_up


def tags_of(arn: str) -> Mapping[str, str]:
    """Return the tags of a resource.

    They are empty for a resource that does not exist and for a service that has registered nothing.
    """
    parts = arn.split(":", 3)
    look_up = _lookups.get(parts[2]) if len(parts) == 4 else None
    return look_up(arn) if look_up is not None else {}
