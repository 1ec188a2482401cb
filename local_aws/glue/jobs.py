"""Glue's job definitions.

API: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-job.html and botocore's model.
Nothing here runs a job.
"""

from __future__ import annotations

import copy
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, page
from local_aws.jobs.store import Partition, Record, ServiceStore, now, public

STORE = ServiceStore()

_SETTINGS = (
    "JobMode",
    "JobRunQueuingEnabled",
    "Description",
    "LogUri",
    "Role",
    "ExecutionProperty",
    "Command",
    "DefaultArguments",
    "NonOverridableArguments",
    "Connections",
    "MaxRetries",
    "AllocatedCapacity",
    "Timeout",
    "MaxCapacity",
    "SecurityConfiguration",
    "NotificationProperty",
    "GlueVersion",
    "NumberOfWorkers",
    "WorkerType",
    "CodeGenConfigurationNodes",
    "ExecutionClass",
    "SourceControlDetails",
    "MaintenanceWindow",
)
_COMMANDS = ("glueetl", "pythonshell", "gluestreaming", "glueray")


def partition_of(request: Request) -> Partition:
    """Return the tables of the request's account and region."""
    return STORE.partition(request.account_id, request.region)


def create_job(request: Request) -> dict[str, Any]:
    """Create a job; the same definition twice is one job, another under its name is refused."""
    params = request.params
    name = params["Name"]
    with STORE.lock:
        table = partition_of(request).table("jobs")
        definition = {key: params[key] for key in _SETTINGS if params.get(key) is not None}
        _check(definition)
        if name in table:
            if table[name]["_created_as"] == definition:
                return {"Name": name}
            raise AwsError(
                "IdempotentParameterMismatchException", f"Job {name} already submitted with different configuration"
            )
        moment = now()
        table[name] = {
            "Name": name,
            **_with_defaults(definition),
            "CreatedOn": moment,
            "LastModifiedOn": moment,
            "_created_as": copy.deepcopy(definition),
        }
    if params.get("Tags"):
        _moto_backend(request).tag_resource(request.arn("glue", f"job/{name}"), params["Tags"])
    return {"Name": name}


def tags_of(arn: str) -> dict[str, str]:
    """Return the tags of a resource for IAM policies."""
    from moto.glue.models import glue_backends

    _, _, _, region, account, _ = arn.split(":", 5)
    return dict(glue_backends[account][region].get_tags(arn))


def update_job(request: Request) -> dict[str, Any]:
    """Replace a job's whole definition, as AWS does: what is left out gets its default."""
    name, update = request.params["JobName"], request.params["JobUpdate"]
    with STORE.lock:
        record = get_job_record(partition_of(request), name)
        definition = {key: update[key] for key in _SETTINGS if update.get(key) is not None}
        for required in ("Role", "Command"):
            if required not in definition:
                raise AwsError(
                    "InvalidInputException",
                    f"{required} is required when a job is updated: the update replaces the whole definition.",
                )
        _check(definition)
        kept = {key: record[key] for key in ("Name", "CreatedOn")}
        record.clear()
        record.update(
            {**kept, **_with_defaults(definition), "LastModifiedOn": now(), "_created_as": copy.deepcopy(definition)}
        )
    return {"JobName": name}


def get_job(request: Request) -> dict[str, Any]:
    """Return a job's definition."""
    with STORE.lock:
        return {"Job": public(get_job_record(partition_of(request), request.params["JobName"]))}


def get_jobs(request: Request) -> dict[str, Any]:
    """List the definitions of all jobs."""
    with STORE.lock:
        jobs = [public(job) for job in partition_of(request).table("jobs").values()]
    return page("Jobs", jobs, request.params)


def list_jobs(request: Request) -> dict[str, Any]:
    """List the jobs' names, all or those with given tags."""
    wanted = request.params.get("Tags") or {}
    with STORE.lock:
        names = list(partition_of(request).table("jobs"))
    if wanted:
        backend = _moto_backend(request)
        names = [
            name for name in names if wanted.items() <= backend.get_tags(request.arn("glue", f"job/{name}")).items()
        ]
    return page("JobNames", names, request.params)


def batch_get_jobs(request: Request) -> dict[str, Any]:
    """Return the definitions of several jobs, and the names that do not exist."""
    with STORE.lock:
        table = partition_of(request).table("jobs")
        names = request.params["JobNames"]
        return {
            "Jobs": [public(table[name]) for name in names if name in table],
            "JobsNotFound": [name for name in names if name not in table],
        }


def delete_job(request: Request) -> dict[str, Any]:
    """Delete a job; as on AWS, an unknown name is not an error and active runs go on."""
    name = request.params["JobName"]
    with STORE.lock:
        partition = partition_of(request)
        partition.table("jobs").pop(name, None)
        runs = partition.table("runs")
        for run_id in [
            run_id for run_id, run in runs.items() if run["JobName"] == name and run["CompletedOn"] is not None
        ]:
            del runs[run_id]
    _moto_backend(request).tagger.delete_all_tags_for_resource(request.arn("glue", f"job/{name}"))
    return {"JobName": name}


def get_job_record(partition: Partition, name: str) -> Record:
    """Return a job's record, or raise EntityNotFoundException."""
    try:
        return partition.table("jobs")[name]
    except KeyError:
        raise AwsError("EntityNotFoundException", f"Job {name} not found.") from None


def _check(definition: dict[str, Any]) -> None:
    command = definition["Command"]
    if command.get("Name", "glueetl") not in _COMMANDS:
        raise AwsError("InvalidInputException", f"Command {command['Name']} is not one of {', '.join(_COMMANDS)}.")
    if definition.get("MaxCapacity") is not None and (
        definition.get("WorkerType") or definition.get("NumberOfWorkers")
    ):
        raise AwsError(
            "InvalidInputException", "Please do not set Max Capacity if using Worker Type and Number of Workers."
        )
    if bool(definition.get("WorkerType")) != bool(definition.get("NumberOfWorkers")):
        raise AwsError("InvalidInputException", "Worker Type and Number of Workers must be set together.")


def _with_defaults(definition: dict[str, Any]) -> dict[str, Any]:
    version = definition.get("GlueVersion", "0.9")
    defaults: dict[str, Any] = {
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "MaxRetries": 0,
        "Timeout": 480 if version >= "5.0" else 2880,
        "GlueVersion": version,
        "ExecutionClass": "STANDARD",
    }
    filled = {**defaults, **copy.deepcopy(definition)}
    filled["Command"] = {"Name": "glueetl", "PythonVersion": "3", **filled["Command"]}
    if not filled["ExecutionProperty"].get("MaxConcurrentRuns"):
        filled["ExecutionProperty"] = {"MaxConcurrentRuns": 1}
    if filled.get("MaxCapacity") is None and not filled.get("WorkerType"):
        filled["MaxCapacity"] = 0.0625 if filled["Command"]["Name"] == "pythonshell" else 10.0
    if filled.get("WorkerType"):
        per_worker = {"G.025X": 0.25, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}.get(filled["WorkerType"], 1.0)
        filled["MaxCapacity"] = per_worker * filled["NumberOfWorkers"]
    filled["AllocatedCapacity"] = int(filled["MaxCapacity"])
    return filled


def _moto_backend(request: Request) -> Any:
    # Tags of every Glue resource live in moto's tagger, so that its TagResource, UntagResource and
    # GetTags see them.
    from moto.glue.models import glue_backends

    return glue_backends[request.account_id][request.region]
