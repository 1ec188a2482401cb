"""Checks of the state types that contain no other states: Task, Fail, Wait and Choice.

See https://states-language.net/spec.html#state-types.
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.states import resources
from local_aws.states.asl import choice
from local_aws.states.asl.query import is_jsonata
from local_aws.states.asl.validation.choice_rules import check_rule
from local_aws.states.asl.validation.findings import Findings
from local_aws.states.asl.validation.values import is_positive


def check_task(state: dict[str, Any], at: str, jsonata: bool, findings: Findings) -> None:
    """Check a Task state: https://states-language.net/spec.html#task-state."""
    arn = state.get("Resource")
    if not isinstance(arn, str):
        findings.error(at, "These required fields are missing: [Resource]")
        return
    _check_times(state, at, jsonata, findings)
    try:
        resource = resources.parse(arn)
    except resources.UnknownResourceError as error:
        findings.error(f"{at}/Resource", str(error))
        return
    field = "Arguments" if jsonata else "Parameters"
    arguments = state.get(field)
    if resource.kind in ("optimized", "aws-sdk") and resource.operation:
        _check_arguments(arguments, resource, f"{at}/{field}", findings)
    if resource.pattern == "waitForTaskToken" and "Task.Token" not in json.dumps(arguments):
        findings.error(at, "A task with .waitForTaskToken must pass the task token $$.Task.Token in its parameters")


def _check_times(state: dict[str, Any], at: str, jsonata: bool, findings: Findings) -> None:
    for field in ("TimeoutSeconds", "HeartbeatSeconds"):
        value = state.get(field)
        if value is not None and not is_positive(value) and not (jsonata and is_jsonata(value)):
            findings.error(f"{at}/{field}", "Value must be a positive integer of at most 99999999")
        if field in state and f"{field}Path" in state:
            findings.error(at, f"Only one of these fields may be given: [{field}, {field}Path]")
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if is_positive(timeout) and is_positive(heartbeat) and int(heartbeat or 0) >= int(timeout or 0):
        findings.error(f"{at}/HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds")


def _check_arguments(arguments: Any, resource: resources.TaskResource, at: str, findings: Findings) -> None:
    shape = resources.service_model(resource.boto_service).operation_model(resource.operation).input_shape
    required = set(shape.required_members) if shape else set()
    if arguments is None and resource.kind == "optimized" and required:
        findings.error(at.rpartition("/")[0], "These required fields are missing: [Parameters]")
        return
    if not isinstance(arguments, dict):
        return
    members = {member[:1].upper() + member[1:] for member in shape.members} if shape else set()
    given = {key.removesuffix(".$") for key in arguments}
    own = {"AssociateWithParent"} if resource.service == "states" else set()
    for field in sorted(given - members - own):
        findings.error(f"{at}/{field}", f'The field "{field}" is not supported by Step Functions')
    if resource.kind == "optimized":
        idempotency = {name for name in required if shape.members[name].metadata.get("idempotencyToken")}
        missing = sorted({name[:1].upper() + name[1:] for name in required - idempotency} - given)
        if missing:
            findings.error(at, f"The field(s) [{', '.join(missing)}] are required but were missing")


def check_fail(state: dict[str, Any], at: str, findings: Findings) -> None:
    """Check a Fail state: https://states-language.net/spec.html#fail-state."""
    for field in ("Error", "Cause"):
        if field in state and f"{field}Path" in state:
            findings.error(at, f"Only one of these fields may be given: [{field}, {field}Path]")
        if field in state and not isinstance(state[field], str):
            findings.error(f"{at}/{field}", "Expected value of type String")


def check_wait(state: dict[str, Any], at: str, jsonata: bool, findings: Findings) -> None:
    """Check a Wait state: https://states-language.net/spec.html#wait-state."""
    given = [field for field in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if field in state]
    if len(given) != 1:
        findings.error(
            at, "Exactly one of these fields must be given: [Seconds, SecondsPath, Timestamp, TimestampPath]"
        )
    seconds = state.get("Seconds")
    if "Seconds" in state and not (jsonata and is_jsonata(seconds)) and not (seconds == 0 or is_positive(seconds)):
        findings.error(f"{at}/Seconds", "Value must be a non-negative integer of at most 99999999")
    stamp = state.get("Timestamp")
    if "Timestamp" in state and not (jsonata and is_jsonata(stamp)) and choice.timestamp(stamp) is None:
        findings.error(f"{at}/Timestamp", f"Value is not a valid RFC 3339 timestamp: {stamp}")


def check_choice(state: dict[str, Any], at: str, jsonata: bool, findings: Findings) -> None:
    """Check a Choice state: https://states-language.net/spec.html#choice-state."""
    rules = state.get("Choices")
    if not isinstance(rules, list) or not rules:
        findings.error(f"{at}/Choices", "These required fields are missing: [Choices], a non-empty list")
        return
    for index, rule in enumerate(rules):
        where = f"{at}/Choices[{index}]"
        if not isinstance(rule, dict):
            findings.error(where, "Expected value of type Object")
            continue
        if not isinstance(rule.get("Next"), str):
            findings.error(where, "These required fields are missing: [Next]")
        if not jsonata:
            check_rule(rule, where, findings)
        elif "Condition" not in rule:
            findings.error(where, "These required fields are missing: [Condition]")
    if "Default" not in state:
        findings.warning(
            at, "No Default: an input that no rule matches fails with States.NoChoiceMatched", "NO_DEFAULT"
        )
