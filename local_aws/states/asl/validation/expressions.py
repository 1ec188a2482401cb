"""Checks of paths, reference paths and payload templates.

See https://states-language.net/spec.html#path and
https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html.
"""

from __future__ import annotations

from typing import Any

from local_aws.states.asl import intrinsics, jsonpath
from local_aws.states.asl.errors import PathSyntaxError
from local_aws.states.asl.validation import fields
from local_aws.states.asl.validation.findings import Findings

_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign", "Credentials")


def check_expressions(state: dict[str, Any], at: str, findings: Findings) -> None:
    """Check every path and template of a state in the query language JSONPath."""
    for field in sorted(fields.PATHS & set(state)):
        value = state[field]
        if value is not None:
            check_path(value, f"{at}/{field}", findings)
        elif field not in ("InputPath", "OutputPath"):
            findings.error(f"{at}/{field}", "Value is not a Reference Path: null")
    check_result_path(state.get("ResultPath"), at, findings)
    for field in _TEMPLATES:
        if field in state:
            if field != "Parameters" and not isinstance(state[field], dict):
                findings.error(f"{at}/{field}", "Expected value of type Object")
            _check_template(state[field], f"{at}/{field}", findings)


def check_result_path(path: Any, at: str, findings: Findings) -> None:
    """Check that a ``ResultPath`` names one node of the input; None is allowed."""
    if path is None:
        return
    try:
        parsed = jsonpath.parse(path) if isinstance(path, str) else None
    except PathSyntaxError:
        parsed = None
    if parsed is None or not parsed.is_reference or parsed.root != "$":
        findings.error(f"{at}/ResultPath", f"Value is not a Reference Path: {path}", "INVALID_PATH")


def check_path(text: Any, at: str, findings: Findings) -> None:
    """Check a path or the call of an intrinsic function."""
    try:
        if not isinstance(text, str):
            raise PathSyntaxError("not a string")
        if intrinsics.is_call(text):
            intrinsics.parse(text)
        else:
            jsonpath.parse(text)
    except PathSyntaxError as error:
        what = "an intrinsic function" if isinstance(text, str) and intrinsics.is_call(text) else "a valid JSONPath"
        findings.error(at, f"The value of the field is not {what}: {text} ({error})", "INVALID_PATH")


def _check_template(template: Any, at: str, findings: Findings) -> None:
    if isinstance(template, dict):
        for key, value in template.items():
            if not key.endswith(".$"):
                _check_template(value, f"{at}/{key}", findings)
                continue
            if key[:-2] in template:
                findings.error(f"{at}/{key}", f"The field '{key[:-2]}' is given twice, as value and as path")
            if isinstance(value, str) and (value.startswith("$") or intrinsics.is_call(value)):
                check_path(value, f"{at}/{key}", findings)
            else:
                findings.error(
                    f"{at}/{key}",
                    f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call",
                )
    elif isinstance(template, list):
        for index, item in enumerate(template):
            _check_template(item, f"{at}[{index}]", findings)
