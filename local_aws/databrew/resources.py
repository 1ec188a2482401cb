"""DataBrew's datasets, recipes, rulesets, jobs and tags.

Follows the API reference (https://docs.aws.amazon.com/databrew/latest/dg/api-reference.html) and
botocore's model. Nothing here runs a job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, paginate
from local_aws.jobs.roles import role_problem
from local_aws.jobs.store import Partition, Record, ServiceStore, now, public

STORE = ServiceStore("databrew")
LATEST_WORKING = "LATEST_WORKING"
LATEST_PUBLISHED = "LATEST_PUBLISHED"
MAX_STEPS = 100
ACTIVE_STATES = frozenset({"STARTING", "RUNNING", "STOPPING"})

_VERSION = re.compile(r"\d{1,5}\.\d{1,5}")


def partition_of(request: Request) -> Partition:
    """The tables of the request's account and region."""
    return STORE.partition(request.account_id, request.region)


def not_found(kind: str, name: str) -> AwsError:
    """AWS's answer for a name that does not exist."""
    return AwsError("ResourceNotFoundException", f"{kind} {name} does not exist.", 404)


def conflict(message: str) -> AwsError:
    """AWS's answer for a request that does not go with what exists."""
    return AwsError("ConflictException", message, 409)


def invalid(message: str) -> AwsError:
    """AWS's answer for a request that makes no sense."""
    return AwsError("ValidationException", message)


# "Valid characters are alphanumeric (A-Z, a-z, 0-9), hyphen (-), period (.), and space", says every
# Create call's page; whether AWS refuses an underscore is not known, so that it passes here. Names
# become files of a job's output.
_NAME = re.compile(r"[A-Za-z0-9_. -]+")


def check_name(name: str) -> None:
    """Refuse a name with other characters than AWS's pages list.

    Raises
    ------
    AwsError
        ValidationException.
    """
    if not _NAME.fullmatch(name) or not name.strip(". "):
        raise invalid(
            f"The name {name!r} is not valid: write alphanumeric characters (A-Z, a-z, 0-9), hyphen (-), period (.) "
            "and space."
        )


# --- datasets
# ------------------------------------------------------------------------------------------------------------


def create_dataset(request: Request) -> dict[str, Any]:
    """CreateDataset."""
    params = request.params
    check_name(params["Name"])
    with STORE.lock:
        table = partition_of(request).table("datasets")
        if params["Name"] in table:
            raise conflict(f"The dataset {params['Name']} already exists.")
        record = _dataset_record(params)
        record["ResourceArn"] = request.arn("databrew", f"dataset/{params['Name']}")
        record["Tags"] = dict(params.get("Tags") or {})
        record["AccountId"] = request.account_id
        record["CreateDate"] = record["LastModifiedDate"] = now()
        record["CreatedBy"] = record["LastModifiedBy"] = _caller(request)
        table[params["Name"]] = record
    return {"Name": params["Name"]}


def update_dataset(request: Request) -> dict[str, Any]:
    """UpdateDataset: the definition is replaced, identity and tags stay."""
    params = request.params
    with STORE.lock:
        record = get_dataset(partition_of(request), params["Name"])
        new = _dataset_record(params)
        for key in ("Format", "FormatOptions", "Input", "PathOptions", "Source"):
            if key in new:
                record[key] = new[key]
            else:
                record.pop(key, None)
        record["LastModifiedDate"] = now()
        record["LastModifiedBy"] = _caller(request)
    return {"Name": params["Name"]}


def describe_dataset(request: Request) -> dict[str, Any]:
    """DescribeDataset."""
    with STORE.lock:
        return public(get_dataset(partition_of(request), request.params["Name"]))


def list_datasets(request: Request) -> dict[str, Any]:
    """ListDatasets."""
    with STORE.lock:
        records = [public(record) for record in partition_of(request).table("datasets").values()]
    return _page("Datasets", records, request)


