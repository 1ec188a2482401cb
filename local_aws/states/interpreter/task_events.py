"""The history of one attempt of a task: ``Task…`` events, or ``LambdaFunction…`` events.

See https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html. Must not
import moto or boto3.
"""

from __future__ import annotations

from typing import Any

from local_aws.states.asl.errors import StateError
from local_aws.states.asl.texts import json_text
from local_aws.states.history import HistoryWriter, Trail
from local_aws.states.resources import TaskResource

_WHOLE = {"truncated": False}


class TaskEvents:
    """Writes the events of one attempt of a service integration.

    :param history: where events go.
    :param trail: the latest event of the branch.
    :param resource: the task's parsed ``Resource``.
    """

    def __init__(self, history: HistoryWriter, trail: Trail, resource: TaskResource) -> None:
        self.history, self.trail, self.resource = history, trail, resource

    def _append(self, event: str, **details: Any) -> None:
        name = f"{event[0].lower()}{event[1:]}EventDetails"
        about = {"resourceType": self.resource.resource_type, "resource": self.resource.resource_name}
        self.history.append(self.trail, event, name, **about, **details)

    def scheduled(self, arguments: Any, timeout: float | None, heartbeat: float | None, region: str) -> None:
        """Write that the task is about to be made.

        :param arguments: its evaluated parameters.
        :param timeout: seconds after which it times out.
        :param heartbeat: longest silence in seconds of a task that waits for a token.
        :param region: region of the call.
        """
        self._append(
            "TaskScheduled",
            region=region,
            parameters=json_text(arguments),
            timeoutInSeconds=None if timeout is None else int(timeout),
            heartbeatInSeconds=None if heartbeat is None else int(heartbeat),
        )

    def started(self) -> None:
        """Write that the call is being made."""
        self._append("TaskStarted")

    def submitted(self, output: Any) -> None:
        """Write that the job has been started; ``output`` is the response of the call."""
        self._append("TaskSubmitted", output=json_text(output), outputDetails=_WHOLE)

    def succeeded(self, result: Any) -> None:
        """Write the result of the task."""
        self._append("TaskSucceeded", output=json_text(result), outputDetails=_WHOLE)

    def failed(self, error: StateError) -> None:
        """Write why the task failed."""
        self._append("TaskFailed", error=error.error, cause=error.cause)

    def timed_out(self, error: str) -> None:
        """Write that the task timed out.

        :param error: ``States.Timeout`` or ``States.HeartbeatTimeout``.
        """
        self._append("TaskTimedOut", error=error)


class FunctionEvents(TaskEvents):
    """Writes the events of one attempt of a task whose ``Resource`` is a function's ARN."""

    def scheduled(self, arguments: Any, timeout: float | None, heartbeat: float | None, region: str) -> None:
        """Write that the function is about to be called, see ``TaskEvents.scheduled``."""
        self.history.append(
            self.trail,
            "LambdaFunctionScheduled",
            "lambdaFunctionScheduledEventDetails",
            resource=self.resource.arn,
            input=json_text(arguments),
            inputDetails=_WHOLE,
            timeoutInSeconds=None if timeout is None else int(timeout),
        )

    def started(self) -> None:
        """Write that the function is being called."""
        self.history.append(self.trail, "LambdaFunctionStarted")

    def succeeded(self, result: Any) -> None:
        """Write the result of the function."""
        details = {"output": json_text(result), "outputDetails": _WHOLE}
        self.history.append(self.trail, "LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails", **details)

    def failed(self, error: StateError) -> None:
        """Write why the function failed."""
        details = {"error": error.error, "cause": error.cause}
        self.history.append(self.trail, "LambdaFunctionFailed", "lambdaFunctionFailedEventDetails", **details)

    def timed_out(self, error: str) -> None:
        """Write that the function took too long."""
        self.history.append(self.trail, "LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails", error=error)


def events_of(history: HistoryWriter, trail: Trail, resource: TaskResource) -> TaskEvents:
    """Return the writer of events that fits the task's ``Resource``."""
    kind = FunctionEvents if resource.kind == "lambda" else TaskEvents
    return kind(history, trail, resource)
