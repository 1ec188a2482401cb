"""Every change to moto's own objects, in one place and in order.

Each patch asserts that what it replaces is still there, names the moto behaviour it mends and says when it can go. Each
has a contract test in tests/functional/local_aws/test_compat.py.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

#: The only version these patches were checked against.
MOTO_VERSION = "5.2.5"

_applied = False


class MotoIncompatibleError(RuntimeError):
    """The installed moto is not the one local_aws was written against."""


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        where = getattr(owner, "__name__", owner)
        raise MotoIncompatibleError(
            f"moto {version('moto')} has no {where}.{name}, which local_aws extends; install moto=={MOTO_VERSION}."
        ) from None


def apply_patches() -> None:
    """Apply every patch once per process, before the first request.

    :raises MotoIncompatibleError: another moto version is installed, or an attribute that is patched is gone.
    """
    global _applied
    if _applied:
        return
    installed = version("moto")
    if installed != MOTO_VERSION:
        raise MotoIncompatibleError(
            f"local_aws extends moto {MOTO_VERSION} but {installed} is installed; install moto=={MOTO_VERSION}."
        )
    _applied = True