def delete_dataset(request: Request) -> dict[str, Any]:
    """DeleteDataset; refused while a job or ruleset uses it."""
    name = request.params["Name"]
    with STORE.lock:
        partition = partition_of(request)
        record = get_dataset(partition, name)
        users = [job["Name"] for job in partition.table("jobs").values() if job.get("DatasetName") == name]
        if users:
            raise conflict(f"The dataset {name} is used by the job {users[0]} and cannot be deleted.")
        rulesets = [
            ruleset["Name"]
            for ruleset in partition.table("rulesets").values()
            if ruleset["TargetArn"] == record["ResourceArn"]
        ]
        if rulesets:
            raise conflict(f"The dataset {name} is used by the ruleset {rulesets[0]} and cannot be deleted.")
        del partition.table("datasets")[name]
    return {"Name": name}


def get_dataset(partition: Partition, name: str) -> Record:
    """A dataset's record, or ResourceNotFoundException."""
    try:
        return partition.table("datasets")[name]
    except KeyError:
        raise not_found("The dataset", name) from None


def _dataset_record(params: dict[str, Any]) -> Record:
    source = params["Input"]
    given = [
        key for key in ("S3InputDefinition", "DataCatalogInputDefinition", "DatabaseInputDefinition") if source.get(key)
    ]
    if len(given) != 1:
        raise invalid(
            "Input must have exactly one of S3InputDefinition, DataCatalogInputDefinition and DatabaseInputDefinition."
        )
    if given[0] != "S3InputDefinition":
        kind = given[0].removesuffix("InputDefinition")
        if params.get("PathOptions"):
            raise invalid("PathOptions can only be used with S3InputDefinition.")
        record: Record = {
            "Name": params["Name"],
            "Input": source,
            "Source": "DATA-CATALOG" if kind == "DataCatalog" else "DATABASE",
        }
    else:
        record = {"Name": params["Name"], "Input": source, "Source": "S3"}
        _check_path(source["S3InputDefinition"].get("Key", ""), params.get("PathOptions") or {})
    options = params.get("FormatOptions") or {}
    chosen = params.get("Format")
    if chosen and options:
        wrong = [key for key in options if key.upper() != chosen]
        if wrong:
            raise invalid(f"FormatOptions has options for {wrong[0]}, but the format is {chosen}.")
    for key in ("Format", "FormatOptions", "PathOptions"):
        if params.get(key):
            record[key] = params[key]
    return record


def _check_path(key: str, options: dict[str, Any]) -> None:
    parameters = options.get("Parameters") or {}
    used = set(re.findall(r"\{([^{}<>]+)\}", re.sub(r"<[^<>]*>", "", key)))
    for name in used - set(parameters):
        raise invalid(f"The path uses the parameter {name}, which PathOptions.Parameters does not define.")
    for name, parameter in parameters.items():
        if name not in used:
            raise invalid(f"The parameter {name} is defined in PathOptions.Parameters but not used in the path {key}.")
        if parameter.get("Name") != name:
            raise invalid(f"The parameter {name} is named {parameter.get('Name')} in its definition.")
        if parameter["Type"] == "Datetime" and not parameter.get("DatetimeOptions"):
            raise invalid(f"The parameter {name} of type Datetime needs DatetimeOptions with a Format.")
        if parameter["Type"] != "Datetime" and parameter.get("DatetimeOptions"):
            raise invalid(f"The parameter {name} of type {parameter['Type']} must not have DatetimeOptions.")


# --- recipes
# -------------------------------------------------------------------------------------------------------------


