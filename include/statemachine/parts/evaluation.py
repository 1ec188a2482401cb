"""Evaluation of candidate and champion on the same rows, and the gate that follows the verdict."""

from __future__ import annotations

from typing import Any

from parts.champion import find_champion
from parts.names import ATTEMPT_NAME
from parts.outcomes import QUALITY_GATE, outcome_without_model
from parts.retries import S3_RETRY, SAGEMAKER_CALL_RETRY, SAGEMAKER_JOB_RETRY
from parts.sdk import ChoiceRule, call, choice, steps, with_fields

VERDICT = ("outcome", "red", "message", "reasons", "metrics", "champion_status", "champion_metrics")

# The champion is passed in the environment, because the language cannot append to a list of
# arguments.
ENTRYPOINT = ["python3", "/opt/ml/processing/input/code/evaluate.py"]
INPUTS = {
    "code": "$.evaluation.code_uri",
    "validation": "$.evaluation.validation_uri",
    "train": "$.evaluation.train_uri",
    "summary": "$.evaluation.summary_uri",
    "challenger": "$.training_job.model_artifacts",
}
OUTPUT = "/opt/ml/processing/output/evaluation"


def evaluate() -> tuple[Any, Any]:
    """Build the states that score candidate and champion and read the verdict.

    :returns: The first state and the last.
    """
    training_metrics = call(
        "Query Training Results",
        "aws-sdk:sagemaker:describeTrainingJob",
        {"TrainingJobName.$": "$.training_job.name"},
        retry=SAGEMAKER_CALL_RETRY,
        # For the record: the gate decides by what the evaluation measures. Searched for, since the
        # list may be absent.
        selector={"metrics.$": "$..FinalMetricDataList[*]"},
        result_path="$.training_results",
    )
    summary = call(
        "Read Split Summary",
        "aws-sdk:s3:getObject",
        {"Bucket.$": "$.split.summary_bucket", "Key.$": "$.split.summary_key"},
        retry=S3_RETRY,
        selector={"document.$": "States.StringToJson($.Body)"},
        result_path="$.split_summary",
    )
    read_verdict = call(
        "Read Verdict",
        "aws-sdk:s3:getObject",
        {"Bucket.$": "$.evaluation.verdict_bucket", "Key.$": "$.evaluation.verdict_key"},
        retry=S3_RETRY,
        selector={"document.$": "States.StringToJson($.Body)"},
        result_path="$.verdict_file",
        comment="The job writes it last, at most 8 KiB.",
    )
    take_verdict = steps.Pass(
        "Take Verdict",
        parameters={f"{field}.$": f"$.verdict_file.document.{field}" for field in VERDICT},
        result_path="$.verdict",
    )
    job = _job()
    steps.Chain([training_metrics, summary, find_champion(job)])
    steps.Chain([job, read_verdict, take_verdict])
    return training_metrics, take_verdict


def _job() -> Any:
    return steps.Task(
        "Evaluate Model",
        resource="arn:aws:states:::sagemaker:createProcessingJob.sync",
        comment="include/evaluation/evaluate.py: the candidate and the champion, on the same validation rows.",
        parameters={
            "ProcessingJobName.$": ATTEMPT_NAME,
            "AppSpecification": {
                "ImageUri.$": "$.training.image_uri",
                "ContainerEntrypoint": ENTRYPOINT,
                "ContainerArguments.$": "$.evaluation.arguments",
            },
            "Environment": {
                "BREWTRAIN_CHAMPION.$": "$.champion.argument",
                "BREWTRAIN_CHAMPION_REASON.$": "$.champion.reason",
            },
            "RoleArn.$": "$.training.role_arn",
            "ProcessingInputs": [_input(name, path) for name, path in INPUTS.items()],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "evaluation",
                        "S3Output": {
                            "S3Uri.$": "$.evaluation.output_uri",
                            "LocalPath": OUTPUT,
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType.$": "$.evaluation.instance_type",
                    "VolumeSizeInGB.$": "$.evaluation.volume_gb",
                }
            },
            "StoppingCondition": {"MaxRuntimeInSeconds.$": "$.evaluation.max_runtime_seconds"},
            "Tags.$": "$.tags",
        },
        timeout_seconds_path="$.evaluation.timeout_seconds",
        retry=list(SAGEMAKER_JOB_RETRY),
        result_path=None,
    )


def _input(name: str, path: str) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri.$": path,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def gate(accepted: Any) -> Any:
    """Do as the verdict says, which domain/evaluation/gate.py reached inside the evaluation job.

    :param accepted: Where a model that passed goes on.
    """
    too_low = with_fields(
        steps.Fail(
            "Model Accuracy Too Low",
            error=QUALITY_GATE,
            comment="A redrive fails again: the same model meets the same gate.",
        ),
        CausePath="$.verdict.message",
    )
    rejected = outcome_without_model(
        "Record Rejection",
        "rejected",
        "quality_gate",
        "$.verdict.message",
        comment="The run is green: a refused model is a result, not a failure.",
    )
    return choice(
        "Accuracy > 90%",
        [
            (ChoiceRule.StringEquals("$.verdict.outcome", "pass"), accepted),
            (ChoiceRule.BooleanEquals("$.verdict.red", True), too_low),
        ],
        rejected,
        comment="Keeps the name it has in the AWS sample; the rules are the pipeline's (docs/evaluation.md).",
    )
