"""SageMaker processing: a script with its inputs and outputs, every terminal state, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.job_services import (
    BUCKET,
    XGBOOST_IMAGE,
    error_of,
    log_lines,
    wait_for,
    wait_for_state,
)

pytestmark = pytest.mark.slow
BUSY = {"InProgress", "Stopping"}
SCRIPT = """
import os, sys
from pathlib import Path
import xgboost, numpy
import counting

PROCESSING = Path("/opt/ml/processing")
source = Path(sys.argv[sys.argv.index("--source") + 1])
assert source == PROCESSING / "input" / "data", source
lines = sum(counting.lines(file) for file in sorted(source.rglob("*.csv")))
target = PROCESSING / "output" / "report"
(target / "nested").mkdir(parents=True)
(target / "nested" / "lines.txt").write_text(f"{lines} {os.environ['LABEL']} {os.environ['PLACE']}")
print("counted", lines)
if os.environ["LABEL"] == "broken":
    Path("/opt/ml/output/message").write_text("the label column has one value only")
    sys.exit(1)
"""
HELPER = "def lines(path):\n    return len(path.read_text().splitlines())\n"


class Processor:
    """Starts processing jobs of the same script."""

    def __init__(self, client: Any, role: str, name: str) -> None:
        self.client, self.role, self.name = client, role, name

    def start(self, **changes: Any) -> str:
        def given(name: str, key: str, path: str) -> dict[str, Any]:
            uri = f"s3://{BUCKET}/processing/{key}"
            return {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{path}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }

        output = {
            "S3Uri": f"s3://{BUCKET}/{self.name}/report",
            "LocalPath": "/opt/ml/processing/output/report",
            "S3UploadMode": "EndOfJob",
        }
        wanted = {
            "ProcessingJobName": self.name,
            "RoleArn": self.role,
            "AppSpecification": {
                "ImageUri": changes.pop("image", XGBOOST_IMAGE),
                "ContainerEntrypoint": [
                    "python3",
                    f"/opt/ml/processing/input/code/{changes.pop('script', 'count.py')}",
                ],
                "ContainerArguments": ["--source", "/opt/ml/processing/input/data"],
            },
            "Environment": {"LABEL": changes.pop("label", "fine"), "PLACE": "/opt/ml/processing"},
            "ProcessingInputs": [given("code", "code/", "code"), given("data", changes.pop("data", "data"), "data")],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": output}]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 5}
            },
        }
        return self.client.create_processing_job(**{**wanted, **changes})["ProcessingJobArn"]

    def describe(self) -> dict[str, Any]:
        return self.client.describe_processing_job(ProcessingJobName=self.name)

    def process(self, **changes: Any) -> dict[str, Any]:
        self.start(**changes)
        return wait_for(self.describe, "ProcessingJobStatus", BUSY)


@pytest.fixture(scope="module", autouse=True)
def objects(s3: Any) -> None:
    bodies = {
        "code/count.py": SCRIPT,
        "code/counting.py": HELPER,
        "code/sleep.py": "import time\nprint('begun', flush=True)\ntime.sleep(600)\n",
        "code/raise.py": "open('/opt/ml/processing/input/none.csv')\n",
        "data/a.csv": "1\n2\n",
        "data/deep/b.csv": "3\n",
    }
    for key, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=f"processing/{key}", Body=body.encode())


@pytest.fixture
def processor(aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]) -> Processor:
    return Processor(aws_client("sagemaker"), roles["sagemaker"], unique("process"))


def test_a_completed_job_uploads_what_its_script_wrote(
    processor: Processor, s3: Any, aws_client: Callable[..., Any]
) -> None:
    job = processor.process()
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ProcessingEndTime"] >= job["ProcessingStartTime"]
    body = s3.get_object(Bucket=BUCKET, Key=f"{processor.name}/report/nested/lines.txt")["Body"].read().decode()
    lines, label, place = body.split()
    assert (lines, label) == ("3", "fine")
    assert place.endswith("/processing")
    assert "counted 3" in log_lines(aws_client, "/aws/sagemaker/ProcessingJobs", processor.name)


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "exit code": (
        {"label": "broken"},
        "AlgorithmError: SystemExit: 1; the label column has one value only, exit code: 1",
    ),
    "exception": ({"script": "raise.py"}, "No such file or directory: '/opt/ml/processing/input/none.csv'"),
    "script does not exist": ({"script": "none.py"}, "the script /opt/ml/processing/input/code/none.py does not exist"),
    "no objects": ({"data": "none/"}, 'No S3 objects found under S3 URL "s3://job-services/processing/none/"'),
    "other image": ({"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"}, "cannot run on local AWS"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_job_whose_script_fails_fails_with_the_reason(failure: str, processor: Processor) -> None:
    changes, message = FAILURES[failure]
    job = processor.process(**changes)
    assert job["ProcessingJobStatus"] == "Failed"
    assert message in job["FailureReason"]
    assert job.get("ExitMessage") == ("the label column has one value only" if failure == "exit code" else None)


def test_a_job_can_be_stopped_and_times_out(processor: Processor, aws_client: Callable[..., Any]) -> None:
    processor.start(script="sleep.py")
    wait_for_state(lambda: {"begun": "ProcessingStartTime" in processor.describe()}, "begun", True)
    processor.client.stop_processing_job(ProcessingJobName=processor.name)
    assert wait_for(processor.describe, "ProcessingJobStatus", BUSY)["ProcessingJobStatus"] == "Stopped"
    code, message = error_of(lambda: processor.client.stop_processing_job(ProcessingJobName=processor.name))
    assert (code, message) == (
        "ValidationException",
        "The request was rejected because the processing job is in status Stopped.",
    )
    late = Processor(processor.client, processor.role, f"{processor.name}-late")
    job = late.process(script="sleep.py", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["ProcessingJobStatus"] == "Stopped"
    assert "MaxRuntimeInSeconds" in job["FailureReason"]


def test_invalid_jobs_are_refused_and_valid_ones_listed(processor: Processor, roles: dict[str, str]) -> None:
    arn = processor.start()
    code, message = error_of(processor.start)
    assert (code, message) == (
        "ResourceInUse",
        f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})",
    )
    other = Processor(processor.client, roles["glue"], f"{processor.name}-b")
    assert error_of(other.start)[1].startswith("Could not assume role")
    assert error_of(other.describe) == ("ValidationException", "Requested resource not found.")
    application = {"ImageUri": XGBOOST_IMAGE, "ContainerArguments": ["--source", ""]}
    code, message = error_of(lambda: other.start(AppSpecification=application))
    assert code == "ValidationException"
    assert message.startswith("Found null or empty string in ContainerArguments at index 1.")
    wait_for(processor.describe, "ProcessingJobStatus", BUSY)
    found = processor.client.list_processing_jobs(NameContains=processor.name)["ProcessingJobSummaries"]
    assert [(entry["ProcessingJobName"], entry["ProcessingJobStatus"]) for entry in found] == [
        (processor.name, "Completed")
    ]
