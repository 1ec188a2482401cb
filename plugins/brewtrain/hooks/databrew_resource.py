"""What the hooks of a run's DataBrew resources share: make, compare and remove one, stop its runs.

Must not be imported while DAG files are parsed.

Source: the AWS Glue DataBrew API Reference, errors of its Create, Describe and Delete operations;
ListJobRuns, StopJobRun.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.errors import TransientError
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook

ACTIVE_JOB_RUNS = frozenset({"STARTING", "RUNNING", "STOPPING"})
_RUN_PAGE = 100


def contains(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is found; AWS adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(contains(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(contains(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


class DataBrewResourceHook(AwsClientHook):
    """Datasets, jobs and rulesets of one run."""

    service = "databrew"

    def prepare_dataset(self, name: str, wanted: dict[str, Any], tags: dict[str, str]) -> str:
        """Make sure that a dataset exists as it should.

        :param wanted: As CreateDataset and UpdateDataset take it, without name and tags.
        :param tags: Tags of a new one.
        :returns: What was done, in one line.
        """
        with self.errors(f"DataBrew dataset {name!r}"):
            found = self.describe(self.conn.describe_dataset, name)
            if found is None:
                if self.create(self.conn.create_dataset, Name=name, Tags=tags, **wanted):
                    return f"+ dataset {name}"
                found = self.describe(self.conn.describe_dataset, name)
            if contains(found, wanted):
                return f"= dataset {name}"
            self.conn.update_dataset(Name=name, **wanted)
            return f"~ dataset {name}"

    @staticmethod
    def describe(call: Any, name: str) -> dict[str, Any] | None:
        """Return what a Describe operation says; ``None`` if there is nothing of this name.

        :param call: The client's method.
        """
        try:
            answer: dict[str, Any] = call(Name=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return answer

    @staticmethod
    def create(call: Any, **request: Any) -> bool:
        """Make a resource.

        :param call: The client's method.
        :returns: Whether it was made; ``False`` if one of its name has just appeared.
        """
        try:
            call(**request)
        except ClientError as error:
            if error_code(error) == "ConflictException":
                return False
            raise
        return True

    def delete(self, kind: str, name: str, call: Any) -> str:
        """Remove a resource. What is gone already is fine.

        :param kind: What it is, for people.
        :param call: The client's method.
        :returns: What was done, in one line.
        :raises TransientError: If AWS still uses it: a job run is stopping. Trying again helps.
        """
        with self.errors(f"DataBrew {kind} {name!r}"):
            try:
                call(Name=name)
            except ClientError as error:
                code = error_code(error)
                if code == "ResourceNotFoundException":
                    return f"= {kind} {name} is gone already"
                if code == "ConflictException":
                    raise TransientError(
                        f"DataBrew {kind} {name!r} is still in use ({error}); it is deleted on the next try"
                    ) from error
                raise
        return f"- {kind} {name}"

    def active_runs(self, job: str) -> list[dict[str, Any]]:
        """Return the runs of a job that have not ended; none if the job does not exist.

        :param job: Name of the job.
        """
        with self.errors(f"DataBrew job {job!r}"):
            try:
                pages = self.conn.get_paginator("list_job_runs").paginate(
                    Name=job, PaginationConfig={"PageSize": _RUN_PAGE}
                )
                return [run for page in pages for run in page["JobRuns"] if run.get("State") in ACTIVE_JOB_RUNS]
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return []
                raise

    def stop_runs(self, job: str) -> int:
        """Stop every run of a job that has not ended.

        :param job: Name of the job.
        :returns: How many were told to stop.
        """
        runs = self.active_runs(job)
        for run in runs:
            self.stop_run(job, run["RunId"])
        return len(runs)

    def stop_run(self, job: str, run_id: str) -> None:
        """Stop a run of a job. One that has ended, or is gone, is fine.

        :param job: Name of the job.
        :param run_id: Its id.
        """
        with self.errors(f"DataBrew job {job!r}, run {run_id}"):
            try:
                self.conn.stop_job_run(Name=job, RunId=run_id)
            except ClientError as error:
                # StopJobRun has no error of its own for a run that has ended.
                if error_code(error) not in ("ResourceNotFoundException", "ValidationException"):
                    raise
