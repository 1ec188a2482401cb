"""Glue's job runs: STARTING → RUNNING → SUCCEEDED, FAILED, TIMEOUT, ERROR, or STOPPING → STOPPED.

API: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-runs.html
"""

from __future__ import annotations

import secrets
from typing import Any

from local_aws.jobs import knobs
from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, page, refuse_unsupported
from local_aws.jobs.roles import role_problem
from local_aws.jobs.runs import Outcome, Run, RunPlan, start_run
from local_aws.jobs.store import Partition, Record, now, public

from .jobs import STORE, get_job_record, partition_of

ACTIVE_STATES = frozenset({"STARTING", "RUNNING", "STOPPING", "WAITING"})
OUTPUT_LOG_GROUP = "/aws-glue/jobs/output"
ERROR_LOG_GROUP = "/aws-glue/jobs/error"

_STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "stopped": "STOPPED", "timeout": "TIMEOUT", "error": "ERROR"}
_OVERRIDES = (
    "Timeout",
    "MaxCapacity",
    "WorkerType",
    "NumberOfWorkers",
    "SecurityConfiguration",
    "NotificationProperty",
    "ExecutionClass",
    "JobRunQueuingEnabled",
)
_UNSUPPORTED = ("ExecutionRoleSessionPolicy",)
_live: dict[str, Run] = {}


