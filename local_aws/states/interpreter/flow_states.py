"""States that call nothing: Pass, Succeed, Fail, Choice and Wait.

See https://states-language.net/spec.html#state-types. Must not import moto or boto3.
"""

from __future__ import annotations

import copy
import time
from typing import Any

from local_aws.states.asl import choice
from local_aws.states.asl.errors import RuntimeStateError, StateError
from local_aws.states.asl.query import template_value
from local_aws.states.asl.texts import json_text
from local_aws.states.cancellation import Cancelled
from local_aws.states.interpreter.state_run import StateRun
from local_aws.states.interpreter.time_scale import time_scale


class PassState(StateRun):
    """A Pass state: https://states-language.net/spec.html#pass-state."""

    def execute(self) -> str | None:
        """Pass on the input, or the fixed ``Result``."""
        if self.jsonata:
            self.pass_through(self.frame.input)
            return self.following
        effective = self.effective_input()
        result = effective
        if "Parameters" in self.state:
            result = template_value(self.state["Parameters"], effective, self.scope)
        if "Result" in self.state:
            result = copy.deepcopy(self.state["Result"])
        self.finish(result)
        return self.following


class SucceedState(StateRun):
    """A Succeed state: https://states-language.net/spec.html#succeed-state."""

    def execute(self) -> None:
        """End the branch with the input as its output."""
        self.pass_through(self.filtered_input())


class FailState(StateRun):
    """A Fail state: https://states-language.net/spec.html#fail-state."""

    def execute(self) -> None:
        """Fail with ``Error`` and ``Cause``."""
        raise StateError(self._text("Error"), self._text("Cause"))

    def _text(self, name: str) -> str:
        value = self.state.get(name, "")
        if f"{name}Path" in self.state:
            value = self.at_path(f"{name}Path", self.frame.input)
        elif self.jsonata:
            value = self.query(value, name)
        if not isinstance(value, str):
            raise RuntimeStateError(
                f"The value of {name} of the Fail state must be a string, got {json_text(value)[:200]}"
            )
        return value


class ChoiceState(StateRun):
    """A Choice state: https://states-language.net/spec.html#choice-state."""

    def execute(self) -> str | None:
        """Continue at the first rule that matches, otherwise at ``Default``."""
        effective = self.filtered_input()
        rule = next((rule for rule in self.state["Choices"] if self._matches(rule, effective)), None)
        following = rule["Next"] if rule is not None else self.state.get("Default")
        if following is None:
            raise StateError(
                "States.NoChoiceMatched",
                f"No choice rule of the state '{self.name}' matched the input and it has no Default.",
            )
        self.pass_through(effective)
        if rule is not None and "Assign" in rule:
            self.assign(rule["Assign"], document=effective)
        if rule is not None and self.jsonata:
            self.output = self.query_output(rule, self.output)
        return str(following)

    def _matches(self, rule: dict[str, Any], effective: Any) -> bool:
        if not self.jsonata:
            return choice.matches(rule, effective, self.scope)
        value = self.query(rule["Condition"], "Condition")
        if not isinstance(value, bool):
            raise StateError(
                "States.QueryEvaluationError", "Condition must be a boolean, got " + json_text(value)[:200]
            )
        return value


class WaitState(StateRun):
    """A Wait state: https://states-language.net/spec.html#wait-state."""

    def execute(self) -> str | None:
        """Wait, then pass on the input."""
        effective = self.filtered_input()
        seconds = self._seconds_until(effective) if self._has_timestamp() else self._seconds(effective)
        try:
            self.cancel.wait(seconds)
        except Cancelled:
            self.history.append(self.trail, "WaitStateAborted")
            raise
        self.pass_through(effective)
        return self.following

    def _has_timestamp(self) -> bool:
        return not {"Seconds", "SecondsPath"} & self.state.keys()

    def _seconds_until(self, effective: Any) -> float:
        stamp = self.state.get("Timestamp")
        if "TimestampPath" in self.state:
            stamp = self.at_path("TimestampPath", effective)
        elif self.jsonata:
            stamp = self.query(stamp, "Timestamp")
        moment = choice.timestamp(stamp)
        if moment is None:
            raise RuntimeStateError(f"The value of the Wait state is not a timestamp: {json_text(stamp)}")
        return max(0.0, moment.timestamp() - time.time())

    def _seconds(self, effective: Any) -> float:
        if "SecondsPath" in self.state:
            seconds = self.at_path("SecondsPath", effective)
        else:
            seconds = self.query(self.state["Seconds"], "Seconds") if self.jsonata else self.state["Seconds"]
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
            raise RuntimeStateError(
                f"The SecondsPath parameter does not reference a non-negative integer: {json_text(seconds)}"
            )
        return float(seconds) * time_scale()
