"""DataBrew's recipe jobs and profile jobs: what a run will do. `job_runs` executes them.

API: https://docs.aws.amazon.com/databrew/latest/dg/API_CreateRecipeJob.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.jobs.modelled import Request, page
from local_aws.jobs.roles import role_problem
from local_aws.jobs.store import Partition, Record, public

from .datasets import get_dataset
from .recipes import LATEST_PUBLISHED, get_recipe_version
from .records import (
    ACTIVE_STATES,
    STORE,
    check_name,
    conflict,
    invalid,
    not_found,
    partition_of,
    stamp_created,
    stamp_modified,
)

_RECIPE_JOB_SETTINGS = (
    "EncryptionKeyArn",
    "EncryptionMode",
    "LogSubscription",
    "MaxCapacity",
    "MaxRetries",
    "Outputs",
    "DataCatalogOutputs",
    "DatabaseOutputs",
    "RoleArn",
    "Timeout",
)
_PROFILE_JOB_SETTINGS = (
    "EncryptionKeyArn",
    "EncryptionMode",
    "LogSubscription",
    "MaxCapacity",
    "MaxRetries",
    "RoleArn",
    "Timeout",
    "ValidationConfigurations",
    "JobSample",
)
_JOB_DEFAULTS: dict[str, Any] = {"LogSubscription": "ENABLE", "MaxCapacity": 5, "MaxRetries": 0, "Timeout": 2880}


def create_recipe_job(request: Request) -> dict[str, Any]:
    """Create a job that applies a recipe to a dataset."""
    params = request.params
    with STORE.lock:
        partition = partition_of(request)
        _check_new_job(request, partition, params)
        if params.get("ProjectName"):
            raise not_found("The project", params["ProjectName"])
        if not params.get("DatasetName") or not params.get("RecipeReference"):
            raise invalid("A recipe job needs either a ProjectName or a DatasetName and a RecipeReference.")
        get_dataset(partition, params["DatasetName"])
        reference = dict(params["RecipeReference"])
        reference.setdefault("RecipeVersion", LATEST_PUBLISHED)
        get_recipe_version(partition, reference["Name"], reference["RecipeVersion"])
        _check_outputs(params)
        record: Record = {
            "Name": params["Name"],
            "Type": "RECIPE",
            "DatasetName": params["DatasetName"],
            "RecipeReference": reference,
            **_JOB_DEFAULTS,
            **{key: params[key] for key in _RECIPE_JOB_SETTINGS if params.get(key) is not None},
        }
        _insert_job(request, partition, record)
    return {"Name": params["Name"]}


def update_recipe_job(request: Request) -> dict[str, Any]:
    """Change a recipe job's settings; its dataset and recipe stay."""
    params = request.params
    with STORE.lock:
        record = get_job(partition_of(request), params["Name"], "RECIPE")
        _check_role(params["RoleArn"], record["ResourceArn"])
        _check_outputs(params)
        _replace_settings(record, params, _RECIPE_JOB_SETTINGS)
        stamp_modified(request, record)
    return {"Name": params["Name"]}


def create_profile_job(request: Request) -> dict[str, Any]:
    """Create a job that profiles a dataset and checks it against rulesets."""
    params = request.params
    with STORE.lock:
        partition = partition_of(request)
        _check_new_job(request, partition, params)
        get_dataset(partition, params["DatasetName"])
        _check_validation_configurations(partition, params, params["DatasetName"])
        record: Record = {
            "Name": params["Name"],
            "Type": "PROFILE",
            "DatasetName": params["DatasetName"],
            **_JOB_DEFAULTS,
            "JobSample": {"Mode": "CUSTOM_ROWS", "Size": 20_000},
            **{key: params[key] for key in _PROFILE_JOB_SETTINGS if params.get(key) is not None},
            **_profile_outputs(params),
        }
        _insert_job(request, partition, record)
    return {"Name": params["Name"]}


def update_profile_job(request: Request) -> dict[str, Any]:
    """Change a profile job's settings; its dataset stays."""
    params = request.params
    with STORE.lock:
        partition = partition_of(request)
        record = get_job(partition, params["Name"], "PROFILE")
        _check_role(params["RoleArn"], record["ResourceArn"])
        _check_validation_configurations(partition, params, record["DatasetName"])
        _replace_settings(record, params, _PROFILE_JOB_SETTINGS)
        record.pop("ProfileConfiguration", None)
        record.update(_profile_outputs(params))
        record.setdefault("JobSample", {"Mode": "CUSTOM_ROWS", "Size": 20_000})
        stamp_modified(request, record)
    return {"Name": params["Name"]}


