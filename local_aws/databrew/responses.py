"""Routes of the DataBrew API to its handlers."""

from __future__ import annotations

from typing import ClassVar

from moto.databrew import urls
from moto.databrew.responses import DataBrewResponse

from local_aws.jobs.modelled import Handler, ModelledResponse

from . import datasets, job_runs, jobs, recipes, rulesets, tags


class DataBrewJobsResponse(ModelledResponse, DataBrewResponse):  # type: ignore[misc]
    """moto's DataBrew with this package's handlers in front."""

    handlers: ClassVar[dict[str, Handler]] = {
        "CreateDataset": datasets.create_dataset,
        "UpdateDataset": datasets.update_dataset,
        "DescribeDataset": datasets.describe_dataset,
        "ListDatasets": datasets.list_datasets,
        "DeleteDataset": datasets.delete_dataset,
        "CreateRecipe": recipes.create_recipe,
        "UpdateRecipe": recipes.update_recipe,
        "PublishRecipe": recipes.publish_recipe,
        "DescribeRecipe": recipes.describe_recipe,
        "ListRecipes": recipes.list_recipes,
        "ListRecipeVersions": recipes.list_recipe_versions,
        "DeleteRecipeVersion": recipes.delete_recipe_version,
        "BatchDeleteRecipeVersion": recipes.batch_delete_recipe_version,
        "CreateRuleset": rulesets.create_ruleset,
        "UpdateRuleset": rulesets.update_ruleset,
        "DescribeRuleset": rulesets.describe_ruleset,
        "ListRulesets": rulesets.list_rulesets,
        "DeleteRuleset": rulesets.delete_ruleset,
        "CreateRecipeJob": jobs.create_recipe_job,
        "UpdateRecipeJob": jobs.update_recipe_job,
        "CreateProfileJob": jobs.create_profile_job,
        "UpdateProfileJob": jobs.update_profile_job,
        "DescribeJob": jobs.describe_job,
        "ListJobs": jobs.list_jobs,
        "DeleteJob": jobs.delete_job,
        "TagResource": tags.tag_resource,
        "UntagResource": tags.untag_resource,
        "ListTagsForResource": tags.list_tags_for_resource,
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
    """Route every path of the API here; called before moto builds its routes."""
    for path in (*urls.url_paths, *_MORE_PATHS):
        urls.url_paths[path] = DataBrewJobsResponse.dispatch
