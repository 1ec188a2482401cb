"""Parallel and Map states: branches that run at once, each in a thread of its own.

See https://states-language.net/spec.html#parallel-state and
https://states-language.net/spec.html#map-state. Must not import moto or boto3.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.asl.query import jsonata_value, template_value
from local_aws.states.asl.texts import json_text
from local_aws.states.cancellation import Cancelled, CancelScope, ExecutionTimeout
from local_aws.states.history import Trail
from local_aws.states.interpreter.error_handling import will_retry
from local_aws.states.interpreter.frames import Frame
from local_aws.states.interpreter.state_run import StateRun

_MAX_INLINE_CONCURRENCY = 40
_EMPTY: dict[str, Any] = {}

RunBranch = Callable[[int, Frame, CancelScope, Trail], None]


class BranchingState(StateRun):
    """A state with branches: runs those that have not succeeded yet and joins their outputs."""

    def run_branches(self, concurrency: int, run: RunBranch) -> None:
        """Run the branches that have not succeeded yet; the first failure stops the others.

        :param concurrency: how many run at once.
        :param run: runs one branch, given its index, frame, cancel scope and trail.
        :raises StateError: a branch failed.
        """
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
            self._raise_first(errors)
        self._append("Succeeded")

    def join(self) -> None:
        """Make the list of the branches' outputs the state's result."""
        try:
            self.finish([frame.output for frame in self.frame.branches or ()])
        except StateError as error:
            if error.error == "States.DataLimitExceeded":
                # A redrive runs all branches again, including those that had succeeded.
                self.frame.branches = None
            raise

    def _raise_first(self, errors: list[BaseException]) -> None:
        unexpected = [error for error in errors if not isinstance(error, StateError | Cancelled | ExecutionTimeout)]
        if unexpected:
            raise unexpected[0]
        for error in errors:
            if isinstance(error, ExecutionTimeout):
                raise error
        try:
            self.cancel.check()
        except Cancelled:
            self._append("Aborted")
            raise
        for error in errors:
            if isinstance(error, StateError):
                self._append("Failed")
                # A retry of the state starts every branch anew; a redrive keeps what succeeded.
                if will_retry(self.state, self.frame, error):
                    self.frame.branches = None
                raise error
        raise errors[0]

    def _append(self, outcome: str) -> None:
        self.history.append(self.trail, f"{self.state['Type']}State{outcome}")


class ParallelState(BranchingState):
    """A Parallel state."""

    def execute(self) -> str | None:
        """Run every branch on a copy of the input."""
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
            self._append("Started")

        def run(index: int, frame: Frame, scope: CancelScope, trail: Trail) -> None:
            self.branch.run_frame(frame, machines[index]["States"], scope, trail)

        self.run_branches(len(machines), run)
        self.join()
        return self.following


class MapState(BranchingState):
    """A Map state in inline mode: local_aws does not run the distributed mode."""

    def execute(self) -> str | None:
        """Run the item processor once per item."""
        processor = self.state.get("ItemProcessor") or self.state["Iterator"]
        if processor.get("ProcessorConfig", _EMPTY).get("Mode") == "DISTRIBUTED":
            raise RuntimeStateError("local_aws does not run distributed Map states; use an inline Map.")
        effective = self.filtered_input()
        if self.frame.branches is None:
            items = self._items(effective)
            self.frame.branches = [
                Frame(
                    processor["StartAt"],
                    self._item_input(item, index, effective),
                    dict(self.frame.variables),
                    item=item,
                    item_index=index,
                )
                for index, item in enumerate(items)
            ]
            self.history.append(self.trail, "MapStateStarted", "mapStateStartedEventDetails", length=len(items))

        def run(index: int, frame: Frame, scope: CancelScope, trail: Trail) -> None:
            self._run_iteration(index, frame, processor["States"], scope, trail)

        self.run_branches(self._concurrency(effective), run)
        self.join()
        return self.following

    def _run_iteration(
        self, index: int, frame: Frame, states: dict[str, Any], scope: CancelScope, trail: Trail
    ) -> None:
        def append(outcome: str) -> None:
            details = {"name": self.name, "index": index}
            self.history.append(trail, f"MapIteration{outcome}", f"mapIteration{outcome}EventDetails", **details)

        append("Started")
        try:
            self.branch.run_frame(frame, states, scope, trail)
        except StateError:
            append("Failed")
            raise
        except (Cancelled, ExecutionTimeout):
            append("Aborted")
            raise
        append("Succeeded")

    def _items(self, effective: Any) -> list[Any]:
        if self.jsonata:
            items = self.query(self.state["Items"], "Items") if "Items" in self.state else self.frame.input
        else:
            items = self.at_path("ItemsPath", effective) if "ItemsPath" in self.state else effective
        if not isinstance(items, list):
            path = self.state.get("ItemsPath", "$")
            raise RuntimeStateError(f'Reference path "{path}" must point to array, but got {json_text(items)[:200]}')
        return items

    def _item_input(self, item: Any, index: int, effective: Any) -> Any:
        template = self.state.get("ItemSelector", None if self.jsonata else self.state.get("Parameters"))
        if template is None:
            return copy.deepcopy(item)
        scope = self.scope
        scope.context["Map"] = {"Item": {"Index": index, "Value": item}}
        if self.jsonata:
            states = {"input": self.frame.input, "context": scope.context}
            return jsonata_value(template, states, self.frame.variables, "ItemSelector")
        return template_value(template, effective, scope)

    def _concurrency(self, effective: Any) -> int:
        value = self.state.get("MaxConcurrency", 0)
        if "MaxConcurrencyPath" in self.state:
            value = self.at_path("MaxConcurrencyPath", effective)
        elif self.jsonata:
            value = self.query(value, "MaxConcurrency")
        return min(int(value) or _MAX_INLINE_CONCURRENCY, _MAX_INLINE_CONCURRENCY)
