"""The DataBrew dataset and recipe job of one run.

StartJobRun takes nothing but a job's name, and UpdateRecipeJob can change neither dataset nor
recipe, so every run has a dataset and a job of its own. Must not be imported while DAG files are
parsed.

Source: CreateDataset, CreateRecipeJob, DatasetParameter in the AWS Glue DataBrew API Reference;
"Connecting data in multiple files in Amazon S3" in its Developer Guide.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run import transform_job
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook

_RUN_PAGE = 100
_ACTIVE_JOB_RUNS = frozenset({"STARTING", "RUNNING", "STOPPING"})


def _contains(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is found; AWS adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_contains(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_contains(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


class DataBrewRunHook(AwsClientHook):
    """Makes and removes the DataBrew dataset and job of a run."""

    service = "databrew"

    def newest_recipe_version(self, pipeline: Pipeline) -> str:
        """Return the newest published version of the pipeline's recipe, e.g. ``3.0``.

        :raises DeploymentError: If the recipe was never published.
        """
        name = names.recipe(pipeline.name)
        with self.errors(f"DataBrew recipe {name!r}"):
            try:
                answer = self.conn.describe_recipe(Name=name)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    raise DeploymentError(
                        f"DataBrew recipe {name!r} has no published version; run DAG {pipeline.name}__deploy, "
                        "then clear this task"
                    ) from error
                raise
        return str(answer["RecipeVersion"])

    def prepare(
        self, pipeline: Pipeline, identity: names.RunIdentity, *, bucket: str, recipe_version: str
    ) -> list[str]:
        """Make sure that the run's dataset and job exist as they should.

        :param bucket: The pipeline's bucket.
        :param recipe_version: Published version that the run is pinned to.
        :returns: One line per resource, what was done.
        """
        name = identity.job_name_prefix
        dataset = transform_job.dataset(pipeline, identity, bucket=bucket)
        job = transform_job.job(pipeline, identity, self.account, bucket=bucket, recipe_version=recipe_version)
        tags = names.tags(identity)
        return [self._prepare_dataset(name, dataset, tags), self._prepare_job(name, job, tags)]

    def _prepare_dataset(self, name: str, wanted: dict[str, Any], tags: dict[str, str]) -> str:
        with self.errors(f"DataBrew dataset {name!r}"):
            found = self._describe(self.conn.describe_dataset, name)
            if found is None:
                if self._create(self.conn.create_dataset, Name=name, Tags=tags, **wanted):
                    return f"+ dataset {name}"
                found = self._describe(self.conn.describe_dataset, name)
            if _contains(found, wanted):
                return f"= dataset {name}"
            self.conn.update_dataset(Name=name, **wanted)
            return f"~ dataset {name}"

    def _prepare_job(self, name: str, wanted: dict[str, Any], tags: dict[str, str]) -> str:
        with self.errors(f"DataBrew job {name!r}"):
            found = self._describe(self.conn.describe_job, name)
            if found is None:
                if self._create(self.conn.create_recipe_job, Name=name, Tags=tags, **wanted):
                    return f"+ job {name}"
                found = self._describe(self.conn.describe_job, name)
            if _contains(found, wanted):
                return f"= job {name}"
            fixed = {key: wanted[key] for key in ("DatasetName", "RecipeReference")}
            if _contains(found, fixed):
                self.conn.update_recipe_job(
                    Name=name, **{key: value for key, value in wanted.items() if key not in fixed}
                )
                return f"~ job {name}"
            # Neither dataset nor recipe of a job can be changed, and the execution was not started
            # with it.
            self.conn.delete_job(Name=name)
            self.conn.create_recipe_job(Name=name, Tags=tags, **wanted)
            return f"-/+ job {name}"

    @staticmethod
    def _describe(call: Any, name: str) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = call(Name=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise
        return answer

    @staticmethod
    def _create(call: Any, **request: Any) -> bool:
        try:
            call(**request)
        except ClientError as error:
            if error_code(error) == "ConflictException":
                return False
            raise
        return True

    def release(self, identity: names.RunIdentity) -> list[str]:
        """Remove the run's job, then its dataset. What is gone already is fine.

        :returns: One line per resource, what was done.
        :raises TransientError: If AWS still uses one of them: a job run is stopping. Trying again
            helps.
        """
        name = identity.job_name_prefix
        return [
            self._delete("job", name, self.conn.delete_job),
            self._delete("dataset", name, self.conn.delete_dataset),
        ]

    def _delete(self, kind: str, name: str, call: Any) -> str:
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

    def stop_job_runs(self, identity: names.RunIdentity) -> int:
        """Stop what still runs of the run's job, for example after its execution has ended.

        :returns: How many job runs were told to stop.
        """
        name = identity.job_name_prefix
        stopped = 0
        with self.errors(f"DataBrew job {name!r}"):
            try:
                pages = self.conn.get_paginator("list_job_runs").paginate(
                    Name=name, PaginationConfig={"PageSize": _RUN_PAGE}
                )
                for page in pages:
                    for run in page["JobRuns"]:
                        if run.get("State") in _ACTIVE_JOB_RUNS:
                            self.conn.stop_job_run(Name=name, RunId=run["RunId"])
                            stopped += 1
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
        return stopped
