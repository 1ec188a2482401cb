"""Build the retraining state machine with the Step Functions Data Science SDK and render what the project deploys.

Two files come out, both committed, so that neither Airflow nor the machine that deploys needs the
SDK:

* ``retraining.asl.json``: the definition. It names no pipeline: everything a run needs comes in by
  input paths (docs/architecture.md has the input), so every pipeline deploys the same text.
* ``images.json``: registry of SageMaker's built-in XGBoost image by version and region, from
  sagemaker's own tables.

Run ``python workflow.py --write`` to render and ``--check`` to compare with the committed files
(exit code 1 and a diff when they differ). Runs in the authoring environment (``make statemachine``)
and must not be imported by anything.

Decisions that are not visible in the text are in docs/adr/0010-state-machine.md.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The SDK asks boto3 for a region to pick the ARN partition; the text must not depend on who renders
# it.
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
os.environ["SAGEMAKER_SUPPRESS_V2_WARNING"] = "1"
with warnings.catch_warnings():
    # stepfunctions 2.3.0 imports pkg_resources and compares a string with `is`; both go with the
    # SDK itself.
    warnings.simplefilter("ignore")
    from sagemaker import image_uris
    from stepfunctions import steps
    from stepfunctions.steps.choice_rule import BaseRule, ChoiceRule
    from stepfunctions.steps.states import Graph

HERE = Path(__file__).resolve().parent
DEFINITION_FILE = HERE / "retraining.asl.json"
IMAGES_FILE = HERE / "images.json"

LAYOUT_VERSION = 2
# Seven days. A redrive starts the clock again; SageMaker's own longest training job is 28 days,
# ours is one.
EXECUTION_TIMEOUT_SECONDS = 604_800
API_CALL_TIMEOUT_SECONDS = 60
# An endpoint is looked at this often at short intervals before the pipeline's own interval applies.
BRIEF_WAITS = 5
BRIEF_WAIT_SECONDS = 1

METRICS = ("auc", "aucpr", "logloss", "error", "brier", "ece", "lift_top_decile")
VERDICT = ("outcome", "red", "message", "reasons", "metrics", "champion_status", "champion_metrics")
SUMMARY = (
    "train_rows",
    "validation_rows",
    "train_positives",
    "validation_positives",
    "majority_class_error",
    "features",
)
XGBOOST_VERSIONS = ("1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5")

PREFIX = "$$.Execution.Input.training.job_name_prefix"
# Unique per attempt: a redrive starts RetryCount again, and a retry keeps RedriveCount.
ATTEMPT_NAME = f"States.Format('{{}}-{{}}-{{}}', {PREFIX}, $$.Execution.RedriveCount, $$.State.RetryCount)"

ROLLED_BACK = "Brewtrain.EndpointRolledBack"
FAILED = "Brewtrain.EndpointFailed"
STUCK = "Brewtrain.EndpointStuck"
QUALITY_GATE = "Brewtrain.QualityGateFailed"
UNKNOWN_ENTRY = "Brewtrain.UnknownEntry"

# Of the evaluation's container: the champion comes in by environment, because a list cannot be
# appended to.
EVALUATION_ENTRYPOINT = ["python3", "/opt/ml/processing/input/code/evaluate.py"]
EVALUATION_INPUTS = {
    "code": "$.evaluation.code_uri",
    "validation": "$.evaluation.validation_uri",
    "train": "$.evaluation.train_uri",
    "summary": "$.evaluation.summary_uri",
    "challenger": "$.training_job.model_artifacts",
}
EVALUATION_OUTPUT = "/opt/ml/processing/output/evaluation"
NO_CHAMPION = "none"
# SageMaker refuses empty arguments of a container; that it takes empty values of its environment is
# said nowhere.
NO_REASON = "none"
UNKNOWN_CHAMPION = "unknown"

# ---------------------------------------------------------------------------------------------------------------------
# What the SDK's classes of 2021 do not know yet
# ---------------------------------------------------------------------------------------------------------------------


def _with_fields(block: Any, **fields: Any) -> Any:
    """Add fields of the Amazon States Language that stepfunctions 2.3.0 has no keyword for.

    :param block: A step, retrier or any other block of the SDK.
    :param fields: Field name as the language spells it → value.
    """
    render: Callable[[], dict[str, Any]] = block.to_dict
    block.to_dict = lambda: {**render(), **fields}
    return block


def _retry(errors: list[str], *, first: int, attempts: int, longest: int) -> Any:
    """Retry with exponential backoff and full jitter.

    :param errors: Error names.
    :param first: Upper bound of the first delay in seconds; doubles.
    :param attempts: Number of retries.
    :param longest: Upper bound of every delay in seconds.
    """
    return _with_fields(
        steps.Retry(error_equals=errors, interval_seconds=first, max_attempts=attempts, backoff_rate=2.0),
        MaxDelaySeconds=longest,
        JitterStrategy="FULL",
    )


# Names of errors. Optimized integrations carry the names of the Java SDK 1
# (`AmazonSageMakerException` is what SageMaker answers when the error has no shape of its own:
# throttling, internal failures, but also validation, which is why the retries on it are few); SDK
# integrations carry those of the Java SDK 2 (`SageMakerException`).
DATABREW_RETRY = [
    # The run of an execution that was just stopped may still be stopping.
    _retry(["DataBrew.ServiceQuotaExceededException", "DataBrew.ConflictException"], first=30, attempts=6, longest=300),
    _retry(
        [
            "DataBrew.ThrottlingException",
            "DataBrew.TooManyRequestsException",
            "DataBrew.InternalServerException",
            "DataBrew.ServiceUnavailableException",
            "DataBrew.SdkClientException",
        ],
        first=2,
        attempts=8,
        longest=60,
    ),
    _retry(["DataBrew.AWSGlueDataBrewException"], first=2, attempts=3, longest=30),
]
GLUE_RETRY = [
    _retry(
        ["Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"],
        first=30,
        attempts=8,
        longest=300,
    ),
    _retry(
        [
            "Glue.ThrottlingException",
            "Glue.InternalServiceException",
            "Glue.OperationTimeoutException",
            "Glue.ServiceUnavailableException",
            "Glue.SdkClientException",
        ],
        first=2,
        attempts=8,
        longest=60,
    ),
    _retry(["Glue.AWSGlueException"], first=2, attempts=3, longest=30),
]
SAGEMAKER_QUOTA = ["SageMaker.ResourceLimitExceededException", "SageMaker.ResourceLimitExceeded"]
SAGEMAKER_TRANSIENT = [
    "SageMaker.ThrottlingException",
    "SageMaker.ServiceUnavailableException",
    "SageMaker.InternalFailureException",
    "SageMaker.InternalServerException",
    "SageMaker.SdkClientException",
]
SAGEMAKER_JOB_RETRY = [
    _retry(SAGEMAKER_QUOTA, first=60, attempts=6, longest=600),
    _retry(SAGEMAKER_TRANSIENT, first=2, attempts=8, longest=60),
    _retry(["SageMaker.AmazonSageMakerException"], first=2, attempts=3, longest=30),
]
SAGEMAKER_CALL_RETRY = [
    _retry([*SAGEMAKER_TRANSIENT, "States.Timeout"], first=2, attempts=8, longest=60),
    _retry(["SageMaker.AmazonSageMakerException", "SageMaker.SageMakerException"], first=2, attempts=3, longest=30),
]
# Calls whose "could not find" is an answer: that has the same name as throttling, so it is told
# apart by its text.
SAGEMAKER_LOOKUP_RETRY = [_retry([*SAGEMAKER_TRANSIENT, "States.Timeout"], first=2, attempts=8, longest=60)]
S3_RETRY = [
    _retry(
        [
            "S3.SlowDownException",
            "S3.InternalErrorException",
            "S3.ServiceUnavailableException",
            "S3.SdkClientException",
            "States.Timeout",
        ],
        first=2,
        attempts=8,
        longest=60,
    ),
    _retry(["S3.S3Exception"], first=2, attempts=3, longest=30),
]


def _call(name: str, action: str, parameters: dict[str, Any], *, retry: list[Any] | None, **fields: Any) -> Any:
    """Build a Task state that is one API call.

    :param name: State name.
    :param action: ``service:action`` of the integration, e.g. ``aws-sdk:s3:getObject``.
    :param parameters: The call's parameters.
    :param retry: Retriers, or None where the state has a Catch that retries by another road.
    :param fields: ``result_path``, ``comment``, ``selector`` (ResultSelector).
    """
    selector = fields.pop("selector", None)
    task = steps.Task(
        name,
        resource=f"arn:aws:states:::{action}",
        parameters=parameters,
        timeout_seconds=API_CALL_TIMEOUT_SECONDS,
        retry=list(retry) if retry else None,
        **fields,
    )
    return _with_fields(task, ResultSelector=selector) if selector else task


def _choice(name: str, rules: list[tuple[BaseRule, Any]], default: Any, comment: str | None = None) -> Any:
    choice = steps.Choice(name, comment=comment) if comment else steps.Choice(name)
    for rule, target in rules:
        choice.add_choice(rule, target)
    choice.default_choice(default)
    return choice


def _all(*rules: BaseRule) -> BaseRule:
    return ChoiceRule.And(list(rules))


def _any(*rules: BaseRule) -> BaseRule:
    return ChoiceRule.Or(list(rules))


def _one_of(variable: str, values: tuple[str, ...]) -> BaseRule:
    return _any(*(ChoiceRule.StringEquals(variable, value) for value in values))


def _text_has(variable: str, *fragments: str) -> BaseRule:
    # A caught States.Timeout may carry no Cause, and a Choice on an absent path is a failure that
    # nothing catches.
    matches = _any(*(ChoiceRule.StringMatches(variable, f"*{fragment}*") for fragment in fragments))
    return _all(ChoiceRule.IsPresent(variable, True), matches)


# ---------------------------------------------------------------------------------------------------------------------
# Output documents
# ---------------------------------------------------------------------------------------------------------------------


def _outcome(name: str, outcome: str, reason: str, message: str, *, model: bool, comment: str) -> Any:
    """Build the Pass state that ends an execution with the output document of docs/architecture.md.

    :param message: Intrinsic function that gives one sentence.
    :param model: Whether a model and an endpoint config exist by then.
    """
    parameters: dict[str, Any] = {
        "outcome": outcome,
        "reason": reason,
        "message.$": message,
        "run.$": "$.run",
        "metrics": {f"validation:{metric}.$": f"$.verdict.metrics.{metric}" for metric in METRICS},
        "evaluation": {
            "uri.$": "$.evaluation.output_uri",
            "champion_status.$": "$.verdict.champion_status",
            "champion_metrics.$": "$.verdict.champion_metrics",
            "champion_uri.$": "$.champion.uri",
            "reasons.$": "$.verdict.reasons",
        },
        "training_metrics.$": "$.training_results.metrics",
        "split": {f"{name}.$": f"$.split_summary.document.{name}" for name in SUMMARY},
        "training_job_name.$": "$.training_job.name",
        "model_artifacts.$": "$.training_job.model_artifacts",
        "image_uri.$": "$.training.image_uri",
        "endpoint_name.$": "$.endpoint.name",
    }
    if model:
        parameters |= {"model_name.$": "$.model.name", "endpoint_config_name.$": "$.endpoint_config.name"}
    else:
        parameters |= {"model_name": None, "endpoint_config_name": None}
    return steps.Pass(name, parameters=parameters, comment=comment)


# ---------------------------------------------------------------------------------------------------------------------
# Stages
# ---------------------------------------------------------------------------------------------------------------------


def _transform() -> Any:
    """DataBrew recipe job of the run: https://docs.aws.amazon.com/step-functions/latest/dg/connect-databrew.html."""
    return steps.GlueDataBrewStartJobRunStep(
        "Apply Transformation",
        parameters={"Name.$": "$.transform.job_name"},
        timeout_seconds_path="$.transform.timeout_seconds",
        retry=list(DATABREW_RETRY),
        result_path=None,
    )