def start_job_run(request: Request) -> dict[str, Any]:
    """Start a run of a job, or start a failed run once more (``JobRunId``)."""
    params = request.params
    name = params["JobName"]
    refuse_unsupported(request, _UNSUPPORTED, "InvalidInputException")
    with STORE.lock:
        partition = partition_of(request)
        job = partition.table("jobs").get(name)
        if job is None:
            raise AwsError("EntityNotFoundException", "Failed to start job run due to missing metadata.")
        previous = None
        if params.get("JobRunId"):
            previous = partition.table("runs").get(params["JobRunId"])
            if previous is None or previous["JobName"] != name:
                raise AwsError("EntityNotFoundException", f"Job run {params['JobRunId']} not found.")
        limit = job["ExecutionProperty"]["MaxConcurrentRuns"]
        active = sum(
            run["JobName"] == name and run["JobRunState"] in ACTIVE_STATES for run in partition.table("runs").values()
        )
        if active >= limit:
            raise AwsError("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
        role_arn = _role_arn(request, job["Role"])
        problem = role_problem(role_arn, "glue.amazonaws.com", request.arn("glue", f"job/{name}"))
        if problem is not None:
            raise AwsError(
                "InvalidInputException", f"Role should be given assume role permissions for Glue Service: {problem}."
            )
        record = _new_run(request, job, role_arn, previous)
        partition.table("runs")[record["Id"]] = record
        _launch(partition, record)
    return {"JobRunId": record["Id"]}


def get_job_run(request: Request) -> dict[str, Any]:
    """Return a run's state and what it was started with."""
    with STORE.lock:
        partition = partition_of(request)
        run = partition.table("runs").get(request.params["RunId"])
        if run is None or run["JobName"] != request.params["JobName"]:
            raise AwsError("EntityNotFoundException", f"Job run {request.params['RunId']} not found.")
        return {"JobRun": _answer(run)}


def get_job_runs(request: Request) -> dict[str, Any]:
    """List the runs of a job, newest first."""
    with STORE.lock:
        partition = partition_of(request)
        get_job_record(partition, request.params["JobName"])
        runs = [_answer(run) for run in partition.table("runs").values() if run["JobName"] == request.params["JobName"]]
    return page("JobRuns", runs[::-1], request.params)


def batch_stop_job_run(request: Request) -> dict[str, Any]:
    """Stop runs; those that cannot be stopped are listed with the reason."""
    name = request.params["JobName"]
    done, errors, stopping = [], [], []
    with STORE.lock:
        runs = partition_of(request).table("runs")
        for run_id in request.params["JobRunIds"]:
            run = runs.get(run_id)
            if run is None or run["JobName"] != name:
                errors.append(_stop_error(name, run_id, "EntityNotFoundException", f"Job run {run_id} not found."))
            elif run["JobRunState"] not in ACTIVE_STATES:
                message = f"Job run {run_id} is in state {run['JobRunState']} and cannot be stopped."
                errors.append(_stop_error(name, run_id, "InvalidInputException", message))
            else:
                run["JobRunState"] = "STOPPING"
                run["LastModifiedOn"] = now()
                done.append({"JobName": name, "JobRunId": run_id})
                stopping.append(_live[run_id])
    for live in stopping:
        live.stop()
    return {"SuccessfulSubmissions": done, "Errors": errors}


def after_restart(partition: Partition) -> None:
    """Put runs that were active when the server ended into state ERROR."""
    for run in partition.table("runs").values():
        if run["JobRunState"] in ACTIVE_STATES:
            run["JobRunState"] = "ERROR"
            run["ErrorMessage"] = "The service was restarted while the run was active; start the job again."
            run["CompletedOn"] = run["LastModifiedOn"] = now()


def _new_run(request: Request, job: Record, role_arn: str, previous: Record | None) -> Record:
    params = request.params
    arguments = params.get("Arguments") or {}
    if previous is not None and not arguments:
        arguments = previous.get("Arguments") or {}
    settings = {key: params[key] if params.get(key) is not None else job.get(key) for key in _OVERRIDES}
    if params.get("AllocatedCapacity") is not None:
        # The deprecated name of MaxCapacity.
        settings["MaxCapacity"] = float(params["AllocatedCapacity"])
    moment = now()
    record: Record = {
        "Id": f"jr_{secrets.token_hex(32)}",
        "Attempt": 0 if previous is None else previous["Attempt"] + 1,
        "PreviousRunId": None if previous is None else previous["Id"],
        "JobName": job["Name"],
        "JobMode": job.get("JobMode", "SCRIPT"),
        "StartedOn": moment,
        "LastModifiedOn": moment,
        "CompletedOn": None,
        "JobRunState": "STARTING",
        "Arguments": dict(arguments),
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "LogGroupName": "/aws-glue/jobs",
        "GlueVersion": job["GlueVersion"],
        **settings,
        "AllocatedCapacity": int(settings["MaxCapacity"] or 0),
    }
    record["_plan"] = {
        "arguments": {
            **(job.get("DefaultArguments") or {}),
            **arguments,
            **(job.get("NonOverridableArguments") or {}),
        },
        "command": job["Command"],
        "role_arn": role_arn,
        "endpoint_url": request.endpoint_url,
        "region": request.region,
        "source_arn": request.arn("glue", f"job/{job['Name']}"),
        "retries_left": job["MaxRetries"],
    }
    return record


def _launch(partition: Partition, record: Record) -> None:
    plan = record["_plan"]
    run_plan = RunPlan(
        service="glue",
        worker_kind="spark",
        entry="local_aws.glue.worker:run_script",
        payload={
            "job_name": record["JobName"],
            "run_id": record["Id"],
            "arguments": plan["arguments"],
            "command": plan["command"],
        },
        role_arn=plan["role_arn"],
        session_name="GlueJobRunnerSession",
        endpoint_url=plan["endpoint_url"],
        region=plan["region"],
        timeout_seconds=record["Timeout"] * knobs.minute_seconds(),
        stdout_log=(OUTPUT_LOG_GROUP, record["Id"]),
        stderr_log=(ERROR_LOG_GROUP, record["Id"]),
        source_arn=plan.get("source_arn"),
    )

    def on_running() -> None:
        with STORE.lock:
            if record["JobRunState"] == "STARTING":
                record["JobRunState"] = "RUNNING"
                record["LastModifiedOn"] = now()

    def on_end(outcome: Outcome) -> None:
        with STORE.lock:
            _live.pop(record["Id"], None)
            record["ExecutionTime"] = round(outcome.seconds)
            record["DPUSeconds"] = round(outcome.seconds * (record.get("MaxCapacity") or 0), 3)
            record["CompletedOn"] = record["LastModifiedOn"] = now()
            if outcome.message:
                record["ErrorMessage"] = outcome.message
            elif outcome.kind == "timeout":
                record["ErrorMessage"] = "Job run exceeded its timeout"
            stopping = record["JobRunState"] == "STOPPING"
            record["JobRunState"] = _STATES[outcome.kind]
            if outcome.kind == "failed" and plan["retries_left"] > 0 and not stopping:
                _retry(partition, record)

    _live[record["Id"]] = start_run(run_plan, on_running, on_end)


def _retry(partition: Partition, failed: Record) -> None:
    attempt = failed["Attempt"] + 1
    moment = now()
    # On AWS the automatic retry is another run, with the first one's id and the attempt's number.
    record: Record = {
        **failed,
        "Id": f"{failed['Id'].split('_attempt_')[0]}_attempt_{attempt}",
        "Attempt": attempt,
        "PreviousRunId": failed["Id"],
        "StartedOn": moment,
        "LastModifiedOn": moment,
        "CompletedOn": None,
        "JobRunState": "STARTING",
        "ExecutionTime": 0,
        "_plan": {**failed["_plan"], "retries_left": failed["_plan"]["retries_left"] - 1},
    }
    record.pop("ErrorMessage", None)
    partition.table("runs")[record["Id"]] = record
    _launch(partition, record)


def _role_arn(request: Request, role: str) -> str:
    return role if role.startswith("arn:") else f"arn:{request.partition}:iam::{request.account_id}:role/{role}"


def _stop_error(name: str, run_id: str, code: str, message: str) -> dict[str, Any]:
    return {"JobName": name, "JobRunId": run_id, "ErrorDetail": {"ErrorCode": code, "ErrorMessage": message}}


def _answer(run: Record) -> dict[str, Any]:
    answer = public(run)
    if run["JobRunState"] == "RUNNING":
        answer["ExecutionTime"] = round((now() - run["StartedOn"]).total_seconds())
    return answer
