"""Errors of a recipe or its data, with the step's number and the column.

One exception class, so that a caller (the DataBrew service, the command line) needs one `except`.
Imports nothing of the runner.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepError:
    """One fault of a recipe.

    :param step: number of the step, from 1; 0 for a fault outside the steps (file, input, output).
    :param operation: name of the operation as the recipe spells it; empty if there is none.
    :param column: name of the column concerned; empty if there is none.
    :param message: one sentence: what is wrong and what to do.
    """

    step: int
    operation: str
    column: str
    message: str

    def __str__(self) -> str:
        where = f"step {self.step}" if self.step else ""
        if self.operation:
            where = f"{where} ({self.operation})" if where else self.operation
        if self.column:
            where = f"{where}, column {self.column!r}" if where else f"column {self.column!r}"
        return f"{where}: {self.message}" if where else self.message


class RecipeError(Exception):
    """A recipe that cannot run, or data that does not fit it.

    :param message: one sentence: what is wrong and what to do.
    :param step: number of the step, from 1; 0 for a fault outside the steps.
    :param operation: name of the operation; empty if there is none.
    :param column: name of the column; empty if there is none.
    """

    def __init__(self, message: str, *, step: int = 0, operation: str = "", column: str = "") -> None:
        self.detail = StepError(step, operation, column, message)
        super().__init__(str(self.detail))

    @property
    def step(self) -> int:
        """Number of the step, from 1; 0 for a fault outside the steps."""
        return self.detail.step

    @property
    def operation(self) -> str:
        """Name of the operation; empty if there is none."""
        return self.detail.operation

    @property
    def column(self) -> str:
        """Name of the column; empty if there is none."""
        return self.detail.column

    @property
    def message(self) -> str:
        """What is wrong and what to do, without the place."""
        return self.detail.message

    def naming(self, name: str, called: str) -> RecipeError:
        """Return the error with a file called otherwise.

        :param name: what a message that begins with a file's name calls the file.
        :param called: what to call it instead, such as its address.
        """
        message = f"{called}{self.message.removeprefix(name)}" if self.message.startswith(f"{name} ") else self.message
        return RecipeError(message, step=self.step, operation=self.operation, column=self.column)

    def at(self, step: int, operation: str) -> RecipeError:
        """Return the error placed in a step; an error that has a step stays as it is."""
        if self.detail.step:
            return self
        return RecipeError(self.message, step=step, operation=operation, column=self.column)


class RecipeErrors(RecipeError):  # noqa: N818 - the plural of RecipeError
    """Several faults found at once: `errors` has all of them, the exception is the first."""

    def __init__(self, errors: list[StepError]) -> None:
        first = errors[0]
        super().__init__(first.message, step=first.step, operation=first.operation, column=first.column)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)
