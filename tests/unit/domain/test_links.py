"""The console's addresses: of the partition and region, and with names that cannot break out."""

from __future__ import annotations

import pytest

from brewtrain.domain import links
from brewtrain.domain.run.execution_history import PROCESSING, JobReference

CONSOLES = {
    "eu-central-1": ("aws", "https://eu-central-1.console.aws.amazon.com"),
    "cn-north-1": ("aws-cn", "https://cn-north-1.console.amazonaws.cn"),
    "us-gov-west-1": ("aws-us-gov", "https://us-gov-west-1.console.amazonaws-us-gov.com"),
}


@pytest.mark.parametrize(("region", "partition", "console"), [(region, *rest) for region, rest in CONSOLES.items()])
def test_every_link_leads_to_the_console_of_its_partition(region: str, partition: str, console: str) -> None:
    arn = f"arn:{partition}:states:{region}:123456789012:execution:brewtrain-p:p-20240102T0000-g0"
    job = JobReference("glue", "brewtrain-p-split", "jr_1")
    assert links.execution_link(arn) == f"{console}/states/home?region={region}#/v2/executions/details/{arn}"
    assert links.object_link("s3://b/a/report.html", region=region) == (
        f"{console}/s3/object/b?region={region}&prefix=a/report.html"
    )
    assert links.job_link(job, partition=partition, region=region).startswith(f"{console}/gluestudio/")
    assert links.log_link(job, partition=partition, region=region).startswith(f"{console}/cloudwatch/")


def test_a_partition_that_is_not_known_has_the_usual_console() -> None:
    link = links.job_link(JobReference("sagemaker", "t"), partition="aws-iso", region="us-iso-east-1")
    assert link == "https://us-iso-east-1.console.aws.amazon.com/sagemaker/home?region=us-iso-east-1#/jobs/t"


CONSOLE = "https://eu-central-1.console.aws.amazon.com"


def test_a_name_is_escaped_whole() -> None:
    job = JobReference("glue", "X:/?#", "X:/?#")
    assert links.job_link(job, partition="aws", region="eu-central-1") == (
        f"{CONSOLE}/gluestudio/home?region=eu-central-1#/job/X%3A%2F%3F%23/run/X%3A%2F%3F%23"
    )
    assert links.log_link(JobReference("sagemaker", "X"), partition="aws", region="eu-central-1").endswith(
        "$3FlogStreamNameFilter$3DX$252F"
    )


JOBS = {
    "DataBrew": (
        JobReference("databrew", "recipe job/1", "db_1"),
        "/databrew/home?region=eu-central-1#job-details?job=recipe%20job%2F1&tab=history",
    ),
    "Glue": (
        JobReference("glue", "split/1", "jr/1"),
        "/gluestudio/home?region=eu-central-1#/job/split%2F1/run/jr%2F1",
    ),
    "Glue, not started": (JobReference("glue", "split"), "/gluestudio/home?region=eu-central-1#/job/split"),
    "a training": (JobReference("sagemaker", "train/1"), "/sagemaker/home?region=eu-central-1#/jobs/train%2F1"),
    "an evaluation": (JobReference(PROCESSING, "eval"), "/sagemaker/home?region=eu-central-1#/processing-jobs/eval"),
}


@pytest.mark.parametrize(("job", "address"), JOBS.values(), ids=JOBS)
def test_a_job_has_its_page(job: JobReference, address: str) -> None:
    assert links.job_link(job, partition="aws", region="eu-central-1") == CONSOLE + address


def test_the_key_of_an_object_is_escaped() -> None:
    assert links.object_link("s3://bucket/a b/c&d", region="eu-central-1") == (
        f"{CONSOLE}/s3/object/bucket?region=eu-central-1&prefix=a%20b/c%26d"
    )


LOGS = {
    "DataBrew": (JobReference("databrew", "j", "db_1"), "$252Faws-glue-databrew$252Fjobs", "j/db_1", "j$252Fdb_1"),
    "DataBrew, not started": (JobReference("databrew", "j"), "$252Faws-glue-databrew$252Fjobs", "j", "j"),
    "Glue": (JobReference("glue", "j", "jr_1"), "$252Faws-glue$252Fjobs$252Ferror", "jr_1", "jr_1"),
    "Glue, not started": (JobReference("glue", "j"), "$252Faws-glue$252Fjobs$252Ferror", "j", "j"),
    "a training": (JobReference("sagemaker", "t"), "$252Faws$252Fsagemaker$252FTrainingJobs", "t/", "t$252F"),
    "an evaluation": (JobReference(PROCESSING, "e"), "$252Faws$252Fsagemaker$252FProcessingJobs", "e/", "e$252F"),
}


@pytest.mark.parametrize(("job", "group", "prefix", "escaped"), LOGS.values(), ids=LOGS)
def test_a_job_has_its_log(job: JobReference, group: str, prefix: str, escaped: str) -> None:
    assert links.log_stream_prefix(job) == prefix
    assert links.log_link(job, partition="aws", region="eu-central-1") == (
        f"{CONSOLE}/cloudwatch/home?region=eu-central-1#logsV2:log-groups/log-group/{group}"
        f"$3FlogStreamNameFilter$3D{escaped}"
    )
