"""Errors with which a state fails, as distinct from bugs of the interpreter itself.

See https://states-language.net/spec.html#errors.
"""

from __future__ import annotations


class StateError(Exception):
    """A state failed; Retry, Catch and DescribeExecution see the error name and the cause.

    :param error: error name, for example ``States.TaskFailed``.
    :param cause: text, or JSON text for failed jobs.
    """

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class RuntimeStateError(StateError):
    """``States.Runtime``: the data does not fit the definition. ``States.ALL`` does not match it.

    :param cause: text.
    """

    def __init__(self, cause: str) -> None:
        super().__init__("States.Runtime", cause)


class PathNotFoundError(Exception):
    """A path that names one node, which the document does not have."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class PathSyntaxError(ValueError):
    """A path or intrinsic function cannot be parsed."""
