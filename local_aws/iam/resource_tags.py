"""Tags of resources for ``aws:ResourceTag/…``: each service of local_aws says how its own are found.

Exists as a seam: IAM knows no service. Must not import moto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Lookup = Callable[[str], Mapping[str, str]]

_lookups: dict[str, Lookup] = {}


def register(prefix: str, look_up: Lookup) -> None:
    """Ask ``look_up(arn)`` for the tags of resources whose ARN names the service ``prefix``."""
    _lookups[prefix] = look_up


def tags_of(arn: str) -> Mapping[str, str]:
    """The tags of a resource; empty for one without, one that does not exist, and services that registered nothing."""
    parts = arn.split(":", 3)
    look_up = _lookups.get(parts[2]) if len(parts) == 4 else None
    return look_up(arn) if look_up is not None else {}
