"""Reads an execution's history: which state it is in, and what failed in it.

Needed because DescribeExecution names neither the state nor, for TIMED_OUT, an error. Must not
import Airflow or boto3.

Source: GetExecutionHistory and HistoryEvent in the AWS Step Functions API Reference. Events come
newest first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

END_STATUS: Mapping[str, str] = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
}
_FAILURE_TYPE = re.compile(r"(Failed|TimedOut|Aborted)$")
PROCESSING = "sagemaker processing"
_SERVICE_OF_RESOURCE = {"databrew": "databrew", "glue": "glue", "sagemaker": "sagemaker"}


def detail_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of an event that depends on its type."""
    for key, value in event.items():
        if key.endswith("EventDetails") and isinstance(value, dict):
            return value
    return {}


def last_state_entered(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the name of the state entered last; ``None`` if no event here says so.

    :param events: Newest first.
    """
    for event in events:
        if event["type"].endswith("StateEntered"):
            name: str = detail_of(event)["name"]
            return name
    return None


def end_status(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the status that the newest event ends the execution with; ``None`` while it runs.

    :param events: Newest first.
    """
    newest = next(iter(events), None)
    return None if newest is None else END_STATUS.get(newest["type"])


@dataclass(frozen=True)
class JobReference:
    """The job that a state ran.

    :param service: ``databrew``, ``glue``, ``sagemaker`` (a training job) or ``sagemaker
        processing``.
    :param name: The job's name.
    :param run_id: The job run's id; ``None`` for SageMaker's jobs, which have none, and before the
        job was started.
    """

    service: str
    name: str
    run_id: str | None = None


@dataclass(frozen=True)
class Failure:
    """What went wrong in an execution.

    :param state: Name of the state that failed; ``None`` if the execution ended outside of one.
    :param error: Error name, e.g. ``States.TaskFailed``.
    :param cause: AWS's text.
    :param job: The job that the state ran, if it ran one.
    """

    state: str | None
    error: str
    cause: str
    job: JobReference | None = None


def read_failure(events: Iterable[Mapping[str, Any]], *, status: str) -> Failure:
    """Find what failed, in the newest life of the execution.

    :param events: Newest first, with execution data, down to the failed state's beginning at least.
    :param status: The execution's status.
    """
    error: str | None = None
    cause: str | None = None
    state: str | None = None
    scheduled: Mapping[str, Any] | None = None
    submitted: Mapping[str, Any] | None = None
    for event in events:
        kind = event["type"]
        detail = detail_of(event)
        if kind.endswith("StateEntered"):
            state = detail["name"]
            break
        if kind in ("ExecutionRedriven", "ExecutionStarted") and scheduled is not None:
            # A redriven task is scheduled again without its state being entered again.
            continue
        if error is None and kind == "ExecutionTimedOut":
            # Whatever a state met before, and was about to try again, is not what ended the
            # execution.
            error = detail.get("error") or "States.Timeout"
            cause = detail.get("cause") or "the execution took longer than its state machine allows"
        elif error is None and _FAILURE_TYPE.search(kind):
            error = detail.get("error") or ("States.Timeout" if kind.endswith("TimedOut") else None)
            cause = detail.get("cause")
        elif kind == "TaskScheduled" and scheduled is None:
            scheduled = detail
        elif kind == "TaskSubmitted" and submitted is None and scheduled is None:
            submitted = detail
    if error is None:
        error = {"TIMED_OUT": "States.Timeout", "ABORTED": "Aborted"}.get(status, "Unknown")
    return Failure(state=state, error=error, cause=cause or "", job=_job(scheduled, submitted))


def _job(scheduled: Mapping[str, Any] | None, submitted: Mapping[str, Any] | None) -> JobReference | None:
    if scheduled is None:
        return None
    service = _SERVICE_OF_RESOURCE.get(str(scheduled.get("resourceType", "")))
    resource = str(scheduled.get("resource", ""))
    if service is None or not resource.endswith(".sync"):
        return None
    parameters = _object(scheduled.get("parameters"))
    output = _object(submitted.get("output")) if submitted is not None else {}
    if service == "databrew":
        name, run_id = parameters.get("Name"), output.get("RunId")
    elif service == "glue":
        name, run_id = parameters.get("JobName"), output.get("JobRunId")
    elif "ProcessingJobName" in parameters:
        service, name, run_id = PROCESSING, parameters["ProcessingJobName"], None
    else:
        name, run_id = parameters.get("TrainingJobName"), None
    return JobReference(service=service, name=str(name), run_id=run_id) if name else None


def _object(text: Any) -> Mapping[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
