"""The input document of one execution, as docs/architecture.md describes it.

Pure: the same pipeline, identity and account give the same document to the byte, which is what makes a second
StartExecution of the same run idempotent. Must not import Airflow or boto3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.pipeline import METRICS, Pipeline

DeployPolicy = Literal["newest", "always", "never"]
VARIANT_NAME = "AllTraffic"
ENDPOINT_POLL_SECONDS = 15
# A look at the endpoint is 13 events, it is waited for up to twice (until it is free, and until it serves), and an
# execution ends with its 25,000th event (Step Functions quotas): 720 looks are 18,720.
ENDPOINT_MAX_WAITS = 360
# Spark's part files and nothing else: beside them lie _SUCCESS and, on S3, folder markers. The XGBoost container
# guesses the delimiter from the first file that it lists, whichever that is, and fails on an empty one.
PART_FILES = "part-"
# Time beyond MaxRuntimeInSeconds in which SageMaker starts instances, downloads, uploads and stops the job.
TRAINING_GRACE_SECONDS = 1800
_LARGEST_LOGLOSS = 1e6


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
    deploy_policy: DeployPolicy = "newest",
) -> dict[str, Any]:
    """Build the execution's input.

    :param pipeline: The pipeline file.
    :param identity: Whose run it is.
    :param account: Where it runs.
    :param images: Table of the training images.
    :param recipe_version: Published version of the DataBrew recipe that the run is pinned to, e.g. ``3.0``.
    :param deploy_policy: ``newest``: deploy unless something newer serves; ``always``; ``never``.
    :raises DeploymentError: If the account's region has no training image of the version asked for.
    """
    bucket = pipeline.bucket_name(account)
    prefix = names.run_prefix(identity)

    def uri(name: str) -> str:
        return f"s3://{bucket}/{prefix}{name}"

    training = pipeline.training
    hyperparameters = {"objective": "binary:logistic", "seed": "0"}
    hyperparameters |= {key: _text(value) for key, value in training.hyperparameters.items()}
    hyperparameters["eval_metric"] = ",".join(metric.removeprefix("validation:") for metric in METRICS)
    run_tags = [{"Key": key, "Value": value} for key, value in names.tags(identity).items()]
    return {
        "run": {
            "id": identity.run_id,
            "pipeline": pipeline.name,
            "data_date": identity.data_date,
            "interval_start": identity.interval_start.isoformat(),
            "interval_end": identity.interval_end.isoformat(),
            "generation": identity.generation,
            "recipe_version": recipe_version,
            "deploy_policy": deploy_policy,
        },
        "transform": {
            "job_name": identity.job_name_prefix,
            "timeout_seconds": pipeline.limits.transform_minutes * 60,
        },
        "split": {
            "job_name": names.split_job(pipeline.name),
            "arguments": {
                "--source": uri("transform/"),
                "--train": uri("train/"),
                "--validation": uri("validation/"),
                "--summary": uri("split.json"),
                "--label": pipeline.label.column,
                "--validation-fraction": str(pipeline.split.validation_fraction),
            },
            "summary_bucket": bucket,
            "summary_key": f"{prefix}split.json",
            "timeout_seconds": pipeline.limits.split_minutes * 60,
        },
        "training": {
            "job_name_prefix": identity.job_name_prefix,
            "image_uri": images.xgboost(account.region, training.image_version),
            "role_arn": account.role_arn("sagemaker"),
            "instance_type": training.instance_type,
            "instance_count": training.instance_count,
            "volume_gb": training.volume_gb,
            "max_runtime_seconds": training.max_runtime_seconds,
            "timeout_seconds": training.max_runtime_seconds + TRAINING_GRACE_SECONDS,
            "hyperparameters": hyperparameters,
            "train_uri": uri(f"train/{PART_FILES}"),
            "validation_uri": uri(f"validation/{PART_FILES}"),
            "output_uri": uri("model/"),
        },
        "gate": _gate(pipeline),
        "endpoint": {
            "name": pipeline.endpoint_name,
            "variant_name": VARIANT_NAME,
            "instance_type": pipeline.endpoint.instance_type,
            "instance_count": pipeline.endpoint.instance_count,
            **_endpoint_waits(pipeline.endpoint.ready_minutes * 60),
        },
        "tags": run_tags,
    }


def _endpoint_waits(ready_seconds: int) -> dict[str, int]:
    wait_seconds = max(ENDPOINT_POLL_SECONDS, math.ceil(ready_seconds / ENDPOINT_MAX_WAITS))
    return {"wait_seconds": wait_seconds, "max_waits": ready_seconds // wait_seconds}


def _gate(pipeline: Pipeline) -> dict[str, Any]:
    bounds: dict[str, Any] = {"auc_min": 0.0, "aucpr_min": 0.0, "error_max": 1.0, "logloss_max": _LARGEST_LOGLOSS}
    for metric, threshold in pipeline.gate.metrics.items():
        short = metric.removeprefix("validation:")
        if threshold.min is not None:
            bounds[f"{short}_min"] = threshold.min
        if threshold.max is not None:
            bounds[f"{short}_max"] = threshold.max
    bounds["better_than_majority"] = pipeline.gate.better_than_majority
    bounds["on_reject"] = pipeline.gate.on_reject
    return bounds


def _text(value: str | int | float) -> str:
    # repr is the shortest text that reads back as the same number; 5.0 is what a user means by 5.
    return repr(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
