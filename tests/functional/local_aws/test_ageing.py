"""An execution can be redriven for 14 days, seen through the endpoint that makes it older."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fixtures.http_json import http_json
from tests.fixtures.job_services import wait_for

DAY_SECONDS = 86_400


def age(endpoint: str, body: Any) -> tuple[int, Any]:
    return http_json("POST", f"{endpoint}/_local/states/age", body)


@pytest.fixture
def failed(aws_client: Any) -> str:
    """Return the ARN of an execution that has failed."""
    states = aws_client("stepfunctions")
    arn = states.create_state_machine(
        name=f"ageing-{time.time_ns()}",
        roleArn="arn:aws:iam::123456789012:role/r",
        definition=json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}),
    )["stateMachineArn"]
    execution = str(states.start_execution(stateMachineArn=arn)["executionArn"])
    wait_for(lambda: states.describe_execution(executionArn=execution), "status", {"RUNNING"})
    return execution


def test_an_execution_can_be_redriven_for_fourteen_days(aws_client: Any, local_aws: str, failed: str) -> None:
    states = aws_client("stepfunctions")
    assert age(local_aws, {"executionArn": failed, "seconds": 13 * DAY_SECONDS})[0] == 200
    assert states.describe_execution(executionArn=failed)["redriveStatus"] == "REDRIVABLE"
    status, answer = age(local_aws, {"executionArn": failed, "seconds": 2 * DAY_SECONDS})
    assert (status, answer["redriveStatusReason"]) == (200, "Execution redrivable period exceeded")
    described = states.describe_execution(executionArn=failed)
    assert described["redriveStatus"] == "NOT_REDRIVABLE"
    assert described["redriveStatusReason"] == "Execution redrivable period exceeded"
    with pytest.raises(ClientError) as caught:
        states.redrive_execution(executionArn=failed)
    assert caught.value.response["Error"]["Code"] == "ExecutionNotRedrivable"


def test_a_bad_request_to_age_an_execution_is_refused(local_aws: str) -> None:
    assert age(local_aws, {"seconds": 1}) == (
        400,
        {"message": "/_local/states/age takes executionArn (string) and seconds (number)."},
    )
    gone = "arn:aws:states:us-east-1:123456789012:execution:m:none"
    assert age(local_aws, {"executionArn": gone, "seconds": 1}) == (
        400,
        {"message": f"Execution Does Not Exist: '{gone}'"},
    )
