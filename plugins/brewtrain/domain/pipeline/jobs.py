"""What runs on AWS before a model is deployed: transform, split, training and evaluation.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brewtrain.domain.pipeline.hyperparameters import Hyperparameters
from brewtrain.domain.pipeline.section import INSTANCE_TYPE_PATTERN, Section

IMAGE_VERSION_PATTERN = r"^[0-9]{1,4}\.[0-9]{1,4}-[0-9]{1,4}$"


class Transform(Section):
    """Capacity of the DataBrew recipe job (CreateRecipeJob).

    :param max_capacity: DataBrew nodes.
    """

    max_capacity: int = Field(default=5, ge=2, le=149)


class Split(Section):
    """How rows are divided into training and validation.

    :param method: ``hash``: a pure function of the row, so that a retry divides the same way.
    :param validation_fraction: Share of rows that go to validation, between 0.05 and 0.5.
    """

    method: Literal["hash"] = "hash"
    validation_fraction: float = Field(default=0.3, ge=0.05, le=0.5)


class Training(Section):
    """The SageMaker training job (CreateTrainingJob).

    :param image_version: Version of SageMaker's built-in XGBoost image, e.g. ``1.7-1``.
    :param instance_type: For example ``ml.m5.xlarge``.
    :param max_runtime_seconds: StoppingCondition; the job is stopped after this long.
    :param hyperparameters: As the built-in algorithm documents them. ``eval_metric`` is set by
        brewtrain: the gate needs all of its metrics.
    """

    image_version: str = Field(default="1.7-1", pattern=IMAGE_VERSION_PATTERN)
    instance_type: str = Field(default="ml.m5.xlarge", pattern=INSTANCE_TYPE_PATTERN)
    instance_count: int = Field(default=1, ge=1, le=20)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_seconds: int = Field(default=3600, ge=60, le=432000)
    hyperparameters: Hyperparameters


class Evaluation(Section):
    """The SageMaker processing job that scores candidate and champion (CreateProcessingJob).

    :param instance_type: Rows × features × 4 bytes, about five times over, must fit its memory.
    :param volume_gb: Must hold the run's train and validation parts.
    :param max_runtime_seconds: StoppingCondition; the job is stopped after this long.
    """

    instance_type: str = Field(default="ml.m5.xlarge", pattern=INSTANCE_TYPE_PATTERN)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_seconds: int = Field(default=3600, ge=60, le=432000)


class Limits(Section):
    """How long the jobs without a limit of their own may take, in minutes.

    :param quality_minutes: DataBrew profile job that validates the data.
    :param transform_minutes: DataBrew job.
    :param split_minutes: Glue job.
    """

    quality_minutes: int = Field(default=120, ge=5, le=2880)
    transform_minutes: int = Field(default=120, ge=5, le=2880)
    split_minutes: int = Field(default=60, ge=1, le=2880)
