"""SageMaker processing jobs: InProgress → Completed, Failed, or Stopping → Stopped.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html
"""

from __future__ import annotations

import time
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request
from local_aws.jobs.runs import Outcome, Run, RunPlan, start_run
from local_aws.jobs.store import Partition, Record, now, public

from . import images
from .records import STORE, check_role, invalid, listing, partition_of, tags_from

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
TERMINAL = frozenset({"Completed", "Failed", "Stopped"})

_COPIED = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
)
_STATES = {"succeeded": "Completed", "stopped": "Stopped", "timeout": "Stopped"}
_live: dict[str, Run] = {}


def create_processing_job(request: Request) -> dict[str, Any]:
    """Create a processing job and start it."""
    params = request.params
    name = params["ProcessingJobName"]
    arn = request.arn("sagemaker", f"processing-job/{name}")
    with STORE.lock:
        table = partition_of(request).table("processing_jobs")
        if name in table:
            raise AwsError(
                "ResourceInUse",
                f"Job name must be unique within an AWS account and region, and a job with this name already"
                f" exists ({arn})",
            )
        _check_texts(params["AppSpecification"])
        check_role(params["RoleArn"], arn)
        moment = now()
        record: Record = {
            "ProcessingJobName": name,
            "ProcessingJobArn": arn,
            **{key: params[key] for key in _COPIED if params.get(key) is not None},
            "ProcessingJobStatus": "InProgress",
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "_arn": arn,
            "_tags": tags_from(params),
        }
        record.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": 86_400})
        table[name] = record
        _launch(request, record)
    return {"ProcessingJobArn": arn}


def _check_texts(application: dict[str, Any]) -> None:
    # The API's model allows empty ones; SageMaker's own words:
    # github.com/aws/sagemaker-python-sdk/issues/3758.
    for member in ("ContainerEntrypoint", "ContainerArguments"):
        for index, text in enumerate(application.get(member) or []):
            if not text:
                raise invalid(
                    f"Found null or empty string in {member} at index {index}. ContainerArguments and"
                    f" ContainerEntrypoint may not contain null or empty strings."
                )


def describe_processing_job(request: Request) -> dict[str, Any]:
    """Return a processing job's state and definition."""
    with STORE.lock:
        return public(_get(request))


def list_processing_jobs(request: Request) -> dict[str, Any]:
    """List the processing jobs, filtered and in pages."""
    members = (
        "ProcessingJobName",
        "ProcessingJobArn",
        "CreationTime",
        "ProcessingEndTime",
        "LastModifiedTime",
        "ProcessingJobStatus",
        "FailureReason",
        "ExitMessage",
    )
    with STORE.lock:
        return listing(
            request,
            partition_of(request).table("processing_jobs").values(),
            key="ProcessingJobSummaries",
            name_member="ProcessingJobName",
            status_member="ProcessingJobStatus",
            summary=lambda record: {member: record[member] for member in members if record.get(member) is not None},
        )


def stop_processing_job(request: Request) -> dict[str, Any]:
    """Stop a processing job that has not ended."""
    with STORE.lock:
        record = _get(request)
        if record["ProcessingJobStatus"] in TERMINAL:
            raise invalid(
                f"The request was rejected because the processing job is in status {record['ProcessingJobStatus']}."
            )
        record["ProcessingJobStatus"] = "Stopping"
        record["LastModifiedTime"] = now()
        run = _live.get(record["ProcessingJobArn"])
    if run is not None:
        run.stop()
    return {}


def after_restart(partition: Partition) -> None:
    """Mark jobs that were active when the server ended as Failed."""
    for record in partition.table("processing_jobs").values():
        if record["ProcessingJobStatus"] not in TERMINAL:
            record["ProcessingJobStatus"] = "Failed"
            record["FailureReason"] = (
                "InternalServerError: The service was restarted while the processing job was active; start it again."
            )
            record["ProcessingEndTime"] = record["LastModifiedTime"] = now()


def _launch(request: Request, record: Record) -> None:
    application = record["AppSpecification"]
    image = application["ImageUri"]
    plan = RunPlan(
        service="processing",
        worker_kind="xgboost",
        entry="local_aws.sagemaker.processing_worker:process",
        payload={
            "job_name": record["ProcessingJobName"],
            "image_problem": "" if images.can_process(image) else images.unsupported(image),
            "inputs": record.get("ProcessingInputs") or [],
            "outputs": (record.get("ProcessingOutputConfig") or {}).get("Outputs") or [],
            "entrypoint": application.get("ContainerEntrypoint") or [],
            "arguments": application.get("ContainerArguments") or [],
            "environment": record.get("Environment") or {},
        },
        role_arn=record["RoleArn"],
        session_name="SageMaker",
        endpoint_url=request.endpoint_url,
        region=request.region,
        timeout_seconds=record["StoppingCondition"]["MaxRuntimeInSeconds"],
        stdout_log=(LOG_GROUP, f"{record['ProcessingJobName']}/algo-1-{int(time.time())}"),
        source_arn=record["ProcessingJobArn"],
        image=image,
    )

    def on_running() -> None:
        with STORE.lock:
            record["ProcessingStartTime"] = record["LastModifiedTime"] = now()

    def on_end(outcome: Outcome) -> None:
        with STORE.lock:
            _live.pop(record["ProcessingJobArn"], None)
            record["ProcessingEndTime"] = record["LastModifiedTime"] = now()
            if outcome.result.get("exit_message"):
                record["ExitMessage"] = outcome.result["exit_message"]
            if outcome.kind in ("failed", "error"):
                kind = outcome.result.get("kind") or (
                    "InternalServerError" if outcome.kind == "error" else "AlgorithmError"
                )
                record["FailureReason"] = f"{kind}: {outcome.message}, exit code: 1"[:1024]
            elif outcome.kind == "timeout":
                record["FailureReason"] = "The processing job's runtime exceeded MaxRuntimeInSeconds."
            record["ProcessingJobStatus"] = _STATES.get(outcome.kind, "Failed")

    _live[record["ProcessingJobArn"]] = start_run(plan, on_running, on_end)


def _get(request: Request) -> Record:
    record = partition_of(request).table("processing_jobs").get(request.params["ProcessingJobName"])
    if record is None:
        raise invalid("Requested resource not found.")
    return record
