"""Addresses in the AWS console of what a run made.

Must not import Airflow or boto3. Source: the consoles' own addresses, as the Amazon provider's
links build them.
"""

from __future__ import annotations

from urllib.parse import quote

from brewtrain.domain.names import partition
from brewtrain.domain.run.execution_history import PROCESSING, JobReference

_CONSOLE_OF_PARTITION = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
LOG_GROUP = {
    "databrew": "/aws-glue-databrew/jobs",
    "glue": "/aws-glue/jobs/error",
    "sagemaker": "/aws/sagemaker/TrainingJobs",
    PROCESSING: "/aws/sagemaker/ProcessingJobs",
}


def _console(partition: str, region: str) -> str:
    return f"https://{region}.{_CONSOLE_OF_PARTITION.get(partition, _CONSOLE_OF_PARTITION['aws'])}"


def execution_link(execution_arn: str) -> str:
    """Address of an execution's page."""
    _, partition, _, region, *_ = execution_arn.split(":")
    return f"{_console(partition, region)}/states/home?region={region}#/v2/executions/details/{execution_arn}"


def job_link(job: JobReference, *, partition: str, region: str) -> str:
    """Address of a job run's page."""
    console = _console(partition, region)
    name = quote(job.name, safe="")
    if job.service == "databrew":
        return f"{console}/databrew/home?region={region}#job-details?job={name}&tab=history"
    if job.service == "glue":
        run = f"/run/{quote(job.run_id, safe='')}" if job.run_id else ""
        return f"{console}/gluestudio/home?region={region}#/job/{name}{run}"
    kind = "processing-jobs" if job.service == PROCESSING else "jobs"
    return f"{console}/sagemaker/home?region={region}#/{kind}/{name}"


def object_link(uri: str, *, region: str) -> str:
    """Address of an S3 object's page.

    :param uri: ``s3://bucket/key``.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return f"{_console(partition(region), region)}/s3/object/{bucket}?region={region}&prefix={quote(key)}"


def log_stream_prefix(job: JobReference) -> str:
    """Beginning of the names of the job's log streams in its :data:`LOG_GROUP`."""
    if job.service == "databrew":
        return f"{job.name}/{job.run_id}" if job.run_id else job.name
    if job.service == "glue":
        return job.run_id or job.name
    return f"{job.name}/"


def log_link(job: JobReference, *, partition: str, region: str) -> str:
    """Address of the job's CloudWatch log."""
    # CloudWatch's console wants its fragment encoded twice, with $25 for %.
    group = quote(quote(LOG_GROUP[job.service], safe=""), safe="").replace("%", "$")
    prefix = quote(quote(log_stream_prefix(job), safe=""), safe="").replace("%", "$")
    return (
        f"{_console(partition, region)}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}"
        f"$3FlogStreamNameFilter$3D{prefix}"
    )
