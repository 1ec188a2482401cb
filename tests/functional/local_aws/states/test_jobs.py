"""State machines with real jobs: Lambda functions, heartbeats, timeouts, redriven iterations."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.state_machines import Machines, machine_of
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.slow

CODE = """
import time

def handler(event, context):
    if event.get("fail"):
        raise KeyError("label")
    time.sleep(event.get("seconds", 0))
    return {"doubled": event.get("n", 0) * 2}
"""


@pytest.fixture(scope="module")
def function(client: Any, role_arn: str) -> Iterator[str]:
    """Deploy a function and give its ARN."""
    client("iam").create_role(
        RoleName="conformance-lambda",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        ),
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code.py", CODE)
    created = client("lambda").create_function(
        FunctionName="conformance",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/conformance-lambda",
        Handler="code.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=120,
    )
    yield created["FunctionArn"]
    client("lambda").delete_function(FunctionName="conformance")
    client("iam").delete_role(RoleName="conformance-lambda")


def test_a_function_can_be_the_resource_of_a_task(machines: Machines, function: str) -> None:
    described = machines.run(machine_of({"Type": "Task", "Resource": function}), {"n": 21})
    assert json.loads(described["output"]) == {"doubled": 42}
    assert machines.types(described["executionArn"])[2:5] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
    ]


def test_invoking_a_function_returns_its_payload_or_its_error(machines: Machines, function: str) -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "OutputPath": "$.Payload",
    }
    assert json.loads(machines.run(machine_of(task), {"n": 2})["output"]) == {"doubled": 4}
    failed = machines.run(machine_of(task), {"fail": True})
    assert (failed["status"], failed["error"]) == ("FAILED", "KeyError")
    assert json.loads(failed["cause"])["errorMessage"] == "'label'"
    absent = machines.run(machine_of({**task, "Parameters": {"FunctionName": "absent"}}))
    assert absent["error"] == "Lambda.ResourceNotFoundException"


def test_a_slow_function_delays_neither_a_timeout_nor_a_stop(machines: Machines, states: Any, function: str) -> None:
    task = {"Type": "Task", "Resource": function, "TimeoutSecondsPath": "$.limit"}
    described = machines.run(machine_of(task), {"seconds": 60, "limit": 1})
    assert described["error"] == "States.Timeout"
    assert "LambdaFunctionTimedOut" in machines.types(described["executionArn"])
    arn = machines.start(machine_of(task), {"seconds": 60, "limit": 90})
    machines.wait_for_event(arn, "LambdaFunctionStarted")
    states.stop_execution(executionArn=arn)
    assert machines.finish(arn, seconds=10)["status"] == "ABORTED"


def test_a_task_whose_worker_is_silent_misses_its_heartbeat(machines: Machines, client: Any) -> None:
    queue = client("sqs").create_queue(QueueName="heartbeat")["QueueUrl"]
    described = machines.run(
        machine_of(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
                "HeartbeatSeconds": 1,
                "TimeoutSeconds": 60,
            }
        )
    )
    assert described["error"] == "States.HeartbeatTimeout"


def test_a_redrive_runs_only_the_iterations_that_failed(machines: Machines, states: Any, client: Any) -> None:
    bucket = f"iterations-{time.time_ns()}"
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    arn = machines.start(
        machine_of(
            {
                "Type": "Map",
                "MaxConcurrency": 1,
                "ItemProcessor": {
                    "StartAt": "Read",
                    "States": {
                        "Read": {
                            "Type": "Task",
                            "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
                            "Parameters": {"Bucket": bucket, "Key.$": "$"},
                            "ResultSelector": {"body.$": "$.Body"},
                            "End": True,
                        }
                    },
                },
            }
        ),
        ["a", "b"],
    )
    assert machines.finish(arn)["error"] == "S3.NoSuchKeyException"
    s3.put_object(Bucket=bucket, Key="b", Body=b"2")
    states.redrive_execution(executionArn=arn)
    assert json.loads(machines.finish(arn)["output"]) == [{"body": "1"}, {"body": "2"}]
    events = [event for event in machines.events(arn) if event["type"] == "MapIterationStarted"]
    assert [event["mapIterationStartedEventDetails"]["index"] for event in events] == [0, 1, 1]


def test_a_glue_run_is_stopped_with_its_execution_and_started_again_by_a_redrive(
    machines: Machines, states: Any, client: Any
) -> None:
    name = f"conformance-{time.time_ns()}"
    client("s3").create_bucket(Bucket=name)
    client("s3").put_object(Bucket=name, Key="sleep.py", Body=b"import time\ntime.sleep(120)\n")
    trust = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    glue = client("glue")
    glue.create_job(
        Name=name,
        Role=role,
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{name}/sleep.py", "PythonVersion": "3"},
        GlueVersion="4.0",
    )
    machine = machines.create(
        machine_of(
            {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {"JobName": name}}
        )
    )

    def found() -> list[str]:
        return sorted(run["JobRunState"] for run in glue.get_job_runs(JobName=name)["JobRuns"])

    def runs(*expected: str) -> None:
        wait_until(
            lambda: found() == sorted(expected), seconds=20, what=lambda: f"runs are {found()}, not {sorted(expected)}"
        )

    first = states.start_execution(stateMachineArn=machine)["executionArn"]
    runs("RUNNING")
    second = states.start_execution(stateMachineArn=machine)["executionArn"]
    assert machines.finish(second)["error"] == "Glue.ConcurrentRunsExceededException"
    states.stop_execution(executionArn=first, error="Operator")
    runs("STOPPED")
    states.redrive_execution(executionArn=first)
    runs("RUNNING", "STOPPED")
    states.stop_execution(executionArn=first)
    runs("STOPPED", "STOPPED")
    assert machines.types(first).count("TaskSubmitted") == 2
