"""Word that stored state has changed, from whoever changes it to whoever saves it.

Exists so that a job that ends by itself, without any API call, is saved too. Must not import moto.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_lock = threading.Lock()
_listeners: list[Callable[[], None]] = []


def subscribe(listener: Callable[[], None]) -> Callable[[], None]:
    """Call ``listener`` at every change; answers a function that ends this."""
    with _lock:
        _listeners.append(listener)

    def unsubscribe() -> None:
        with _lock:
            if listener in _listeners:
                _listeners.remove(listener)

    return unsubscribe


def notify() -> None:
    """Say that something that ``--state-dir`` keeps has changed."""
    for listener in tuple(_listeners):
        listener()
