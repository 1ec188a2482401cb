"""Errors with which a state fails, as distinct from mistakes of the interpreter itself."""

from __future__ import annotations


class StateError(Exception):
    """A state failed with an error name and a cause, both visible to Retry, Catch and DescribeExecution.

    :param error: error name, for example ``States.TaskFailed``.
    :param cause: text, or JSON text for failed jobs.
    """

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class RuntimeStateError(StateError):
    """``States.Runtime``: data did not fit the definition. Neither retried nor caught by ``States.ALL``."""

    def __init__(self, cause: str) -> None:
        super().__init__("States.Runtime", cause)


class PathNotFoundError(Exception):
    """A definite path does not exist in the document."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class PathSyntaxError(ValueError):
    """A path or intrinsic function cannot be parsed."""