def create_recipe(request: Request) -> dict[str, Any]:
    """CreateRecipe: version 0.1, which is LATEST_WORKING."""
    params = request.params
    check_name(params["Name"])
    _check_steps(params["Steps"])
    with STORE.lock:
        table = partition_of(request).table("recipes")
        if params["Name"] in table:
            raise conflict(f"The recipe {params['Name']} already exists.")
        moment, caller = now(), _caller(request)
        table[params["Name"]] = {
            "Name": params["Name"],
            "ResourceArn": request.arn("databrew", f"recipe/{params['Name']}"),
            "Tags": dict(params.get("Tags") or {}),
            "working": {
                "Description": params.get("Description"),
                "Steps": params["Steps"],
                "RecipeVersion": "0.1",
                "CreateDate": moment,
                "CreatedBy": caller,
                "LastModifiedDate": moment,
                "LastModifiedBy": caller,
            },
            "published": {},
            "last_major": 0,
        }
    return {"Name": params["Name"]}


def update_recipe(request: Request) -> dict[str, Any]:
    """UpdateRecipe: changes LATEST_WORKING only."""
    params = request.params
    if params.get("Steps") is not None:
        _check_steps(params["Steps"])
    with STORE.lock:
        recipe = _get_recipe(partition_of(request), params["Name"])
        working = recipe["working"]
        if params.get("Steps") is not None:
            working["Steps"] = params["Steps"]
        if params.get("Description") is not None:
            working["Description"] = params["Description"]
        working["LastModifiedDate"] = now()
        working["LastModifiedBy"] = _caller(request)
    return {"Name": params["Name"]}


def publish_recipe(request: Request) -> dict[str, Any]:
    """PublishRecipe: LATEST_WORKING becomes the next whole version; the working version goes on as <version>.1."""
    params = request.params
    with STORE.lock:
        recipe = _get_recipe(partition_of(request), params["Name"])
        recipe["last_major"] += 1
        version = f"{recipe['last_major']}.0"
        moment, caller = now(), _caller(request)
        published = {
            **recipe["working"],
            "Description": params.get("Description") or recipe["working"].get("Description"),
            "RecipeVersion": version,
            "PublishedDate": moment,
            "PublishedBy": caller,
        }
        recipe["published"][version] = published
        recipe["working"] = {**recipe["working"], "RecipeVersion": f"{recipe['last_major']}.1"}
    return {"Name": params["Name"]}


def describe_recipe(request: Request) -> dict[str, Any]:
    """DescribeRecipe: LATEST_PUBLISHED when no version is given."""
    params = request.params
    with STORE.lock:
        partition = partition_of(request)
        recipe = _get_recipe(partition, params["Name"])
        return _recipe_answer(recipe, get_recipe_version(partition, params["Name"], params.get("RecipeVersion")))


def list_recipes(request: Request) -> dict[str, Any]:
    """ListRecipes: every recipe's LATEST_PUBLISHED, or LATEST_WORKING when asked."""
    wanted = request.params.get("RecipeVersion") or LATEST_PUBLISHED
    if wanted not in (LATEST_PUBLISHED, LATEST_WORKING):
        raise invalid(f"Invalid version {wanted}. Valid versions are LATEST_PUBLISHED and LATEST_WORKING.")
    with STORE.lock:
        answers = []
        for recipe in partition_of(request).table("recipes").values():
            if wanted == LATEST_WORKING:
                answers.append(_recipe_answer(recipe, recipe["working"]))
            elif recipe["published"]:
                answers.append(_recipe_answer(recipe, _latest_published(recipe)))
    return _page("Recipes", answers, request)


def list_recipe_versions(request: Request) -> dict[str, Any]:
    """ListRecipeVersions: all but LATEST_WORKING."""
    with STORE.lock:
        recipe = partition_of(request).table("recipes").get(request.params["Name"])
        answers = [] if recipe is None else [_recipe_answer(recipe, entry) for entry in recipe["published"].values()]
    return _page("Recipes", answers, request)


