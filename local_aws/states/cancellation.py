"""Cancelling a running execution or branch, and the deadlines of executions and tasks.

Every wait of the interpreter goes through a ``CancelScope``, so that StopExecution, a sibling's
failure, a task's timeout and the execution's timeout all interrupt it at once. Must not import moto
or boto3.
"""

from __future__ import annotations

import threading
import time

_FOREVER = float("inf")
_SLICE_SECONDS = 3600.0


class Cancelled(BaseException):
    """The execution or branch was stopped from outside."""


class ExecutionTimeout(BaseException):
    """The execution's own ``TimeoutSeconds`` has passed."""


class TaskTimeout(Exception):  # noqa: N818 - becomes the error States.Timeout or States.HeartbeatTimeout
    """A task's ``TimeoutSeconds`` or ``HeartbeatSeconds`` has passed.

    :param error: ``States.Timeout`` or ``States.HeartbeatTimeout``.
    """

    def __init__(self, error: str = "States.Timeout") -> None:
        super().__init__(error)
        self.error = error


class CancelScope:
    """Work that can be cancelled as a whole, together with every scope opened in it.

    :param parent: scope that this one is part of.
    :param deadline: ``time.monotonic()`` at which the execution times out; an earlier one of the
        parent applies.
    """

    def __init__(self, parent: CancelScope | None = None, deadline: float = _FOREVER) -> None:
        self._event = threading.Event()
        self._parent = parent
        self._children: set[CancelScope] = set()
        self._lock = threading.Lock()
        self.deadline: float = min(deadline, parent.deadline if parent else _FOREVER)
        if parent is not None:
            with parent._lock:
                parent._children.add(self)
                cancelled = parent._event.is_set()
            if cancelled:
                self._event.set()

    def close(self) -> None:
        """Detach from the parent when the work is over."""
        if self._parent is not None:
            with self._parent._lock:
                self._parent._children.discard(self)

    def cancel(self) -> None:
        """Interrupt every wait in this scope."""
        self._event.set()
        with self._lock:
            children = list(self._children)
        for child in children:
            child.cancel()

    def check(self) -> None:
        """Do nothing as long as the work may continue.

        :raises Cancelled: the scope was cancelled.
        :raises ExecutionTimeout: the execution's deadline has passed.
        """
        if self._event.is_set():
            raise Cancelled
        if time.monotonic() >= self.deadline:
            raise ExecutionTimeout

    def wait(self, seconds: float, task_deadline: float = _FOREVER) -> None:
        """Wait, at most until a deadline.

        :param seconds: how long.
        :param task_deadline: ``time.monotonic()`` at which the task times out.
        :raises TaskTimeout: ``task_deadline`` passed first.
        """
        end = time.monotonic() + seconds
        while True:
            self.check()
            now = time.monotonic()
            if now >= task_deadline:
                raise TaskTimeout
            if now >= end:
                return
            self._event.wait(min(end, task_deadline, self.deadline, now + _SLICE_SECONDS) - now)

    def wait_for(self, event: threading.Event, task_deadline: float = _FOREVER, poll_seconds: float = 0.05) -> None:
        """Wait until an event is set.

        :param event: the event.
        :param task_deadline: ``time.monotonic()`` at which the task times out.
        :param poll_seconds: how often to look whether the scope is over.
        :raises TaskTimeout: ``task_deadline`` passed first.
        """
        while not event.wait(poll_seconds):
            self.wait(0, task_deadline)
