"""One state, run with its retriers and catchers: what all state types have in common.

Must not import moto or boto3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.interpreter.data_flow import DataFlow
from local_aws.states.interpreter.error_handling import catcher_of, count_retry
from local_aws.states.interpreter.frames import Frame
from local_aws.states.interpreter.program import Branch

_EMPTY: dict[str, Any] = {}


class StateRun(DataFlow, ABC):
    """One state of one frame, from its input to its output.

    :param name: name of the state.
    :param state: its definition.
    :param frame: its position.
    :param branch: what it shares with the other states of its branch.
    """

    def __init__(self, name: str, state: dict[str, Any], frame: Frame, branch: Branch) -> None:
        super().__init__(branch.program, name, state, frame)
        self.branch, self.history = branch, branch.history
        self.cancel, self.trail = branch.cancel, branch.trail

    @abstractmethod
    def execute(self) -> str | None:
        """Make one attempt.

        :returns: name of the next state, None at the end.
        :raises StateError: the attempt failed.
        """

    @property
    def following(self) -> str | None:
        """Name of the next state, None at the end."""
        return self.state.get("Next")

    def run(self) -> str | None:
        """Run the state until it succeeds, is caught, or fails for good.

        :returns: name of the next state, None at the end.
        :raises StateError: no retrier and no catcher handles the error.
        """
        while True:
            try:
                return self.execute()
            except StateError as error:
                failure = self.explain(error)
                delay = count_retry(self.state, self.frame, failure)
                if delay is None:
                    target = self.catch(failure)
                    if target is None:
                        raise failure from error
                    return target
                self.cancel.wait(delay)
                self.frame.retry_count += 1

    def explain(self, error: StateError) -> StateError:
        """Name the failed state in the cause of a ``States.Runtime`` error, as on AWS."""
        if isinstance(error, RuntimeStateError) and not error.cause.startswith("An error occurred"):
            return RuntimeStateError(
                f"An error occurred while executing the state '{self.name}' (entered at the event id "
                f"#{self._entered_id()}). {error.cause}"
            )
        return error

    def _entered_id(self) -> int:
        for event in reversed(self.history.read()):
            if event.get("stateEnteredEventDetails", _EMPTY).get("name") == self.name:
                return int(event["id"])
        return 0

    def catch(self, error: StateError) -> str | None:
        """Hand an error to the state's catchers.

        :returns: the target of the catcher that handles it, None if none does.
        """
        catcher = catcher_of(self.state, error)
        if catcher is None:
            return None
        shown = {"Error": error.error, "Cause": error.cause}
        if self.jsonata:
            self.assign(catcher.get("Assign"), errorOutput=shown)
            self.output = self.query_output(catcher, shown, errorOutput=shown)
        else:
            self.assign(catcher.get("Assign"), document=shown)
            self.output = self.place(shown, catcher.get("ResultPath", "$"))
        return str(catcher["Next"])
