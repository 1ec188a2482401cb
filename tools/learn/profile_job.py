"""Profiles a pipeline's window now, for a pipeline that has no profiles of good runs yet.

Source: CreateProfileJob, StartJobRun, DescribeJobRun in the AWS Glue DataBrew API Reference.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.quality.learning import GoodWindow
from brewtrain.domain.quality.validation_job import JOB_SAMPLE, PROFILE_CONFIGURATION
from brewtrain.domain.run import transform_job
from brewtrain.domain.run.identity import identity_for_start
from brewtrain.domain.run.interval import DataInterval

_BUSY = frozenset({"STARTING", "RUNNING", "STOPPING"})


def profile_window(
    clients: Callable[[str], Any],
    pipeline: Pipeline,
    account: names.Account,
    interval: DataInterval,
    *,
    poll_seconds: float,
    say: Callable[[str], None],
) -> GoodWindow:
    """Run a profile job over the window of an interval's run on every row, and remove it again.

    :param clients: Makes a boto3 client by service name.
    :param pipeline: The pipeline file.
    :param account: Account and region.
    :param interval: The data interval.
    :param poll_seconds: Between two looks at the job.
    :param say: Told what happens.
    :raises DeploymentError: If the job does not succeed.
    """
    databrew = clients("databrew")
    bucket = pipeline.bucket_name(account)
    name = f"{names.PREFIX}-{names.slug(pipeline.name)}-learn"
    # The files that the interval's run would read, and where DataBrew's role may write profiles.
    identity = identity_for_start(pipeline, interval, clear_number=0, rerun_mode="auto", dag_run_id=name)
    prefix = names.quality_reports_prefix(identity)
    window = pipeline.data_days.window(date.fromisoformat(identity.data_date))
    databrew.create_dataset(Name=name, **transform_job.dataset(pipeline, identity, bucket=bucket))
    try:
        _create_job(databrew, pipeline, account, name=name, prefix=prefix)
        try:
            run_id = _run(databrew, name, poll_seconds=poll_seconds, say=say, about=f"{window.first} to {window.last}")
        finally:
            databrew.delete_job(Name=name)
    finally:
        databrew.delete_dataset(Name=name)
    return GoodWindow(window.last, _profile(clients("s3"), bucket, prefix, run_id), len(window.days))


def _profile(s3: Any, bucket: str, prefix: str, run_id: str) -> dict[str, Any]:
    """Return what a run wrote. Its name is documented by example only: it has the run's id."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            if run_id.removeprefix("db_") in item["Key"]:
                document = json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
                if isinstance(document, dict):
                    return document
    raise DeploymentError(f"DataBrew's job run {run_id} has left no profile below s3://{bucket}/{prefix}")


def _create_job(databrew: Any, pipeline: Pipeline, account: names.Account, *, name: str, prefix: str) -> None:
    databrew.create_profile_job(
        Name=name,
        DatasetName=name,
        RoleArn=account.role_arn("databrew"),
        OutputLocation={"Bucket": pipeline.bucket_name(account), "Key": prefix},
        Configuration=PROFILE_CONFIGURATION,
        JobSample=JOB_SAMPLE,
        MaxCapacity=pipeline.transform.max_capacity,
        **transform_job.encryption(pipeline),
    )


def _run(databrew: Any, name: str, *, poll_seconds: float, say: Callable[[str], None], about: str) -> str:
    run_id = str(databrew.start_job_run(Name=name)["RunId"])
    say(f"DataBrew profiles {about}: job {name}, run {run_id}")
    run = databrew.describe_job_run(Name=name, RunId=run_id)
    while run["State"] in _BUSY:
        time.sleep(poll_seconds)
        run = databrew.describe_job_run(Name=name, RunId=run_id)
    if run["State"] != "SUCCEEDED":
        problem = run.get("ErrorMessage", "no message")
        raise DeploymentError(f"DataBrew job {name}, run {run_id}, is {run['State']}: {problem}")
    return run_id