def delete_recipe_version(request: Request) -> dict[str, Any]:
    """DeleteRecipeVersion."""
    name, version = request.params["Name"], request.params["RecipeVersion"]
    if version != LATEST_WORKING and not _VERSION.fullmatch(version):
        raise invalid(f"Recipe {name} version {version} is not a valid identifier; use LATEST_WORKING or X.Y.")
    with STORE.lock:
        partition = partition_of(request)
        recipe = _get_recipe(partition, name)
        problem = _delete_version(partition, recipe, version)
        if problem is not None:
            raise problem
    return {"Name": name, "RecipeVersion": version}


def batch_delete_recipe_version(request: Request) -> dict[str, Any]:
    """BatchDeleteRecipeVersion: LATEST_WORKING goes last, and only when nothing else is left."""
    name, versions = request.params["Name"], request.params["RecipeVersions"]
    if len(set(versions)) != len(versions):
        raise invalid("The list of recipe versions has duplicates.")
    for version in versions:
        if version != LATEST_WORKING and not _VERSION.fullmatch(version):
            raise invalid(f"Recipe version {version} is not a valid identifier; use LATEST_WORKING or X.Y.")
    errors = []
    with STORE.lock:
        partition = partition_of(request)
        recipe = _get_recipe(partition, name)
        for version in sorted(versions, key=lambda entry: entry == LATEST_WORKING):
            problem = _delete_version(partition, recipe, version)
            if problem is not None:
                errors.append({"ErrorCode": problem.code, "ErrorMessage": problem.message, "RecipeVersion": version})
    return {"Name": name, "Errors": errors} if errors else {"Name": name}


def get_recipe_version(partition: Partition, name: str, version: str | None) -> Record:
    """The record of a recipe's version (LATEST_PUBLISHED when None), or ResourceNotFoundException."""
    recipe = _get_recipe(partition, name)
    wanted = version or LATEST_PUBLISHED
    if wanted == LATEST_WORKING or wanted == recipe["working"]["RecipeVersion"]:
        return dict(recipe["working"])
    if wanted == LATEST_PUBLISHED:
        if not recipe["published"]:
            raise not_found("The published version of the recipe", name)
        return _latest_published(recipe)
    if not _VERSION.fullmatch(wanted):
        raise invalid(
            f"Recipe {name} version {wanted} is not a valid identifier; use LATEST_WORKING, LATEST_PUBLISHED or X.Y."
        )
    if wanted not in recipe["published"]:
        raise not_found(f"The recipe {name} version", wanted)
    found: Record = recipe["published"][wanted]
    return found


def _delete_version(partition: Partition, recipe: Record, version: str) -> AwsError | None:
    name = recipe["Name"]
    if version != LATEST_WORKING and version == recipe["working"]["RecipeVersion"]:
        version = LATEST_WORKING
    if version != LATEST_WORKING and version not in recipe["published"]:
        return not_found(f"The recipe {name} version", version)
    users = [job["Name"] for job in partition.table("jobs").values() if _uses(recipe, job, version)]
    if users:
        return conflict(f"The recipe {name} version {version} is used by the job {users[0]} and cannot be deleted.")
    if version == LATEST_WORKING:
        if recipe["published"]:
            return conflict(
                f"The recipe {name} has published versions; LATEST_WORKING can only be deleted when no other"
                f" version exists."
            )
        del partition.table("recipes")[name]
    else:
        del recipe["published"][version]
    return None


def _uses(recipe: Record, job: Record, version: str) -> bool:
    reference = job.get("RecipeReference") or {}
    if reference.get("Name") != recipe["Name"]:
        return False
    used = reference.get("RecipeVersion") or LATEST_PUBLISHED
    if used == LATEST_PUBLISHED and recipe["published"]:
        used = _latest_published(recipe)["RecipeVersion"]
    if used == recipe["working"]["RecipeVersion"]:
        used = LATEST_WORKING
    return bool(used == version)


def _get_recipe(partition: Partition, name: str) -> Record:
    try:
        return partition.table("recipes")[name]
    except KeyError:
        raise not_found("The recipe", name) from None


