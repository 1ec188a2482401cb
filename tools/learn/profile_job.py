"""Profiles a pipeline's window now, for a pipeline that has no profiles of good runs yet.

Source: CreateProfileJob, StartJobRun, DescribeJobRun in the AWS Glue DataBrew API Reference.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.quality.learning import GoodWindow
from brewtrain.domain.quality.report import report_keys
from brewtrain.domain.quality.validation_job import JOB_SAMPLE, PROFILE_CONFIGURATION
from brewtrain.domain.run.days import Window

_BUSY = frozenset({"STARTING", "RUNNING", "STOPPING"})


def profile_window(
    clients: Callable[[str], Any],
    pipeline: Pipeline,
    account: names.Account,
    window: Window,
    *,
    poll_seconds: float,
    say: Callable[[str], None],
) -> GoodWindow:
    """Run a profile job over a window on every row, and remove it again.

    :param clients: Makes a boto3 client by service name.
    :param pipeline: The pipeline file.
    :param account: Account and region.
    :param window: The days.
    :param poll_seconds: Between two looks at the job.
    :param say: Told what happens.
    :raises DeploymentError: If the job does not succeed.
    """
    databrew = clients("databrew")
    bucket = pipeline.bucket_name(account)
    name = f"{names.PREFIX}-{names.slug(pipeline.name)}-learn"
    prefix = f"{names.PREFIX}/{pipeline.name}/quality/learn/"
    _create(databrew, pipeline, account, window, name=name, prefix=prefix)
    try:
        run_id = str(databrew.start_job_run(Name=name)["RunId"])
        say(f"DataBrew profiles {window.first} to {window.last}: job {name}, run {run_id}")
        run = databrew.describe_job_run(Name=name, RunId=run_id)
        while run["State"] in _BUSY:
            time.sleep(poll_seconds)
            run = databrew.describe_job_run(Name=name, RunId=run_id)
        if run["State"] != "SUCCEEDED":
            raise DeploymentError(
                f"DataBrew job {name}, run {run_id}, is {run['State']}: {run.get('ErrorMessage', 'no message')}"
            )
    finally:
        databrew.delete_job(Name=name)
        databrew.delete_dataset(Name=name)
    body = clients("s3").get_object(Bucket=bucket, Key=report_keys(prefix, name, run_id).profile)["Body"].read()
    return GoodWindow(window.last, json.loads(body), len(window.days))


def _create(
    databrew: Any, pipeline: Pipeline, account: names.Account, window: Window, *, name: str, prefix: str
) -> None:
    bucket = pipeline.bucket_name(account)
    databrew.create_dataset(
        Name=name,
        Format="CSV",
        FormatOptions={"Csv": {"Delimiter": pipeline.source.delimiter, "HeaderRow": True}},
        Input={
            "S3InputDefinition": {
                "Bucket": pipeline.source.bucket(bucket),
                "Key": pipeline.source.layout.databrew_key(window.first, window.last),
            }
        },
    )
    encryption = {"EncryptionMode": "SSE-S3"}
    if pipeline.kms_key is not None:
        encryption = {"EncryptionMode": "SSE-KMS", "EncryptionKeyArn": pipeline.kms_key}
    databrew.create_profile_job(
        Name=name,
        DatasetName=name,
        RoleArn=account.role_arn("databrew"),
        OutputLocation={"Bucket": bucket, "Key": prefix},
        Configuration=PROFILE_CONFIGURATION,
        JobSample=JOB_SAMPLE,
        MaxCapacity=pipeline.transform.max_capacity,
        **encryption,
    )
