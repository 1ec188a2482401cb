"""The engine below the services: stops, zygotes, snapshots, pages, validation, roles, knobs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from local_aws.jobs import workers
from local_aws.jobs.entry import JobError, split_s3_uri
from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import paginate
from local_aws.jobs.request_validation import refuse_unknown_members, validate
from local_aws.jobs.roles import role_problem
from local_aws.jobs.store import ServiceStore, now
from tests.fixtures.http_json import http_json
from tests.fixtures.job_services import wait_for_state


def start(tmp_path: Path, entry: str) -> workers.Worker:
    return workers.start(
        "python",
        f"local_aws.jobs.self_test:{entry}",
        {},
        environment={"PATH": os.environ["PATH"]},
        directory=tmp_path,
        stdout=tmp_path / "out",
        stderr=tmp_path / "err",
    )


def descendants(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to look for processes")
def test_a_worker_that_ignores_the_stop_is_killed_with_all_it_started(tmp_path: Path) -> None:
    worker = start(tmp_path, "ignore_termination")
    assert worker.started.wait(30)
    assert worker.pid is not None
    wait_for_state(lambda: {"processes": len(descendants(worker.pid or 0))}, "processes", 2)
    worker.terminate(grace_seconds=0.2)
    assert worker.code == -signal.SIGKILL
    wait_for_state(lambda: {"processes": len(descendants(worker.pid or 0))}, "processes", 0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to look for processes")
def test_a_dead_zygote_ends_its_workers_and_is_replaced(tmp_path: Path) -> None:
    worker = start(tmp_path, "sleep")
    assert worker.started.wait(30)
    os.kill(workers.running_zygotes()["python"], signal.SIGKILL)
    assert worker.exited.wait(10)
    assert worker.code == -signal.SIGKILL
    wait_for_state(lambda: {"processes": len(descendants(worker.pid or 0))}, "processes", 0)
    wait_for_state(lambda: {"running": "python" in workers.running_zygotes()}, "running", False)
    again = start(tmp_path, "die")
    assert again.exited.wait(30)
    assert again.code == -signal.SIGKILL


def test_importing_starts_nothing() -> None:
    import subprocess
    import sys

    code = (
        "import local_aws.databrew, local_aws.glue, local_aws.sagemaker, local_aws.lambda_, local_aws.jobs.runs, sys;"
        "from local_aws.jobs import workers; assert not workers.running_zygotes();"
        "heavy = {'moto', 'boto3', 'polars', 'xgboost', 'sqlframe', 'duckdb'};"
        "assert not heavy & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[4])


def test_a_snapshot_brings_records_back() -> None:
    store = ServiceStore()
    moment = now()
    store.partition("1", "eu-west-1").table("jobs")["a"] = {"Name": "a", "At": moment, "_secret": [1, {"b": None}]}
    text = store.dump()
    seen: list[str] = []
    store = ServiceStore()
    store.load(text, lambda partition: seen.append(partition.region))
    assert store.partition("1", "eu-west-1").table("jobs") == {
        "a": {"Name": "a", "At": moment, "_secret": [1, {"b": None}]}
    }
    assert seen == ["eu-west-1"]
    store.partition("1", "eu-west-1").table("jobs")["bad"] = {"x": object()}
    with pytest.raises(TypeError, match="value of type object"):
        store.dump()


def test_services_come_back_after_a_restart(local_aws: str) -> None:
    from local_aws import databrew, glue, lambda_, sagemaker

    for service in (databrew, glue, sagemaker):
        service.restore(service.snapshot())
        before = service.snapshot()
        service.restore(before)
        assert service.snapshot() == before
    assert not hasattr(lambda_, "snapshot")  # functions are moto's records


def test_runs_that_died_with_the_server_have_failed() -> None:
    from local_aws.databrew import job_runs as databrew_runs
    from local_aws.glue import job_runs as glue_runs
    from local_aws.jobs.store import Partition
    from local_aws.sagemaker import endpoints, processing, training

    partition = Partition("1", "eu-west-1")
    partition.table("runs")["a"] = {"State": "RUNNING", "JobRunState": "RUNNING"}
    partition.table("training_jobs")["a"] = {"TrainingJobStatus": "InProgress", "SecondaryStatusTransitions": []}
    partition.table("processing_jobs")["a"] = {"ProcessingJobStatus": "InProgress"}
    partition.table("endpoints")["a"] = {"EndpointStatus": "Creating"}
    partition.table("endpoints")["b"] = {"EndpointStatus": "Updating", "PendingDeploymentSummary": {}}
    for module in (databrew_runs, glue_runs, training, processing, endpoints):
        module.after_restart(partition)
    run = partition.table("runs")["a"]
    assert (run["State"], run["JobRunState"]) == ("FAILED", "ERROR")
    assert "start the job again" in run["ErrorMessage"]
    assert partition.table("training_jobs")["a"]["TrainingJobStatus"] == "Failed"
    assert partition.table("processing_jobs")["a"]["ProcessingJobStatus"] == "Failed"
    assert partition.table("endpoints")["a"]["EndpointStatus"] == "Failed"
    assert partition.table("endpoints")["b"] == {"EndpointStatus": "InService"}


def test_a_listing_is_cut_into_pages() -> None:
    items = list(range(5))
    page, token = paginate(items, {"MaxResults": 2})
    assert (page, token) == ([0, 1], "p-2")
    assert paginate(items, {"MaxResults": 2, "NextToken": "p-4"}) == ([4], None)
    with pytest.raises(AwsError, match="Invalid pagination token"):
        paginate(items, {"NextToken": "elsewhere"})


@pytest.mark.parametrize(
    ("service", "operation", "params", "message"),
    [
        pytest.param(
            "databrew",
            "CreateDataset",
            {"Name": "x"},
            "Value null at 'input' failed to satisfy constraint: Member must not be null",
            id="required",
        ),
        pytest.param(
            "databrew",
            "ListJobRuns",
            {"Name": "x", "MaxResults": 0},
            "Member must have value greater than or equal to 1",
            id="range",
        ),
        pytest.param(
            "glue",
            "CreateJob",
            {"Name": "", "Role": "r", "Command": {}},
            "Member must have length greater than or equal to 1",
            id="length",
        ),
        pytest.param(
            "sagemaker",
            "DescribeEndpoint",
            {"EndpointName": "a b"},
            "Member must satisfy regular expression pattern",
            id="pattern",
        ),
        pytest.param(
            "sagemaker",
            "ListEndpoints",
            {"SortBy": "Size"},
            "Value 'Size' at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [Name,"
            " Creation",
            id="enumeration",
        ),
    ],
)
def test_requests_are_checked_against_the_model(
    service: str, operation: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(AwsError) as caught:
        validate(service, operation, params)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("1 validation error detected: ")
    assert message in caught.value.message


def test_members_that_an_operation_does_not_have_are_refused() -> None:
    body = {
        "TrainingJobName": "t",
        "EnableSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 1, "MaxWaitTime": 2},
        "InputDataConfig": [{"ChannelName": "train"}, {"Channel": "validation"}],
        "HyperParameters": {"any": "name"},
    }
    with pytest.raises(AwsError) as caught:
        refuse_unknown_members("sagemaker", "CreateTrainingJob", body)
    assert (caught.value.code, caught.value.message) == (
        "ValidationException",
        "3 validation errors detected: CreateTrainingJob has no member EnableSpotTraining; CreateTrainingJob has no"
        " member StoppingCondition.MaxWaitTime; CreateTrainingJob has no member InputDataConfig[1].Channel",
    )
    refuse_unknown_members("lambda", "Invoke", {"payload": "any"})
    refuse_unknown_members("databrew", "CreateDataset", {"Input": {}, "Format": "CSV"})


def test_unknown_members_reach_the_client_as_the_services_error(local_aws: str) -> None:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=t/20240101/us-east-1/glue/aws4_request, SignedHeaders=h,"
        " Signature=0",
        "X-Amz-Target": "AWSGlue.GetJob",
        "Content-Type": "application/x-amz-json-1.1",
    }
    status, answer = http_json("POST", local_aws, {"JobName": "j", "Name": "j"}, headers)
    assert status == 400
    assert answer == {
        "__type": "InvalidInputException",
        "message": "1 validation error detected: GetJob has no member Name",
    }


def test_a_role_must_exist_and_trust_the_service(roles: dict[str, str]) -> None:
    assert role_problem(roles["glue"], "glue.amazonaws.com") is None
    assert "does not allow databrew.amazonaws.com" in str(role_problem(roles["glue"], "databrew.amazonaws.com"))
    assert "does not exist" in str(role_problem("arn:aws:iam::123456789012:role/none", "glue.amazonaws.com"))
    assert "not the ARN of an IAM role" in str(role_problem("arn:aws:iam::123456789012:user/x", "glue.amazonaws.com"))


@pytest.mark.parametrize("uri", ["http://bucket/key", "bucket/key", "s3:///key", "file:///etc/passwd"])
def test_a_uri_of_another_form_is_refused(uri: str) -> None:
    with pytest.raises(JobError, match="is not an S3 URI"):
        split_s3_uri(uri)


def test_an_s3_uri_is_split_into_bucket_and_key() -> None:
    assert split_s3_uri("s3a://bucket/a/b?c#d") == ("bucket", "a/b?c#d")
    assert split_s3_uri("s3://bucket") == ("bucket", "")


def test_a_delay_can_be_set(local_aws: str) -> None:
    answer = http_json("POST", f"{local_aws}/_local/jobs", {"service": "glue", "delay_seconds": 0.5})[1]
    assert answer["delay_seconds"]["glue"] == 0.5


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("jobs", {"service": "emr", "delay_seconds": 1}, "unknown service 'emr'", id="unknown service"),
        pytest.param("jobs", {"service": "glue", "delay_seconds": -1}, "write 0 or more", id="negative"),
        pytest.param("jobs", {"minute_seconds": 0}, "write more than 0", id="no minutes"),
        pytest.param("sagemaker/endpoints/x", {"behaviour": "odd"}, "unknown behaviour 'odd'", id="unknown behaviour"),
    ],
)
def test_the_knobs_refuse_nonsense(local_aws: str, path: str, body: dict[str, Any], message: str) -> None:
    status, answer = http_json("POST", f"{local_aws}/_local/{path}", body)
    assert status == 400
    assert message in answer["message"]
