"""SageMaker training jobs: InProgress → Completed, Failed, or Stopping → Stopped.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from __future__ import annotations

import time
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, refuse_unsupported
from local_aws.jobs.runs import Outcome, Run, RunPlan, start_run
from local_aws.jobs.store import Partition, Record, now, public

from . import images
from .records import STORE, check_role, invalid, listing, partition_of, tags_from

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
TERMINAL = frozenset({"Completed", "Failed", "Stopped"})

_COPIED = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "ProfilerConfig",
    "ProfilerRuleConfigurations",
    "Environment",
    "RetryStrategy",
    "RemoteDebugConfig",
    "InfraCheckConfig",
)
#: Members with effects that local AWS does not have.
_UNSUPPORTED = ("ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig", "SessionChainingConfig")
_DEFAULT_MAX_RUNTIME_SECONDS = 86_400
_LONGEST_RUNTIME_SECONDS = 28 * 86_400
_live: dict[str, Run] = {}


def create_training_job(request: Request) -> dict[str, Any]:
    """Create a training job and start it."""
    params = request.params
    name = params["TrainingJobName"]
    arn = request.arn("sagemaker", f"training-job/{name}")
    with STORE.lock:
        table = partition_of(request).table("training_jobs")
        if name in table:
            raise AwsError(
                "ResourceInUse",
                f"Training job names must be unique within an AWS account and region, and a training job with"
                f" this name already exists ({arn})",
            )
        refuse_unsupported(request, _UNSUPPORTED)
        check_role(params["RoleArn"], arn)
        _check(params)
        record = _new_record(params, arn)
        table[name] = record
        _launch(request, record)
    return {"TrainingJobArn": arn}


def describe_training_job(request: Request) -> dict[str, Any]:
    """Return a training job's state and definition."""
    with STORE.lock:
        return public(_get(request))


def list_training_jobs(request: Request) -> dict[str, Any]:
    """List the training jobs, filtered and in pages."""
    members = (
        "TrainingJobName",
        "TrainingJobArn",
        "CreationTime",
        "TrainingEndTime",
        "LastModifiedTime",
        "TrainingJobStatus",
        "SecondaryStatus",
    )
    with STORE.lock:
        records = list(partition_of(request).table("training_jobs").values())
        if request.params.get("TrainingPlanArnEquals") or request.params.get("WarmPoolStatusEquals"):
            records = []  # no job here has a training plan or a warm pool
        return listing(
            request,
            records,
            key="TrainingJobSummaries",
            name_member="TrainingJobName",
            status_member="TrainingJobStatus",
            summary=lambda record: {member: record[member] for member in members if member in record},
        )


def stop_training_job(request: Request) -> dict[str, Any]:
    """Stop a training job that has not ended."""
    with STORE.lock:
        record = _get(request)
        if record["TrainingJobStatus"] in TERMINAL:
            raise invalid(
                f"The request was rejected because the training job is in status {record['TrainingJobStatus']}."
            )
        if record["TrainingJobStatus"] != "Stopping":
            record["TrainingJobStatus"] = "Stopping"
            _enter(record, "Stopping", "Stopping the training job")
        run = _live.get(record["TrainingJobArn"])
    if run is not None:
        run.stop()
    return {}


def delete_training_job(request: Request) -> dict[str, Any]:
    """Delete a training job that has ended."""
    with STORE.lock:
        record = _get(request)
        if record["TrainingJobStatus"] not in TERMINAL:
            raise AwsError(
                "ResourceInUse",
                f"The training job {record['TrainingJobName']} is in status {record['TrainingJobStatus']}.",
            )
        del partition_of(request).table("training_jobs")[record["TrainingJobName"]]
    return {}


def after_restart(partition: Partition) -> None:
    """Mark jobs that were active when the server ended as Failed."""
    for record in partition.table("training_jobs").values():
        if record["TrainingJobStatus"] not in TERMINAL:
            _end(record, "Failed", "Failed")
            record["FailureReason"] = (
                "InternalServerError: The service was restarted while the training job was active; start it again."
            )


def _check(params: dict[str, Any]) -> None:
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if not params.get(member):
            raise invalid(f"{member} is required.")
    algorithm = params["AlgorithmSpecification"]
    if bool(algorithm.get("TrainingImage")) == bool(algorithm.get("AlgorithmName")):
        raise invalid("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification.")
    channels = [channel["ChannelName"] for channel in params.get("InputDataConfig") or []]
    if len(set(channels)) != len(channels):
        raise invalid("Channel names must be unique.")
    for uri in [params["OutputDataConfig"]["S3OutputPath"]]:
        if not uri.startswith(("s3://", "https://")):
            raise invalid(f"The S3 URI {uri} is not valid; write s3://bucket/prefix.")
    _check_stopping_condition(params)


def _check_stopping_condition(params: dict[str, Any]) -> None:
    """Refuse limits that AWS documents as invalid, in the words that its users report.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html
    """
    condition = params["StoppingCondition"]
    runtime = condition.get("MaxRuntimeInSeconds") or _DEFAULT_MAX_RUNTIME_SECONDS
    wait = condition.get("MaxWaitTimeInSeconds")
    if runtime > _LONGEST_RUNTIME_SECONDS:
        raise invalid(f"Invalid MaxRuntimeInSeconds. It must be at most {_LONGEST_RUNTIME_SECONDS} (28 days)")
    if not params.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise invalid(
                "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
    elif wait is None or wait < runtime:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )


