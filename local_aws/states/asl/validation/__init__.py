"""Validation of state machine definitions, with diagnostics like those of Step Functions.

``machines`` checks the structure, ``states`` each state type, ``expressions`` paths and templates,
``choice_rules`` and ``error_handling`` what their names say. See
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
and https://states-language.net/spec.html. Must import neither moto nor boto3.
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.states.asl.validation.findings import DefinitionError, Diagnostic, Findings
from local_aws.states.asl.validation.machines import check_definition

__all__ = ["DefinitionError", "Diagnostic", "diagnose", "parse"]


def parse(text: str) -> dict[str, Any]:
    """Parse a definition that may be created.

    :param text: the definition as JSON.
    :raises DefinitionError: it has at least one error.
    """
    definition, diagnostics = diagnose(text)
    if definition is None or any(item.severity == "ERROR" for item in diagnostics):
        raise DefinitionError(diagnostics)
    return definition


def diagnose(text: str) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
    """Parse a definition and find everything that is wrong with it.

    :param text: the definition as JSON.
    :returns: the parsed definition (None if it is not a JSON object) and every finding.
    """
    try:
        definition = json.loads(text)
    except ValueError as error:
        return None, [Diagnostic("ERROR", "INVALID_JSON_DESCRIPTION", f"{error}", "")]
    if not isinstance(definition, dict):
        return None, [Diagnostic("ERROR", "INVALID_JSON_DESCRIPTION", "The definition must be a JSON object", "")]
    findings = Findings(definition.get("QueryLanguage", "JSONPath"))
    check_definition(definition, findings)
    return definition, findings.found
