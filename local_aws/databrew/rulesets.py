"""DataBrew's rulesets: data quality rules that a profile job checks a dataset against.

API: https://docs.aws.amazon.com/databrew/latest/dg/API_CreateRuleset.html
"""

from __future__ import annotations

from typing import Any

from local_aws.jobs.modelled import Request, page
from local_aws.jobs.store import Partition, Record, public

from .records import STORE, check_name, conflict, invalid, not_found, partition_of, stamp_created, stamp_modified


def create_ruleset(request: Request) -> dict[str, Any]:
    """Create a ruleset for a dataset."""
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
        stamp_created(request, record)
        stamp_modified(request, record)
        table[params["Name"]] = record
    return {"Name": params["Name"]}


def update_ruleset(request: Request) -> dict[str, Any]:
    """Replace a ruleset's rules and, if given, its description."""
    params = request.params
    with STORE.lock:
        record = _get_ruleset(partition_of(request), params["Name"])
        _check_rules(params["Rules"])
        record["Rules"] = params["Rules"]
        if params.get("Description") is not None:
            record["Description"] = params["Description"]
        stamp_modified(request, record)
    return {"Name": params["Name"]}


def describe_ruleset(request: Request) -> dict[str, Any]:
    """Return a ruleset with its rules."""
    with STORE.lock:
        record = public(_get_ruleset(partition_of(request), request.params["Name"]))
    return {key: value for key, value in record.items() if key != "AccountId"}


def list_rulesets(request: Request) -> dict[str, Any]:
    """List the rulesets, all or those of a dataset, with the number of their rules."""
    target = request.params.get("TargetArn")
    with STORE.lock:
        records = []
        for record in partition_of(request).table("rulesets").values():
            if target in (None, record["TargetArn"]):
                item = public(record)
                item["RuleCount"] = len(item.pop("Rules"))
                records.append(item)
    return page("Rulesets", records, request.params)


def delete_ruleset(request: Request) -> dict[str, Any]:
    """Delete a ruleset; refused while a profile job uses it."""
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
    """Refuse rules that DataBrew could not read; that it does so here is an assumption."""
    from recipe_runner.api import RecipeError, validate_rules

    names = [rule["Name"] for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"The rule name {name} is used more than once.")
    try:
        validate_rules(rules)
    except RecipeError as error:
        raise invalid(str(error)) from None
