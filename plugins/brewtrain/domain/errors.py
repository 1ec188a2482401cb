"""The package's exception tree.

Must not import Airflow: operators translate these into Airflow's own exceptions where the scheduler
has to know.

::

    BrewtrainError
    ├── PipelineFileError      a pipeline file says something that cannot be deployed
    ├── RecipeFileError        a recipe file is not a DataBrew recipe
    ├── InputError             the data or a DAG param is not what the pipeline file promises
    ├── DeploymentError        AWS refuses, or lacks, what the pipeline needs
    ├── TransientError         AWS was not available; trying again may help
    └── RetrainingFailedError  the remote retraining ended in anything but success
        └── AlreadyToldError   a task before has failed and told of it
"""

from __future__ import annotations


class BrewtrainError(Exception):
    """Base of every error raised on purpose. Its text says what, where and what to do."""


class PipelineFileError(BrewtrainError):
    """A pipeline file is not valid.

    :param source: Path of the file, as the user knows it.
    :param problems: One sentence per problem: field, what is wrong, what to write instead.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class RecipeFileError(BrewtrainError):
    """A recipe file is not a DataBrew recipe; names the file, the step and what to write."""


class InputError(BrewtrainError):
    """The interval's data, or a param of the DAG run, is not usable; a retry does not help."""


class DeploymentError(BrewtrainError):
    """Something the pipeline needs on AWS is missing or refused; a retry does not help."""


class TransientError(BrewtrainError):
    """AWS throttled the call, answered 5xx or was out of reach; a retry may help."""


class RetrainingFailedError(BrewtrainError):
    """The remote retraining failed.

    :param message: The on-call card: which state, error, cause, what to do.
    :param retryable: Whether going up the ladder again by itself may help (transient causes only).
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(message)


class AlreadyToldError(RetrainingFailedError):
    """A task before this one has failed, and on-call has been told; a retry does not help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)
