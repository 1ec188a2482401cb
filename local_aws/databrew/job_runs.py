"""DataBrew's job runs: STARTING → RUNNING → SUCCEEDED, FAILED, STOPPED or TIMEOUT.

API: https://docs.aws.amazon.com/databrew/latest/dg/API_StartJobRun.html and DescribeJobRun,
ListJobRuns, StopJobRun.
"""

from __future__ import annotations

import copy
import secrets
from datetime import UTC
from typing import Any

from local_aws.jobs import knobs
from local_aws.jobs.modelled import Request, page
from local_aws.jobs.runs import Outcome, Run, RunPlan, start_run
from local_aws.jobs.store import Partition, Record, now, public

from .datasets import get_dataset
from .jobs import get_job, runs_of
from .recipes import get_recipe_version
from .records import ACTIVE_STATES, STORE, caller, conflict, invalid, not_found, partition_of

LOG_GROUP = "/aws-glue-databrew/jobs"

_STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "stopped": "STOPPED", "timeout": "TIMEOUT", "error": "FAILED"}
_COPIED = (
    "DatasetName",
    "ProfileConfiguration",
    "ValidationConfigurations",
    "LogSubscription",
    "Outputs",
    "DataCatalogOutputs",
    "DatabaseOutputs",
    "JobSample",
)
_live: dict[str, Run] = {}


def start_job_run(request: Request) -> dict[str, Any]:
    """Start a run; a job has one active run, whose recipe version is fixed here."""
    name = request.params["Name"]
    with STORE.lock:
        partition = partition_of(request)
        job = get_job(partition, name)
        for run in runs_of(partition, name):
            if run["State"] in ACTIVE_STATES:
                raise conflict(f"The job {name} already has the run {run['RunId']} in state {run['State']}.")
        record = _new_run(request, partition, job)
        partition.table("runs")[record["RunId"]] = record
        _launch(record)
    return {"RunId": record["RunId"]}


def stop_job_run(request: Request) -> dict[str, Any]:
    """Stop an active run."""
    with STORE.lock:
        record = _get_run(request)
        if record["State"] not in ACTIVE_STATES:
            raise invalid(f"The job run {record['RunId']} is in state {record['State']} and cannot be stopped.")
        record["State"] = "STOPPING"
        run = _live.get(record["RunId"])
    if run is not None:
        run.stop()
    return {"RunId": record["RunId"]}


def describe_job_run(request: Request) -> dict[str, Any]:
    """Return a run's state and what it was started with."""
    with STORE.lock:
        return _answer(_get_run(request))


def list_job_runs(request: Request) -> dict[str, Any]:
    """List the runs of a job, newest first."""
    with STORE.lock:
        partition = partition_of(request)
        get_job(partition, request.params["Name"])
        records = [_answer(run) for run in runs_of(partition, request.params["Name"])]
    return page("JobRuns", records[::-1], request.params)


def after_restart(partition: Partition) -> None:
    """Mark runs that were active when the server ended as FAILED."""
    for record in partition.table("runs").values():
        if record["State"] in ACTIVE_STATES:
            record["State"] = "FAILED"
            record["ErrorMessage"] = "The service was restarted while the run was active; start the job again."
            record["CompletedOn"] = now()