def _new_record(params: dict[str, Any], arn: str) -> Record:
    moment = now()
    name = params["TrainingJobName"]
    output = params["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    record: Record = {
        "TrainingJobName": name,
        "TrainingJobArn": arn,
        **{key: params[key] for key in _COPIED if params.get(key) is not None},
        "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{name}/output/model.tar.gz"},
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [],
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "_arn": arn,
        "_tags": tags_from(params),
    }
    record["StoppingCondition"] = {"MaxRuntimeInSeconds": _DEFAULT_MAX_RUNTIME_SECONDS, **record["StoppingCondition"]}
    for flag in ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"):
        record.setdefault(flag, False)
    record["ProfilingStatus"] = "Disabled"
    _enter(record, "Starting", "Starting the training job")
    return record


def _launch(request: Request, record: Record) -> None:
    image = record["AlgorithmSpecification"].get("TrainingImage", "")
    payload = {
        "job_name": record["TrainingJobName"],
        "image": image,
        "image_problem": ""
        if images.is_xgboost(image)
        else images.unsupported(image or record["AlgorithmSpecification"]["AlgorithmName"]),
        "hyperparameters": record.get("HyperParameters") or {},
        "channels": record.get("InputDataConfig") or [],
        "input_mode": record["AlgorithmSpecification"].get("TrainingInputMode", "File"),
        "model_uri": record["ModelArtifacts"]["S3ModelArtifacts"],
        "region": request.region,
        "role_arn": record["RoleArn"],
    }
    plan = RunPlan(
        service="training",
        worker_kind="xgboost",
        entry="local_aws.sagemaker.training_worker:train",
        payload=payload,
        role_arn=record["RoleArn"],
        session_name="SageMaker",
        endpoint_url=request.endpoint_url,
        region=request.region,
        timeout_seconds=record["StoppingCondition"]["MaxRuntimeInSeconds"],
        stdout_log=(LOG_GROUP, f"{record['TrainingJobName']}/algo-1-{int(time.time())}"),
        environment={
            key: str(value) for key, value in (record.get("Environment") or {}).items() if not key.startswith("AWS_")
        },
        source_arn=record["TrainingJobArn"],
        image=image,
    )

    def on_running() -> None:
        with STORE.lock:
            if record["TrainingJobStatus"] == "InProgress":
                record["TrainingStartTime"] = now()
                _enter(record, "Downloading", "Downloading input data")
                _enter(record, "Training", "Training image download completed. Training in progress.")

    def on_end(outcome: Outcome) -> None:
        with STORE.lock:
            _live.pop(record["TrainingJobArn"], None)
            _record_end(record, outcome)

    _live[record["TrainingJobArn"]] = start_run(plan, on_running, on_end)


def _record_end(record: Record, outcome: Outcome) -> None:
    metrics = outcome.result.get("metrics") or {}
    if metrics:
        moment = now()
        record["FinalMetricDataList"] = [
            {"MetricName": name, "Value": value, "Timestamp": moment} for name, value in metrics.items()
        ]
    seconds = max(1, round(outcome.seconds))
    record["TrainingTimeInSeconds"] = record["BillableTimeInSeconds"] = seconds
    if outcome.kind == "succeeded":
        _enter(record, "Uploading", "Uploading generated training model")
        _end(record, "Completed", "Completed", "Training job completed")
    elif outcome.kind == "stopped":
        _end(record, "Stopped", "Stopped", "Training job stopped")
    elif outcome.kind == "timeout":
        _end(record, "Stopped", "MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided")
    else:
        kind = outcome.result.get("kind") or ("InternalServerError" if outcome.kind == "error" else "AlgorithmError")
        reason = f"{kind}: {outcome.message}"
        if outcome.result.get("exit_code"):
            reason += f", exit code: {outcome.result['exit_code']}"
        record["FailureReason"] = reason[:1024]
        _end(record, "Failed", "Failed", "Training job failed")


def _end(record: Record, status: str, secondary: str, message: str = "") -> None:
    record["TrainingJobStatus"] = status
    record.setdefault("TrainingStartTime", now())
    _enter(record, secondary, message)
    moment = now()
    record["SecondaryStatusTransitions"][-1]["EndTime"] = moment
    record["TrainingEndTime"] = record["LastModifiedTime"] = moment


def _enter(record: Record, secondary: str, message: str) -> None:
    moment = now()
    transitions = record["SecondaryStatusTransitions"]
    if transitions and "EndTime" not in transitions[-1]:
        transitions[-1]["EndTime"] = moment
    transitions.append({"Status": secondary, "StartTime": moment, "StatusMessage": message})
    record["SecondaryStatus"] = secondary
    record["LastModifiedTime"] = moment


def _get(request: Request) -> Record:
    record = partition_of(request).table("training_jobs").get(request.params["TrainingJobName"])
    if record is None:
        raise invalid("Requested resource not found.")
    return record
