"""The loop of the interpreter: one state after another, each entered and left in the history.

Must not import moto or boto3.
"""

from __future__ import annotations

import datetime
from typing import Any

from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.asl.texts import json_text, timestamp_text
from local_aws.states.cancellation import Cancelled, CancelScope, ExecutionTimeout
from local_aws.states.history import MAX_EVENTS, HistoryWriter, Trail
from local_aws.states.interpreter.branch_states import MapState, ParallelState
from local_aws.states.interpreter.flow_states import ChoiceState, FailState, PassState, SucceedState, WaitState
from local_aws.states.interpreter.frames import Frame
from local_aws.states.interpreter.program import Branch, Program
from local_aws.states.interpreter.state_run import StateRun
from local_aws.states.interpreter.task_state import TaskState

_STATE_TYPES: dict[str, type[StateRun]] = {
    "Choice": ChoiceState,
    "Fail": FailState,
    "Map": MapState,
    "Parallel": ParallelState,
    "Pass": PassState,
    "Succeed": SucceedState,
    "Task": TaskState,
    "Wait": WaitState,
}


class Interpreter:
    """Runs the frames of one execution.

    :param program: definition, context and services.
    :param history: where events go.
    """

    def __init__(self, program: Program, history: HistoryWriter) -> None:
        self._program = program
        self._history = history

    def run(self, frame: Frame, states: dict[str, Any], scope: CancelScope, trail: Trail) -> Any:
        """Run a frame until its branch ends.

        :param frame: where to begin; says where to continue when the branch does not succeed.
        :param states: the member ``States`` that the frame belongs to.
        :param scope: interrupts every wait.
        :param trail: the latest event of the branch.
        :returns: the output of the branch.
        :raises StateError: the branch failed.
        :raises Cancelled: the branch was stopped.
        :raises ExecutionTimeout: the execution timed out.
        """
        frame.status = "RUNNING"
        branch = Branch(self._program, self._history, scope, trail, self.run)
        try:
            while frame.state is not None:
                self._run_state(frame, states[frame.state], branch)
        except StateError:
            frame.status = "FAILED"
            raise
        except (Cancelled, ExecutionTimeout):
            frame.status = "ABORTED"
            raise
        frame.status = "SUCCEEDED"
        frame.output = frame.input
        return frame.output

    def _run_state(self, frame: Frame, state: dict[str, Any], branch: Branch) -> None:
        name, kind = str(frame.state), state["Type"]
        branch.cancel.check()
        if len(self._history) >= MAX_EVENTS:
            raise RuntimeStateError(f"The execution reached the maximum number of history events ({MAX_EVENTS}).")
        if not frame.entered or kind == "Fail":
            self._enter(frame, name, kind, branch.trail)
        run = _STATE_TYPES[kind](name, state, frame, branch)
        following = run.run()
        # A state's exit and the move to the next one are one step, so that a redrive never finds a
        # state half left.
        self._exit(run, kind, branch.trail)
        frame.variables = {**frame.variables, **run.assigned}
        frame.input, frame.state, frame.entered, frame.branches = run.output, following, False, None

    def _enter(self, frame: Frame, name: str, kind: str, trail: Trail) -> None:
        frame.entered_time = timestamp_text(datetime.datetime.now(datetime.UTC))
        frame.retry_count, frame.retries, frame.branches = 0, {}, None
        self._history.append(
            trail,
            f"{kind}StateEntered",
            "stateEnteredEventDetails",
            name=name,
            input=json_text(frame.input),
            inputDetails={"truncated": False},
        )
        frame.entered = True

    def _exit(self, run: StateRun, kind: str, trail: Trail) -> None:
        self._history.append(
            trail,
            f"{kind}StateExited",
            "stateExitedEventDetails",
            name=run.name,
            output=json_text(run.output),
            outputDetails={"truncated": False},
            assignedVariables={key: json_text(value) for key, value in run.assigned.items()} or None,
            assignedVariablesDetails={"truncated": False} if run.assigned else None,
        )
