"""The input documents of an execution's three entries, as docs/architecture.md describes them.

``retrain`` trains, evaluates and deploys; ``promote`` deploys what an earlier run trained;
``rollback`` points the endpoint at an endpoint config that exists. Pure: the same pipeline,
identity and account give the same document to the byte, which is what makes a second StartExecution
of the same run idempotent. Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation import job as evaluation
from brewtrain.domain.evaluation.metrics import METRICS, short_name
from brewtrain.domain.pipeline.endpoint import Endpoint
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.hyperparameters import OBJECTIVE
from brewtrain.domain.run.limits import endpoint_wait, stage_limits, whole_seconds
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.run.stages import Stage

DeployPolicy = Literal["newest", "always", "never", "approval"]
VARIANT_NAME = "AllTraffic"
# Spark's part files and nothing else: beside them lie _SUCCESS and, on S3, folder markers. The
# XGBoost container guesses the delimiter from the first file that it lists, whichever that is, and
# fails on an empty one.
PART_FILES = "part-"
# For the log and the training job's own metrics; the gate decides by what the evaluation measures.
TRAINING_METRICS = ("auc", "aucpr", "error", "logloss")
NO_ALARMS = "none"
# What a tag of a model without a known date says; no date, so that any model of ours may replace
# it.
UNKNOWN_DATE = "unknown"
_SUMMARY = (
    "train_rows",
    "validation_rows",
    "train_positives",
    "validation_positives",
    "majority_class_error",
    "features",
)


@dataclass(frozen=True)
class ImageTable:
    """Registry accounts of the built-in XGBoost image (include/statemachine/images.json).

    :param registries: Region → registry host without the image's name, per image version.
    """

    registries: dict[str, dict[str, str]]

    def xgboost(self, region: str, version: str) -> str:
        """URI of the image.

        :raises DeploymentError: If the version or the region has none.
        """
        by_region = self.registries.get(version)
        if by_region is None:
            known = ", ".join(sorted(self.registries))
            raise DeploymentError(f"training.image_version {version!r} is not known; write one of {known}")
        registry = by_region.get(region)
        if registry is None:
            raise DeploymentError(
                f"region {region!r} has no built-in XGBoost image {version}; use another region or image_version"
            )
        return f"{registry}/sagemaker-xgboost:{version}"


def execution_input(
    pipeline: Pipeline,
    identity: names.RunIdentity,
    account: names.Account,
    *,
    images: ImageTable,
    recipe_version: str,
    code: evaluation.Code,
    deploy_policy: DeployPolicy = "newest",
) -> dict[str, Any]:
    """Build the input of a retraining.

    :param pipeline: The pipeline file.
    :param identity: Whose run it is.
    :param account: Where it runs.
    :param images: Table of the training images.
    :param recipe_version: Published version of the DataBrew recipe that the run is pinned to, e.g.
        ``3.0``.
    :param code: The evaluation's files, for the prefix under which they were deployed.
    :param deploy_policy: ``newest``: deploy unless something newer serves; ``always``; ``never``;
        ``approval``: a person decides, which is also what the first two become where the pipeline
        requires approval.
    :raises DeploymentError: If the account's region has no training image of the version asked for.
    """
    bucket = pipeline.bucket_name(account)
    run_uri = f"s3://{bucket}/{names.run_prefix(identity)}"
    return {
        "entry": "retrain",
        "run": _run(pipeline, identity, recipe_version=recipe_version, deploy_policy=deploy_policy),
        "transform": {
            "job_name": identity.job_name_prefix,
            "timeout_seconds": _state_seconds(pipeline, Stage.TRANSFORM),
        },
        "split": _split(pipeline, identity, bucket=bucket, run_uri=run_uri),
        "training": _training(pipeline, identity, account, images=images, run_uri=run_uri),
        "evaluation": _evaluation(pipeline, identity, code, bucket=bucket, recipe_version=recipe_version),
        "endpoint": endpoint_section(pipeline),
        "tags": _tag_list(names.tags(identity)),
    }


def _run(
    pipeline: Pipeline, identity: names.RunIdentity, *, recipe_version: str, deploy_policy: DeployPolicy
) -> dict[str, Any]:
    if deploy_policy != "never" and pipeline.approval == "required":
        deploy_policy = "approval"
    return {
        "id": identity.run_id,
        "pipeline": pipeline.name,
        "data_date": identity.data_date,
        "interval_start": identity.interval_start.isoformat(),
        "interval_end": identity.interval_end.isoformat(),
        "generation": identity.generation,
        "recipe_version": recipe_version,
        "deploy_policy": deploy_policy,
    }


def _split(pipeline: Pipeline, identity: names.RunIdentity, *, bucket: str, run_uri: str) -> dict[str, Any]:
    return {
        "job_name": names.split_job(pipeline.name),
        "arguments": {
            "--source": f"{run_uri}transform/",
            "--train": f"{run_uri}train/",
            "--validation": f"{run_uri}validation/",
            "--summary": f"{run_uri}split.json",
            "--label": pipeline.label.column,
            "--validation-fraction": str(pipeline.split.validation_fraction),
        },
        "summary_bucket": bucket,
        "summary_key": f"{names.run_prefix(identity)}split.json",
        "timeout_seconds": _state_seconds(pipeline, Stage.SPLIT),
    }


def _training(
    pipeline: Pipeline, identity: names.RunIdentity, account: names.Account, *, images: ImageTable, run_uri: str
) -> dict[str, Any]:
    training = pipeline.training
    return {
        "job_name_prefix": identity.job_name_prefix,
        "image_uri": images.xgboost(account.region, training.image_version),
        "role_arn": account.role_arn("sagemaker"),
        "instance_type": training.instance_type,
        "instance_count": training.instance_count,
        "volume_gb": training.volume_gb,
        "max_runtime_seconds": _job_seconds(pipeline, Stage.TRAIN),
        "timeout_seconds": _state_seconds(pipeline, Stage.TRAIN),
        "hyperparameters": {
            "objective": OBJECTIVE,
            "seed": "0",
            **{name: _text(value) for name, value in training.hyperparameters.items()},
            "eval_metric": ",".join(TRAINING_METRICS),
        },
        "train_uri": f"{run_uri}train/{PART_FILES}",
        "validation_uri": f"{run_uri}validation/{PART_FILES}",
        "output_uri": f"{run_uri}model/",
    }


def promotion_input(
    pipeline: Pipeline,
    account: names.Account,
    candidate: Outcome,
    *,
    deployment_id: str,
    images: ImageTable,
    deploy_policy: Literal["newest", "always"] = "newest",
) -> dict[str, Any]:
    """Build the input of an execution that deploys a model which an earlier run has trained.

    It creates a model and an endpoint config of its own from that run's archive, so that it never
    meets a name that is taken, and one deleted since then is no hindrance.

    :param pipeline: The pipeline file.
    :param account: Where it runs.
    :param candidate: What the candidate's run reported: the output of its execution, or its
        result.json.
    :param deployment_id: From :func:`brewtrain.domain.names.deployment_id`.
    :param images: Table of the training images, for a candidate that does not say which trained it.
    :param deploy_policy: ``newest``: deploy unless something newer serves; ``always``.
    :raises DeploymentError: If the candidate's report lacks the model, the run or its data date.
    """
    run_id, data_date = str(candidate.run.get("id") or ""), str(candidate.run.get("data_date") or "")
    if not (run_id and data_date and candidate.model_artifacts):
        raise DeploymentError(
            f"the report of run {run_id or '(none)'} lacks its run, its data date or its model archive, so there is "
            "nothing to promote; choose another run, or train that interval again"
        )
    evaluated = candidate.evaluation
    return {
        "entry": "promote",
        "run": {**candidate.run, "deploy_policy": deploy_policy},
        "training": {
            "job_name_prefix": names.job_name_prefix(deployment_id),
            "image_uri": candidate.image_uri or images.xgboost(account.region, pipeline.training.image_version),
            "role_arn": account.role_arn("sagemaker"),
        },
        "training_job": {"name": candidate.training_job_name, "model_artifacts": candidate.model_artifacts},
        "training_results": {
            "metrics": [
                {"MetricName": name, "Value": value} for name, value in sorted(candidate.training_metrics.items())
            ]
        },
        "evaluation": {"output_uri": evaluated.get("uri")},
        "champion": {"uri": evaluated.get("champion_uri")},
        "verdict": {
            "metrics": {short_name(metric): candidate.metrics.get(metric) for metric in METRICS},
            "champion_status": evaluated.get("champion_status"),
            "champion_metrics": evaluated.get("champion_metrics") or {},
            "reasons": evaluated.get("reasons") or [],
        },
        "split_summary": {"document": {name: candidate.split.get(name) for name in _SUMMARY}},
        "endpoint": endpoint_section(pipeline),
        "tags": _tag_list(names.model_tags(pipeline.name, run_id=run_id, data_date=data_date)),
    }


def rollback_input(
    pipeline: Pipeline,
    *,
    endpoint_config_name: str,
    model_name: str | None,
    run_id: str | None,
    data_date: str | None,
) -> dict[str, Any]:
    """Build the input of an execution that points the endpoint at an endpoint config which exists.

    :param pipeline: The pipeline file.
    :param endpoint_config_name: Config to go back to.
    :param model_name: The model that it serves, if known.
    :param run_id: The run that trained the model, as the config's tag says; ``None`` for a foreign
        config.
    :param data_date: Its data date, as the config's tag says; ``None`` for a foreign config.
    """
    tags = names.model_tags(pipeline.name, run_id=run_id or UNKNOWN_DATE, data_date=data_date or UNKNOWN_DATE)
    return {
        "entry": "rollback",
        "run": {"id": run_id, "pipeline": pipeline.name, "data_date": data_date, "deploy_policy": "always"},
        "model": {"name": model_name},
        "endpoint_config": {"name": endpoint_config_name},
        "endpoint": endpoint_section(pipeline),
        "tags": _tag_list(tags),
    }


def deployment_config(endpoint: Endpoint) -> dict[str, Any]:
    """SageMaker's DeploymentConfig of an update, as UpdateEndpoint takes it.

    Always written out, since the states language cannot leave a member out: without a wish of the
    pipeline's it is what SageMaker does by itself.

    :param endpoint: The pipeline's endpoint.
    """
    update = endpoint.update
    if update is None:
        routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    step = {"Type": "CAPACITY_PERCENT", "Value": update.step_percent}
    routing = {
        "all_at_once": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        "canary": {"Type": "CANARY", "CanarySize": step, "WaitIntervalInSeconds": update.wait_seconds},
        "linear": {"Type": "LINEAR", "LinearStepSize": step, "WaitIntervalInSeconds": update.wait_seconds},
    }[update.traffic]
    config: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": update.termination_wait_seconds,
            "MaximumExecutionTimeoutInSeconds": update.max_execution_seconds,
        }
    }
    if update.alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in update.alarms]}
    return config


def _evaluation(
    pipeline: Pipeline, identity: names.RunIdentity, code: evaluation.Code, *, bucket: str, recipe_version: str
) -> dict[str, Any]:
    wanted = pipeline.evaluation
    arguments = evaluation.container_arguments(
        pipeline.gate.rules,
        run_id=identity.run_id,
        pipeline=pipeline.name,
        data_date=identity.data_date,
        recipe_version=recipe_version,
        validation_fraction=pipeline.split.validation_fraction,
    )
    return evaluation.execution_section(
        arguments,
        bucket=bucket,
        run_prefix=names.run_prefix(identity),
        code_prefix=names.evaluation_code_prefix(pipeline.name, code.sha256),
        instance_type=wanted.instance_type,
        volume_gb=wanted.volume_gb,
        max_runtime_seconds=_job_seconds(pipeline, Stage.EVALUATE),
        timeout_seconds=_state_seconds(pipeline, Stage.EVALUATE),
    )


def endpoint_section(pipeline: Pipeline) -> dict[str, Any]:
    """Build the ``endpoint`` section, which is the same for every entry.

    :param pipeline: The pipeline file.
    """
    endpoint = pipeline.endpoint
    wait = endpoint_wait(endpoint)
    alarms = endpoint.update.alarms if endpoint.update is not None else ()
    return {
        "name": pipeline.endpoint_name,
        "variant_name": VARIANT_NAME,
        "instance_type": endpoint.instance_type,
        "instance_count": endpoint.instance_count,
        "deployment_config": deployment_config(endpoint),
        "alarms": ", ".join(alarms) or NO_ALARMS,
        "wait_seconds": wait.poll_seconds,
        "max_waits": wait.max_looks,
    }


def _job_seconds(pipeline: Pipeline, stage: Stage) -> int:
    return whole_seconds(stage_limits(pipeline, stage).job)


def _state_seconds(pipeline: Pipeline, stage: Stage) -> int:
    return whole_seconds(stage_limits(pipeline, stage).state)


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _text(value: str | int | float) -> str:
    # repr is the shortest text that reads back as the same number; 5.0 is what a user means by 5.
    return repr(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
