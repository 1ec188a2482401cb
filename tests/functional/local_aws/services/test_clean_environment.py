"""What a job's script or a function sees of the server that runs it: nothing of its environment."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.job_services import BUCKET, XGBOOST_IMAGE, wait_for_state

pytestmark = pytest.mark.slow
CANARY = "LOCAL_AWS_TEST_CANARY"
# What a script can look at: its own environment, what it was started with, and that of the process
# above it.
LOOK = f"""
import os
seen = dict(os.environ)
raw = b"".join(open(f"/proc/{{pid}}/environ", "rb").read() for pid in ("self", os.getppid()) if os.path.exists("/proc"))
FOUND = "{CANARY}" in seen or b"{CANARY}" in raw
NAMES = sorted(name for name in seen if not name.startswith(("AWS_", "_", "LAMBDA_")))
"""
# What a process needs to start, and where it is.
EXPECTED = {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "NO_PROXY", "LD_LIBRARY_PATH", "JAVA_HOME"}


@pytest.fixture(autouse=True, scope="module")
def _canary() -> Any:
    """Put a mark into the server's environment (this process's) before any worker is started."""
    from local_aws.jobs import workers

    workers.stop_all()
    os.environ[CANARY] = "secret of the server"
    yield
    del os.environ[CANARY]
    workers.stop_all()


def report(s3: Any, key: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    return answer


def check(seen: dict[str, Any]) -> None:
    assert seen["found"] is False
    assert set(seen["names"]) <= EXPECTED | {"MARK"}


PUT = """
import boto3, json
boto3.client("s3").put_object(Bucket="{bucket}", Key="{key}", Body=json.dumps({{"found": FOUND, "names": NAMES}}))
"""


def test_a_glue_script_sees_nothing_of_the_servers_environment(
    s3: Any, aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]
) -> None:
    glue, name = aws_client("glue"), unique("env")
    key = f"{name}/seen.json"
    s3.put_object(Bucket=BUCKET, Key=f"{name}/script.py", Body=(LOOK + PUT.format(bucket=BUCKET, key=key)).encode())
    glue.create_job(
        Name=name,
        Role=roles["glue"],
        Command={"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/{name}/script.py"},
    )
    run_id = glue.start_job_run(JobName=name)["JobRunId"]
    wait_for_state(lambda: glue.get_job_run(JobName=name, RunId=run_id)["JobRun"], "JobRunState", "SUCCEEDED")
    check(report(s3, key))


def test_a_function_sees_nothing_of_the_servers_environment(
    aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]
) -> None:
    functions, name = aws_client("lambda"), unique("env")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("app.py", LOOK + "def answer(event, context):\n    return {'found': FOUND, 'names': NAMES}\n")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=roles["lambda"],
        Handler="app.answer",
        Code={"ZipFile": buffer.getvalue()},
        Environment={"Variables": {"MARK": "given"}},
    )
    seen = json.loads(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
    check(seen)
    assert "MARK" in seen["names"]


def test_a_processing_script_sees_nothing_of_the_servers_environment(
    s3: Any, aws_client: Callable[..., Any], roles: dict[str, str], unique: Callable[[str], str]
) -> None:
    sagemaker, name = aws_client("sagemaker"), unique("env")
    key = f"{name}/seen.json"
    s3.put_object(Bucket=BUCKET, Key=f"{name}/code/look.py", Body=(LOOK + PUT.format(bucket=BUCKET, key=key)).encode())
    code = "/opt/ml/processing/input/code"
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=roles["sagemaker"],
        AppSpecification={"ImageUri": XGBOOST_IMAGE, "ContainerEntrypoint": ["python3", f"{code}/look.py"]},
        Environment={"MARK": "given"},
        ProcessingInputs=[
            {
                "InputName": "code",
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/{name}/code/",
                    "LocalPath": code,
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    wait_for_state(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus", "Completed"
    )
    check(report(s3, key))
