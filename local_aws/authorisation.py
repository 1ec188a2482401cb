"""The seam for IAM: one decision per call, made before the call reaches its service.

Today every call is allowed; enforcement replaces ``authorise`` through ``set_authoriser``. Must not import moto.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local_aws.call_identity import Call


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a call is refused; ``message`` is worded as AWS does."""

    message: str


Authoriser = Callable[[Call], Denial | None]


def allow_all(call: Call) -> Denial | None:
    """Allow every call: the default while policies are not enforced."""
    return None


_authoriser: Authoriser = allow_all


def set_authoriser(authoriser: Authoriser) -> None:
    """Decide with ``authoriser`` from now on; ``allow_all`` switches enforcement off."""
    global _authoriser
    _authoriser = authoriser


def authorise(call: Call) -> Denial | None:
    """``None`` if ``call.principal`` may do ``call.action`` on ``call.resource``, otherwise the reason."""
    return _authoriser(call)
