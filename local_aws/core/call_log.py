"""The call log: every AWS call that was answered, for tests that check who did what and how often.

Bounded in memory. Must not import moto.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

_MAX_ENTRIES = 50_000


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One answered call.

    :param time: epoch seconds.
    :param seconds: how long the answer took.
    :param name: the request's member ``name``, which is the only place where StartExecution names
        the execution.
    """

    id: int
    time: float
    principal: str
    service: str
    operation: str
    action: str
    resource: str
    name: str | None
    status: int
    error_code: str | None
    seconds: float
    fault: str | None


class CallLog:
    """A ring buffer of the last ``max_entries`` calls; ``dropped`` counts what fell out."""

    def __init__(self, max_entries: int = _MAX_ENTRIES) -> None:
        self._entries: deque[CallRecord] = deque(maxlen=max_entries)
        self._lock = threading.Lock()
        self._next_id = 1
        self._dropped = 0

    def append(self, **values: Any) -> None:
        """Record an answered call, given as ``CallRecord``'s members but ``id`` and ``time``."""
        with self._lock:
            if len(self._entries) == self._entries.maxlen:
                self._dropped += 1
            self._entries.append(CallRecord(id=self._next_id, time=time.time(), **values))
            self._next_id += 1

    def read(
        self,
        *,
        since: float | None = None,
        since_id: int | None = None,
        service: str | None = None,
        operation: str | None = None,
    ) -> dict[str, Any]:
        """List calls, oldest first, with the last id and how many calls were dropped.

        :param since: only calls answered at or after this time, in epoch seconds.
        :param since_id: only calls with a higher id.
        :param service: only calls to this service.
        :param operation: only calls of this operation.
        """
        with self._lock:
            entries, dropped, last_id = list(self._entries), self._dropped, self._next_id - 1
        return {
            "calls": [
                asdict(entry)
                for entry in entries
                if (since is None or entry.time >= since)
                and (since_id is None or entry.id > since_id)
                and (service is None or entry.service == service)
                and (operation is None or entry.operation == operation)
            ],
            "last_id": last_id,
            "dropped": dropped,
        }

    def clear(self) -> None:
        """Forget every call; ids continue where they were."""
        with self._lock:
            self._entries.clear()
            self._dropped = 0
