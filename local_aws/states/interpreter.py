"""The interpreter of Amazon States Language: runs a frame (a position in a definition) to its end.

A ``Frame`` is plain data: current state, its input, variables and the frames of its branches. The
event history is the record, the frame is where to go on: a redrive runs the same frame again and
whatever had succeeded in it is not repeated. See https://states-language.net/spec.html and
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html. Must not import moto
or boto3.
"""

from __future__ import annotations

import copy
import datetime
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from local_aws.states import integrations, resources
from local_aws.states.asl import choice, jsonpath
from local_aws.states.asl.errors import PathNotFoundError, RuntimeStateError, StateError
from local_aws.states.asl.query import Scope, jsonata_value, path_value, template_value
from local_aws.states.cancellation import Cancelled, CancelScope, ExecutionTimeout, TaskTimeout
from local_aws.states.history import MAX_EVENTS, HistoryWriter, Trail

#: Bytes of JSON that a state may pass on.
MAX_PAYLOAD_BYTES = 262_144
_DEFAULT_TASK_TIMEOUT_SECONDS = 99_999_999.0
_UNCATCHABLE = frozenset({"States.Runtime", "States.DataLimitExceeded"})
_MAX_INLINE_CONCURRENCY = 40
_EMPTY: dict[str, Any] = {}
# The context object of the others has no RetryCount.
_RETRIED = frozenset({"Map", "Parallel", "Task"})


@dataclass
class Frame:
    """A position in a list of states: what to run next and with which data. Picklable."""

    state: str | None = None
    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    status: str = "READY"
    output: Any = None
    entered: bool = False
    entered_time: str = ""
    retry_count: int = 0
    retries: dict[int, int] = field(default_factory=dict)
    branches: list[Frame] | None = None
    item: Any = None
    item_index: int | None = None


@dataclass
class Program:
    """What an execution runs: its definition and the facts that the context object shows."""

    definition: dict[str, Any]
    context: dict[str, Any]
    region: str
    execution_arn: str
    client: Callable[[str], Any]
    tokens: integrations.TaskTokens


