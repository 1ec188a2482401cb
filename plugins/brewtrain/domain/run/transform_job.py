"""The DataBrew dataset and recipe job of one run, as DataBrew's requests.

Must not import Airflow or boto3.

Source: CreateDataset, FormatOptions, CreateRecipeJob in the AWS Glue DataBrew API Reference;
"Connecting data in multiple files in Amazon S3" in its Developer Guide.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.errors import InputError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.source import Source
from brewtrain.domain.run.days import Window
from brewtrain.domain.run.limits import stage_limits, whole_minutes
from brewtrain.domain.run.stages import Stage


def dataset(pipeline: Pipeline, identity: names.RunIdentity, *, bucket: str) -> dict[str, Any]:
    """Return the dataset as CreateDataset and UpdateDataset take it, without its name and tags.

    :param pipeline: The pipeline file.
    :param identity: Whose run it is.
    :param bucket: The pipeline's bucket.
    :raises InputError: If DataBrew does not take the key of so long a window.
    """
    return dataset_of(pipeline, pipeline.data_days.window(date.fromisoformat(identity.data_date)), bucket=bucket)


def dataset_of(pipeline: Pipeline, window: Window, *, bucket: str) -> dict[str, Any]:
    """Return the dataset of some days, as CreateDataset and UpdateDataset take it.

    :param pipeline: The pipeline file.
    :param window: The days.
    :param bucket: The pipeline's bucket.
    :raises InputError: If DataBrew does not take the key of so many days.
    """
    try:
        key = pipeline.source.layout.databrew_key(window.first, window.last)
    except ValueError as error:
        raise InputError(f"field 'source.path' of pipeline {pipeline.name} {error}") from None
    return {
        **source_format(pipeline.source),
        "Input": {"S3InputDefinition": {"Bucket": pipeline.source.bucket(bucket), "Key": key}},
    }


def source_format(source: Source) -> dict[str, Any]:
    """Return a dataset's ``Format`` and ``FormatOptions`` for the files of a source.

    Parquet has no options, and FormatOptions has no member for it. JSON Lines is JSON whose rows
    have no line breaks inside (JsonOptions).
    """
    if source.format == "csv":
        return {
            "Format": "CSV",
            "FormatOptions": {"Csv": {"Delimiter": source.delimiter, "HeaderRow": source.header}},
        }
    if source.format == "json":
        return {"Format": "JSON", "FormatOptions": {"Json": {"MultiLine": False}}}
    return {"Format": "PARQUET"}


def job(
    pipeline: Pipeline, identity: names.RunIdentity, account: names.Account, *, bucket: str, recipe_version: str
) -> dict[str, Any]:
    """Return the job as CreateRecipeJob and UpdateRecipeJob take it, without its name and tags.

    :param pipeline: The pipeline file.
    :param identity: Whose run it is.
    :param account: Where it runs.
    :param bucket: The pipeline's bucket.
    :param recipe_version: Published version that the run is pinned to.
    """
    return {
        "DatasetName": identity.job_name_prefix,
        "RoleArn": account.role_arn("databrew"),
        "RecipeReference": {"Name": names.recipe(pipeline.name), "RecipeVersion": recipe_version},
        "Outputs": [
            {
                "Format": "CSV",
                "FormatOptions": {"Csv": {"Delimiter": ","}},
                "Location": {"Bucket": bucket, "Key": f"{names.run_prefix(identity)}transform/"},
                "Overwrite": True,
                "MaxOutputFiles": 1,
            }
        ],
        **encryption(pipeline),
        "LogSubscription": "ENABLE",
        "MaxCapacity": pipeline.transform.max_capacity,
        # The ladder retries; a retry of DataBrew's own would run under the same job run unseen.
        "MaxRetries": 0,
        "Timeout": whole_minutes(stage_limits(pipeline, Stage.TRANSFORM).job),
    }


def encryption(pipeline: Pipeline) -> dict[str, str]:
    """Return how a job of the pipeline encrypts what it writes.

    :param pipeline: The pipeline file.
    """
    # A job states its encryption, which beats the bucket's default: there is no mode that follows
    # it.
    if pipeline.kms_key is None:
        return {"EncryptionMode": "SSE-S3"}
    return {"EncryptionMode": "SSE-KMS", "EncryptionKeyArn": pipeline.kms_key}
