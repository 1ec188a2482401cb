"""Life of an execution: start, describe, list, history, stop, time out, redrive."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
MISSING = {
    "Type": "Task",
    "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
    "Parameters": {"Bucket.$": "$.bucket", "Key": "flag"},
    "ResultPath": None,
}


def failure(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_start_is_idempotent_only_while_running(states: Any, machines: Any) -> None:
    arn = machines.create(WAIT)
    first = states.start_execution(stateMachineArn=arn, name="run", input='{"a": 1}')
    again = states.start_execution(stateMachineArn=arn, name="run", input='{"a":1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    expected = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    assert failure(states.start_execution, stateMachineArn=arn, name="run", input='{"a":2}') == expected
    states.stop_execution(executionArn=first["executionArn"])
    assert failure(states.start_execution, stateMachineArn=arn, name="run", input='{"a":1}') == expected


def test_nameless_executions_get_names_of_their_own(states: Any, machines: Any) -> None:
    arn = machines.create(PASS)
    arns = {states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(3)}
    assert len(arns) == 3
    assert all(len(item.rsplit(":", 1)[1]) == 36 for item in arns)


def test_bad_starts(states: Any, machines: Any) -> None:
    arn = machines.create(PASS)
    code, message = failure(states.start_execution, stateMachineArn=arn, name="a b")
    assert (code, message) == ("InvalidName", "Invalid Name: 'a b'")
    code, message = failure(states.start_execution, stateMachineArn=arn, input="{")
    assert code == "InvalidExecutionInput"
    assert message.startswith("Invalid State Machine Execution Input: '")
    code, message = failure(states.start_execution, stateMachineArn=arn, input=json.dumps("x" * 262_144))
    assert code == "InvalidExecutionInput"
    assert "262144 bytes" in message
    code, _ = failure(states.start_execution, stateMachineArn="nonsense")
    assert code == "InvalidArn"
    code, message = failure(states.start_execution, stateMachineArn=arn + "x")
    assert (code, message) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}x'")
    gone = arn.replace(":stateMachine:", ":execution:") + ":none"
    for call in (
        states.describe_execution,
        states.stop_execution,
        states.get_execution_history,
        states.redrive_execution,
    ):
        code, message = failure(call, executionArn=gone)
        assert (code, message) == ("ExecutionDoesNotExist", f"Execution Does Not Exist: '{gone}'")


def test_describe_tells_all_of_a_success(machines: Any) -> None:
    described = machines.run(PASS, {"text": "ä", "number": 1.5})
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"]) == {"text": "ä", "number": 1.5}
    assert described["startDate"] <= described["stopDate"]
    assert described["redriveCount"] == 0
    assert described["redriveStatus"] == "NOT_REDRIVABLE"
    assert described["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    assert "error" not in described


def test_string_output_is_json(machines: Any) -> None:
    assert (
        machines.run({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "x", "End": True}}})["output"] == '"x"'
    )


def test_stop_keeps_error_and_cause(states: Any, machines: Any) -> None:
    arn = machines.start(WAIT)
    machines.wait_for_event(arn, "WaitStateEntered")
    stopped = states.stop_execution(executionArn=arn, error="Operator", cause="not needed")
    described = machines.finish(arn)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Operator", "not needed")
    assert described["stopDate"] == stopped["stopDate"]
    assert described["redriveStatus"] == "REDRIVABLE"
    last = machines.events(arn)[-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Operator", "cause": "not needed"}
    assert "TaskSucceeded" not in machines.types(arn)
    # Stopping a closed execution changes nothing.
    states.stop_execution(executionArn=arn, error="Again")
    assert states.describe_execution(executionArn=arn)["error"] == "Operator"


def test_execution_timeout(machines: Any) -> None:
    described = machines.run({**WAIT, "TimeoutSeconds": 1})
    assert described["status"] == "TIMED_OUT"
    assert described["stopDate"] > described["startDate"]
    assert "error" not in described
    assert machines.types(described["executionArn"])[-1] == "ExecutionTimedOut"
    assert described["redriveStatus"] == "REDRIVABLE"


def test_list_executions(states: Any, machines: Any) -> None:
    arn = machines.create(PASS)
    names = [f"run-{index}" for index in range(5)]
    for name in names:
        started = states.start_execution(stateMachineArn=arn, name=name)
        machines.finish(started["executionArn"])
        time.sleep(0.002)
    first = states.list_executions(stateMachineArn=arn, maxResults=2)
    assert [item["name"] for item in first["executions"]] == ["run-4", "run-3"]
    rest = states.list_executions(stateMachineArn=arn, nextToken=first["nextToken"])
    assert [item["name"] for item in rest["executions"]] == ["run-2", "run-1", "run-0"]
    assert "nextToken" not in rest
    for status, count in (("SUCCEEDED", 5), ("RUNNING", 0)):
        assert len(states.list_executions(stateMachineArn=arn, statusFilter=status)["executions"]) == count
    assert len(states.list_executions(stateMachineArn=arn, redriveFilter="NOT_REDRIVEN")["executions"]) == 5
    assert states.list_executions(stateMachineArn=arn, redriveFilter="REDRIVEN")["executions"] == []
    code, _ = failure(states.list_executions, stateMachineArn=arn, nextToken="nonsense")
    assert code == "InvalidToken"
    # Only children of a Map Run can be filtered by PENDING_REDRIVE (ListExecutions).
    for status in ("NOPE", "PENDING_REDRIVE"):
        code, _ = failure(states.list_executions, stateMachineArn=arn, statusFilter=status)
        assert code == "ValidationException"


def test_history_pages_and_order(states: Any, machines: Any) -> None:
    arn = machines.run(PASS, {"a": 1})["executionArn"]
    forward = machines.events(arn)
    assert [event["type"] for event in forward] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["id"] for event in forward] == [1, 2, 3, 4]
    assert [event["previousEventId"] for event in forward] == [0, 1, 2, 3]
    assert forward[1]["stateEnteredEventDetails"]["input"] == '{"a":1}'
    backward = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=3)
    assert [event["id"] for event in backward["events"]] == [4, 3, 2]
    rest = states.get_execution_history(
        executionArn=arn, reverseOrder=True, maxResults=3, nextToken=backward["nextToken"]
    )
    assert [event["id"] for event in rest["events"]] == [1]
    bare = machines.events(arn, includeExecutionData=False)
    assert bare[1]["stateEnteredEventDetails"] == {"name": "A"}
    assert bare[3]["executionSucceededEventDetails"] == {}


def test_redrive_goes_on_from_the_failed_state(states: Any, machines: Any, client: Any) -> None:
    bucket = f"redrive-{time.time_ns()}"
    arn = machines.start(
        {
            "StartAt": "Before",
            "States": {
                "Before": {"Type": "Pass", "Next": "Read"},
                "Read": {**MISSING, "Next": "After"},
                "After": {"Type": "Pass", "Parameters": {"count.$": "$$.Execution.RedriveCount"}, "End": True},
            },
        },
        {"bucket": bucket},
    )
    described = machines.finish(arn)
    assert (described["status"], described["error"]) == ("FAILED", "S3.NoSuchBucketException")
    assert described["redriveStatus"] == "REDRIVABLE"
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    first = states.redrive_execution(executionArn=arn, clientToken="one")
    described = machines.finish(arn)
    # The bucket is there now, the object is not.
    assert (described["status"], described["error"]) == ("FAILED", "S3.NoSuchKeyException")
    assert states.redrive_execution(executionArn=arn, clientToken="one")["redriveDate"] == first["redriveDate"]
    assert states.describe_execution(executionArn=arn)["redriveCount"] == 1
    s3.put_object(Bucket=bucket, Key="flag", Body=b"1")
    states.redrive_execution(executionArn=arn, clientToken="two")
    described = machines.finish(arn)
    assert described["status"] == "SUCCEEDED"
    assert described["redriveCount"] == 2
    assert described["redriveDate"] > first["redriveDate"]
    assert json.loads(described["output"]) == {"count": 2}
    types = machines.types(arn)
    assert types.count("PassStateEntered") == 2  # Before once, After once
    assert types.count("TaskStateEntered") == 1
    assert types.count("TaskScheduled") == 3
    redriven = [event for event in machines.events(arn) if event["type"] == "ExecutionRedriven"]
    assert [event["executionRedrivenEventDetails"]["redriveCount"] for event in redriven] == [1, 2]
    listed = states.list_executions(stateMachineArn=described["stateMachineArn"], redriveFilter="REDRIVEN")
    assert [item["redriveCount"] for item in listed["executions"]] == [2]


def test_redrive_runs_only_the_branches_that_failed(states: Any, machines: Any, client: Any) -> None:
    bucket = f"branches-{time.time_ns()}"
    arn = machines.start(
        {
            "StartAt": "Both",
            "States": {
                "Both": {
                    "Type": "Parallel",
                    "Branches": [
                        {"StartAt": "Fine", "States": {"Fine": {"Type": "Pass", "Result": 1, "End": True}}},
                        {
                            "StartAt": "Pause",
                            "States": {
                                "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Read"},
                                "Read": {**MISSING, "End": True},
                            },
                        },
                    ],
                    "End": True,
                }
            },
        },
        {"bucket": bucket},
    )
    assert machines.finish(arn)["status"] == "FAILED"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key="flag", Body=b"1")
    states.redrive_execution(executionArn=arn)
    described = machines.finish(arn)
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"]) == [1, {"bucket": bucket}]
    assert machines.types(arn).count("PassStateEntered") == 1
    assert machines.types(arn).count("WaitStateEntered") == 1


def test_redrive_resets_the_retry_count(states: Any, machines: Any) -> None:
    task = {
        **MISSING,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1}],
        "End": True,
    }
    arn = machines.start({"StartAt": "Read", "States": {"Read": task}}, {"bucket": f"none-{time.time_ns()}"})
    assert machines.finish(arn)["status"] == "FAILED"
    assert machines.types(arn).count("TaskScheduled") == 2
    states.redrive_execution(executionArn=arn)
    assert machines.finish(arn)["status"] == "FAILED"
    assert machines.types(arn).count("TaskScheduled") == 4


@pytest.mark.parametrize("running", [True, False])
def test_what_cannot_be_redriven(states: Any, machines: Any, running: bool) -> None:
    arn = machines.start(WAIT if running else PASS)
    if not running:
        machines.finish(arn)
    code, message = failure(states.redrive_execution, executionArn=arn)
    assert code == "ExecutionNotRedrivable"
    assert ("RUNNING" if running else "SUCCEEDED") in message
    assert arn in message


def test_redrive_after_stop_and_after_timeout(states: Any, machines: Any) -> None:
    stopped = machines.start({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}})
    states.stop_execution(executionArn=stopped)
    states.redrive_execution(executionArn=stopped)
    assert machines.finish(stopped)["status"] == "SUCCEEDED"


def test_many_at_once(states: Any, machines: Any) -> None:
    arn = machines.create({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}})
    started = [states.start_execution(stateMachineArn=arn, name=f"n{index}")["executionArn"] for index in range(60)]
    assert {machines.finish(item)["status"] for item in started} == {"SUCCEEDED"}
