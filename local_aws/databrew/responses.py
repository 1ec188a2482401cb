"""Routes of the DataBrew API to its handlers."""

from __future__ import annotations

from typing import ClassVar

from moto.databrew import urls
from moto.databrew.responses import DataBrewResponse

from local_aws.jobs.modelled import Handler, ModelledResponse

from . import job_runs, resources


class DataBrewJobsResponse(ModelledResponse, DataBrewResponse):  # type: ignore[misc]
    """moto's DataBrew with this package's handlers in front."""

    handlers: ClassVar[dict[str, Handler]] = {
        "CreateDataset": resources.create_dataset,
        "UpdateDataset": resources.update_dataset,
        "DescribeDataset": resources.describe_dataset,
        "ListDatasets": resources.list_datasets,
        "DeleteDataset": resources.delete_dataset,
        "CreateRecipe": resources.create_recipe,
        "UpdateRecipe": resources.update_recipe,
        "PublishRecipe": resources.publish_recipe,
        "DescribeRecipe": resources.describe_recipe,
        "ListRecipes": resources.list_recipes,
        "ListRecipeVersions": resources.list_recipe_versions,
        "DeleteRecipeVersion": resources.delete_recipe_version,
        "BatchDeleteRecipeVersion": resources.batch_delete_recipe_version,
        "CreateRuleset": resources.create_ruleset,
        "UpdateRuleset": resources.update_ruleset,
        "DescribeRuleset": resources.describe_ruleset,
        "ListRulesets": resources.list_rulesets,
        "DeleteRuleset": resources.delete_ruleset,
        "CreateRecipeJob": resources.create_recipe_job,
        "UpdateRecipeJob": resources.update_recipe_job,
        "CreateProfileJob": resources.create_profile_job,
        "UpdateProfileJob": resources.update_profile_job,
        "DescribeJob": resources.describe_job,
        "ListJobs": resources.list_jobs,
        "DeleteJob": resources.delete_job,
        "TagResource": resources.tag_resource,
        "UntagResource": resources.untag_resource,
        "ListTagsForResource": resources.list_tags_for_resource,
        "StartJobRun": job_runs.start_job_run,
        "StopJobRun": job_runs.stop_job_run,
        "DescribeJobRun": job_runs.describe_job_run,
        "ListJobRuns": job_runs.list_job_runs,
    }


_MORE_PATHS = (
    "{0}/jobs/(?P<job_name>[^/]+)/startJobRun$",
    "{0}/jobs/(?P<job_name>[^/]+)/jobRuns$",
    "{0}/jobs/(?P<job_name>[^/]+)/jobRun/(?P<run_id>[^/]+)$",
    "{0}/jobs/(?P<job_name>[^/]+)/jobRun/(?P<run_id>[^/]+)/stopJobRun$",
    "{0}/recipes/(?P<recipe_name>[^/]+)/batchDeleteRecipeVersion$",
    "{0}/tags/(?P<resource_arn>.+)$",
)


def register_urls() -> None:
    """Route every path of the API here; before moto builds its routes."""
    for path in (*urls.url_paths, *_MORE_PATHS):
        urls.url_paths[path] = DataBrewJobsResponse.dispatch
