"""DataBrew's datasets: which files on S3 a job reads, and in which format.

API: https://docs.aws.amazon.com/databrew/latest/dg/API_CreateDataset.html
"""

from __future__ import annotations

import re
from typing import Any

from local_aws.jobs.modelled import Request, page
from local_aws.jobs.store import Partition, Record, public

from .records import STORE, check_name, conflict, invalid, not_found, partition_of, stamp_created, stamp_modified

DELIMITERS = frozenset(",:;|\t^\\ ")
"""Source: "Connecting to data in a text file with DataBrew" in the Developer Guide."""


def create_dataset(request: Request) -> dict[str, Any]:
    """Create a dataset."""
    params = request.params
    check_name(params["Name"])
    with STORE.lock:
        table = partition_of(request).table("datasets")
        if params["Name"] in table:
            raise conflict(f"The dataset {params['Name']} already exists.")
        record = _dataset_record(params)
        record["ResourceArn"] = request.arn("databrew", f"dataset/{params['Name']}")
        stamp_created(request, record)
        stamp_modified(request, record)
        table[params["Name"]] = record
    return {"Name": params["Name"]}


def update_dataset(request: Request) -> dict[str, Any]:
    """Replace a dataset's definition; its name and tags stay."""
    params = request.params
    with STORE.lock:
        record = get_dataset(partition_of(request), params["Name"])
        new = _dataset_record(params)
        for key in ("Format", "FormatOptions", "Input", "PathOptions", "Source"):
            if key in new:
                record[key] = new[key]
            else:
                record.pop(key, None)
        stamp_modified(request, record)
    return {"Name": params["Name"]}


def describe_dataset(request: Request) -> dict[str, Any]:
    """Return a dataset's definition, tags and dates."""
    with STORE.lock:
        return public(get_dataset(partition_of(request), request.params["Name"]))


def list_datasets(request: Request) -> dict[str, Any]:
    """List the datasets, a page at a time."""
    with STORE.lock:
        records = [public(record) for record in partition_of(request).table("datasets").values()]
    return page("Datasets", records, request.params)


def delete_dataset(request: Request) -> dict[str, Any]:
    """Delete a dataset; refused while a job or ruleset uses it."""
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
    """Return a dataset's record, or raise ResourceNotFoundException."""
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
    _check_csv(options.get("Csv") or {})
    for key in ("Format", "FormatOptions", "PathOptions"):
        if params.get(key):
            record[key] = params[key]
    return record


def _check_csv(options: dict[str, Any]) -> None:
    delimiter = options.get("Delimiter")
    if delimiter is not None and delimiter not in DELIMITERS:
        raise invalid(
            f"The delimiter {delimiter!r} is not supported. Supported delimiters: , : ; | tab ^ \\ and space."
        )


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
