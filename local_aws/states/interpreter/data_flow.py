"""Input and output processing of a state: from its input to its output and variables.

See https://states-language.net/spec.html#input-and-output-processing and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html. Must not
import moto or boto3.
"""

from __future__ import annotations

from typing import Any

from local_aws.states.asl import jsonpath
from local_aws.states.asl.errors import PathNotFoundError, StateError
from local_aws.states.asl.query import Scope, jsonata_value, path_value, template_value
from local_aws.states.asl.texts import json_text
from local_aws.states.interpreter.frames import Frame
from local_aws.states.interpreter.program import Program

#: Bytes of JSON that a state may pass on.
MAX_PAYLOAD_BYTES = 262_144
# Only these have RetryCount in their context object.
_RETRIED = frozenset({"Map", "Parallel", "Task"})


class DataFlow:
    """The data of one state of one frame, in either query language.

    ``output`` and ``assigned`` (variables) hold the results once the state has run. ``token`` is
    the task token that the context object shows.

    :param program: what the execution runs.
    :param name: name of the state.
    :param state: its definition.
    :param frame: its position, with its input and the variables.
    """

    def __init__(self, program: Program, name: str, state: dict[str, Any], frame: Frame) -> None:
        self.program, self.name, self.state, self.frame = program, name, state, frame
        language = state.get("QueryLanguage", program.definition.get("QueryLanguage", "JSONPath"))
        self.jsonata = language == "JSONata"
        self.output: Any = None
        self.assigned: dict[str, Any] = {}
        self.token: str | None = None

    @property
    def scope(self) -> Scope:
        """What this state's expressions see: the context object and the variables."""
        context = dict(self.program.context)
        context["State"] = {"EnteredTime": self.frame.entered_time, "Name": self.name}
        if self.state["Type"] in _RETRIED:
            context["State"]["RetryCount"] = self.frame.retry_count
        if self.token is not None:
            context["Task"] = {"Token": self.token}
        if self.frame.item_index is not None:
            context["Map"] = {"Item": {"Index": self.frame.item_index, "Value": self.frame.item}}
        return Scope(context, self.frame.variables)

    def query(self, template: Any, field_name: str, **extra: Any) -> Any:
        """Evaluate a JSONata template of the state.

        :param template: value of the field.
        :param field_name: name of the field, for the error's cause.
        :param extra: members of ``$states`` besides ``input`` and ``context``.
        :raises StateError: ``States.QueryEvaluationError``.
        """
        states = {"input": self.frame.input, "context": self.scope.context, **extra}
        return jsonata_value(template, states, self.frame.variables, field_name)

    def at_path(self, field_name: str, document: Any) -> Any:
        """Return what the path in a field of the state selects.

        :param field_name: a field that the state has, for example ``SecondsPath``.
        :param document: what ``$`` means.
        :raises StateError: ``States.Runtime`` for a path that does not exist.
        """
        return path_value(self.state[field_name], document, self.scope, field_name)

    def effective_input(self) -> Any:
        """Return the input after ``InputPath`` (JSONPath only)."""
        path = self.state.get("InputPath", "$")
        if path is None:
            return {}
        return path_value(path, self.frame.input, self.scope, "InputPath")

    def filtered_input(self) -> Any:
        """Return the input as the state's own fields see it, in either query language."""
        return self.frame.input if self.jsonata else self.effective_input()

    def arguments(self, effective: Any) -> Any:
        """Evaluate ``Parameters`` or ``Arguments``; without either, the input is the argument.

        :param effective: the input after ``InputPath`` (unused in JSONata).
        """
        if self.jsonata:
            return self.query(self.state["Arguments"], "Arguments") if "Arguments" in self.state else self.frame.input
        if "Parameters" not in self.state:
            return effective
        return template_value(self.state["Parameters"], effective, self.scope)

    def finish(self, result: Any) -> None:
        """Turn the state's result into its output and variables.

        :raises StateError: the result does not fit, or the output is too large.
        """
        if self.jsonata:
            self.assign(self.state.get("Assign"), result=result)
            self.output = self.query_output(self.state, result, result=result)
        else:
            selected = result
            if "ResultSelector" in self.state:
                selected = template_value(self.state["ResultSelector"], result, self.scope)
            self.assign(self.state.get("Assign"), document=selected)
            self.output = self.output_path(self.place(selected, self.state.get("ResultPath", "$")))
        self.check_size(self.output)

    def pass_through(self, value: Any) -> None:
        """Make the (filtered) input the output, for states without a result."""
        self.assign(self.state.get("Assign"), document=value)
        self.output = self.query_output(self.state, value) if self.jsonata else self.output_path(value)
        self.check_size(self.output)

    def query_output(self, holder: dict[str, Any], otherwise: Any, **extra: Any) -> Any:
        """Evaluate the JSONata ``Output`` of a state or catcher.

        :param holder: the state or catcher.
        :param otherwise: the output when there is no ``Output``.
        :param extra: members of ``$states``, see ``query``.
        """
        return self.query(holder["Output"], "Output", **extra) if "Output" in holder else otherwise

    def assign(self, template: Any, document: Any = None, **extra: Any) -> None:
        """Evaluate ``Assign``; without it, the variables stay as they are.

        :param template: value of the field.
        :param document: what ``$`` means in JSONPath.
        :param extra: members of ``$states`` in JSONata.
        """
        if template is None:
            return
        if self.jsonata:
            self.assigned = self.query(template, "Assign", **extra)
        else:
            self.assigned = template_value(template, document, self.scope)

    def place(self, value: Any, path: str | None) -> Any:
        """Combine a value with the state's input as ``ResultPath`` says.

        :raises StateError: ``States.ResultPathMatchFailure``.
        """
        if path is None:
            return self.frame.input
        if path == "$":
            return value
        try:
            return jsonpath.assign(jsonpath.parse(path), self.frame.input, value)
        except PathNotFoundError as error:
            raise StateError(
                "States.ResultPathMatchFailure",
                f'Unable to apply step "{path}" to input {json_text(self.frame.input)[:1000]}',
            ) from error

    def output_path(self, value: Any) -> Any:
        """Return the output after ``OutputPath``."""
        path = self.state.get("OutputPath", "$")
        if path is None:
            return {}
        return path_value(path, value, self.scope, "OutputPath")

    def check_size(self, value: Any) -> None:
        """Reject data that a state may not pass on.

        :raises StateError: ``States.DataLimitExceeded``.
        """
        if len(json_text(value).encode()) > MAX_PAYLOAD_BYTES:
            raise StateError(
                "States.DataLimitExceeded",
                f"The state/task '{self.name}' returned a result with a size exceeding the maximum number of bytes "
                "service limit.",
            )
