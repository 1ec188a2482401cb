"""What runs left in DataBrew: jobs, rulesets, datasets, recipe versions nobody is pinned to.

Must not be imported while DAG files are parsed.

Source: ListJobs, ListRulesets, ListDatasets, ListRecipeVersions, DeleteJob, DeleteRuleset,
DeleteDataset and BatchDeleteRecipeVersion in the AWS Glue DataBrew API Reference.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.deployment.cleanup import Kind, RecipeVersion, RunResource
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook

_PAGE = 100
# BatchDeleteRecipeVersion's limit.
_VERSIONS_BATCH = 50


class DataBrewLeftoversHook(AwsClientHook):
    """Jobs, rulesets, datasets and recipe versions that may be left over."""

    service = "databrew"

    def resources(self, pipeline: str) -> list[RunResource]:
        """Return the jobs, rulesets and datasets that have the pipeline's tag and a run's name."""
        return [
            *self._resources(pipeline, "list_jobs", "Jobs", Kind.DATABREW_JOB),
            *self._resources(pipeline, "list_rulesets", "Rulesets", Kind.DATABREW_RULESET),
            *self._resources(pipeline, "list_datasets", "Datasets", Kind.DATABREW_DATASET),
        ]

    def _resources(self, pipeline: str, operation: str, key: str, kind: Kind) -> list[RunResource]:
        with self.errors(f"{key.lower()} of DataBrew"):
            pages = self.conn.get_paginator(operation).paginate(PaginationConfig={"PageSize": _PAGE})
            listed = [item for page in pages for item in page[key]]
        return [
            RunResource(kind, item["Name"], item["CreateDate"])
            for item in listed
            if names.run_of_job(pipeline, item["Name"]) is not None
            and (item.get("Tags") or {}).get(names.PIPELINE_TAG) == pipeline
        ]

    def recipe_versions(self, pipeline: str) -> list[RecipeVersion]:
        """Return the published versions of the pipeline's recipe."""
        name = names.recipe(pipeline)
        with self.errors(f"versions of DataBrew recipe {name!r}"):
            try:
                pages = self.conn.get_paginator("list_recipe_versions").paginate(
                    Name=name, PaginationConfig={"PageSize": _PAGE}
                )
                listed = [item for page in pages for item in page["Recipes"]]
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return []
                raise
        return [
            RecipeVersion(item["RecipeVersion"], item.get("PublishedDate") or item["CreateDate"])
            for item in listed
            if item.get("RecipeVersion")
        ]

    def newest_recipe_version(self, pipeline: str) -> str | None:
        """Return the newest published version; ``None`` if the recipe was never published."""
        name = names.recipe(pipeline)
        with self.errors(f"DataBrew recipe {name!r}"):
            try:
                return str(self.conn.describe_recipe(Name=name)["RecipeVersion"])
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return None
                raise

    def delete_job(self, name: str) -> str:
        """Delete a job.

        :returns: ``deleted``, ``gone`` if it was, or ``in use`` if something still uses it.
        """
        return self._delete("job", name, self.conn.delete_job)

    def delete_ruleset(self, name: str) -> str:
        """Delete a ruleset.

        :returns: ``deleted``, ``gone`` if it was, or ``in use`` if something still uses it.
        """
        return self._delete("ruleset", name, self.conn.delete_ruleset)

    def delete_dataset(self, name: str) -> str:
        """Delete a dataset.

        :returns: ``deleted``, ``gone`` if it was, or ``in use`` if something still uses it.
        """
        return self._delete("dataset", name, self.conn.delete_dataset)

    def _delete(self, what: str, name: str, call: Any) -> str:
        with self.errors(f"DataBrew {what} {name!r}"):
            try:
                call(Name=name)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return "gone"
                if error_code(error) == "ConflictException":
                    return "in use"
                raise
        return "deleted"

    def delete_recipe_versions(self, pipeline: str, versions: list[str]) -> dict[str, str]:
        """Delete published versions of the recipe.

        :returns: Version → why it was not deleted, of those that were not: a job still uses them.
        """
        name = names.recipe(pipeline)
        kept: dict[str, str] = {}
        for start in range(0, len(versions), _VERSIONS_BATCH):
            with self.errors(f"versions of DataBrew recipe {name!r}"):
                try:
                    answer = self.conn.batch_delete_recipe_version(
                        Name=name, RecipeVersions=versions[start : start + _VERSIONS_BATCH]
                    )
                except ClientError as error:
                    if error_code(error) == "ResourceNotFoundException":
                        return kept
                    raise
            for problem in answer.get("Errors") or ():
                kept[problem["RecipeVersion"]] = f"{problem.get('ErrorCode')}: {problem.get('ErrorMessage')}"
        return kept
