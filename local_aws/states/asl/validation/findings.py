"""Diagnostics, and where a check puts them.

See
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    :param severity: ``ERROR`` or ``WARNING``.
    :param code: for example ``SCHEMA_VALIDATION_FAILED``.
    :param message: what is wrong.
    :param location: where, for example ``/States/Train/Next``; empty for the whole definition.
    """

    severity: str
    code: str
    message: str
    location: str

    def as_api(self) -> dict[str, str]:
        """Return the finding as an entry of the response's ``diagnostics``."""
        answer = {"severity": self.severity, "code": self.code, "message": self.message}
        return {**answer, "location": self.location} if self.location else answer


class DefinitionError(Exception):
    """The definition is not valid.

    :param diagnostics: every finding, including warnings.
    """

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__(self.message())

    def message(self) -> str:
        """Return the message of CreateStateMachine's ``InvalidDefinition``."""
        errors = [item for item in self.diagnostics if item.severity == "ERROR"]
        text = ", ".join(f"{item.code}: {item.message} at {item.location or '/'}" for item in errors)
        return f"Invalid State Machine Definition: '{text}'"


class Findings:
    """What the checks of one definition have found and need to remember.

    ``found`` is in the order of the definition; ``names`` are the states seen so far.

    :param language: the definition's ``QueryLanguage``, which its states inherit.
    """

    def __init__(self, language: Any) -> None:
        self.found: list[Diagnostic] = []
        self.language = language
        self.names: set[str] = set()

    def error(self, location: str, message: str, code: str = "SCHEMA_VALIDATION_FAILED") -> None:
        """Note something for which the definition is rejected."""
        self.found.append(Diagnostic("ERROR", code, message, location))

    def warning(self, location: str, message: str, code: str) -> None:
        """Note something that is allowed and probably wrong."""
        self.found.append(Diagnostic("WARNING", code, message, location))
