"""Glue jobs: read, create, update.

Source: AWS Glue Web API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class GlueJobHook(AwsClientHook):
    """Glue jobs."""

    service = "glue"

    def get_job(self, name: str) -> dict[str, Any] | None:
        """Return the job, or ``None`` if there is none of this name."""
        with self.errors(f"Glue job {name!r}"):
            try:
                job: dict[str, Any] = self.conn.get_job(JobName=name)["Job"]
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return None
                raise
        return job

    def create_job(self, name: str, definition: Mapping[str, Any], *, tags: Mapping[str, str]) -> bool:
        """Make a job.

        :param definition: As :func:`brewtrain.domain.deployment.glue_job.definition` returns it.
        :returns: Whether it was made; ``False`` if one of this name has just appeared.
        """
        with self.errors(f"Glue job {name!r}"):
            try:
                self.conn.create_job(Name=name, Tags=dict(tags), **definition)
            except ClientError as error:
                if error_code(error) in ("AlreadyExistsException", "IdempotentParameterMismatchException"):
                    return False
                raise
        return True

    def update_job(self, name: str, definition: Mapping[str, Any]) -> None:
        """Replace a job's definition; what it does not name goes back to Glue's default."""
        with self.errors(f"Glue job {name!r}"):
            self.conn.update_job(JobName=name, JobUpdate=dict(definition))