def _split() -> Any:
    """Glue job: https://docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html."""
    return steps.GlueStartJobRunStep(
        "Split Train & Test DataSet",
        parameters={"JobName.$": "$.split.job_name", "Arguments.$": "$.split.arguments"},
        timeout_seconds_path="$.split.timeout_seconds",
        retry=list(GLUE_RETRY),
        result_path=None,
    )


def _train() -> Any:
    """Training job: https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html.

    A plain Task, since the SDK's TrainingStep wants an estimator, and that wants a role, an image
    and a region.
    """

    def channel(name: str) -> dict[str, Any]:
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

    task = steps.Task(
        "Model Training",
        resource="arn:aws:states:::sagemaker:createTrainingJob.sync",
        parameters={
            "TrainingJobName.$": ATTEMPT_NAME,
            "AlgorithmSpecification": {"TrainingImage.$": "$.training.image_uri", "TrainingInputMode": "File"},
            "RoleArn.$": "$.training.role_arn",
            "HyperParameters.$": "$.training.hyperparameters",
            "InputDataConfig": [channel("train"), channel("validation")],
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
    return _with_fields(
        task,
        ResultSelector={
            "name.$": "$.TrainingJobName",
            "model_artifacts.$": "$.ModelArtifacts.S3ModelArtifacts",
        },
    )


def _lookup(
    name: str, action: str, parameters: dict[str, Any], found: Any, absent: Any, text: str, **fields: Any
) -> Any:
    """Build an aws-sdk call to SageMaker whose "could not find" is an answer.

    SageMaker gives what is not there, what is throttled and what is denied one and the same error
    name, so a Catch tells the first by its text. All else is asked for again by a Task with
    ordinary retries and no Catch: it fails by itself, with AWS's own words, and a redrive asks once
    more.

    :param found: Where to go on with the answer.
    :param absent: Where to go on when there is no such thing.
    :param text: What SageMaker's message has in it when there is no such thing.
    """
    first = _call(name, action, parameters, retry=SAGEMAKER_LOOKUP_RETRY, **fields)
    again = _call(f"{name} Again", action, parameters, retry=SAGEMAKER_CALL_RETRY, **fields)
    failed = _choice(f"{name} Failed", [(_text_has("$.failure.Cause", text), absent)], again)
    first.add_catch(steps.Catch(error_equals=["States.ALL"], next_step=failed, result_path="$.failure"))
    for task in (first, again):
        task.next(found)
    return first


def _find_champion(evaluate: Any) -> Any:
    """Endpoint → endpoint config → model → archive, or why there is none.

    ``$.champion`` gets ``uri`` (null without one), ``argument`` (what the container is told) and
    ``reason``. A champion that cannot be found although the endpoint is there is *unknown*, never
    absent: to the gate it is not comparable.

    :param evaluate: Where to go on.
    """

    def unknown(name: str, reason: str) -> Any:
        state = steps.Pass(
            name,
            parameters={"uri": None, "argument": UNKNOWN_CHAMPION, "reason.$": reason},
            result_path="$.champion",
        )
        state.next(evaluate)
        return state

    none = steps.Pass(
        "No Champion",
        result={"uri": None, "argument": NO_CHAMPION, "reason": NO_REASON},
        result_path="$.champion",
        comment="No endpoint: the first run, or somebody deleted it.",
    )
    none.next(evaluate)
    config, model = "$.serving.EndpointConfigName", "$.champion_config.models[0]"
    take = steps.Pass(
        "Take Champion",
        parameters={
            "uri.$": "$.champion_model.archives[0]",
            "argument.$": "$.champion_model.archives[0]",
            "reason": NO_REASON,
        },
        result_path="$.champion",
    )
    take.next(evaluate)
    one_archive = _choice(
        "One Champion Archive",
        [
            (
                _all(
                    ChoiceRule.IsPresent("$.champion_model.archives[0]", True),
                    ChoiceRule.IsPresent("$.champion_model.archives[1]", False),
                ),
                take,
            )
        ],
        unknown(
            "Champion Has No Archive",
            f"States.Format('the model {{}} that serves is not one archive (ModelDataUrl)', {model})",
        ),
    )
    look_up_model = _lookup(
        "Look Up Champion Model",
        "aws-sdk:sagemaker:describeModel",
        {"ModelName.$": model},
        found=one_archive,
        absent=unknown(
            "Champion Model Deleted", f"States.Format('the model {{}} that serves was deleted by hand', {model})"
        ),
        text="Could not find model",
        # Of the primary container, or of each of several: a path to a member that may be absent
        # would fail.
        selector={"archives.$": "$..ModelDataUrl"},
        result_path="$.champion_model",
    )
    one_model = _choice(
        "One Champion Model",
        [
            (
                _all(
                    ChoiceRule.NumericEquals("$.champion_config.variants", 1),
                    ChoiceRule.IsPresent(model, True),
                ),
                look_up_model,
            )
        ],
        unknown(
            "Champion Is Not One Model",
            f"States.Format('endpoint config {{}} serves not one model but {{}} variants', {config},"
            " $.champion_config.variants)",
        ),
        comment="Somebody's A/B test, or inference components: which of them is the champion is not for us to say.",
    )
    look_up_config = _lookup(
        "Look Up Champion Config",
        "aws-sdk:sagemaker:describeEndpointConfig",
        {"EndpointConfigName.$": config},
        found=one_model,
        absent=unknown(
            "Champion Config Deleted",
            f"States.Format('endpoint config {{}} that serves was deleted by hand', {config})",
        ),
        text="Could not find endpoint configuration",
        selector={
            "models.$": "$.ProductionVariants[*].ModelName",
            "variants.$": "States.ArrayLength($.ProductionVariants)",
        },
        result_path="$.champion_config",
    )
    has_config = _choice(
        "Champion Endpoint Has Config",
        [(ChoiceRule.IsPresent(config, True), look_up_config)],
        unknown(
            "Champion Endpoint Without Config",
            "States.Format('endpoint {} is {} and names no endpoint config', $.endpoint.name,"
            " $.serving.EndpointStatus)",
        ),
    )
    return _lookup(
        "Query Champion Endpoint",
        "aws-sdk:sagemaker:describeEndpoint",
        {"EndpointName.$": "$.endpoint.name"},
        found=has_config,
        absent=none,
        text="Could not find endpoint",
        result_path="$.serving",
        comment="The whole answer is kept, as in Query Endpoint, which asks anew before anything is written.",
    )


def _evaluate() -> tuple[Any, Any]:
    """Score candidate and champion on the same rows, and read the verdict: the first state and the last."""
    training_metrics = _call(
        "Query Training Results",
        "aws-sdk:sagemaker:describeTrainingJob",
        {"TrainingJobName.$": "$.training_job.name"},
        retry=SAGEMAKER_CALL_RETRY,
        # For the record: the gate decides by what the evaluation measures. Searched for, since the
        # list may be absent.
        selector={"metrics.$": "$..FinalMetricDataList[*]"},
        result_path="$.training_results",
    )
    summary = _call(
        "Read Split Summary",
        "aws-sdk:s3:getObject",
        {"Bucket.$": "$.split.summary_bucket", "Key.$": "$.split.summary_key"},
        retry=S3_RETRY,
        selector={"document.$": "States.StringToJson($.Body)"},
        result_path="$.split_summary",
    )
    evaluate = steps.Task(
        "Evaluate Model",
        resource="arn:aws:states:::sagemaker:createProcessingJob.sync",
        comment="include/evaluation/evaluate.py: the candidate and the champion, on the same validation rows.",
        parameters={
            "ProcessingJobName.$": ATTEMPT_NAME,
            "AppSpecification": {
                "ImageUri.$": "$.training.image_uri",
                "ContainerEntrypoint": EVALUATION_ENTRYPOINT,
                "ContainerArguments.$": "$.evaluation.arguments",
            },
            "Environment": {
                "BREWTRAIN_CHAMPION.$": "$.champion.argument",
                "BREWTRAIN_CHAMPION_REASON.$": "$.champion.reason",
            },
            "RoleArn.$": "$.training.role_arn",
            "ProcessingInputs": [
                {
                    "InputName": name,
                    "S3Input": {
                        "S3Uri.$": path,
                        "LocalPath": f"/opt/ml/processing/input/{name}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for name, path in EVALUATION_INPUTS.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "evaluation",
                        "S3Output": {
                            "S3Uri.$": "$.evaluation.output_uri",
                            "LocalPath": EVALUATION_OUTPUT,
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
    read_verdict = _call(
        "Read Verdict",
        "aws-sdk:s3:getObject",
        {"Bucket.$": "$.evaluation.verdict_bucket", "Key.$": "$.evaluation.verdict_key"},
        retry=S3_RETRY,
        selector={"document.$": "States.StringToJson($.Body)"},
        result_path="$.verdict_file",
        comment="Written last by the job, at most 8 KiB.",
    )
    take_verdict = steps.Pass(
        "Take Verdict",
        parameters={f"{field}.$": f"$.verdict_file.document.{field}" for field in VERDICT},
        result_path="$.verdict",
    )
    training_metrics.next(summary)
    summary.next(_find_champion(evaluate))
    steps.Chain([evaluate, read_verdict, take_verdict])
    return training_metrics, take_verdict


def _gate(accepted: Any) -> Any:
    """Do as the verdict says, which domain/evaluation/gate.py reached inside the evaluation job."""
    too_low = _with_fields(
        steps.Fail(
            "Model Accuracy Too Low",
            error=QUALITY_GATE,
            comment="A redrive fails again: the same model meets the same gate.",
        ),
        CausePath="$.verdict.message",
    )
    rejected = _outcome(
        "Record Rejection",
        "rejected",
        "quality_gate",
        "$.verdict.message",
        model=False,
        comment="The run is green: a refused model is an answer, not a breakage.",
    )
    return _choice(
        "Accuracy > 90%",
        [
            (ChoiceRule.StringEquals("$.verdict.outcome", "pass"), accepted),
            (ChoiceRule.BooleanEquals("$.verdict.red", True), too_low),
        ],
        rejected,
        comment="Keeps the name it has in the AWS sample; the rules are the pipeline's (docs/evaluation.md).",
    )


def _deploy() -> tuple[Any, Any]:
    """Create or update the endpoint, monotonic by data date, and wait until it serves what was asked for.

    :returns: Where a trained model comes in, and where an endpoint config that exists does.
    """
    in_service = ChoiceRule.StringEquals("$.serving.EndpointStatus", "InService")
    serves_ours = ChoiceRule.StringEqualsPath("$.serving.EndpointConfigName", "$.endpoint_config.name")
    written = ChoiceRule.BooleanEquals("$.deployment.written", True)
    on_previous = ChoiceRule.StringEqualsPath("$.serving.EndpointConfigName", "$.deployment.previous_config_name")
    # An answer right after the write may be one beat old.
    looked_twice = ChoiceRule.NumericGreaterThanEquals("$.waits.count", 2)
    cause, error = "$.failure.Cause", "$.failure.Error"
    transient = _any(
        _one_of(error, (*SAGEMAKER_TRANSIENT, "States.Timeout")),
        _text_has(cause, "Rate exceeded", "Throttling", "Status Code: 5"),
    )

    # -- before
    # ------------------------------------------------------------------------------------------------------
    save_model = _call(
        "Save Model",
        "sagemaker:createModel",
        {
            "ModelName.$": ATTEMPT_NAME,
            "ExecutionRoleArn.$": "$.training.role_arn",
            "PrimaryContainer": {
                "Image.$": "$.training.image_uri",
                "ModelDataUrl.$": "$.training_job.model_artifacts",
            },
            "Tags.$": "$.tags",
        },
        retry=SAGEMAKER_CALL_RETRY,
        selector={"name.$": ATTEMPT_NAME},
        result_path="$.model",
        comment="After the gate, so that refused models do not pile up.",
    )
    create_config = _call(
        "Create Model Endpoint Config",
        "sagemaker:createEndpointConfig",
        {
            "EndpointConfigName.$": ATTEMPT_NAME,
            "ProductionVariants": [
                {
                    "VariantName.$": "$.endpoint.variant_name",
                    "ModelName.$": "$.model.name",
                    "InstanceType.$": "$.endpoint.instance_type",
                    "InitialInstanceCount.$": "$.endpoint.instance_count",
                    "InitialVariantWeight": 1,
                }
            ],
            "Tags.$": "$.tags",
        },
        retry=SAGEMAKER_CALL_RETRY,
        selector={"name.$": ATTEMPT_NAME},
        result_path="$.endpoint_config",
        comment="Its tag brewtrain:data-date says how new the data is that the model learned from.",
    )
    prepare = steps.Pass(
        "Prepare Deployment",
        parameters={
            "written": False,
            "previous_config_name": "",
            "redrive_count.$": "$$.Execution.RedriveCount",
        },
        result_path="$.deployment",
    )
    start_counting = steps.Pass("Start Counting Waits", result={"count": 0}, result_path="$.waits")
    query = _call(
        "Query Endpoint",
        "aws-sdk:sagemaker:describeEndpoint",
        {"EndpointName.$": "$.endpoint.name"},
        retry=SAGEMAKER_LOOKUP_RETRY,
        result_path="$.serving",
        comment="The whole answer is kept: some of its fields are absent while an endpoint is being created.",
    )

    # -- how a deployment fails
    # --------------------------------------------------------------------------------------
    look_again = steps.Pass("Look At Endpoint Again", comment="Leads back to Prepare Deployment.")
    fail_states = {
        ROLLED_BACK: steps.Fail("Endpoint Rolled Back", error=ROLLED_BACK),
        FAILED: steps.Fail("Endpoint Failed", error=FAILED),
        STUCK: steps.Fail("Endpoint Stuck", error=STUCK),
    }
    for state in fail_states.values():
        _with_fields(state, CausePath=cause)
    call_failed = _with_fields(
        steps.Fail("Endpoint Call Failed", comment="A call that no wait can mend: error and cause are AWS's own."),
        ErrorPath=error,
        CausePath=cause,
    )
    which_failure = _choice(
        "Redriven Since",
        [
            (
                ChoiceRule.NumericGreaterThanPath("$$.Execution.RedriveCount", "$.deployment.redrive_count"),
                look_again,
            ),
            *((ChoiceRule.StringEquals(error, name), state) for name, state in fail_states.items()),
        ],
        call_failed,
    )
    deployment_failed = steps.Parallel(
        "Deployment Failed",
        result_path=None,
        comment=(
            "Not for parallel work. A redrive enters a Fail state again and fails again, but it also gives a Parallel "
            "its retries back: the one retry runs the branch from its Choice, which sees the redrive and looks at the "
            "endpoint again (docs/adr/0010-state-machine.md)."
        ),
        retry=steps.Retry(error_equals=["States.ALL"], interval_seconds=1, max_attempts=1, backoff_rate=1.0),
    )
    deployment_failed.add_branch(which_failure)

    def failure(name: str, error_name: str, sentence: str) -> Any:
        state = steps.Pass(name, parameters={"Error": error_name, "Cause.$": sentence}, result_path="$.failure")
        state.next(deployment_failed)
        return state

    rolled_back = failure(
        "Report Rollback",
        ROLLED_BACK,
        "States.Format('Endpoint {} is InService on endpoint config {} instead of {}: SageMaker rolled the update back"
        " (alarms that roll it back: {}); see those alarms, the endpoint events and its CloudWatch log, then redrive.',"
        " $.endpoint.name, $.serving.EndpointConfigName, $.endpoint_config.name, $.endpoint.alarms)",
    )
    failed_with_reason = failure(
        "Report Endpoint Failure With Reason",
        FAILED,
        "States.Format('Endpoint {} is {} ({}); mend or delete it, then redrive.',"
        " $.endpoint.name, $.serving.EndpointStatus, $.serving.FailureReason)",
    )
    failed_without_reason = failure(
        "Report Endpoint Failure",
        FAILED,
        "States.Format('Endpoint {} is {} and SageMaker gives no reason; see its CloudWatch log, mend or delete it,"
        " then redrive.', $.endpoint.name, $.serving.EndpointStatus)",
    )
    vanished = failure(
        "Report Endpoint Deleted",
        FAILED,
        "States.Format('Endpoint {} was deleted while endpoint config {} was being deployed to it; redrive to create"
        " it.', $.endpoint.name, $.endpoint_config.name)",
    )
    stuck_status = failure(
        "Report Endpoint Stuck",
        STUCK,
        "States.Format('Endpoint {} was looked at {} times, {} seconds apart, and still does not serve endpoint config"
        " {}; see its status and events in SageMaker, then redrive.',"
        " $.endpoint.name, $.waits.count, $.endpoint.wait_seconds, $.endpoint_config.name)",
    )

    # -- waiting
    # -----------------------------------------------------------------------------------------------------
    count_wait = steps.Pass(
        "Count Wait", parameters={"count.$": "States.MathAdd($.waits.count, 1)"}, result_path="$.waits"
    )
    wait_briefly = steps.Wait("Wait For Endpoint Briefly", seconds=BRIEF_WAIT_SECONDS)
    wait = steps.Wait("Wait For Endpoint", seconds_path="$.endpoint.wait_seconds")
    more_waits = _choice(
        "Waited Long Enough",
        [
            (ChoiceRule.NumericGreaterThanEqualsPath("$.waits.count", "$.endpoint.max_waits"), stuck_status),
            (
                _all(
                    ChoiceRule.NumericLessThan("$.waits.count", BRIEF_WAITS),
                    ChoiceRule.NumericGreaterThan("$.endpoint.wait_seconds", BRIEF_WAIT_SECONDS),
                ),
                wait_briefly,
            ),
        ],
        wait,
    )
    for state in (wait_briefly, wait):
        state.next(count_wait)
    count_wait.next(query)

    # -- the writes
    # --------------------------------------------------------------------------------------------------
    watch_created = steps.Pass(
        "Watch New Endpoint",
        parameters={
            "written": True,
            "previous_config_name": "",
            "redrive_count.$": "$.deployment.redrive_count",
        },
        result_path="$.deployment",
    )
    watch_updated = steps.Pass(
        "Watch Updated Endpoint",
        parameters={
            "written": True,
            "previous_config_name.$": "$.serving.EndpointConfigName",
            "redrive_count.$": "$.deployment.redrive_count",
        },
        result_path="$.deployment",
    )
    for state in (watch_created, watch_updated):
        state.next(start_counting)
    not_retried = (
        "No Retry: by the time of a second try a newer model may serve. Whatever can pass leads back to Query Endpoint."
    )
    create = _call(
        "Create Model Endpoint",
        "sagemaker:createEndpoint",
        {
            "EndpointName.$": "$.endpoint.name",
            "EndpointConfigName.$": "$.endpoint_config.name",
            "Tags.$": "$.tags",
        },
        retry=None,
        result_path=None,
        comment=not_retried,
    )
    create.next(watch_created)
    # Not the SDK's EndpointStep: an optimized integration refuses definitions with fields it does
    # not know, and that of updateEndpoint may know the two names only. The SDK integration takes
    # the whole API.
    update = _call(
        "Update Model Endpoint",
        "aws-sdk:sagemaker:updateEndpoint",
        {
            "EndpointName.$": "$.endpoint.name",
            "EndpointConfigName.$": "$.endpoint_config.name",
            "RetainAllVariantProperties.$": "$.capacity.retain",
            # Whole, since it has members that are absent or there.
            "DeploymentConfig.$": "$.endpoint.deployment_config",
        },
        retry=None,
        result_path=None,
        comment=not_retried,
    )
    update.next(watch_updated)
    write_refused = _choice(
        "Endpoint Busy",
        [
            (_text_has(cause, "Could not find endpoint configuration"), deployment_failed),
            (
                _any(
                    transient,
                    _text_has(
                        cause,
                        "Cannot update in-progress endpoint",
                        "Cannot create already existing endpoint",
                        "Could not find endpoint",
                    ),
                ),
                more_waits,
            ),
        ],
        deployment_failed,
        comment="Refused since another deployment is under way or the endpoint came or went: wait and look again.",
    )
    for state in (create, update):
        state.add_catch(steps.Catch(error_equals=["States.ALL"], next_step=write_refused, result_path="$.failure"))

    # -- may this config replace that one?
    # ---------------------------------------------------------------------------
    older_than_serving = _outcome(
        "Record Older Than Serving",
        "rejected",
        "older_than_serving",
        "States.Format('Endpoint {} serves a model trained on data of {}, newer than {}: the candidate is recorded as"
        " endpoint config {} and not deployed.', $.endpoint.name, States.ArrayGetItem($.serving_tags.data_dates, 0),"
        " $.run.data_date, $.endpoint_config.name)",
        model=True,
        comment="An older model never replaces a newer one, unless a person asks with deploy_policy always.",
    )
    keep_capacity = steps.Pass("Keep Serving Capacity", result={"retain": True}, result_path="$.capacity")
    new_capacity = steps.Pass("Take Capacity Of Config", result={"retain": False}, result_path="$.capacity")
    for state in (keep_capacity, new_capacity):
        state.next(update)
    whose_capacity = _choice(
        "Whose Capacity",
        [
            (
                _all(
                    ChoiceRule.NumericEquals("$.serving_shape.variants", 1),
                    ChoiceRule.StringEqualsPath("$.serving_shape.variant_name", "$.endpoint.variant_name"),
                    ChoiceRule.BooleanEquals("$.serving_config.known", False),
                ),
                keep_capacity,
            ),
            (
                _all(
                    ChoiceRule.NumericEquals("$.serving_shape.variants", 1),
                    ChoiceRule.StringEqualsPath("$.serving_shape.variant_name", "$.endpoint.variant_name"),
                    ChoiceRule.BooleanEquals("$.serving_config.known", True),
                    ChoiceRule.IsPresent("$.serving_config.variants[0].InstanceType", True),
                    ChoiceRule.IsPresent("$.serving_config.variants[0].InitialInstanceCount", True),
                    ChoiceRule.StringEqualsPath(
                        "$.serving_config.variants[0].InstanceType", "$.endpoint.instance_type"
                    ),
                    ChoiceRule.NumericEqualsPath(
                        "$.serving_config.variants[0].InitialInstanceCount", "$.endpoint.instance_count"
                    ),
                ),
                keep_capacity,
            ),
        ],
        new_capacity,
        comment=(
            "Where the pipeline still asks for what it asked for last time, a different count is autoscaling's and is "
            "kept; where the pipeline asks for something new, the new config decides."
        ),
    )
    read_shape = steps.Pass(
        "Read Serving Variants",
        parameters={
            "variants.$": "States.ArrayLength($.serving.ProductionVariants)",
            "variant_name.$": "States.ArrayGetItem($.serving.ProductionVariants[*].VariantName, 0)",
        },
        result_path="$.serving_shape",
    )
    read_shape.next(whose_capacity)
    newer_serves = _all(
        # A config made by hand, which a rollback may go back to, has no date, and null is no string
        # to compare with.
        ChoiceRule.IsString("$.run.data_date", True),
        ChoiceRule.NumericGreaterThan("$.serving_tags.count", 0),
        ChoiceRule.StringMatches("$.serving_tags.data_dates[0]", "*-*-*"),
        ChoiceRule.StringGreaterThanPath("$.serving_tags.data_dates[0]", "$.run.data_date"),
    )
    newer_than_serving = _choice(
        "Newer Than Serving",
        [
            (
                _all(newer_serves, _any(written, ChoiceRule.StringEquals("$.run.deploy_policy", "newest"))),
                older_than_serving,
            ),
            (written, rolled_back),
        ],
        read_shape,
        comment="No such tag, or none that is a date: somebody else's model serves, and any of ours may replace it.",
    )
    read_date = _call(
        "Read Serving Data Date",
        "aws-sdk:sagemaker:listTags",
        {"ResourceArn.$": "$.serving_config.arn"},
        retry=SAGEMAKER_CALL_RETRY,
        selector={
            "data_dates.$": "$.Tags[?(@.Key=='brewtrain:data-date')].Value",
            "count.$": "States.ArrayLength($.Tags[?(@.Key=='brewtrain:data-date')].Value)",
        },
        result_path="$.serving_tags",
    )
    read_date.next(newer_than_serving)
    config_gone = steps.Pass(
        "Serving Config Deleted",
        parameters={"known": False, "arn.$": "$.serving.EndpointArn", "variants": []},
        result_path="$.serving_config",
        comment="Deleted by hand while it serves: the endpoint's own tag has the date too.",
    )
    config_gone.next(read_date)
    config_lookup_failed = _choice(
        "Serving Config Lookup Failed",
        [
            (_text_has(cause, "Could not find endpoint configuration"), config_gone),
            (transient, more_waits),
        ],
        deployment_failed,
    )
    lookup_config = _call(
        "Look Up Serving Config",
        "aws-sdk:sagemaker:describeEndpointConfig",
        {"EndpointConfigName.$": "$.serving.EndpointConfigName"},
        retry=SAGEMAKER_LOOKUP_RETRY,
        selector={"known": True, "arn.$": "$.EndpointConfigArn", "variants.$": "$.ProductionVariants"},
        result_path="$.serving_config",
    )
    lookup_config.add_catch(
        steps.Catch(error_equals=["States.ALL"], next_step=config_lookup_failed, result_path="$.failure")
    )
    lookup_config.next(read_date)

    # -- what the endpoint says
    # --------------------------------------------------------------------------------------
    promoted = _outcome(
        "Record Promotion",
        "promoted",
        "promoted",
        "States.Format('Endpoint {} serves model {}, trained on data up to {}.',"
        " $.endpoint.name, $.model.name, $.run.data_date)",
        model=True,
        comment="InService, on the endpoint config asked for, every variant with instances.",
    )
    tag = _call(
        "Tag Endpoint",
        "aws-sdk:sagemaker:addTags",
        {"ResourceArn.$": "$.serving.EndpointArn", "Tags.$": "$.tags"},
        retry=SAGEMAKER_CALL_RETRY,
        result_path=None,
        comment="For people, and for the day somebody deletes the config. The config's own tag is what counts.",
    )
    rolled_back_to = _outcome(
        "Record Rollback",
        "promoted",
        "rolled_back_to",
        "States.Format('Endpoint {} is back on endpoint config {}, whose model was trained on data up to {}.',"
        " $.endpoint.name, $.endpoint_config.name, $.run.data_date)",
        model=True,
        comment="A person asked for this config; the same proof as for a promotion.",
    )
    tag.next(
        _choice(
            "Deployed What",
            [(ChoiceRule.StringEquals("$.entry", "rollback"), rolled_back_to)],
            promoted,
        )
    )
    count_variants = steps.Pass(
        "Count Serving Variants",
        parameters={
            "all.$": "States.ArrayLength($.serving.ProductionVariants)",
            "serving.$": "States.ArrayLength($.serving.ProductionVariants[?(@.CurrentInstanceCount>0)])",
        },
        result_path="$.serving_variants",
    )
    count_variants.next(
        _choice(
            "Every Variant Serves",
            [(ChoiceRule.NumericEqualsPath("$.serving_variants.serving", "$.serving_variants.all"), tag)],
            more_waits,
        )
    )
    status = _choice(
        "Endpoint Status",
        [
            (
                _one_of(
                    "$.serving.EndpointStatus",
                    ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"),
                ),
                more_waits,
            ),
            (
                _all(ChoiceRule.Not(in_service), ChoiceRule.IsPresent("$.serving.FailureReason", True)),
                failed_with_reason,
            ),
            (ChoiceRule.Not(in_service), failed_without_reason),
            (
                _any(
                    ChoiceRule.IsPresent("$.serving.EndpointConfigName", False),
                    ChoiceRule.IsPresent("$.serving.ProductionVariants[0]", False),
                ),
                more_waits,
            ),
            (serves_ours, count_variants),
            (_all(written, looked_twice, on_previous), rolled_back),
            (_all(written, on_previous), more_waits),
        ],
        lookup_config,
        comment="SageMaker shows a rolled-back update as InService on the old config: the config's name tells.",
    )
    query_failed = _choice(
        "Endpoint Lookup Failed",
        [
            (_all(_text_has(cause, "Could not find endpoint"), written, looked_twice), vanished),
            (_all(_text_has(cause, "Could not find endpoint"), written), more_waits),
            (_text_has(cause, "Could not find endpoint"), create),
            (transient, more_waits),
        ],
        deployment_failed,
    )
    query.add_catch(steps.Catch(error_equals=["States.ALL"], next_step=query_failed, result_path="$.failure"))
    query.next(status)

    deployment_failed.next(prepare)
    steps.Chain([save_model, create_config, prepare, start_counting])
    start_counting.next(query)

    deploy_never = _outcome(
        "Record Deploy Never",
        "rejected",
        "deploy_never",
        "States.Format('The model passed the gate and is recorded; deploy_policy of run {} is never.', $.run.id)",
        model=False,
        comment="For runs that only train and evaluate.",
    )
    awaiting_approval = _outcome(
        "Record Awaiting Approval",
        "pending",
        "awaiting_approval",
        "States.Format('The model of run {} passed the gate and waits for the approval of a person.', $.run.id)",
        model=False,
        comment="The promotion that follows an approval is an execution of its own (entry promote).",
    )
    policy = _choice(
        "Deploy Policy",
        [
            (ChoiceRule.StringEquals("$.run.deploy_policy", "never"), deploy_never),
            (ChoiceRule.StringEquals("$.run.deploy_policy", "approval"), awaiting_approval),
        ],
        save_model,
    )
    return policy, prepare


def _begin_rollback(prepare: Any) -> Any:
    """Fill in what the output documents name and a rollback does not have.

    :param prepare: Where to go on.
    """
    given = ("entry", "run", "model", "endpoint_config", "endpoint", "tags")
    state = steps.Pass(
        "Begin Rollback",
        parameters={f"{field}.$": f"$.{field}" for field in given}
        | {
            "training": {"image_uri": None},
            "training_job": {"name": None, "model_artifacts": None},
            "training_results": {"metrics": []},
            "evaluation": {"output_uri": None},
            "champion": {"uri": None},
            "verdict": {
                "metrics": dict.fromkeys(METRICS),
                "champion_status": None,
                "champion_metrics": {},
                "reasons": [],
            },
            "split_summary": {"document": dict.fromkeys(SUMMARY)},
        },
        comment="Nothing was trained or evaluated.",
    )
    state.next(prepare)
    return state


def _entries(retrain: Any, promote: Any, rollback: Any) -> Any:
    """Choose where to begin: one machine, so that every deployment is under the same watch."""
    entry = "$.entry"

    def asked_for(name: str) -> BaseRule:
        return _all(ChoiceRule.IsPresent(entry, True), ChoiceRule.StringEquals(entry, name))

    unknown = steps.Fail(
        "Unknown Entry",
        error=UNKNOWN_ENTRY,
        cause=(
            "The input has no entry of this state machine (retrain, promote, rollback): it was not made by the same "
            "release of brewtrain as the state machine. Run the deploy DAG of the pipeline, then start anew."
        ),
    )
    return _choice(
        "Choose Entry",
        [(asked_for("retrain"), retrain), (asked_for("promote"), promote), (asked_for("rollback"), rollback)],
        unknown,
    )


def definition() -> dict[str, Any]:
    """Build the state machine's definition as a document of the Amazon States Language."""
    transform = _transform()
    query_results, take_verdict = _evaluate()
    policy, prepare = _deploy()
    steps.Chain([transform, _split(), _train(), query_results])
    steps.Chain([take_verdict, _gate(policy)])
    graph = Graph(
        _entries(transform, policy, _begin_rollback(prepare)),
        comment=f"brewtrain retraining, layout {LAYOUT_VERSION}: rendered by include/statemachine/workflow.py",
        timeout_seconds=EXECUTION_TIMEOUT_SECONDS,
    )
    document: dict[str, Any] = graph.to_dict()
    return {key: document[key] for key in ("Comment", "StartAt", "TimeoutSeconds", "States")}


def images() -> dict[str, Any]:
    """Build the table of registries: framework → image version → region → registry host."""
    versions = image_uris.config_for_framework("xgboost")["training"]["versions"]
    suffixes: dict[str, str] = {}
    table: dict[str, dict[str, str]] = {}
    for version in XGBOOST_VERSIONS:
        table[version] = {}
        for region, account in sorted(versions[version]["registries"].items()):
            if region not in suffixes:
                uri = image_uris.retrieve("xgboost", region, version=version)
                host, _, image = uri.partition("/")
                if image != f"sagemaker-xgboost:{version}" or not host.startswith(f"{account}."):
                    raise ValueError(f"image of XGBoost {version} in {region} is {uri}, which the table cannot hold")
                suffixes[region] = host.removeprefix(f"{account}.")
            table[version][region] = f"{account}.{suffixes[region]}"
    return {"xgboost": table}


def _render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the rendered files, or compare them with the committed ones.

    :returns: 0, or 1 when ``--check`` found a difference.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="render the files")
    mode.add_argument("--check", action="store_true", help="compare with the committed files")
    options = parser.parse_args(arguments)

    differs = False
    for path, document in ((DEFINITION_FILE, definition()), (IMAGES_FILE, images())):
        rendered = _render(document)
        if options.write:
            path.write_text(rendered, encoding="utf-8")
            continue
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        if committed != rendered:
            differs = True
            sys.stdout.writelines(
                difflib.unified_diff(
                    committed.splitlines(keepends=True),
                    rendered.splitlines(keepends=True),
                    f"committed {path.name}",
                    f"rendered {path.name}",
                )
            )
    if differs:
        sys.stderr.write("The committed files are not what workflow.py renders: run `make statemachine` and commit.\n")
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
