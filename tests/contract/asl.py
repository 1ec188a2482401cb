"""Reads a state machine definition as Step Functions does: states, transitions, available data.

For the contract and e2e tests. Written from the Amazon States Language specification
(https://states-language.net/spec.html), not from the code that renders the definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
PATH = re.compile(r"(?<![$\w])\$(?:\.[A-Za-z_][\w]*|\[[^\]]*\])+")
CONTEXT_PATH = re.compile(r"\$\$(?:\.[A-Za-z_]\w*)+")
COMPARISONS = re.compile(r"^(String|Numeric|Boolean|Timestamp)\w+Path$")


def state_machines(document: Document) -> Iterator[Document]:
    """Yield the machine itself and every branch inside it."""
    yield document
    for state in document["States"].values():
        for branch in state.get("Branches", []):
            yield from state_machines(branch)


def all_states(document: Document) -> dict[str, Document]:
    """Return every state by name, also those inside branches.

    :raises AssertionError: If a name appears twice.
    """
    found: dict[str, Document] = {}
    for machine in state_machines(document):
        for name, state in machine["States"].items():
            assert name not in found, f"state {name!r} appears twice: names are unique in the whole state machine"
            found[name] = state
    return found


def transitions(state: Document) -> Iterator[tuple[str, str | None]]:
    """Yield the next states, each with the ResultPath of the catcher that leads there.

    It is ``None`` where no catcher leads there.
    """
    if "Next" in state:
        yield state["Next"], None
    for rule in state.get("Choices", []):
        yield rule["Next"], None
    if "Default" in state:
        yield state["Default"], None
    for catcher in state.get("Catch", []):
        yield catcher["Next"], catcher.get("ResultPath", "$")


def reachable(document: Document, start: str) -> dict[str, Any]:
    """Return the machine that starts elsewhere, without the states that cannot be reached."""
    names: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name not in names:
            names.add(name)
            pending += [target for target, _ in transitions(document["States"][name])]
    states = {name: state for name, state in document["States"].items() if name in names}
    return {**document, "StartAt": start, "States": states}


def entered_for(document: Document, entry: str) -> dict[str, Any]:
    """Return the part of the machine that an input with this ``entry`` can reach."""
    (target,) = [
        rule["Next"]
        for rule in document["States"][document["StartAt"]]["Choices"]
        if any(inner.get("StringEquals") == entry for inner in rule["And"])
    ]
    return reachable(document, target)


def expressions(state: Document) -> Iterator[tuple[str, str]]:
    """Yield what is resolved against the state's input: field, and path or intrinsic function."""
    for field in ("TimeoutSecondsPath", "SecondsPath", "CausePath", "ErrorPath", "InputPath", "OutputPath"):
        if isinstance(state.get(field), str):
            yield field, state[field]
    yield from _dynamic(state.get("Parameters"), "Parameters")
    for rule in state.get("Choices", []):
        yield from _rule(rule)


def result_expressions(state: Document) -> Iterator[tuple[str, str]]:
    """Yield what is resolved against the state's result: field, and path or intrinsic function."""
    yield from _dynamic(state.get("ResultSelector"), "ResultSelector")


def _dynamic(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key.endswith(".$"):
                yield f"{where}.{key}", inner
            else:
                yield from _dynamic(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _dynamic(inner, where)


def _rule(rule: Document) -> Iterator[tuple[str, str]]:
    for combinator in ("And", "Or"):
        for inner in rule.get(combinator, []):
            yield from _rule(inner)
    if "Not" in rule:
        yield from _rule(rule["Not"])
    # IsPresent asks whether the path is there, so the path may be absent.
    if "Variable" in rule and "IsPresent" not in rule:
        yield "Variable", rule["Variable"]
    for key, value in rule.items():
        if COMPARISONS.match(key):
            yield key, value


def guarded(rule: Document) -> set[str]:
    """Return the paths that an IsPresent in this rule asks for."""
    found = {rule["Variable"]} if "IsPresent" in rule else set()
    for inner in [*rule.get("And", []), *rule.get("Or", []), *([rule["Not"]] if "Not" in rule else [])]:
        found |= guarded(inner)
    return found


def paths(expression: str) -> list[str]:
    """Return the paths into the state's data that an expression names, without filters."""
    unquoted = re.sub(r"'(?:[^'\\]|\\.)*'", "''", expression) if expression.startswith("States.") else expression
    return [match.group(0) for match in PATH.finditer(CONTEXT_PATH.sub("", unquoted))]


def context_paths(expression: str) -> list[str]:
    """Return the paths into the context object that an expression names."""
    return CONTEXT_PATH.findall(expression)


def segments(path: str) -> list[str]:
    """Return the field names of a path up to the first index, wildcard or filter."""
    plain = re.split(r"\[", path, maxsplit=1)[0]
    return plain.split(".")[1:]


def available(document: Document, start: Any) -> dict[str, dict[str, Any]]:
    """Find what every state can rely on: data that is there on **every** way that leads to it.

    :param document: One machine (no branches).
    :param start: The execution's input.
    :returns: State name → data; ``...`` is a value whose fields are not known.
    """
    states = document["States"]
    known: dict[str, dict[str, Any]] = {document["StartAt"]: dict(start)}
    pending = [document["StartAt"]]
    while pending:
        name = pending.pop()
        state = states[name]
        for target, caught in transitions(state):
            if caught is None:
                data = _after(state, known[name])
            else:
                data = _placed(known[name], caught, {"Error": "", "Cause": ""})
            merged = data if target not in known else _common(known[target], data)
            if target not in known or merged != known[target]:
                known[target] = merged
                pending.append(target)
    return known


def _after(state: Document, data: dict[str, Any]) -> dict[str, Any]:
    if state["Type"] not in ("Task", "Pass", "Parallel", "Map"):
        return data
    if "ResultPath" in state and state["ResultPath"] is None:
        return data
    if "ResultSelector" in state:
        result = _template(state["ResultSelector"])
    elif state["Type"] == "Pass" and "Result" in state:
        result = state["Result"]
    elif state["Type"] == "Pass" and "Parameters" in state:
        result = _template(state["Parameters"])
    elif state["Type"] == "Pass":
        return data
    else:
        result = ...
    return _placed(data, state.get("ResultPath", "$"), result)


def _template(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key.removesuffix(".$"): ... if key.endswith(".$") else _template(inner) for key, inner in value.items()}
    return value


def _placed(data: dict[str, Any], path: str, result: Any) -> dict[str, Any]:
    fields = segments(path)
    if not fields:
        return dict(result) if isinstance(result, Mapping) else {}
    assert len(fields) == 1, f"ResultPath {path}: keep results at the top"
    return {**data, fields[0]: result}


def _common(left: Any, right: Any) -> Any:
    if left is ... or right is ...:
        return ...
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return {key: _common(left[key], right[key]) for key in left if key in right}
    return left if left == right else ...


def has(data: Any, path: str) -> bool:
    """Whether a path is in what is known of the data."""
    for field in segments(path):
        if data is ...:
            return True
        if not isinstance(data, Mapping) or field not in data:
            return False
        data = data[field]
    return True
