"""Checks of choice rules in the query language JSONPath.

See https://states-language.net/spec.html#choice-state.
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.states.asl import choice, jsonpath
from local_aws.states.asl.validation.expressions import check_path
from local_aws.states.asl.validation.findings import Findings


def check_rule(rule: dict[str, Any], at: str, findings: Findings) -> None:
    """Check a choice rule and the rules in it; ``Next`` is the business of the Choice state."""
    combined = [key for key in ("And", "Or", "Not") if key in rule]
    operators = sorted(choice.OPERATORS & set(rule))
    if len(combined) + len(operators) != 1:
        findings.error(at, "A choice rule must have exactly one comparison operator or one of [And, Or, Not]")
        return
    allowed = {"Next", "Comment", "Variable", "Assign", *combined, *operators}
    for field in sorted(set(rule) - allowed):
        findings.error(f"{at}/{field}", f"Field '{field}' is not supported in a choice rule")
    if combined:
        _check_combination(combined[0], rule[combined[0]], at, findings)
    else:
        _check_comparison(rule, operators[0], at, findings)


def _check_combination(operator: str, inner: Any, at: str, findings: Findings) -> None:
    if operator == "Not":
        _check_inner_rule(inner, f"{at}/Not", findings)
    elif not isinstance(inner, list) or not inner:
        findings.error(f"{at}/{operator}", "Expected a non-empty list of choice rules")
    else:
        for index, part in enumerate(inner):
            _check_inner_rule(part, f"{at}/{operator}[{index}]", findings)


def _check_inner_rule(rule: Any, at: str, findings: Findings) -> None:
    if not isinstance(rule, dict):
        findings.error(at, "Expected value of type Object")
        return
    if "Next" in rule:
        findings.error(at, "Next is only supported at the top level of a choice rule")
    check_rule(rule, at, findings)


def _check_comparison(rule: dict[str, Any], operator: str, at: str, findings: Findings) -> None:
    if "Variable" not in rule:
        findings.error(at, "These required fields are missing: [Variable]")
    else:
        check_path(rule["Variable"], f"{at}/Variable", findings)
    value = rule[operator]
    if operator.endswith("Path"):
        check_path(value, f"{at}/{operator}", findings)
    elif not _operand_fits(operator, value):
        findings.error(f"{at}/{operator}", f"Value {json.dumps(value)} does not fit the operator {operator}")


def _operand_fits(operator: str, value: Any) -> bool:
    if operator.startswith(("Is", "Boolean")):
        return isinstance(value, bool)
    if operator.startswith("Numeric"):
        return jsonpath.is_number(value)
    if operator.startswith("Timestamp"):
        return choice.timestamp(value) is not None
    return isinstance(value, str)
