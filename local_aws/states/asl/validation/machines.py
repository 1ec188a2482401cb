"""Checks of a list of states: names, transitions, reachability, and the states in it.

A Parallel state's branches and a Map state's processor are such lists too. See
https://states-language.net/spec.html#toplevelfields and
https://states-language.net/spec.html#transition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.states.asl.query import is_jsonata
from local_aws.states.asl.validation import fields
from local_aws.states.asl.validation.error_handling import check_error_handling
from local_aws.states.asl.validation.expressions import check_expressions
from local_aws.states.asl.validation.findings import Findings
from local_aws.states.asl.validation.states import check_choice, check_fail, check_task, check_wait
from local_aws.states.asl.validation.values import entries, is_positive

_MAX_STATE_NAME = 80


def check_definition(definition: dict[str, Any], findings: Findings) -> None:
    """Check a whole definition."""
    states = _check_machine(definition, "", findings)
    if states and not any(_is_terminal(state) for state in states.values() if isinstance(state, dict)):
        findings.error(
            "/States", "No terminal state: one state must be Succeed, Fail or have 'End': true", "NO_TERMINAL_STATE"
        )


def _check_machine(machine: Any, at: str, findings: Findings) -> dict[str, Any]:
    """Check a list of states and return its states, none if it has no usable ones."""
    if not isinstance(machine, dict):
        findings.error(at, "Expected value of type Object")
        return {}
    for field in sorted(set(machine) - fields.MACHINE):
        findings.error(f"{at}/{field}", f"Field '{field}' is not supported")
    if machine.get("QueryLanguage", "JSONPath") not in ("JSONPath", "JSONata"):
        findings.error(f"{at}/QueryLanguage", "Value must be one of [JSONPath, JSONata]")
    if "TimeoutSeconds" in machine and not is_positive(machine["TimeoutSeconds"]):
        findings.error(f"{at}/TimeoutSeconds", "Value must be a positive integer of at most 99999999")
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        findings.error(
            f"{at}/States",
            "These required fields are missing: [States]" if states is None else "States must be a non-empty object",
        )
        return {}
    start = machine.get("StartAt")
    if not isinstance(start, str):
        findings.error(f"{at}", "These required fields are missing: [StartAt]")
    elif start not in states:
        findings.error(f"{at}/StartAt", f"Missing 'Next' target: {start}", "MISSING_TRANSITION_TARGET")
    for name, state in states.items():
        _check_name(name, f"{at}/States/{name}", findings)
        if isinstance(state, dict):
            _check_state(state, f"{at}/States/{name}", states, findings)
        else:
            findings.error(f"{at}/States/{name}", "Expected value of type Object")
    _check_reachable(start, states, at, findings)
    return states


def _check_name(name: str, at: str, findings: Findings) -> None:
    if len(name) > _MAX_STATE_NAME:
        findings.error(at, f"State name must have at most {_MAX_STATE_NAME} characters")
    if name in findings.names:
        findings.error(
            at,
            f"State name '{name}' is used more than once; names must be unique in the definition",
            "DUPLICATE_STATE_NAME",
        )
    findings.names.add(name)


def _check_reachable(start: Any, states: dict[str, Any], at: str, findings: Findings) -> None:
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
            findings.error(f"{at}/States/{name}", f'State "{name}" is not reachable.', "MISSING_TRANSITION_TARGET")


def _check_state(state: dict[str, Any], at: str, siblings: dict[str, Any], findings: Findings) -> None:
    kind = state.get("Type")
    if kind not in fields.STATES:
        findings.error(
            f"{at}/Type",
            "These required fields are missing: [Type]"
            if kind is None
            else f"Value '{kind}' is not a valid state type, one of [{', '.join(sorted(fields.STATES))}]",
        )
        return
    for field in sorted(set(state) - fields.STATES[kind]):
        findings.error(f"{at}/{field}", f"Field '{field}' is not supported in a {kind} state")
    jsonata = state.get("QueryLanguage", findings.language) == "JSONata"
    if jsonata:
        for field in sorted(set(state) & fields.JSONPATH_ONLY):
            findings.error(f"{at}/{field}", f"Field '{field}' is not supported when QueryLanguage is JSONata")
    else:
        for field in sorted(set(state) & fields.JSONATA_ONLY):
            findings.error(f"{at}/{field}", f"Field '{field}' is only supported when QueryLanguage is JSONata")
        check_expressions(state, at, findings)
    _check_transitions(state, kind, at, siblings, findings)
    _check_type(state, kind, at, jsonata, findings)
    check_error_handling(state, at, findings)


def _check_type(state: dict[str, Any], kind: str, at: str, jsonata: bool, findings: Findings) -> None:
    if kind == "Task":
        check_task(state, at, jsonata, findings)
    elif kind == "Choice":
        check_choice(state, at, jsonata, findings)
    elif kind == "Wait":
        check_wait(state, at, jsonata, findings)
    elif kind == "Fail":
        check_fail(state, at, findings)
    elif kind == "Parallel":
        _check_parallel(state, at, findings)
    elif kind == "Map":
        _check_map(state, at, jsonata, findings)


def _check_transitions(state: dict[str, Any], kind: str, at: str, siblings: dict[str, Any], findings: Findings) -> None:
    for target, location in _targets(state):
        if target not in siblings:
            findings.error(f"{at}/{location}", f"Missing 'Next' target: {target}", "MISSING_TRANSITION_TARGET")
    if kind in ("Choice", "Succeed", "Fail"):
        return
    if state.get("End") is not None and state.get("Next") is not None:
        findings.error(at, "Only one of these fields may be given: [Next, End]")
    elif not isinstance(state.get("Next"), str) and state.get("End") is not True:
        findings.error(at, "These required fields are missing: [Next], or 'End' must be true")


def _check_parallel(state: dict[str, Any], at: str, findings: Findings) -> None:
    branches = state.get("Branches")
    if not isinstance(branches, list) or not branches:
        findings.error(f"{at}/Branches", "These required fields are missing: [Branches], a non-empty list")
        return
    for index, branch in enumerate(branches):
        _check_machine(branch, f"{at}/Branches[{index}]", findings)


def _check_map(state: dict[str, Any], at: str, jsonata: bool, findings: Findings) -> None:
    given = [field for field in ("ItemProcessor", "Iterator") if field in state]
    if len(given) != 1:
        findings.error(at, "Exactly one of these fields must be given: [ItemProcessor, Iterator]")
        return
    _check_machine(state[given[0]], f"{at}/{given[0]}", findings)
    concurrency = state.get("MaxConcurrency", 0)
    if not (concurrency == 0 or is_positive(concurrency)) and not (jsonata and is_jsonata(concurrency)):
        findings.error(f"{at}/MaxConcurrency", "Value must be a non-negative integer")


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every transition of a state: the target's name, and where it stands."""
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield state[field], field
    for field in ("Choices", "Catch"):
        for index, entry in enumerate(entries(state.get(field))):
            if isinstance(entry, dict) and isinstance(entry.get("Next"), str):
                yield entry["Next"], f"{field}[{index}]/Next"


def _is_terminal(state: dict[str, Any]) -> bool:
    return state.get("Type") in ("Succeed", "Fail") or state.get("End") is True