def describe_job(request: Request) -> dict[str, Any]:
    """Return a job's definition, tags and dates."""
    with STORE.lock:
        return public(get_job(partition_of(request), request.params["Name"]))


def list_jobs(request: Request) -> dict[str, Any]:
    """List the jobs, all or those of a dataset or project."""
    params = request.params
    with STORE.lock:
        records = [
            {
                key: value
                for key, value in public(job).items()
                if key not in ("ProfileConfiguration", "EncryptionKeyArn") or value
            }
            for job in partition_of(request).table("jobs").values()
            if params.get("DatasetName") in (None, job.get("DatasetName"))
            and params.get("ProjectName") in (None, job.get("ProjectName"))
        ]
    return page("Jobs", records, request.params)


def delete_job(request: Request) -> dict[str, Any]:
    """Delete a job and its runs; refused while a run is active."""
    name = request.params["Name"]
    with STORE.lock:
        partition = partition_of(request)
        get_job(partition, name)
        for run in runs_of(partition, name):
            if run["State"] in ACTIVE_STATES:
                raise conflict(
                    f"The job {name} has the run {run['RunId']} in state {run['State']} and cannot be deleted."
                )
        del partition.table("jobs")[name]
        for run in list(runs_of(partition, name)):
            del partition.table("runs")[run["RunId"]]
    return {"Name": name}


def get_job(partition: Partition, name: str, kind: str | None = None) -> Record:
    """Return a job's record, or raise ResourceNotFoundException."""
    job = partition.table("jobs").get(name)
    if job is None or kind not in (None, job["Type"]):
        raise not_found("The job", name)
    return job


def runs_of(partition: Partition, job_name: str) -> Iterator[Record]:
    """Iterate over the runs of a job, oldest first."""
    return (run for run in partition.table("runs").values() if run["JobName"] == job_name)


def _check_new_job(request: Request, partition: Partition, params: dict[str, Any]) -> None:
    check_name(params["Name"])
    if params["Name"] in partition.table("jobs"):
        raise conflict(f"The job {params['Name']} already exists.")
    _check_role(params["RoleArn"], request.arn("databrew", f"job/{params['Name']}"))


def _check_role(role_arn: str, job_arn: str) -> None:
    problem = role_problem(role_arn, "databrew.amazonaws.com", job_arn)
    if problem is not None:
        raise invalid(f"DataBrew cannot assume the role: {problem}.")


def _check_outputs(params: dict[str, Any]) -> None:
    kinds = ("Outputs", "DataCatalogOutputs", "DatabaseOutputs")
    if not any(params.get(kind) for kind in kinds):
        raise invalid("A recipe job needs at least one of Outputs, DataCatalogOutputs and DatabaseOutputs.")
    for output in params.get("Outputs") or []:
        if output.get("Format", "CSV") != "CSV" and (output.get("FormatOptions") or {}).get("Csv"):
            raise invalid(f"FormatOptions has options for Csv, but the output's format is {output['Format']}.")
        if output.get("PartitionColumns") and output.get("MaxOutputFiles"):
            raise invalid("MaxOutputFiles cannot be used together with PartitionColumns.")


def _check_validation_configurations(partition: Partition, params: dict[str, Any], dataset_name: str) -> None:
    rulesets = {ruleset["ResourceArn"]: ruleset for ruleset in partition.table("rulesets").values()}
    for configuration in params.get("ValidationConfigurations") or []:
        ruleset = rulesets.get(configuration["RulesetArn"])
        if ruleset is None:
            raise not_found("The ruleset", configuration["RulesetArn"])
        if ruleset["TargetArn"] != get_dataset(partition, dataset_name)["ResourceArn"]:
            raise invalid(
                f"The ruleset {ruleset['Name']} is for {ruleset['TargetArn']} and cannot validate the dataset"
                f" {dataset_name}; make a ruleset whose TargetArn is this dataset's."
            )


def _profile_outputs(params: dict[str, Any]) -> Record:
    record: Record = {"Outputs": [{"Format": "JSON", "Location": params["OutputLocation"], "Overwrite": False}]}
    if params.get("Configuration"):
        record["ProfileConfiguration"] = params["Configuration"]
    return record


def _replace_settings(record: Record, params: dict[str, Any], settings: tuple[str, ...]) -> None:
    for key in settings:
        if params.get(key) is not None:
            record[key] = params[key]
        elif key in _JOB_DEFAULTS:
            record[key] = _JOB_DEFAULTS[key]
        else:
            record.pop(key, None)


def _insert_job(request: Request, partition: Partition, record: Record) -> None:
    record["ResourceArn"] = request.arn("databrew", f"job/{record['Name']}")
    stamp_created(request, record)
    partition.table("jobs")[record["Name"]] = record