def _latest_published(recipe: Record) -> Record:
    versions = recipe["published"]
    found: Record = versions[max(versions, key=lambda version: int(version.split(".")[0]))]
    return found


def _recipe_answer(recipe: Record, version: Record) -> dict[str, Any]:
    return public({**version, "Name": recipe["Name"], "ResourceArn": recipe["ResourceArn"], "Tags": recipe["Tags"]})


def _check_steps(steps: list[dict[str, Any]]) -> None:
    if len(steps) > MAX_STEPS:
        raise invalid(f"The recipe has {len(steps)} steps; at most {MAX_STEPS} are allowed.")
    from recipe_runner.api import validate_steps

    # What only the service can do is a recipe all the same: its job is what fails here.
    problems = [str(problem) for problem in validate_steps(steps, to_run=False)]
    if problems:
        raise invalid("; ".join(problems))


# --- rulesets
# ------------------------------------------------------------------------------------------------------------


def create_ruleset(request: Request) -> dict[str, Any]:
    """CreateRuleset."""
    params = request.params
    check_name(params["Name"])
    with STORE.lock:
        partition = partition_of(request)
        table = partition.table("rulesets")
        if params["Name"] in table:
            raise conflict(f"The ruleset {params['Name']} already exists.")
        _check_rules(params["Rules"])
        if params["TargetArn"] not in {dataset["ResourceArn"] for dataset in partition.table("datasets").values()}:
            raise not_found("The dataset", params["TargetArn"])
        record: Record = {
            key: params[key] for key in ("Name", "Description", "TargetArn", "Rules") if params.get(key) is not None
        }
        record["ResourceArn"] = request.arn("databrew", f"ruleset/{params['Name']}")
        record["AccountId"] = request.account_id
        record["Tags"] = dict(params.get("Tags") or {})
        record["CreateDate"] = record["LastModifiedDate"] = now()
        record["CreatedBy"] = record["LastModifiedBy"] = _caller(request)
        table[params["Name"]] = record
    return {"Name": params["Name"]}


def update_ruleset(request: Request) -> dict[str, Any]:
    """UpdateRuleset."""
    params = request.params
    with STORE.lock:
        record = _get_ruleset(partition_of(request), params["Name"])
        _check_rules(params["Rules"])
        record["Rules"] = params["Rules"]
        if params.get("Description") is not None:
            record["Description"] = params["Description"]
        record["LastModifiedDate"] = now()
        record["LastModifiedBy"] = _caller(request)
    return {"Name": params["Name"]}


def describe_ruleset(request: Request) -> dict[str, Any]:
    """DescribeRuleset."""
    with STORE.lock:
        record = public(_get_ruleset(partition_of(request), request.params["Name"]))
    return {key: value for key, value in record.items() if key != "AccountId"}


def list_rulesets(request: Request) -> dict[str, Any]:
    """ListRulesets, all or those of a dataset."""
    target = request.params.get("TargetArn")
    with STORE.lock:
        records = []
        for record in partition_of(request).table("rulesets").values():
            if target in (None, record["TargetArn"]):
                item = public(record)
                item["RuleCount"] = len(item.pop("Rules"))
                records.append(item)
    return _page("Rulesets", records, request)


def delete_ruleset(request: Request) -> dict[str, Any]:
    """DeleteRuleset; refused while a profile job uses it."""
    name = request.params["Name"]
    with STORE.lock:
        partition = partition_of(request)
        record = _get_ruleset(partition, name)
        for job in partition.table("jobs").values():
            if any(entry["RulesetArn"] == record["ResourceArn"] for entry in job.get("ValidationConfigurations") or []):
                raise conflict(f"The ruleset {name} is used by the job {job['Name']} and cannot be deleted.")
        del partition.table("rulesets")[name]
    return {"Name": name}


def _get_ruleset(partition: Partition, name: str) -> Record:
    try:
        return partition.table("rulesets")[name]
    except KeyError:
        raise not_found("The ruleset", name) from None


