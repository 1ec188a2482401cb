"""The event history of an execution: the record of everything that happened in it.

See https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html. Must not
import moto or boto3.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from typing import Any

from local_aws.states.cancellation import Cancelled

#: The quota of events per execution; a redrive needs room for two more.
MAX_EVENTS = 25_000
MAX_EVENTS_FOR_REDRIVE = 24_999


class Trail:
    """Where a branch stands in the history: the id of its latest event, 0 before the first."""

    __slots__ = ("last_id",)

    def __init__(self, last_id: int = 0) -> None:
        self.last_id = last_id


class History:
    """The events of one execution; they can only be added to.

    Those of finished executions are kept compressed, so that thousands of them fit in memory.
    """

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] | None = []
        self._frozen: bytes | None = None
        self._count = 0
        self._attempt = 0
        self._lock = threading.Lock()

    def writer(self) -> HistoryWriter:
        """Begin an attempt (the first run or a redrive); earlier attempts can write no more."""
        with self._lock:
            self._attempt += 1
            return HistoryWriter(self, self._attempt)

    def end_attempt(self) -> None:
        """End the current attempt; it can write no more."""
        with self._lock:
            self._attempt += 1

    def __len__(self) -> int:
        return self._count

    def append(
        self, trail: Trail, event_type: str, details_name: str | None = None, attempt: int | None = None, **details: Any
    ) -> int:
        """Append an event after the latest of a branch.

        :param trail: the branch.
        :param event_type: for example ``TaskFailed``.
        :param details_name: the member that holds the details, for example
            ``taskFailedEventDetails``.
        :param attempt: the attempt that writes, if it must still be the current one.
        :param details: members of the details; None values are left out.
        :returns: the id of the event, from 1.
        :raises Cancelled: the attempt is over.
        """
        with self._lock:
            if attempt is not None and attempt != self._attempt:
                raise Cancelled
            events = self._thaw()
            event: dict[str, Any] = {
                "timestamp": round(time.time(), 3),
                "type": event_type,
                "id": len(events) + 1,
                "previousEventId": trail.last_id,
            }
            if details_name is not None:
                event[details_name] = {key: value for key, value in details.items() if value is not None}
            events.append(event)
            self._count = len(events)
            trail.last_id = self._count
            return self._count

    def _thaw(self) -> list[dict[str, Any]]:
        if self._events is None:
            self._events = json.loads(zlib.decompress(self._frozen or b""))
            self._frozen = None
        return self._events

    def freeze(self) -> None:
        """Compress the events; they can still be read and added to."""
        with self._lock:
            if self._events is not None:
                self._frozen = zlib.compress(json.dumps(self._events, separators=(",", ":")).encode(), 6)
                self._events = None

    def read(self) -> list[dict[str, Any]]:
        """Return all events, oldest first."""
        with self._lock:
            if self._events is None:
                loaded: list[dict[str, Any]] = json.loads(zlib.decompress(self._frozen or b""))
                return loaded
            return list(self._events)

    def __getstate__(self) -> dict[str, Any]:
        events = self.read()
        return {"frozen": zlib.compress(json.dumps(events, separators=(",", ":")).encode(), 6), "count": len(events)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._frozen, self._count = state["frozen"], state["count"]
        self._events = None
        self._attempt = 0
        self._lock = threading.Lock()


class HistoryWriter:
    """The history as one attempt of an execution sees it.

    A call that does not return may keep an attempt's thread alive after the execution was closed or
    even redriven. Such a thread can write no more and ends at its next event.

    :param history: the history.
    :param attempt: the attempt's number.
    """

    def __init__(self, history: History, attempt: int) -> None:
        self._history, self._attempt = history, attempt

    def __len__(self) -> int:
        return len(self._history)

    def append(self, trail: Trail, event_type: str, details_name: str | None = None, **details: Any) -> int:
        """Append an event, see ``History.append``."""
        return self._history.append(trail, event_type, details_name, attempt=self._attempt, **details)

    def read(self) -> list[dict[str, Any]]:
        """Return all events, oldest first."""
        return self._history.read()