def now_text() -> str:
    """The time as the context object writes it, UTC with milliseconds."""
    now = datetime.datetime.now(datetime.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


def dump(value: Any) -> str:
    """JSON as the API shows inputs and outputs: compact, text unescaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Interpreter:
    """Runs frames of one execution.

    :param program: definition, context and services.
    :param history: where events go.
    """

    def __init__(self, program: Program, history: HistoryWriter) -> None:
        self._program = program
        self._history = history
        self._language = program.definition.get("QueryLanguage", "JSONPath")

    def run(self, frame: Frame, states: dict[str, Any], scope: CancelScope, trail: Trail) -> Any:
        """Run ``frame`` until its branch ends; answers the output.

        :raises StateError: the branch failed.
        :raises Cancelled: it was stopped.
        """
        frame.status = "RUNNING"
        try:
            while frame.state is not None:
                self._run_state(frame, states[frame.state], states, scope, trail)
        except StateError:
            frame.status = "FAILED"
            raise
        except (Cancelled, ExecutionTimeout):
            frame.status = "ABORTED"
            raise
        frame.status = "SUCCEEDED"
        frame.output = frame.input
        return frame.output

    def _run_state(
        self, frame: Frame, state: dict[str, Any], states: dict[str, Any], scope: CancelScope, trail: Trail
    ) -> None:
        name, kind = str(frame.state), state["Type"]
        scope.check()
        if len(self._history) >= MAX_EVENTS:
            raise RuntimeStateError(f"The execution reached the maximum number of history events ({MAX_EVENTS}).")
        if not frame.entered or kind == "Fail":
            frame.entered_time = now_text()
            frame.retry_count, frame.retries, frame.branches = 0, {}, None
            self._history.append(
                trail,
                f"{kind}StateEntered",
                "stateEnteredEventDetails",
                name=name,
                input=dump(frame.input),
                inputDetails={"truncated": False},
            )
            frame.entered = True
        runner = _StateRun(self, self._program, self._history, name, state, frame, scope, trail)
        following = runner.run()
        # A state's exit and the move to the next one are one step: a redrive never finds a state
        # half left.
        if kind != "Fail":
            self._history.append(
                trail,
                f"{kind}StateExited",
                "stateExitedEventDetails",
                name=name,
                output=dump(runner.output),
                outputDetails={"truncated": False},
                assignedVariables={key: dump(value) for key, value in runner.assigned.items()} or None,
                assignedVariablesDetails={"truncated": False} if runner.assigned else None,
            )
        frame.variables = {**frame.variables, **runner.assigned}
        frame.input, frame.state, frame.entered, frame.branches = runner.output, following, False, None


class _StateRun:
    """One state of one frame, from its input to its output. Answers the next state's name (``None`` at the end)."""

    def __init__(
        self,
        interpreter: Interpreter,
        program: Program,
        history: HistoryWriter,
        name: str,
        state: dict[str, Any],
        frame: Frame,
        scope: CancelScope,
        trail: Trail,
    ) -> None:
        self.interpreter, self.program, self.history = interpreter, program, history
        self.name, self.state, self.frame, self.cancel, self.trail = name, state, frame, scope, trail
        self.jsonata = state.get("QueryLanguage", program.definition.get("QueryLanguage", "JSONPath")) == "JSONata"
        self.output: Any = None
        self.assigned: dict[str, Any] = {}
        self.token: str | None = None

    # Data

    @property
    def scope(self) -> Scope:
        """What this state's expressions see."""
        context = dict(self.program.context)
        context["State"] = {"EnteredTime": self.frame.entered_time, "Name": self.name}
        if self.state["Type"] in _RETRIED:
            context["State"]["RetryCount"] = self.frame.retry_count
        if self.token is not None:
            context["Task"] = {"Token": self.token}
        if self.frame.item_index is not None:
            context["Map"] = {"Item": {"Index": self.frame.item_index, "Value": self.frame.item}}
        return Scope(context, self.frame.variables)

    def bindings(self, **extra: Any) -> dict[str, Any]:
        """``$states`` of JSONata."""
        return {"input": self.frame.input, "context": self.scope.context, **extra}

    def query(self, template: Any, field_name: str, **extra: Any) -> Any:
        return jsonata_value(template, self.bindings(**extra), self.frame.variables, field_name)

    def effective_input(self) -> Any:
        path = self.state.get("InputPath", "$")
        if path is None:
            return {}
        return path_value(path, self.frame.input, self.scope, "InputPath")

    def arguments(self, effective: Any) -> Any:
        if self.jsonata:
            return self.query(self.state["Arguments"], "Arguments") if "Arguments" in self.state else self.frame.input
        if "Parameters" not in self.state:
            return effective
        return template_value(self.state["Parameters"], effective, self.scope)

    def finish(self, result: Any, effective: Any = None) -> None:
        """From the state's result to its output, and its variables."""
        if self.jsonata:
            self.assign(self.state.get("Assign"), result=result)
            self.output = (
                self.query(self.state["Output"], "Output", result=result) if "Output" in self.state else result
            )
        else:
            selected = result
            if "ResultSelector" in self.state:
                selected = template_value(self.state["ResultSelector"], result, self.scope)
            self.assign(self.state.get("Assign"), document=selected)
            self.output = self.output_path(self.place(selected, self.state.get("ResultPath", "$")))
        self.check_size(self.output)

    def pass_through(self, value: Any) -> None:
        """For states without a result: their (filtered) input is their output."""
        if self.jsonata:
            self.assign(self.state.get("Assign"))
            self.output = self.query(self.state["Output"], "Output") if "Output" in self.state else value
        else:
            self.assign(self.state.get("Assign"), document=value)
            self.output = self.output_path(value)
        self.check_size(self.output)

    def assign(self, template: Any, document: Any = None, **extra: Any) -> None:
        if template is None:
            return
        if self.jsonata:
            self.assigned = self.query(template, "Assign", **extra)
        else:
            self.assigned = template_value(template, document, self.scope)

    def place(self, value: Any, path: str | None) -> Any:
        if path is None:
            return self.frame.input
        if path == "$":
            return value
        try:
            return jsonpath.assign(jsonpath.parse(path), self.frame.input, value)
        except PathNotFoundError as error:
            raise StateError(
                "States.ResultPathMatchFailure",
                f'Unable to apply step "{path}" to input {dump(self.frame.input)[:1000]}',
            ) from error

    def output_path(self, value: Any) -> Any:
        path = self.state.get("OutputPath", "$")
        if path is None:
            return {}
        return path_value(path, value, self.scope, "OutputPath")

    def check_size(self, value: Any) -> None:
        if len(dump(value).encode()) > MAX_PAYLOAD_BYTES:
            raise StateError(
                "States.DataLimitExceeded",
                f"The state/task '{self.name}' returned a result with a size exceeding the maximum number of bytes "
                "service limit.",
            )

    # Flow

    def run(self) -> str | None:
        """Run the state with its retriers and catchers; answers the next state's name."""
        while True:
            try:
                following: str | None = getattr(self, f"_{self.state['Type'].lower()}")()
                return following
            except StateError as error:
                failure = self.explain(error)
                delay = self.retry_delay(failure)
                if delay is None:
                    target = self.catch(failure)
                    if target is None:
                        raise failure from error
                    return target
                self.cancel.wait(delay)
                self.frame.retry_count += 1

    def explain(self, error: StateError) -> StateError:
        if isinstance(error, RuntimeStateError) and not error.cause.startswith("An error occurred"):
            return RuntimeStateError(
                f"An error occurred while executing the state '{self.name}' (entered at the event id "
                f"#{self.entered_id()}). {error.cause}"
            )
        return error

    def entered_id(self) -> int:
        for event in reversed(self.history.read()):
            if event.get("stateEnteredEventDetails", _EMPTY).get("name") == self.name:
                return int(event["id"])
        return 0

    def retry_delay(self, error: StateError) -> float | None:
        """Seconds until the next attempt, ``None`` when no retrier allows one."""
        for index, retrier in enumerate(self.state.get("Retry", ())):
            if not error_matches(retrier["ErrorEquals"], error.error):
                continue
            attempts = self.frame.retries.get(index, 0)
            if attempts >= retrier.get("MaxAttempts", 3):
                return None
            self.frame.retries[index] = attempts + 1
            delay = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** attempts
            delay = min(delay, float(retrier.get("MaxDelaySeconds", delay)))
            if retrier.get("JitterStrategy") == "FULL":
                delay = random.SystemRandom().uniform(0, delay)
            return delay * _time_scale()
        return None

    def catch(self, error: StateError) -> str | None:
        """The catcher's target, ``None`` when no catcher takes the error."""
        for catcher in self.state.get("Catch", ()):
            if not error_matches(catcher["ErrorEquals"], error.error):
                continue
            shown = {"Error": error.error, "Cause": error.cause}
            if self.jsonata:
                self.assign(catcher.get("Assign"), errorOutput=shown)
                self.output = (
                    self.query(catcher["Output"], "Output", errorOutput=shown) if "Output" in catcher else shown
                )
            else:
                self.assign(catcher.get("Assign"), document=shown)
                self.output = self.place(shown, catcher.get("ResultPath", "$"))
            return str(catcher["Next"])
        return None

    @property
    def following(self) -> str | None:
        return self.state.get("Next")

    # States

    def _pass(self) -> str | None:
        effective = None if self.jsonata else self.effective_input()
        if self.jsonata:
            self.pass_through(self.frame.input)
            return self.following
        result = (
            template_value(self.state["Parameters"], effective, self.scope) if "Parameters" in self.state else effective
        )
        if "Result" in self.state:
            result = copy.deepcopy(self.state["Result"])
        self.finish(result)
        return self.following

    def _succeed(self) -> None:
        self.pass_through(self.frame.input if self.jsonata else self.effective_input())

    def _fail(self) -> None:
        texts = []
        for name in ("Error", "Cause"):
            value = self.state.get(name, "")
            if f"{name}Path" in self.state:
                value = path_value(self.state[f"{name}Path"], self.frame.input, self.scope, f"{name}Path")
            elif self.jsonata:
                value = self.query(value, name)
            if not isinstance(value, str):
                raise RuntimeStateError(
                    f"The value of {name} of the Fail state must be a string, got {dump(value)[:200]}"
                )
            texts.append(value)
        raise StateError(texts[0], texts[1])

    def _choice(self) -> str | None:
        if self.jsonata:
            effective = self.frame.input
            rule = next((rule for rule in self.state["Choices"] if self.condition(rule)), None)
        else:
            effective = self.effective_input()
            rule = next((rule for rule in self.state["Choices"] if choice.matches(rule, effective, self.scope)), None)
        following = rule["Next"] if rule is not None else self.state.get("Default")
        if following is None:
            raise StateError(
                "States.NoChoiceMatched",
                f"No choice rule of the state '{self.name}' matched the input and it has no Default.",
            )
        self.pass_through(effective)
        if rule is not None and "Assign" in rule:
            self.assign(rule["Assign"], document=effective)
        if rule is not None and self.jsonata and "Output" in rule:
            self.output = self.query(rule["Output"], "Output")
        return str(following)

    def condition(self, rule: dict[str, Any]) -> bool:
        value = self.query(rule["Condition"], "Condition")
        if not isinstance(value, bool):
            raise StateError("States.QueryEvaluationError", f"Condition must be a boolean, got {dump(value)[:200]}")
        return value

    def _wait(self) -> str | None:
        effective = self.frame.input if self.jsonata else self.effective_input()
        try:
            self.cancel.wait(self.wait_seconds(effective))
        except Cancelled:
            self.history.append(self.trail, "WaitStateAborted")
            raise
        self.pass_through(effective)
        return self.following

    def wait_seconds(self, effective: Any) -> float:
        state = self.state
        if "SecondsPath" in state:
            seconds = path_value(state["SecondsPath"], effective, self.scope, "SecondsPath")
        elif "Seconds" in state:
            seconds = self.query(state["Seconds"], "Seconds") if self.jsonata else state["Seconds"]
        else:
            stamp = state.get("Timestamp")
            if "TimestampPath" in state:
                stamp = path_value(state["TimestampPath"], effective, self.scope, "TimestampPath")
            elif self.jsonata:
                stamp = self.query(stamp, "Timestamp")
            moment = choice.timestamp(stamp)
            if moment is None:
                raise RuntimeStateError(f"The value of the Wait state is not a timestamp: {dump(stamp)}")
            return max(0.0, moment.timestamp() - time.time())
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
            raise RuntimeStateError(
                f"The SecondsPath parameter does not reference a non-negative integer: {dump(seconds)}"
            )
        return float(seconds) * _time_scale()

    # Task

    def _task(self) -> str | None:
        self.token = _uuid() if ".waitForTaskToken" in self.state["Resource"] else None
        effective = None if self.jsonata else self.effective_input()
        arguments = self.arguments(effective)
        timeout, heartbeat = (
            self.limit(field_name, effective) for field_name in ("TimeoutSeconds", "HeartbeatSeconds")
        )
        resource = resources.parse(self.state["Resource"])
        events = _TaskEvents(self, resource)
        events.scheduled(arguments, timeout, heartbeat, self.program.region)
        deadline = time.monotonic() + (timeout or _DEFAULT_TASK_TIMEOUT_SECONDS)
        context = _TaskRun(self, events, deadline)
        jobs: list[integrations.RemoteJob] = []
        try:
            events.started()
            result = integrations.run(resource, arguments, context, heartbeat, jobs.append)
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
        self.finish(result, effective)
        return self.following

    def limit(self, field_name: str, effective: Any) -> float | None:
        value = self.state.get(field_name)
        if f"{field_name}Path" in self.state:
            value = path_value(self.state[f"{field_name}Path"], effective, self.scope, f"{field_name}Path")
        elif self.jsonata and value is not None:
            value = self.query(value, field_name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _DEFAULT_TASK_TIMEOUT_SECONDS:
            raise RuntimeStateError(f"The value of {field_name} must be a positive integer, got {dump(value)}")
        return float(value)

    # Parallel and Map

    def _parallel(self) -> str | None:
        effective = None if self.jsonata else self.effective_input()
        arguments = self.arguments(effective)
        machines = self.state["Branches"]
        if self.frame.branches is None:
            self.frame.branches = [
                Frame(
                    machine["StartAt"],
                    copy.deepcopy(arguments),
                    dict(self.frame.variables),
                    item=self.frame.item,
                    item_index=self.frame.item_index,
                )
                for machine in machines
            ]
            self.history.append(self.trail, "ParallelStateStarted")

        def run(index: int, frame: Frame, scope: CancelScope, trail: Trail) -> None:
            self.interpreter.run(frame, machines[index]["States"], scope, trail)

        self.branch_out("Parallel", len(machines), run)
        self.join(self.frame.branches)
        return self.following

    def _map(self) -> str | None:
        processor = self.state.get("ItemProcessor") or self.state["Iterator"]
        if processor.get("ProcessorConfig", _EMPTY).get("Mode") == "DISTRIBUTED":
            raise RuntimeStateError("local_aws does not run distributed Map states; use an inline Map.")
        effective = self.frame.input if self.jsonata else self.effective_input()
        if self.frame.branches is None:
            items = self.items(effective)
            self.frame.branches = [
                Frame(
                    processor["StartAt"],
                    self.item_input(item, index, effective),
                    dict(self.frame.variables),
                    item=item,
                    item_index=index,
                )
                for index, item in enumerate(items)
            ]
            self.history.append(self.trail, "MapStateStarted", "mapStateStartedEventDetails", length=len(items))

        def run(index: int, frame: Frame, scope: CancelScope, trail: Trail) -> None:
            details = {"name": self.name, "index": index}
            self.history.append(trail, "MapIterationStarted", "mapIterationStartedEventDetails", **details)
            try:
                self.interpreter.run(frame, processor["States"], scope, trail)
            except StateError:
                self.history.append(trail, "MapIterationFailed", "mapIterationFailedEventDetails", **details)
                raise
            except (Cancelled, ExecutionTimeout):
                self.history.append(trail, "MapIterationAborted", "mapIterationAbortedEventDetails", **details)
                raise
            self.history.append(trail, "MapIterationSucceeded", "mapIterationSucceededEventDetails", **details)

        self.branch_out("Map", self.concurrency(effective), run)
        self.join(self.frame.branches)
        return self.following

    def join(self, branches: Sequence[Frame]) -> None:
        try:
            self.finish([frame.output for frame in branches])
        except StateError as error:
            if error.error == "States.DataLimitExceeded":
                # A redrive runs all branches again, those that had succeeded included.
                self.frame.branches = None
            raise

    def items(self, effective: Any) -> list[Any]:
        if self.jsonata:
            items = self.query(self.state["Items"], "Items") if "Items" in self.state else self.frame.input
        else:
            items = path_value(self.state.get("ItemsPath", "$"), effective, self.scope, "ItemsPath")
        if not isinstance(items, list):
            raise RuntimeStateError(
                f'Reference path "{self.state.get("ItemsPath", "$")}" must point to array, but got {dump(items)[:200]}'
            )
        return items

    def item_input(self, item: Any, index: int, effective: Any) -> Any:
        template = self.state.get("ItemSelector", None if self.jsonata else self.state.get("Parameters"))
        if template is None:
            return copy.deepcopy(item)
        scope = self.scope
        scope.context["Map"] = {"Item": {"Index": index, "Value": item}}
        if self.jsonata:
            states = {"input": self.frame.input, "context": scope.context}
            return jsonata_value(template, states, self.frame.variables, "ItemSelector")
        return template_value(template, effective, scope)

    def concurrency(self, effective: Any) -> int:
        value = self.state.get("MaxConcurrency", 0)
        if "MaxConcurrencyPath" in self.state:
            value = path_value(self.state["MaxConcurrencyPath"], effective, self.scope, "MaxConcurrencyPath")
        elif self.jsonata:
            value = self.query(value, "MaxConcurrency")
        return min(int(value) or _MAX_INLINE_CONCURRENCY, _MAX_INLINE_CONCURRENCY)

    def branch_out(self, kind: str, concurrency: int, run: Callable[[int, Frame, CancelScope, Trail], None]) -> None:
        """Run the branches that have not succeeded yet; the first failure stops the others."""
        frames: Sequence[Frame] = self.frame.branches or []
        waiting = [(index, frame) for index, frame in enumerate(frames) if frame.status != "SUCCEEDED"]
        scope = CancelScope(self.cancel)
        errors: list[BaseException] = []
        lock = threading.Lock()
        started = self.trail.last_id

        def guarded(index: int, frame: Frame) -> None:
            try:
                scope.check()
                run(index, frame, scope, Trail(started))
            except BaseException as error:  # noqa: BLE001 - collected here, raised below in the state's own thread
                with lock:
                    errors.append(error)
                scope.cancel()

        if waiting:
            with ThreadPoolExecutor(min(concurrency, len(waiting)), thread_name_prefix="states-branch") as pool:
                for index, frame in waiting:
                    pool.submit(guarded, index, frame)
        scope.close()
        if errors:
            self.raise_first(kind, errors)
        self.history.append(self.trail, f"{kind}StateSucceeded")

    def raise_first(self, kind: str, errors: list[BaseException]) -> None:
        unexpected = [error for error in errors if not isinstance(error, StateError | Cancelled | ExecutionTimeout)]
        if unexpected:
            raise unexpected[0]
        for error in errors:
            if isinstance(error, ExecutionTimeout):
                raise error
        failures = [error for error in errors if isinstance(error, StateError)]
        self.cancel_check(kind)
        if failures:
            # A retry of the whole state starts every branch anew; a redrive keeps what succeeded.
            self.history.append(self.trail, f"{kind}StateFailed")
            failure = failures[0]
            if self.will_retry(failure):
                self.frame.branches = None
            raise failure
        raise errors[0]

    def will_retry(self, error: StateError) -> bool:
        for index, retrier in enumerate(self.state.get("Retry", ())):
            if error_matches(retrier["ErrorEquals"], error.error):
                return self.frame.retries.get(index, 0) < int(retrier.get("MaxAttempts", 3))
        return False

    def cancel_check(self, kind: str) -> None:
        try:
            self.cancel.check()
        except Cancelled:
            self.history.append(self.trail, f"{kind}StateAborted")
            raise


class _TaskRun:
    """The interpreter's services for one attempt of a task (``integrations.TaskContext``)."""

    def __init__(self, run: _StateRun, events: _TaskEvents, deadline: float) -> None:
        self._run, self._events, self._deadline = run, events, deadline
        self.region = run.program.region
        self.task_token = run.token
        self.tokens = run.program.tokens
        self.execution_arn = run.program.execution_arn

    def client(self, service: str) -> Any:
        return self._run.program.client(service)

    def wait(self, seconds: float) -> None:
        self._run.cancel.wait(seconds, self._deadline)

    def submitted(self, output: Any) -> None:
        self._events.submitted(output)

    def call(self, function: Callable[[], Any], late: Callable[[Any], None] | None = None) -> Any:
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
            if not done.wait(0.2):
                self._run.cancel.wait_for(done, self._deadline)
        except (TaskTimeout, Cancelled, ExecutionTimeout):
            if late is not None:
                threading.Thread(target=_when_done, args=(done, answer, late), name="states-late", daemon=True).start()
            raise
        if errors:
            raise errors[0]
        return answer[0]


class _TaskEvents:
    """The events of one attempt: ``Task…`` for integrations, ``LambdaFunction…`` for a function's ARN."""

    def __init__(self, run: _StateRun, resource: resources.TaskResource) -> None:
        self._history, self._trail, self._resource = run.history, run.trail, resource
        self._function = resource.kind == "lambda"

    def _about(self) -> dict[str, str]:
        return {"resourceType": self._resource.resource_type, "resource": self._resource.resource_name}

    def scheduled(self, arguments: Any, timeout: float | None, heartbeat: float | None, region: str) -> None:
        seconds = None if timeout is None else int(timeout)
        if self._function:
            self._history.append(
                self._trail,
                "LambdaFunctionScheduled",
                "lambdaFunctionScheduledEventDetails",
                resource=self._resource.arn,
                input=dump(arguments),
                inputDetails={"truncated": False},
                timeoutInSeconds=seconds,
            )
        else:
            self._history.append(
                self._trail,
                "TaskScheduled",
                "taskScheduledEventDetails",
                **self._about(),
                region=region,
                parameters=dump(arguments),
                timeoutInSeconds=seconds,
                heartbeatInSeconds=None if heartbeat is None else int(heartbeat),
            )

    def started(self) -> None:
        if self._function:
            self._history.append(self._trail, "LambdaFunctionStarted")
        else:
            self._history.append(self._trail, "TaskStarted", "taskStartedEventDetails", **self._about())

    def submitted(self, output: Any) -> None:
        self._history.append(
            self._trail,
            "TaskSubmitted",
            "taskSubmittedEventDetails",
            **self._about(),
            output=dump(output),
            outputDetails={"truncated": False},
        )

    def succeeded(self, result: Any) -> None:
        details = {"output": dump(result), "outputDetails": {"truncated": False}}
        if self._function:
            self._history.append(
                self._trail, "LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails", **details
            )
        else:
            self._history.append(self._trail, "TaskSucceeded", "taskSucceededEventDetails", **self._about(), **details)

    def failed(self, error: StateError) -> None:
        if self._function:
            self._history.append(
                self._trail,
                "LambdaFunctionFailed",
                "lambdaFunctionFailedEventDetails",
                error=error.error,
                cause=error.cause,
            )
        else:
            self._history.append(
                self._trail,
                "TaskFailed",
                "taskFailedEventDetails",
                **self._about(),
                error=error.error,
                cause=error.cause,
            )

    def timed_out(self, error: str) -> None:
        if self._function:
            self._history.append(
                self._trail, "LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails", error=error
            )
        else:
            self._history.append(self._trail, "TaskTimedOut", "taskTimedOutEventDetails", **self._about(), error=error)


def error_matches(names: Sequence[str], error: str) -> bool:
    """Whether a retrier or catcher that lists ``names`` takes ``error``.

    ``States.ALL`` takes everything except ``States.Runtime`` and ``States.DataLimitExceeded``;
    ``States.TaskFailed`` takes everything that ``States.ALL`` does except ``States.Timeout``.
    """
    if error in names:
        return True
    if error in _UNCATCHABLE:
        return False
    if "States.ALL" in names:
        return True
    if error == "States.HeartbeatTimeout" and "States.Timeout" in names:
        return True
    return "States.TaskFailed" in names and error not in ("States.Timeout", "States.HeartbeatTimeout")


def _when_done(done: threading.Event, answer: list[Any], late: Callable[[Any], None]) -> None:
    done.wait()
    if answer:
        late(answer[0])


def _stop(jobs: Sequence[integrations.RemoteJob]) -> None:
    for job in jobs:
        job.stop()


def _uuid() -> str:
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def _time_scale() -> float:
    """Shrinks Wait states and retry delays in tests: ``LOCAL_AWS_STATES_TIME_SCALE`` (default 1, as on AWS)."""
    return float(os.environ.get("LOCAL_AWS_STATES_TIME_SCALE", "1"))