def _check_rules(rules: list[dict[str, Any]]) -> None:
    names = [rule["Name"] for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"The rule name {name} is used more than once.")


# --- jobs
# ----------------------------------------------------------------------------------------------------------------

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
    """CreateRecipeJob."""
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
    """UpdateRecipeJob: neither dataset nor recipe can be changed."""
    params = request.params
    with STORE.lock:
        record = get_job(partition_of(request), params["Name"], "RECIPE")
        _check_role(params["RoleArn"], record["ResourceArn"])
        _check_outputs(params)
        _replace_settings(record, params, _RECIPE_JOB_SETTINGS)
        _touch(request, record)
    return {"Name": params["Name"]}


def create_profile_job(request: Request) -> dict[str, Any]:
    """CreateProfileJob."""
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
    """UpdateProfileJob."""
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
        _touch(request, record)
    return {"Name": params["Name"]}


def describe_job(request: Request) -> dict[str, Any]:
    """DescribeJob."""
    with STORE.lock:
        return public(get_job(partition_of(request), request.params["Name"]))


def list_jobs(request: Request) -> dict[str, Any]:
    """ListJobs, all or those of a dataset or project."""
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
    return _page("Jobs", records, request)


def delete_job(request: Request) -> dict[str, Any]:
    """DeleteJob; refused while a run is active."""
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
    """A job's record, or ResourceNotFoundException."""
    job = partition.table("jobs").get(name)
    if job is None or kind not in (None, job["Type"]):
        raise not_found("The job", name)
    return job


def runs_of(partition: Partition, job_name: str) -> Iterator[Record]:
    """The runs of a job, oldest first."""
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
    record["AccountId"] = request.account_id
    record["Tags"] = dict(request.params.get("Tags") or {})
    record["CreateDate"] = now()
    record["CreatedBy"] = _caller(request)
    partition.table("jobs")[record["Name"]] = record


def _touch(request: Request, record: Record) -> None:
    record["LastModifiedDate"] = now()
    record["LastModifiedBy"] = _caller(request)


# --- tags
# ----------------------------------------------------------------------------------------------------------------


def tag_resource(request: Request) -> dict[str, Any]:
    """TagResource."""
    with STORE.lock:
        tags = _tagged(request)["Tags"]
        if len({**tags, **request.params["Tags"]}) > 200:
            raise invalid("A resource can have at most 200 tags.")
        tags.update(request.params["Tags"])
    return {}


def untag_resource(request: Request) -> dict[str, Any]:
    """UntagResource."""
    with STORE.lock:
        tags = _tagged(request)["Tags"]
        for key in request.params["TagKeys"]:
            tags.pop(key, None)
    return {}


def list_tags_for_resource(request: Request) -> dict[str, Any]:
    """ListTagsForResource."""
    with STORE.lock:
        return {"Tags": dict(_tagged(request)["Tags"])}


def _tagged(request: Request) -> Record:
    arn = request.params["ResourceArn"]
    partition = partition_of(request)
    for table in ("datasets", "recipes", "rulesets", "jobs"):
        for record in partition.table(table).values():
            if record["ResourceArn"] == arn:
                return record
    raise not_found("The resource", arn)


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a resource, for policies that ask for them; empty when there is no such resource."""
    _, _, _, region, account, _ = arn.split(":", 5)
    partition = STORE.partition(account, region)
    with STORE.lock:
        for table in ("datasets", "recipes", "rulesets", "jobs"):
            for record in partition.table(table).values():
                if record["ResourceArn"] == arn:
                    return dict(record["Tags"])
    return {}


def _caller(request: Request) -> str:
    return f"arn:{request.partition}:iam::{request.account_id}:root"


def _page(key: str, items: list[Any], request: Request) -> dict[str, Any]:
    page, token = paginate(items, request.params)
    return {key: page, "NextToken": token} if token else {key: page}
