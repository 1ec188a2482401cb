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
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run import transform_job
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.databrew_resource import DataBrewResourceHook, contains


class DataBrewRunHook(DataBrewResourceHook):
    """Makes and removes the DataBrew dataset and job of a run."""

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

    def check_job(self, name: str) -> None:
        """Check that the run's job is there: without it an execution fails in its first state.

        :param name: Name of the job.
        :raises DeploymentError: If it is not.
        """
        with self.errors(f"DataBrew job {name!r}"):
            found = self.describe(self.conn.describe_job, name)
        if found is None:
            raise DeploymentError(
                f"DataBrew job {name!r} does not exist: release_run has removed it since prepare_run made it, as "
                "when a task before this one is marked success in a run that had ended; clear this task, and "
                "prepare_run runs again with it"
            )

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
        return [self.prepare_dataset(name, dataset, tags), self._prepare_job(name, job, tags)]

    def _prepare_job(self, name: str, wanted: dict[str, Any], tags: dict[str, str]) -> str:
        with self.errors(f"DataBrew job {name!r}"):
            found = self.describe(self.conn.describe_job, name)
            if found is None:
                if self.create(self.conn.create_recipe_job, Name=name, Tags=tags, **wanted):
                    return f"+ job {name}"
                found = self.describe(self.conn.describe_job, name)
            if contains(found, wanted):
                return f"= job {name}"
            fixed = {key: wanted[key] for key in ("DatasetName", "RecipeReference")}
            if contains(found, fixed):
                self.conn.update_recipe_job(
                    Name=name, **{key: value for key, value in wanted.items() if key not in fixed}
                )
                return f"~ job {name}"
            # Neither dataset nor recipe of a job can be changed, and the execution was not started
            # with it.
            self.conn.delete_job(Name=name)
            self.conn.create_recipe_job(Name=name, Tags=tags, **wanted)
            return f"-/+ job {name}"

    def release(self, identity: names.RunIdentity) -> list[str]:
        """Remove the run's job, then its dataset. What is gone already is fine.

        :returns: One line per resource, what was done.
        :raises TransientError: If AWS still uses one of them: a job run is stopping. Trying again
            helps.
        """
        name = identity.job_name_prefix
        return [
            self.delete("job", name, self.conn.delete_job),
            self.delete("dataset", name, self.conn.delete_dataset),
        ]

    def stop_job_runs(self, identity: names.RunIdentity) -> int:
        """Stop what still runs of the run's job, for example after its execution has ended.

        :returns: How many job runs were told to stop.
        """
        return self.stop_runs(identity.job_name_prefix)
