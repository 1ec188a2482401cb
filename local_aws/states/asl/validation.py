"""Validation of state machine definitions, with diagnostics like those of ValidateStateMachineDefinition.

See
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
and https://states-language.net/spec.html. Must import neither moto nor boto3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_aws.states import resources
from local_aws.states.asl import choice, intrinsics, jsonpath
from local_aws.states.asl.errors import PathSyntaxError
from local_aws.states.asl.query import is_jsonata

_TOP = {"Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage", "ProcessorConfig"}
_COMMON = {"Type", "Comment", "QueryLanguage", "Assign"}
_FLOW = {"Next", "End"}
_IO = {"InputPath", "OutputPath"}
_RESULT = {"ResultPath", "ResultSelector", "Parameters"}
_ERRORS = {"Retry", "Catch"}
_JSONATA = {"Output", "Arguments"}
_TIMES = {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"}
_FIELDS = {
    "Task": _COMMON | _FLOW | _IO | _RESULT | _ERRORS | _TIMES | _JSONATA | {"Resource", "Credentials"},
    "Pass": _COMMON | _FLOW | _IO | _JSONATA | {"Result", "ResultPath", "Parameters"},
    "Choice": _COMMON | _IO | {"Choices", "Default", "Output"},
    "Wait": _COMMON | _FLOW | _IO | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath", "Output"},
    "Succeed": _COMMON | _IO | {"Output"},
    "Fail": {"Type", "Comment", "QueryLanguage", "Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": _COMMON | _FLOW | _IO | _RESULT | _ERRORS | _JSONATA | {"Branches"},
    "Map": _COMMON
    | _FLOW
    | _IO
    | _RESULT
    | _ERRORS
    | _JSONATA
    | {
        "ItemProcessor",
        "Iterator",
        "ItemsPath",
        "Items",
        "ItemSelector",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
        "Label",
    },
}
_PATH_FIELDS = {
    "InputPath",
    "OutputPath",
    "ItemsPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "MaxConcurrencyPath",
    "ErrorPath",
    "CausePath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
}
_JSONPATH_ONLY = {
    "InputPath",
    "OutputPath",
    "ResultPath",
    "ResultSelector",
    "Parameters",
    "ItemsPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ErrorPath",
    "CausePath",
}
_MAX_STATE_NAME = 80
_RETRY_FIELDS = {
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
}
_CATCH_FIELDS = {"ErrorEquals", "Next", "ResultPath", "Comment", "Assign", "Output"}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``severity`` is ``ERROR`` or ``WARNING``; ``location`` is like ``/States/Train/Next``."""

    severity: str
    code: str
    message: str
    location: str

    def as_api(self) -> dict[str, str]:
        """The member ``diagnostics`` of the API's answer."""
        answer = {"severity": self.severity, "code": self.code, "message": self.message}
        return {**answer, "location": self.location} if self.location else answer


class DefinitionError(Exception):
    """The definition is not valid. ``diagnostics`` holds every finding, warnings included."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__(self.message())

    def message(self) -> str:
        """The message of CreateStateMachine's ``InvalidDefinition``."""
        errors = [item for item in self.diagnostics if item.severity == "ERROR"]
        text = ", ".join(f"{item.code}: {item.message} at {item.location or '/'}" for item in errors)
        return f"Invalid State Machine Definition: '{text}'"


def parse(text: str) -> dict[str, Any]:
    """A definition that may be created.

    :param text: the definition as JSON.
    :raises DefinitionError: it has at least one error.
    """
    definition, diagnostics = diagnose(text)
    if definition is None or any(item.severity == "ERROR" for item in diagnostics):
        raise DefinitionError(diagnostics)
    return definition


