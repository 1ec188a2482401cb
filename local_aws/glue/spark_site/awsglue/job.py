"""``awsglue.job``: bookmarks are not kept, so init and commit only check their order."""

from __future__ import annotations

from typing import Any


class Job:
    """A job's bookmark: here only whether it was initialised."""

    def __init__(self, glue_context: Any) -> None:
        self.glue_context = glue_context
        self._name: str | None = None

    def init(self, job_name: str, args: dict[str, str] | None = None) -> None:
        """Note that the job has begun."""
        self._name = job_name

    def isInitialized(self) -> bool:  # noqa: N802
        """Whether `init` was called."""
        return self._name is not None

    def commit(self) -> None:
        """Do nothing, but refuse a job that was not initialised."""
        if self._name is None:
            raise RuntimeError("Job.commit() was called before Job.init()")