def _new_run(request: Request, partition: Partition, job: Record) -> Record:
    dataset = get_dataset(partition, job["DatasetName"])
    record: Record = {
        "RunId": f"db_{secrets.token_hex(32)}",
        "JobName": job["Name"],
        "State": "STARTING",
        "Attempt": 0,
        "StartedBy": caller(request),
        "StartedOn": now(),
        "ExecutionTime": 0,
        **{key: copy.deepcopy(job[key]) for key in _COPIED if key in job},
    }
    payload: dict[str, Any] = {
        "job_name": job["Name"],
        "run_id": record["RunId"],
        "dataset": _definition(dataset),
        "outputs": job.get("Outputs") or [],
        "region": request.region,
        "account_id": request.account_id,
    }
    if job["Type"] == "RECIPE":
        version = get_recipe_version(
            partition, job["RecipeReference"]["Name"], job["RecipeReference"].get("RecipeVersion")
        )
        record["RecipeReference"] = {"Name": job["RecipeReference"]["Name"], "RecipeVersion": version["RecipeVersion"]}
        payload |= {
            "steps": version["Steps"],
            "datasets": [_definition(other) for other in partition.table("datasets").values()],
            "unsupported_outputs": [key for key in ("DataCatalogOutputs", "DatabaseOutputs") if job.get(key)],
        }
    else:
        rulesets = {ruleset["ResourceArn"]: ruleset for ruleset in partition.table("rulesets").values()}
        payload |= {
            "configuration": job.get("ProfileConfiguration") or {},
            "job_sample": job.get("JobSample") or {},
            "rulesets": [
                _ruleset(rulesets[entry["RulesetArn"]])
                for entry in job.get("ValidationConfigurations") or []
                if entry["RulesetArn"] in rulesets
            ],
        }
    if job.get("LogSubscription") == "ENABLE":
        record["LogGroupName"] = LOG_GROUP
    record["_plan"] = {
        "entry": "run_recipe_job" if job["Type"] == "RECIPE" else "run_profile_job",
        "payload": payload,
        "role_arn": job["RoleArn"],
        "endpoint_url": request.endpoint_url,
        "region": request.region,
        "source_arn": job["ResourceArn"],
        "timeout_minutes": job["Timeout"],
        "retries_left": job["MaxRetries"],
    }
    return record


def _launch(record: Record) -> None:
    plan = record["_plan"]
    minutes = plan["timeout_minutes"] or 2880
    started_ms = int(record["StartedOn"].timestamp() * 1000)
    run_plan = RunPlan(
        service="databrew",
        worker_kind="databrew",
        entry=f"local_aws.databrew.worker:{plan['entry']}",
        payload={**plan["payload"], "started_ms": started_ms},
        role_arn=plan["role_arn"],
        session_name=f"AwsGlueDataBrew-{record['RunId'][:16]}",
        endpoint_url=plan["endpoint_url"],
        region=plan["region"],
        timeout_seconds=minutes * knobs.minute_seconds(),
        stdout_log=(LOG_GROUP, f"{record['JobName']}/{record['RunId']}"),
        write_logs=record.get("LogSubscription") == "ENABLE",
        source_arn=plan.get("source_arn"),
    )

    def on_running() -> None:
        with STORE.lock:
            if record["State"] == "STARTING":
                record["State"] = "RUNNING"

    def on_end(outcome: Outcome) -> None:
        with STORE.lock:
            record["ExecutionTime"] = round(outcome.seconds)
            if outcome.kind == "failed" and plan["retries_left"] > 0 and record["State"] != "STOPPING":
                plan["retries_left"] -= 1
                record["Attempt"] += 1
                record["State"] = "STARTING"
                _launch(record)
                return
            _live.pop(record["RunId"], None)
            record["CompletedOn"] = now()
            if outcome.message:
                record["ErrorMessage"] = outcome.message
            elif outcome.kind == "timeout":
                record["ErrorMessage"] = (
                    f"The job run was stopped because it exceeded its timeout of {minutes} minutes."
                )
            record["State"] = _STATES[outcome.kind]

    _live[record["RunId"]] = start_run(run_plan, on_running, on_end)


def _definition(dataset: Record) -> Record:
    keys = ("Name", "Source", "Format", "FormatOptions", "Input", "PathOptions", "ResourceArn")
    return {key: copy.deepcopy(dataset[key]) for key in keys if key in dataset}


def _ruleset(ruleset: Record) -> Record:
    keys = ("Name", "Description", "ResourceArn", "Rules")
    found = {key: copy.deepcopy(ruleset[key]) for key in keys if key in ruleset}
    found["LastModifiedDate"] = ruleset["LastModifiedDate"].astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    return found


def _get_run(request: Request) -> Record:
    partition = partition_of(request)
    get_job(partition, request.params["Name"])
    run = partition.table("runs").get(request.params["RunId"])
    if run is None or run["JobName"] != request.params["Name"]:
        raise not_found("The job run", request.params["RunId"])
    return run


def _answer(record: Record) -> dict[str, Any]:
    answer = public(record)
    if record["State"] == "RUNNING":
        answer["ExecutionTime"] = round((now() - record["StartedOn"]).total_seconds())
    return answer
