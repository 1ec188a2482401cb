"""The retry ladder: what an attempt does with the execution that it finds.

The only place where this is decided, so that a retry, a clear and a killed worker all lead to the
same execution. Pure: the caller describes the execution and acts on the decision. Must not import
Airflow or boto3.

Source: DescribeExecution and RedriveExecution in the AWS Step Functions API Reference; "Restarting
state machine executions with redrive" in its Developer Guide (14 days, eligibility).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from brewtrain.domain.failure import error_names
from brewtrain.domain.run.stages import ACTIVE_STATUSES, FAILED_STATUSES

RerunMode = Literal["auto", "redrive", "fresh"]
RERUN_MODES: tuple[RerunMode, ...] = ("auto", "redrive", "fresh")
REDRIVE_PERIOD = timedelta(days=14)
_STOP_CAUSE = re.compile(r"^(?P<task_id>\S+) attempt (?P<attempt>\d+) (?:after setup (?P<setup>\d+) )?")


@dataclass(frozen=True)
class Execution:
    """One execution as DescribeExecution shows it.

    :param redrive_status: ``REDRIVABLE``, ``NOT_REDRIVABLE``, ``REDRIVABLE_BY_MAP_RUN`` or
        ``None``.
    :param redrive_count: How often it was redriven.
    :param input: Its input, parsed.
    :param output: Its output, parsed; ``None`` unless it SUCCEEDED.
    """

    arn: str
    status: str
    started_at: datetime
    stopped_at: datetime | None = None
    redrive_status: str | None = None
    redrive_status_reason: str | None = None
    redrive_count: int = 0
    input: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def name(self) -> str:
        """Name of the execution, which is the run's id."""
        return self.arn.rsplit(":", 1)[-1]

    @property
    def active(self) -> bool:
        """Whether the execution runs, or is about to."""
        return self.status in ACTIVE_STATUSES

    @property
    def redrivable_until(self) -> datetime | None:
        """When the execution can no longer be redriven; ``None`` if it cannot be redriven now."""
        if self.redrive_status != "REDRIVABLE" or self.stopped_at is None:
            return None
        return self.stopped_at + REDRIVE_PERIOD


class Action(StrEnum):
    """What an attempt does next with its execution."""

    START = "start"
    ATTACH = "attach"
    FINISH = "finish"
    REDRIVE = "redrive"
    REPORT = "report"
    ADVISE_FRESH = "advise_fresh"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Attempt:
    """One try of one task.

    :param failure_known: Whether the failure that the execution shows has been reported already: by
        an earlier try of the task, or because Airflow stopped the execution itself. What is known
        is redriven, what is not is reported. So one life of an execution is redriven once, whoever
        dies in between.
    :param may_start: Whether the task may start an execution (``start_execution`` alone).
    :param rerun_mode: The DAG run's param.
    """

    failure_known: bool = False
    may_start: bool = False
    rerun_mode: RerunMode = "auto"


def decide(execution: Execution | None, attempt: Attempt) -> Action:
    """Decide what an attempt does next.

    :param execution: What DescribeExecution said; ``None`` if the execution does not exist.
    :param attempt: Who asks.
    """
    if execution is None:
        return Action.START if attempt.may_start else Action.MISSING
    if execution.active:
        return Action.ATTACH
    if execution.status == "SUCCEEDED":
        return Action.FINISH
    if execution.status not in FAILED_STATUSES:
        return Action.UNKNOWN
    if not attempt.failure_known:
        return Action.REPORT
    if attempt.rerun_mode == "fresh" or execution.redrive_status != "REDRIVABLE":
        return Action.ADVISE_FRESH
    return Action.REDRIVE


def redrive_token(execution: Execution) -> str:
    """Return the client token by which a repeated RedriveExecution of one life is the same call."""
    digest = hashlib.sha256(execution.arn.encode()).hexdigest()[:32]
    return f"{digest}-{execution.redrive_count}"


def stop_cause(task_id: str, attempt: int, setup: int | None = None) -> str:
    """Return the cause for StopExecution, from which :func:`stopped_before` reads who stopped it.

    :param task_id: Task that was killed.
    :param attempt: Its try number.
    :param setup: Try number of the run's setup when the task began to wait, if known.
    """
    after = "" if setup is None else f"after setup {setup} "
    return f"{task_id} attempt {attempt} {after}was killed, marked failed or cleared in Airflow"


def stopped_before(
    execution: Execution, task_id: str, attempt: int, begun_at: datetime, setup: int | None = None
) -> bool:
    """Whether Airflow stopped the execution before this try, so that the try need not report it.

    Clearing a waiting task begins the new try and stops the old one's execution at about the same
    time, and the cleared task need not be the one that waited. So a stop by an earlier try of the
    same task counts whenever it happened, and so does a stop by any task that began before the
    clear: a clear runs the setup again.

    :param task_id: Task that asks.
    :param attempt: Its try number.
    :param begun_at: When the try began.
    :param setup: Try number of the run's setup when the try began, if known.
    """
    if execution.status != "ABORTED" or execution.error != error_names.STOPPED:
        return False
    if execution.stopped_at is not None and execution.stopped_at < begun_at:
        return True
    found = _STOP_CAUSE.match(execution.cause or "")
    if found is None:
        return False
    if found["task_id"] == task_id and int(found["attempt"]) < attempt:
        return True
    return setup is not None and found["setup"] is not None and int(found["setup"]) < setup
