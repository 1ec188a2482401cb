"""The DataBrew requests of a run: which days it reads, and what its job writes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from brewtrain.domain.errors import InputError
from brewtrain.domain.names import Account, RunIdentity
from brewtrain.domain.run import transform_job
from tests.fixtures.pipelines import CHURN, pipeline_of

ACCOUNT = Account("123456789012", "eu-central-1")
IDENTITY = RunIdentity("churn", datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 2, tzinfo=UTC), "0")
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"


def test_the_dataset_is_the_files_of_the_window_up_to_the_intervals_last_day() -> None:
    pipeline = pipeline_of()
    # 30 days.
    key = pipeline.source.layout.databrew_key(date(2024, 1, 3), date(2024, 2, 1))
    assert transform_job.dataset(pipeline, IDENTITY, bucket="lake") == {
        "Format": "CSV",
        "FormatOptions": {"Csv": {"Delimiter": ";", "HeaderRow": True}},
        "Input": {"S3InputDefinition": {"Bucket": "lake", "Key": key}},
    }


def test_a_window_whose_key_databrew_does_not_take_is_refused_with_the_pipelines_name() -> None:
    pipeline = pipeline_of(CHURN.replace("dt={date}/", f"{{date}}/{'y' * 600}/"))
    with pytest.raises(InputError) as caught:
        transform_job.dataset(pipeline, IDENTITY, bucket="lake")
    assert str(caught.value).startswith("field 'source.path' of pipeline churn needs a dataset key of ")


def test_the_job_writes_one_csv_file_below_the_run() -> None:
    text = f"{CHURN}transform: {{max_capacity: 9}}\nlimits: {{transform_minutes: 61}}\n"
    assert transform_job.job(pipeline_of(text), IDENTITY, ACCOUNT, bucket="lake", recipe_version="3.0") == {
        "DatasetName": "brewtrain-churn-20240202T0000-g0",
        "RoleArn": "arn:aws:iam::123456789012:role/brewtrain-databrew",
        "RecipeReference": {"Name": "brewtrain-churn", "RecipeVersion": "3.0"},
        "Outputs": [
            {
                "Format": "CSV",
                "FormatOptions": {"Csv": {"Delimiter": ","}},
                "Location": {"Bucket": "lake", "Key": "brewtrain/churn/runs/churn-20240202T0000-g0/transform/"},
                "Overwrite": True,
                "MaxOutputFiles": 1,
            }
        ],
        "EncryptionMode": "SSE-S3",
        "LogSubscription": "ENABLE",
        "MaxCapacity": 9,
        "MaxRetries": 0,
        "Timeout": 61,
    }


def test_a_pipeline_with_a_key_has_its_job_encrypt_with_it() -> None:
    pipeline = pipeline_of(f"{CHURN}kms_key: {KEY}\n")
    job = transform_job.job(pipeline, IDENTITY, ACCOUNT, bucket="lake", recipe_version="3.0")
    assert (job["EncryptionMode"], job["EncryptionKeyArn"]) == ("SSE-KMS", KEY)


def test_databrew_takes_both_requests() -> None:
    model = Session().get_service_model("databrew")
    dataset = {"Name": "x", **transform_job.dataset(pipeline_of(), IDENTITY, bucket="lake")}
    job = {"Name": "x", **transform_job.job(pipeline_of(), IDENTITY, ACCOUNT, bucket="lake", recipe_version="3.0")}
    for operation, request in (("CreateDataset", dataset), ("CreateRecipeJob", job)):
        report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()
