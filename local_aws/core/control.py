"""Control endpoints below ``/_local/``: how tests steer local_aws without going through an AWS API.

Exists as a seam: a service registers a handler for its own prefix and the front serves it. Must not
import moto.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

#: ``handler(method, path, query, body) -> (HTTP status, JSON-serialisable answer)``; ``path`` is
#: what follows the prefix.
ControlHandler = Callable[[str, str, Mapping[str, str], Any], tuple[int, Any]]

_lock = threading.Lock()
_handlers: dict[str, ControlHandler] = {}


def register(prefix: str, handler: ControlHandler) -> None:
    """Serve ``/_local/<prefix>[/…]`` with ``handler``.

    :param prefix: first path segment below ``/_local/``, for example ``sagemaker``.
    :param handler: called with method, remaining path (no leading slash), query and parsed JSON
        body (``None`` if empty).
    :raises ValueError: the prefix contains a slash or is empty.
    """
    if not prefix or "/" in prefix:
        raise ValueError(f"Control prefix {prefix!r} must be a single non-empty path segment.")
    with _lock:
        _handlers[prefix] = handler


def find(path: str) -> tuple[ControlHandler, str] | None:
    """The handler and remaining path for ``path`` (what follows ``/_local/``), or ``None``."""
    prefix, _, rest = path.partition("/")
    with _lock:
        handler = _handlers.get(prefix)
    return None if handler is None else (handler, rest)


def prefixes() -> list[str]:
    """The registered prefixes, sorted."""
    with _lock:
        return sorted(_handlers)