def diagnose(text: str) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
    """The parsed definition (``None`` if it is no JSON object) and every finding."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        return None, [Diagnostic("ERROR", "INVALID_JSON_DESCRIPTION", f"{error}", "")]
    if not isinstance(definition, dict):
        return None, [Diagnostic("ERROR", "INVALID_JSON_DESCRIPTION", "The definition must be a JSON object", "")]
    checker = _Checker(definition.get("QueryLanguage", "JSONPath"))
    checker.machine(definition, "", top=True)
    return definition, checker.found


class _Checker:
    def __init__(self, language: Any) -> None:
        self.found: list[Diagnostic] = []
        self.language = language
        self.names: set[str] = set()

    def error(self, location: str, message: str, code: str = "SCHEMA_VALIDATION_FAILED") -> None:
        self.found.append(Diagnostic("ERROR", code, message, location))

    def warning(self, location: str, message: str, code: str) -> None:
        self.found.append(Diagnostic("WARNING", code, message, location))

    def machine(self, machine: Any, at: str, *, top: bool = False) -> None:
        if not isinstance(machine, dict):
            self.error(at, "Expected value of type Object")
            return
        for field in sorted(set(machine) - _TOP):
            self.error(f"{at}/{field}", f"Field '{field}' is not supported")
        if machine.get("QueryLanguage", "JSONPath") not in ("JSONPath", "JSONata"):
            self.error(f"{at}/QueryLanguage", "Value must be one of [JSONPath, JSONata]")
        if "TimeoutSeconds" in machine and not _positive(machine["TimeoutSeconds"]):
            self.error(f"{at}/TimeoutSeconds", "Value must be a positive integer of at most 99999999")
        states = machine.get("States")
        if not isinstance(states, dict) or not states:
            self.error(
                f"{at}/States",
                "These required fields are missing: [States]"
                if states is None
                else "States must be a non-empty object",
            )
            return
        start = machine.get("StartAt")
        if not isinstance(start, str):
            self.error(f"{at}", "These required fields are missing: [StartAt]")
        elif start not in states:
            self.error(f"{at}/StartAt", f"Missing 'Next' target: {start}", "MISSING_TRANSITION_TARGET")
        for name, state in states.items():
            location = f"{at}/States/{name}"
            if len(name) > _MAX_STATE_NAME:
                self.error(location, f"State name must have at most {_MAX_STATE_NAME} characters")
            if name in self.names:
                self.error(
                    location,
                    f"State name '{name}' is used more than once; names must be unique in the definition",
                    "DUPLICATE_STATE_NAME",
                )
            self.names.add(name)
            if isinstance(state, dict):
                self.state(state, location, states)
            else:
                self.error(location, "Expected value of type Object")
        self._reachable(start, states, at)
        if top and not any(_is_terminal(state) for state in states.values() if isinstance(state, dict)):
            self.error(
                f"{at}/States",
                "No terminal state: one state must be Succeed, Fail or have 'End': true",
                "NO_TERMINAL_STATE",
            )

    def _reachable(self, start: Any, states: dict[str, Any], at: str) -> None:
        if not isinstance(start, str) or start not in states:
            return
        seen, waiting = set(), [start]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in states:
                continue
            seen.add(name)
            if isinstance(states[name], dict):
                waiting += [target for target, _ in _targets(states[name])]
        for name in states:
            if name not in seen:
                self.error(f"{at}/States/{name}", f'State "{name}" is not reachable.', "MISSING_TRANSITION_TARGET")

    def state(self, state: dict[str, Any], at: str, siblings: dict[str, Any]) -> None:
        kind = state.get("Type")
        if kind not in _FIELDS:
            self.error(
                f"{at}/Type",
                "These required fields are missing: [Type]"
                if kind is None
                else f"Value '{kind}' is not a valid state type, one of [{', '.join(sorted(_FIELDS))}]",
            )
            return
        for field in sorted(set(state) - _FIELDS[kind]):
            self.error(f"{at}/{field}", f"Field '{field}' is not supported in a {kind} state")
        jsonata = state.get("QueryLanguage", self.language) == "JSONata"
        if jsonata:
            for field in sorted(set(state) & _JSONPATH_ONLY):
                self.error(f"{at}/{field}", f"Field '{field}' is not supported when QueryLanguage is JSONata")
        else:
            for field in sorted(set(state) & (_JSONATA | {"Items"})):
                self.error(f"{at}/{field}", f"Field '{field}' is only supported when QueryLanguage is JSONata")
            self.paths(state, at)
        self.transitions(state, kind, at, siblings)
        getattr(self, f"_{kind.lower()}")(state, at, jsonata)
        for index, retrier in enumerate(_entries(state.get("Retry"))):
            self.retrier(retrier, f"{at}/Retry[{index}]", last=index == len(state["Retry"]) - 1)
        for index, catcher in enumerate(_entries(state.get("Catch"))):
            self.catcher(catcher, f"{at}/Catch[{index}]", last=index == len(state["Catch"]) - 1)

    def transitions(self, state: dict[str, Any], kind: str, at: str, siblings: dict[str, Any]) -> None:
        for target, location in _targets(state):
            if target not in siblings:
                self.error(f"{at}/{location}", f"Missing 'Next' target: {target}", "MISSING_TRANSITION_TARGET")
        if kind in ("Choice", "Succeed", "Fail"):
            return
        if state.get("End") is not None and state.get("Next") is not None:
            self.error(at, "Only one of these fields may be given: [Next, End]")
        elif not isinstance(state.get("Next"), str) and state.get("End") is not True:
            self.error(at, "These required fields are missing: [Next], or 'End' must be true")

    def paths(self, state: dict[str, Any], at: str) -> None:
        for field in _PATH_FIELDS & set(state):
            value = state[field]
            if value is not None:
                self.path(value, f"{at}/{field}")
            elif field not in ("InputPath", "OutputPath"):
                self.error(f"{at}/{field}", "Value is not a Reference Path: null")
        result_path = state.get("ResultPath")
        if result_path is not None:
            try:
                reference = isinstance(result_path, str) and (path := jsonpath.parse(result_path)).is_reference
            except PathSyntaxError:
                reference = False
            if not reference or path.root != "$":
                self.error(f"{at}/ResultPath", f"Value is not a Reference Path: {result_path}", "INVALID_PATH")
        for field in ("Parameters", "ResultSelector", "ItemSelector", "Assign", "Credentials"):
            if field in state:
                if field != "Parameters" and not isinstance(state[field], dict):
                    self.error(f"{at}/{field}", "Expected value of type Object")
                self.template(state[field], f"{at}/{field}")

    def path(self, text: Any, at: str) -> None:
        try:
            if not isinstance(text, str):
                raise PathSyntaxError("not a string")
            if intrinsics.is_call(text):
                intrinsics.parse(text)
            else:
                jsonpath.parse(text)
        except PathSyntaxError as error:
            what = "an intrinsic function" if isinstance(text, str) and intrinsics.is_call(text) else "a valid JSONPath"
            self.error(at, f"The value of the field is not {what}: {text} ({error})", "INVALID_PATH")

    def template(self, template: Any, at: str) -> None:
        if isinstance(template, dict):
            for key, value in template.items():
                if key.endswith(".$"):
                    if key[:-2] in template:
                        self.error(f"{at}/{key}", f"The field '{key[:-2]}' is given twice, as value and as path")
                    if not isinstance(value, str) or not (value.startswith("$") or intrinsics.is_call(value)):
                        self.error(
                            f"{at}/{key}",
                            f"The value for the field '{key}' must be a valid JSONPath or a valid "
                            f"intrinsic function call",
                        )
                    else:
                        self.path(value, f"{at}/{key}")
                else:
                    self.template(value, f"{at}/{key}")
        elif isinstance(template, list):
            for index, item in enumerate(template):
                self.template(item, f"{at}[{index}]")

    def _task(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        arn = state.get("Resource")
        if not isinstance(arn, str):
            self.error(at, "These required fields are missing: [Resource]")
            return
        for field in ("TimeoutSeconds", "HeartbeatSeconds"):
            value = state.get(field)
            if value is not None and not _positive(value) and not (jsonata and is_jsonata(value)):
                self.error(f"{at}/{field}", "Value must be a positive integer of at most 99999999")
            if field in state and f"{field}Path" in state:
                self.error(at, f"Only one of these fields may be given: [{field}, {field}Path]")
        timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
        if _positive(timeout) and _positive(heartbeat) and int(heartbeat or 0) >= int(timeout or 0):
            self.error(f"{at}/HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")
        try:
            resource = resources.parse(arn)
        except resources.UnknownResourceError as error:
            self.error(f"{at}/Resource", str(error))
            return
        arguments = state.get("Arguments" if jsonata else "Parameters")
        if resource.kind in ("optimized", "aws-sdk") and resource.operation:
            self.arguments(arguments, resource, f"{at}/{'Arguments' if jsonata else 'Parameters'}", jsonata)
        if resource.pattern == "waitForTaskToken" and "Task.Token" not in json.dumps(arguments):
            self.error(at, "A task with .waitForTaskToken must pass the task token $$.Task.Token in its parameters")

    def arguments(self, arguments: Any, resource: resources.TaskResource, at: str, jsonata: bool) -> None:
        shape = resources.service_model(resource.boto_service).operation_model(resource.operation).input_shape
        required = set(shape.required_members) if shape else set()
        if arguments is None and resource.kind == "optimized" and required:
            self.error(at.rpartition("/")[0], "These required fields are missing: [Parameters]")
            return
        if not isinstance(arguments, dict):
            return
        members = {member[:1].upper() + member[1:] for member in shape.members} if shape else set()
        given = {key.removesuffix(".$") for key in arguments}
        own = {"AssociateWithParent"} if resource.service == "states" else set()
        for field in sorted(given - members - own):
            self.error(f"{at}/{field}", f'The field "{field}" is not supported by Step Functions')
        if resource.kind == "optimized":
            idempotency = {name for name in required if shape.members[name].metadata.get("idempotencyToken")}
            missing = sorted({name[:1].upper() + name[1:] for name in required - idempotency} - given)
            if missing:
                self.error(at, f"The field(s) [{', '.join(missing)}] are required but were missing")

    def _pass(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        return

    def _succeed(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        return

    def _fail(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        for field in ("Error", "Cause"):
            if field in state and f"{field}Path" in state:
                self.error(at, f"Only one of these fields may be given: [{field}, {field}Path]")
            if field in state and not isinstance(state[field], str):
                self.error(f"{at}/{field}", "Expected value of type String")

    def _wait(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        given = [field for field in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if field in state]
        if len(given) != 1:
            self.error(
                at, "Exactly one of these fields must be given: [Seconds, SecondsPath, Timestamp, TimestampPath]"
            )
        seconds = state.get("Seconds")
        if "Seconds" in state and not (jsonata and is_jsonata(seconds)) and not (seconds == 0 or _positive(seconds)):
            self.error(f"{at}/Seconds", "Value must be a non-negative integer of at most 99999999")
        stamp = state.get("Timestamp")
        if "Timestamp" in state and not (jsonata and is_jsonata(stamp)) and choice.timestamp(stamp) is None:
            self.error(f"{at}/Timestamp", f"Value is not a valid RFC 3339 timestamp: {stamp}")

    def _choice(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        rules = state.get("Choices")
        if not isinstance(rules, list) or not rules:
            self.error(f"{at}/Choices", "These required fields are missing: [Choices], a non-empty list")
            return
        for index, rule in enumerate(rules):
            where = f"{at}/Choices[{index}]"
            if not isinstance(rule, dict):
                self.error(where, "Expected value of type Object")
                continue
            if not isinstance(rule.get("Next"), str):
                self.error(where, "These required fields are missing: [Next]")
            if jsonata:
                if "Condition" not in rule:
                    self.error(where, "These required fields are missing: [Condition]")
            else:
                self.rule(rule, where, outer=True)
        if "Default" not in state:
            self.warning(
                at, "No Default: an input that no rule matches fails with States.NoChoiceMatched", "NO_DEFAULT"
            )

    def rule(self, rule: Any, at: str, *, outer: bool = False) -> None:
        if not isinstance(rule, dict):
            self.error(at, "Expected value of type Object")
            return
        if not outer and "Next" in rule:
            self.error(at, "Next is only supported at the top level of a choice rule")
        combined = [key for key in ("And", "Or", "Not") if key in rule]
        operators = sorted(choice.OPERATORS & set(rule))
        if len(combined) + len(operators) != 1:
            self.error(at, "A choice rule must have exactly one comparison operator or one of [And, Or, Not]")
            return
        allowed = {"Next", "Comment", "Variable", "Assign", *combined, *operators}
        for field in sorted(set(rule) - allowed):
            self.error(f"{at}/{field}", f"Field '{field}' is not supported in a choice rule")
        if combined:
            inner = rule[combined[0]]
            if combined[0] == "Not":
                self.rule(inner, f"{at}/Not")
            elif not isinstance(inner, list) or not inner:
                self.error(f"{at}/{combined[0]}", "Expected a non-empty list of choice rules")
            else:
                for index, part in enumerate(inner):
                    self.rule(part, f"{at}/{combined[0]}[{index}]")
            return
        if "Variable" not in rule:
            self.error(at, "These required fields are missing: [Variable]")
        else:
            self.path(rule["Variable"], f"{at}/Variable")
        operator, value = operators[0], rule[operators[0]]
        if operator.endswith("Path"):
            self.path(value, f"{at}/{operator}")
        elif not _operand_fits(operator, value):
            self.error(f"{at}/{operator}", f"Value {json.dumps(value)} does not fit the operator {operator}")

    def _parallel(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        branches = state.get("Branches")
        if not isinstance(branches, list) or not branches:
            self.error(f"{at}/Branches", "These required fields are missing: [Branches], a non-empty list")
            return
        for index, branch in enumerate(branches):
            self.machine(branch, f"{at}/Branches[{index}]")

    def _map(self, state: dict[str, Any], at: str, jsonata: bool) -> None:
        given = [field for field in ("ItemProcessor", "Iterator") if field in state]
        if len(given) != 1:
            self.error(at, "Exactly one of these fields must be given: [ItemProcessor, Iterator]")
            return
        self.machine(state[given[0]], f"{at}/{given[0]}")
        concurrency = state.get("MaxConcurrency", 0)
        if not (concurrency == 0 or _positive(concurrency)) and not (jsonata and is_jsonata(concurrency)):
            self.error(f"{at}/MaxConcurrency", "Value must be a non-negative integer")

    def retrier(self, retrier: Any, at: str, *, last: bool) -> None:
        if not isinstance(retrier, dict):
            self.error(at, "Expected value of type Object")
            return
        for field in sorted(set(retrier) - _RETRY_FIELDS):
            self.error(f"{at}/{field}", f"Field '{field}' is not supported in a retrier")
        self._error_equals(retrier, at, last)
        if "IntervalSeconds" in retrier and not _positive(retrier["IntervalSeconds"]):
            self.error(f"{at}/IntervalSeconds", "Value must be a positive integer")
        attempts = retrier.get("MaxAttempts", 3)
        if not (attempts == 0 or _positive(attempts)) or isinstance(attempts, bool):
            self.error(f"{at}/MaxAttempts", "Value must be a non-negative integer of at most 99999999")
        rate = retrier.get("BackoffRate", 2.0)
        if not jsonpath.is_number(rate) or rate < 1:
            self.error(f"{at}/BackoffRate", "Value must be a number of at least 1.0")
        delay, interval = retrier.get("MaxDelaySeconds"), retrier.get("IntervalSeconds", 1)
        if delay is not None and (
            not _positive(delay) or delay > 31622400 or (_positive(interval) and delay <= interval)
        ):
            self.error(
                f"{at}/MaxDelaySeconds", "Value must be an integer greater than IntervalSeconds and at most 31622400"
            )
        if retrier.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
            self.error(f"{at}/JitterStrategy", "Value must be one of [FULL, NONE]")

    def catcher(self, catcher: Any, at: str, *, last: bool) -> None:
        if not isinstance(catcher, dict):
            self.error(at, "Expected value of type Object")
            return
        for field in sorted(set(catcher) - _CATCH_FIELDS):
            self.error(f"{at}/{field}", f"Field '{field}' is not supported in a catcher")
        self._error_equals(catcher, at, last)
        if not isinstance(catcher.get("Next"), str):
            self.error(at, "These required fields are missing: [Next]")
        if catcher.get("ResultPath") is not None:
            self.paths({"ResultPath": catcher["ResultPath"]}, at)

    def _error_equals(self, entry: dict[str, Any], at: str, last: bool) -> None:
        names = entry.get("ErrorEquals")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            self.error(f"{at}/ErrorEquals", "ErrorEquals must be a non-empty list of error names")
        elif "States.ALL" in names and (len(names) > 1 or not last):
            self.error(f"{at}/ErrorEquals", "States.ALL must appear alone and in the last entry")


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield state[field], field
    for field in ("Choices", "Catch"):
        for index, entry in enumerate(_entries(state.get(field))):
            if isinstance(entry, dict) and isinstance(entry.get("Next"), str):
                yield entry["Next"], f"{field}[{index}]/Next"


def _is_terminal(state: dict[str, Any]) -> bool:
    return state.get("Type") in ("Succeed", "Fail") or state.get("End") is True


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 99999999


def _operand_fits(operator: str, value: Any) -> bool:
    if operator.startswith(("Is", "Boolean")):
        return isinstance(value, bool)
    if operator.startswith("Numeric"):
        return jsonpath.is_number(value)
    if operator.startswith("Timestamp"):
        return choice.timestamp(value) is not None
    return isinstance(value, str)
