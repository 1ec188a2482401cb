"""Tasks that wait for a callback, by their token.

See https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token.
Must not import moto.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Callback:
    """What a worker says about its task.

    :param kind: the operation: SendTaskSuccess, SendTaskFailure or SendTaskHeartbeat.
    :param output: result of a success.
    :param error: error name of a failure.
    :param cause: cause of a failure.
    """

    kind: Literal["success", "failure", "heartbeat"]
    output: Any = None
    error: str | None = None
    cause: str | None = None


class TaskTokens:
    """The waiting tasks of a process, in every account and region."""

    def __init__(self) -> None:
        self._queues: dict[str, queue.Queue[Callback]] = {}
        self._lock = threading.Lock()

    def open(self, token: str) -> queue.Queue[Callback]:
        """Expect callbacks for a token.

        :returns: where they arrive.
        """
        with self._lock:
            return self._queues.setdefault(token, queue.Queue())

    def close(self, token: str) -> None:
        """Expect no more callbacks for a token."""
        with self._lock:
            self._queues.pop(token, None)

    def send(self, token: str, callback: Callback) -> bool:
        """Deliver a callback.

        :returns: False if no task waits for the token.
        """
        with self._lock:
            waiting = self._queues.get(token)
        if waiting is None:
            return False
        waiting.put(callback)
        return True
