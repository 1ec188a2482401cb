"""DataBrew's recipes: the working version, published versions, and which of them jobs use.

API: https://docs.aws.amazon.com/databrew/latest/dg/API_CreateRecipe.html
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, page
from local_aws.jobs.store import Partition, Record, now, public

from .records import STORE, caller, check_name, conflict, invalid, not_found, partition_of, stamp_modified

LATEST_WORKING = "LATEST_WORKING"
LATEST_PUBLISHED = "LATEST_PUBLISHED"
MAX_STEPS = 100

_VERSION = re.compile(r"\d{1,5}\.\d{1,5}")


def create_recipe(request: Request) -> dict[str, Any]:
    """Create a recipe with version 0.1, which is LATEST_WORKING."""
    params = request.params
    check_name(params["Name"])
    _check_steps(params["Steps"])
    with STORE.lock:
        table = partition_of(request).table("recipes")
        if params["Name"] in table:
            raise conflict(f"The recipe {params['Name']} already exists.")
        moment, made_by = now(), caller(request)
        table[params["Name"]] = {
            "Name": params["Name"],
            "ResourceArn": request.arn("databrew", f"recipe/{params['Name']}"),
            "Tags": dict(params.get("Tags") or {}),
            "working": {
                "Description": params.get("Description"),
                "Steps": params["Steps"],
                "RecipeVersion": "0.1",
                "CreateDate": moment,
                "CreatedBy": made_by,
                "LastModifiedDate": moment,
                "LastModifiedBy": made_by,
            },
            "published": {},
            "last_major": 0,
        }
    return {"Name": params["Name"]}


def update_recipe(request: Request) -> dict[str, Any]:
    """Change LATEST_WORKING of a recipe."""
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
        stamp_modified(request, working)
    return {"Name": params["Name"]}


def publish_recipe(request: Request) -> dict[str, Any]:
    """Publish LATEST_WORKING as the next whole version; it continues as <version>.1."""
    params = request.params
    with STORE.lock:
        recipe = _get_recipe(partition_of(request), params["Name"])
        recipe["last_major"] += 1
        version = f"{recipe['last_major']}.0"
        moment, made_by = now(), caller(request)
        published = {
            **recipe["working"],
            "Description": params.get("Description") or recipe["working"].get("Description"),
            "RecipeVersion": version,
            "PublishedDate": moment,
            "PublishedBy": made_by,
        }
        recipe["published"][version] = published
        recipe["working"] = {**recipe["working"], "RecipeVersion": f"{recipe['last_major']}.1"}
    return {"Name": params["Name"]}


def describe_recipe(request: Request) -> dict[str, Any]:
    """Return a version of a recipe, LATEST_PUBLISHED unless another one is asked for."""
    params = request.params
    with STORE.lock:
        partition = partition_of(request)
        recipe = _get_recipe(partition, params["Name"])
        return _recipe_answer(recipe, get_recipe_version(partition, params["Name"], params.get("RecipeVersion")))


def list_recipes(request: Request) -> dict[str, Any]:
    """List every recipe's LATEST_PUBLISHED, or LATEST_WORKING if asked for."""
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
    return page("Recipes", answers, request.params)


def list_recipe_versions(request: Request) -> dict[str, Any]:
    """List all versions of a recipe but LATEST_WORKING."""
    with STORE.lock:
        recipe = partition_of(request).table("recipes").get(request.params["Name"])
        answers = [] if recipe is None else [_recipe_answer(recipe, entry) for entry in recipe["published"].values()]
    return page("Recipes", answers, request.params)


def delete_recipe_version(request: Request) -> dict[str, Any]:
    """Delete one version of a recipe that no job uses."""
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
    """Delete versions; LATEST_WORKING last, and only if no other version is left."""
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
    """Return a version's record (None: LATEST_PUBLISHED), or raise ResourceNotFoundException."""
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

    # Steps that only AWS can run make a valid recipe; here the job that runs them fails.
    problems = [str(problem) for problem in validate_steps(steps, to_run=False)]
    if problems:
        raise invalid("; ".join(problems))
