"""The jobs of a retraining before the evaluation: transform, split, train.

One function builds one Task. Its parameters come in by input paths, from the document that
plugins/brewtrain/domain/run/execution_input.py makes.
"""

from __future__ import annotations

from typing import Any

from parts.names import ATTEMPT_NAME
from parts.retries import DATABREW_RETRY, GLUE_RETRY, SAGEMAKER_JOB_RETRY
from parts.sdk import steps, with_fields


def transform() -> Any:
    """Run the DataBrew recipe job: https://docs.aws.amazon.com/step-functions/latest/dg/connect-databrew.html."""
    return steps.GlueDataBrewStartJobRunStep(
        "Apply Transformation",
        parameters={"Name.$": "$.transform.job_name"},
        timeout_seconds_path="$.transform.timeout_seconds",
        retry=list(DATABREW_RETRY),
        result_path=None,
    )


def split() -> Any:
    """Run the Glue job: https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html."""
    return steps.GlueStartJobRunStep(
        "Split Train & Test DataSet",
        parameters={"JobName.$": "$.split.job_name", "Arguments.$": "$.split.arguments"},
        timeout_seconds_path="$.split.timeout_seconds",
        retry=list(GLUE_RETRY),
        result_path=None,
    )


def train() -> Any:
    """Run the training job: https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html.

    A plain Task, since the SDK's TrainingStep wants an estimator, and that wants a role, an image
    and a region.
    """
    task = steps.Task(
        "Model Training",
        resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
        parameters={
            "TrainingJobName.$": ATTEMPT_NAME,
            "AlgorithmSpecification": {"TrainingImage.$": "$.training.image_uri", "TrainingInputMode": "File"},
            "RoleArn.$": "$.training.role_arn",
            "HyperParameters.$": "$.training.hyperparameters",
            "InputDataConfig": [_channel("train"), _channel("validation")],
            "OutputDataConfig": {"S3OutputPath.$": "$.training.output_uri"},
            "ResourceConfig": {
                "InstanceType.$": "$.training.instance_type",
                "InstanceCount.$": "$.training.instance_count",
                "VolumeSizeInGB.$": "$.training.volume_gb",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds.$": "$.training.max_runtime_seconds"},
            "Tags.$": "$.tags",
        },
        timeout_seconds_path="$.training.timeout_seconds",
        retry=list(SAGEMAKER_JOB_RETRY),
        result_path="$.training_job",
    )
    return with_fields(
        task,
        ResultSelector={
            "name.$": "$.TrainingJobName",
            "model_artifacts.$": "$.ModelArtifacts.S3ModelArtifacts",
        },
    )


def _channel(name: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri.$": f"$.training.{name}_uri",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
