"""Task states: one attempt of a service integration, with its timeout and heartbeat.

See https://states-language.net/spec.html#task-state. Must not import moto or boto3.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from local_aws.states import integrations, resources
from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.asl.texts import json_text, random_id
from local_aws.states.cancellation import Cancelled, CancelScope, ExecutionTimeout, TaskTimeout
from local_aws.states.interpreter.program import Program
from local_aws.states.interpreter.state_run import StateRun
from local_aws.states.interpreter.task_events import TaskEvents, events_of

_DEFAULT_TIMEOUT_SECONDS = 99_999_999.0
#: A call that returns within this time costs no further wait.
_QUICK_CALL_SECONDS = 0.2


class TaskState(StateRun):
    """A Task state."""

    def execute(self) -> str | None:
        """Run the integration that ``Resource`` names; a job that is given up is stopped."""
        self.token = random_id() if ".waitForTaskToken" in self.state["Resource"] else None
        effective = None if self.jsonata else self.effective_input()
        arguments = self.arguments(effective)
        timeout, heartbeat = (self._limit(name, effective) for name in ("TimeoutSeconds", "HeartbeatSeconds"))
        resource = resources.parse(self.state["Resource"])
        events = events_of(self.history, self.trail, resource)
        events.scheduled(arguments, timeout, heartbeat, self.program.region)
        deadline = time.monotonic() + (timeout or _DEFAULT_TIMEOUT_SECONDS)
        services = TaskServices(self.program, self.token, self.cancel, events, deadline)
        jobs: list[integrations.RemoteJob] = []
        try:
            events.started()
            result = integrations.run(resource, arguments, services, heartbeat, jobs.append)
            self.check_size(result)
        except TaskTimeout as error:
            events.timed_out(error.error)
            _stop(jobs)
            raise StateError(error.error, "") from error
        except StateError as error:
            failure = self.explain(error)
            events.failed(failure)
            raise failure from error
        except (Cancelled, ExecutionTimeout):
            self.history.append(self.trail, "TaskStateAborted")
            _stop(jobs)
            raise
        events.succeeded(result)
        self.finish(result)
        return self.following

    def _limit(self, field_name: str, effective: Any) -> float | None:
        value = self.state.get(field_name)
        if f"{field_name}Path" in self.state:
            value = self.at_path(f"{field_name}Path", effective)
        elif self.jsonata and value is not None:
            value = self.query(value, field_name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _DEFAULT_TIMEOUT_SECONDS:
            raise RuntimeStateError(f"The value of {field_name} must be a positive integer, got {json_text(value)}")
        return float(value)


class TaskServices:
    """What one attempt of a task may ask of the interpreter (``integrations.TaskContext``).

    :param program: what the execution runs.
    :param token: the task token, None for tasks that do not wait for a callback.
    :param cancel: interrupts every wait.
    :param events: writes the task's history.
    :param deadline: ``time.monotonic()`` at which the task times out.
    """

    def __init__(
        self, program: Program, token: str | None, cancel: CancelScope, events: TaskEvents, deadline: float
    ) -> None:
        self.region, self.execution_arn, self.tokens = program.region, program.execution_arn, program.tokens
        self.task_token, self.client, self.submitted = token, program.client, events.submitted
        self._cancel, self._deadline = cancel, deadline

    def wait(self, seconds: float) -> None:
        """Wait, see ``integrations.TaskContext``."""
        self._cancel.wait(seconds, self._deadline)

    def call(self, function: Callable[[], Any], late: Callable[[Any], None] | None = None) -> Any:
        """Run a call that may block, see ``integrations.TaskContext``."""
        answer: list[Any] = []
        errors: list[Exception] = []
        done = threading.Event()

        def work() -> None:
            try:
                answer.append(function())
            except Exception as error:  # noqa: BLE001 - handed to the waiting thread
                errors.append(error)
            finally:
                done.set()

        threading.Thread(target=work, name="states-call", daemon=True).start()
        try:
            if not done.wait(_QUICK_CALL_SECONDS):
                self._cancel.wait_for(done, self._deadline)
        except (TaskTimeout, Cancelled, ExecutionTimeout):
            if late is not None:
                threading.Thread(target=_when_done, args=(done, answer, late), name="states-late", daemon=True).start()
            raise
        if errors:
            raise errors[0]
        return answer[0]


def _when_done(done: threading.Event, answer: list[Any], late: Callable[[Any], None]) -> None:
    done.wait()
    if answer:
        late(answer[0])


def _stop(jobs: Sequence[integrations.RemoteJob]) -> None:
    for job in jobs:
        job.stop()
