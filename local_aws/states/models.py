"""State machines, versions, aliases and executions as stored.

Picklable. Must not import moto or boto3.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from local_aws.states.cancellation import CancelScope
from local_aws.states.history import MAX_EVENTS_FOR_REDRIVE, History
from local_aws.states.interpreter import Frame

REDRIVABLE_SECONDS = 14 * 24 * 3600
_MAX_EXECUTION_SECONDS = 365 * 24 * 3600
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
CLOSED_UNSUCCESSFULLY = TERMINAL - {"SUCCEEDED"}


@dataclass
class Version:
    """An immutable snapshot of a state machine, with its number (from 1)."""

    arn: str
    number: int
    revision_id: str
    definition: str
    role_arn: str
    description: str
    creation_date: float


@dataclass
class Alias:
    """A name for one version, or for two with weights.

    :param routing: pairs of version ARN and weight in percent.
    """

    arn: str
    name: str
    description: str
    routing: list[tuple[str, int]]
    creation_date: float
    update_date: float


@dataclass
class StateMachine:
    """A state machine with its current revision, versions and aliases."""

    arn: str
    name: str
    definition: str
    role_arn: str
    type: str
    creation_date: float
    update_date: float
    logging: dict[str, Any]
    tracing: dict[str, Any]
    encryption: dict[str, Any] | None
    tags: dict[str, str]
    publish: bool
    version_description: str
    revision_id: str = "INITIAL"
    status: str = "ACTIVE"
    next_version: int = 1
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)


@dataclass
class Execution:
    """An execution: its facts, its history, and the frame from which a redrive continues.

    Dates are epoch seconds. ``input`` is JSON text as it was given, ``output`` as the API shows it.
    """

    arn: str
    name: str
    state_machine_arn: str
    definition: str
    role_arn: str
    input: str
    start_date: float
    frame: Frame | None
    version_arn: str | None = None
    alias_arn: str | None = None
    trace_header: str | None = None
    status: str = "RUNNING"
    stop_date: float | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrive_count: int = 0
    redrive_date: float | None = None
    client_tokens: dict[str, tuple[float, float]] = field(default_factory=dict)
    history: History = field(default_factory=History)
    lock: threading.RLock = field(default_factory=threading.RLock)
    scope: CancelScope | None = None
    thread: threading.Thread | None = None
    stop_request: tuple[str | None, str | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        for name in ("lock", "scope", "thread", "stop_request"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.RLock()
        self.scope = self.thread = self.stop_request = None

    @property
    def not_redrivable_reason(self) -> str | None:
        """Why the execution cannot be redriven now, None if it can.

        In the words of ``redriveStatusReason``:
        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html.
        """
        if self.status not in CLOSED_UNSUCCESSFULLY:
            return f"Execution is {self.status} and cannot be redriven"
        now = time.time()
        if len(self.history) >= MAX_EVENTS_FOR_REDRIVE:
            return "Execution history event limit exceeded"
        if now - self.start_date > _MAX_EXECUTION_SECONDS:
            return "Execution has exceeded the max execution time"
        if now - (self.stop_date or now) > REDRIVABLE_SECONDS:
            return "Execution redrivable period exceeded"
        return None

    @property
    def sort_date(self) -> float:
        """The date (epoch seconds) by which ListExecutions sorts, newest first."""
        if self.status == "RUNNING":
            return self.redrive_date or self.start_date
        return self.stop_date or self.start_date
