"""SageMaker training: every terminal state, metrics, the model, and what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.jobs import knobs
from tests.fixtures.job_services import (
    BUCKET,
    XGBOOST_IMAGE,
    Refusal,
    as_csv,
    check_refusals,
    error_of,
    labelled_rows,
    log_lines,
    wait_for,
    wait_for_state,
)

BUSY = {"InProgress", "Stopping"}
PARAMETERS = {
    "num_round": "12",
    "objective": "binary:logistic",
    "eval_metric": "auc,logloss,error,accuracy",
    "max_depth": "3",
}


class Trainer:
    """Starts training jobs on the same small data."""

    def __init__(self, client: Any, role: str, name: str) -> None:
        self.client, self.role, self.name = client, role, name

    def request(self, **changes: Any) -> dict[str, Any]:
        prefixes = changes.pop("prefixes", {"train": "training/train/", "validation": "training/validation/"})
        kind = changes.pop("content_type", "text/csv")
        channels = [
            {
                "ChannelName": channel,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}"}},
                **({"ContentType": kind} if kind else {}),
            }
            for channel, prefix in prefixes.items()
        ]
        wanted = {
            "TrainingJobName": self.name,
            "HyperParameters": {**PARAMETERS, **changes.pop("parameters", {})},
            "AlgorithmSpecification": {
                "TrainingImage": changes.pop("image", XGBOOST_IMAGE),
                "TrainingInputMode": "File",
            },
            "RoleArn": self.role,
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        return {key: value for key, value in {**wanted, **changes}.items() if value is not None}

    def start(self, **changes: Any) -> str:
        return self.client.create_training_job(**self.request(**changes))["TrainingJobArn"]

    def describe(self) -> dict[str, Any]:
        return self.client.describe_training_job(TrainingJobName=self.name)

    def train(self, **changes: Any) -> dict[str, Any]:
        self.start(**changes)
        return wait_for(self.describe, "TrainingJobStatus", BUSY)


@pytest.fixture(scope="module", autouse=True)
def data(s3: Any) -> None:
    rows = labelled_rows(600)
    s3.put_object(Bucket=BUCKET, Key="training/train/part-00000.csv", Body=as_csv(rows[:300]))
    s3.put_object(Bucket=BUCKET, Key="training/train/part-00001.csv", Body=as_csv(rows[300:420]))
    s3.put_object(Bucket=BUCKET, Key="training/train/_SUCCESS", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="training/validation/part-00000.csv", Body=as_csv(rows[420:]))
    libsvm = "".join(f"{row[0]:g} " + " ".join(f"{i}:{v:g}" for i, v in enumerate(row[1:], 1)) + "\n" for row in rows)
    s3.put_object(Bucket=BUCKET, Key="training/libsvm/rows.txt", Body=libsvm.encode())
    bad = {
        "text-label": b"yes,1,2\nno,2,3\n",
        "label-2": b"2,1,2\n0,2,3\n",
        "one-class": b"0,1,2\n0,2,3\n",
        "ragged": b"1,1,2\n0,2\n",
        "latin-1": b"1,1,2\n0,\xe9,3\n",
        "empty": b"",
        "header": b"y,a,b\n1,1,2\n",
        "no-feature": b"1\n0\n",
        "missing-cells": b"1,,2\n0,2,\n1,3,\n0,,1\n",
    }
    for name, body in bad.items():
        s3.put_object(Bucket=BUCKET, Key=f"training/{name}/rows.csv", Body=body)


@pytest.fixture
def trainer(aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]) -> Trainer:
    return Trainer(aws_client("sagemaker"), roles["sagemaker"], unique("train"))


def metrics(job: dict[str, Any]) -> dict[str, float]:
    return {entry["MetricName"]: entry["Value"] for entry in job["FinalMetricDataList"]}


def test_a_completed_job_has_metrics_a_model_and_a_log(
    trainer: Trainer, s3: Any, aws_client: Callable[..., Any]
) -> None:
    job = trainer.train()
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job.get("FailureReason")
    steps = [entry["Status"] for entry in job["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all("EndTime" in entry for entry in job["SecondaryStatusTransitions"])
    found = metrics(job)
    assert set(found) == {
        f"{part}:{name}" for part in ("train", "validation") for name in ("auc", "logloss", "error", "accuracy")
    }
    assert found["validation:auc"] > 0.85
    assert found["validation:error"] == pytest.approx(1 - found["validation:accuracy"], abs=1e-4)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{BUCKET}/models/{trainer.name}/output/model.tar.gz"
    body = s3.get_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["xgboost-model"]
    lines = log_lines(aws_client, "/aws/sagemaker/TrainingJobs", f"{trainer.name}/algo-1-")
    assert sum(line.startswith("[11]#011train-auc:") for line in lines) == 1


def test_the_same_data_gives_the_same_model(
    aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]
) -> None:
    pair = [Trainer(aws_client("sagemaker"), roles["sagemaker"], unique("same")) for _ in range(2)]
    parameters = {"subsample": "0.7", "colsample_bytree": "0.7"}
    assert metrics(pair[0].train(parameters=parameters)) == metrics(pair[1].train(parameters=parameters))


def test_libsvm_is_trained_with_early_stopping_and_without_validation(trainer: Trainer) -> None:
    job = trainer.train(
        prefixes={"train": "training/libsvm/"}, content_type=None, parameters={"early_stopping_rounds": "3"}
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert set(metrics(job)) == {"train:auc", "train:logloss", "train:error", "train:accuracy"}


def test_values_of_the_sdk_are_quoted(trainer: Trainer) -> None:
    job = trainer.train(parameters={"objective": '"binary:logistic"', "eval_metric": '"auc"', "num_round": '"5"'})
    assert set(metrics(job)) == {"train:auc", "validation:auc"}


def test_empty_cells_are_missing_values(trainer: Trainer) -> None:
    job = trainer.train(prefixes={"train": "training/missing-cells/"})
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")


FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "text label": ({"prefixes": {"train": "training/text-label/"}}, "ClientError: ", "could not convert string 'yes'"),
    "label with another value": (
        {"prefixes": {"train": "training/label-2/"}},
        "ClientError: ",
        "label must be in [0,1] for logistic regression",
    ),
    "ragged": ({"prefixes": {"train": "training/ragged/"}}, "ClientError: ", "number of columns changed"),
    "not UTF-8": ({"prefixes": {"train": "training/latin-1/"}}, "ClientError: ", "is not UTF-8"),
    "empty": ({"prefixes": {"train": "training/empty/"}}, "ClientError: ", "No data in training channel path"),
    "header": ({"prefixes": {"train": "training/header/"}}, "ClientError: ", "could not convert string 'y'"),
    "no feature": ({"prefixes": {"train": "training/no-feature/"}}, "ClientError: ", ""),
    "no objects": (
        {"prefixes": {"train": "training/none/"}},
        "ClientError: Data download failed",
        'No S3 objects found under S3 URL "s3://job-services/training/none/"',
    ),
    "no train channel": (
        {"prefixes": {"validation": "training/validation/"}},
        "ClientError: ",
        "Missing required channel: train",
    ),
    "unknown channel": (
        {"prefixes": {"train": "training/train/", "test": "training/train/"}},
        "ClientError: ",
        "Extraneous channel found: test",
    ),
    "content type": ({"content_type": "text/html"}, "ClientError: ", "text/html is not an accepted ContentType"),
    "no rounds": (
        {"HyperParameters": {"objective": "reg:squarederror"}},
        "ClientError: ",
        "Missing required hyperparameter: num_round",
    ),
    "unknown hyperparameter": (
        {"parameters": {"depth": "3"}},
        "ClientError: ",
        "Extraneous hyperparameter found: depth",
    ),
    "unparsable": (
        {"parameters": {"max_depth": "deep"}},
        "ClientError: ",
        "Hyperparameter max_depth: could not parse value",
    ),
    "out of range": ({"parameters": {"eta": "1.5"}}, "ClientError: ", "Hyperparameter eta: 1.5 is not in [0, 1]"),
    "unknown metric": (
        {"parameters": {"eval_metric": "auc,gini"}},
        "ClientError: ",
        "Hyperparameter eval_metric: value ['auc', 'gini'] not in range",
    ),
    "metric for another task": (
        {"parameters": {"objective": "reg:squarederror"}},
        "ClientError: ",
        "Metric 'auc' can only be applied for classification and ranking problems.",
    ),
    "classes not counted": (
        {"parameters": {"objective": "multi:softmax", "eval_metric": "merror"}},
        "ClientError: ",
        "Require input for parameter 'num_class' for multi-classification",
    ),
    "other image": (
        {"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:latest"},
        "ClientError: ",
        "cannot run on local AWS",
    ),
    "output bucket": (
        {"OutputDataConfig": {"S3OutputPath": "s3://no-such-bucket-here/x"}},
        "ClientError: Artifact upload failed",
        "NoSuchBucket",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_job_that_cannot_be_trained_fails_with_the_reason(failure: str, trainer: Trainer) -> None:
    changes, kind, text = FAILURES[failure]
    job = trainer.train(**changes)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith(kind), job["FailureReason"]
    assert text in job["FailureReason"]
    assert job["TrainingEndTime"] >= job["CreationTime"]


def test_failure_table_is_complete() -> None:
    assert len(FAILURES) == 20


def test_a_job_can_be_stopped(trainer: Trainer) -> None:
    trainer.start(parameters={"num_round": "1000000"})
    wait_for_state(trainer.describe, "SecondaryStatus", "Training")
    trainer.client.stop_training_job(TrainingJobName=trainer.name)
    job = wait_for(trainer.describe, "TrainingJobStatus", BUSY)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    code, message = error_of(lambda: trainer.client.stop_training_job(TrainingJobName=trainer.name))
    assert (code, message) == (
        "ValidationException",
        "The request was rejected because the training job is in status Stopped.",
    )


def test_a_job_that_takes_too_long_is_stopped(trainer: Trainer) -> None:
    job = trainer.train(parameters={"num_round": "1000000"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def invalid(call: Callable[[], Any], text: str) -> Refusal:
    return Refusal(call, "ValidationException", text)


def test_invalid_requests_are_refused(trainer: Trainer, roles: dict[str, str]) -> None:
    knobs.set_delay("training", 60)
    arn = trainer.start()
    client = trainer.client
    other = Trainer(client, trainer.role, f"{trainer.name}-b")
    nobody = "arn:aws:iam::123456789012:role/nobody"
    cases = {
        "name used": Refusal(
            trainer.start,
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training job with this name"
            f" already exists ({arn})",
        ),
        "role does not exist": invalid(
            lambda: other.start(RoleArn=nobody),
            f"Could not assume role {nobody}. Please ensure that the role exists and allows principal"
            " 'sagemaker.amazonaws.com' to assume the role.",
        ),
        "role trusts another": invalid(lambda: other.start(RoleArn=roles["glue"]), "Could not assume role"),
        "name too long": invalid(
            lambda: other.start(TrainingJobName="x" * 64), "Member must satisfy regular expression pattern"
        ),
        "not found": invalid(
            lambda: client.describe_training_job(TrainingJobName="nix"), "Requested resource not found."
        ),
        "stop unknown": invalid(
            lambda: client.stop_training_job(TrainingJobName="nix"), "Requested resource not found."
        ),
        "delete active": Refusal(
            lambda: client.delete_training_job(TrainingJobName=trainer.name), "ResourceInUse", "InProgress"
        ),
        "not supported": invalid(
            lambda: other.start(SessionChainingConfig={"EnableSessionTagChaining": True}),
            "CreateTrainingJob: local AWS does not support SessionChainingConfig; leave it out.",
        ),
    }
    check_refusals(cases)
    client.stop_training_job(TrainingJobName=trainer.name)
    assert wait_for(trainer.describe, "TrainingJobStatus", BUSY)["TrainingJobStatus"] == "Stopped"


TOO_SHORT = "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
NOT_SPOT = "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"


@pytest.mark.parametrize(
    ("spot", "limits", "message"),
    [
        pytest.param(True, {"MaxRuntimeInSeconds": 600}, TOO_SHORT, id="spot without a wait"),
        pytest.param(
            True, {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 599}, TOO_SHORT, id="wait below the runtime"
        ),
        pytest.param(True, {"MaxWaitTimeInSeconds": 86_399}, TOO_SHORT, id="wait below the default runtime"),
        pytest.param(
            False, {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600}, NOT_SPOT, id="wait without spot"
        ),
        pytest.param(
            False,
            {"MaxRuntimeInSeconds": 28 * 86_400 + 1},
            "Invalid MaxRuntimeInSeconds. It must be at most 2419200 (28 days)",
            id="more than 28 days",
        ),
    ],
)
def test_invalid_limits_are_refused(trainer: Trainer, spot: bool, limits: dict[str, int], message: str) -> None:
    found = error_of(lambda: trainer.start(EnableManagedSpotTraining=spot, StoppingCondition=limits))
    assert found == ("ValidationException", message)


def test_checkpoints_need_an_s3_uri(trainer: Trainer) -> None:
    code, message = error_of(lambda: trainer.start(CheckpointConfig={"S3Uri": "checkpoints/"}))
    assert code == "ValidationException"
    assert "Value 'checkpoints/' at 'checkpointConfig.s3Uri' failed to satisfy constraint" in message


def test_a_spot_job_is_trained_and_described_as_it_was_asked_for(trainer: Trainer) -> None:
    asked = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/", "LocalPath": "/opt/ml/checkpoints"},
        "RetryStrategy": {"MaximumRetryAttempts": 2},
        "RemoteDebugConfig": {"EnableRemoteDebug": False},
        "InfraCheckConfig": {"EnableInfraCheck": True},
    }
    job = trainer.train(**asked)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert {member: job[member] for member in asked} == asked
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]


def test_a_job_without_spot_is_described_as_such(trainer: Trainer) -> None:
    trainer.start(parameters={"num_round": "1"})
    job = wait_for(trainer.describe, "TrainingJobStatus", BUSY)
    assert job["EnableManagedSpotTraining"] is False
    assert "MaxWaitTimeInSeconds" not in job["StoppingCondition"]


def test_jobs_are_listed_by_state_and_have_tags(trainer: Trainer) -> None:
    arn = trainer.start(Tags=[{"Key": "run", "Value": "1"}])
    client = trainer.client
    wait_for(trainer.describe, "TrainingJobStatus", BUSY)
    found = client.list_training_jobs(NameContains=trainer.name, StatusEquals="Completed")["TrainingJobSummaries"]
    assert [entry["TrainingJobName"] for entry in found] == [trainer.name]
    assert client.list_training_jobs(NameContains=trainer.name, StatusEquals="Failed")["TrainingJobSummaries"] == []
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "run", "Value": "2"}, {"Key": "date", "Value": "x"}])
    client.delete_tags(ResourceArn=arn, TagKeys=["date"])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "run", "Value": "2"}]
