"""Executions from start to redrive: describe, list, read the history, stop and time out."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.fixtures.state_machines import PASS, READ_OBJECT, WAIT, Machines, api_error, machine_of

READ_FLAG = {**READ_OBJECT, "Parameters": {"Bucket.$": "$.bucket", "Key": "flag"}, "ResultPath": None}


def test_starting_is_idempotent_only_while_the_execution_runs(states: Any, machines: Machines) -> None:
    arn = machines.create(WAIT)
    first = states.start_execution(stateMachineArn=arn, name="run", input='{"a": 1}')
    again = states.start_execution(stateMachineArn=arn, name="run", input='{"a":1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    expected = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    assert api_error(states.start_execution, stateMachineArn=arn, name="run", input='{"a":2}') == expected
    states.stop_execution(executionArn=first["executionArn"])
    assert api_error(states.start_execution, stateMachineArn=arn, name="run", input='{"a":1}') == expected


def test_each_execution_without_a_name_gets_its_own(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    arns = {states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(3)}
    assert len(arns) == 3
    assert all(len(item.rsplit(":", 1)[1]) == 36 for item in arns)


def test_a_request_for_what_is_invalid_or_absent_is_rejected(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    code, message = api_error(states.start_execution, stateMachineArn=arn, name="a b")
    assert (code, message) == ("InvalidName", "Invalid Name: 'a b'")
    code, message = api_error(states.start_execution, stateMachineArn=arn, input="{")
    assert code == "InvalidExecutionInput"
    assert message.startswith("Invalid State Machine Execution Input: '")
    code, message = api_error(states.start_execution, stateMachineArn=arn, input=json.dumps("x" * 262_144))
    assert code == "InvalidExecutionInput"
    assert "262144 bytes" in message
    code, _ = api_error(states.start_execution, stateMachineArn="nonsense")
    assert code == "InvalidArn"
    code, message = api_error(states.start_execution, stateMachineArn=arn + "x")
    assert (code, message) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}x'")
    gone = arn.replace(":stateMachine:", ":execution:") + ":none"
    for call in (
        states.describe_execution,
        states.stop_execution,
        states.get_execution_history,
        states.redrive_execution,
    ):
        code, message = api_error(call, executionArn=gone)
        assert (code, message) == ("ExecutionDoesNotExist", f"Execution Does Not Exist: '{gone}'")


def test_a_successful_execution_is_described_with_input_and_output(machines: Machines) -> None:
    described = machines.run(PASS, {"text": "ä", "number": 1.5})
    assert described["status"] == "SUCCEEDED"
    assert json.loads(described["output"]) == {"text": "ä", "number": 1.5}
    assert described["startDate"] <= described["stopDate"]
    assert described["redriveCount"] == 0
    assert described["redriveStatus"] == "NOT_REDRIVABLE"
    assert described["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    assert "error" not in described


def test_an_output_that_is_a_string_is_json(machines: Machines) -> None:
    assert machines.run(machine_of({"Type": "Pass", "Result": "x"}))["output"] == '"x"'


def test_a_stopped_execution_keeps_error_and_cause_of_the_first_stop(states: Any, machines: Machines) -> None:
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


def test_an_execution_that_takes_too_long_is_timed_out_and_redrivable(machines: Machines) -> None:
    described = machines.run({**WAIT, "TimeoutSeconds": 1})
    assert described["status"] == "TIMED_OUT"
    assert described["stopDate"] > described["startDate"]
    assert "error" not in described
    assert machines.types(described["executionArn"])[-1] == "ExecutionTimedOut"
    assert described["redriveStatus"] == "REDRIVABLE"


def test_executions_are_listed_newest_first_and_filtered(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    names = [f"run-{index}" for index in range(5)]
    for name in names:
        started = states.start_execution(stateMachineArn=arn, name=name)
        machines.finish(started["executionArn"])
    first = states.list_executions(stateMachineArn=arn, maxResults=2)
    assert [item["name"] for item in first["executions"]] == ["run-4", "run-3"]
    rest = states.list_executions(stateMachineArn=arn, nextToken=first["nextToken"])
    assert [item["name"] for item in rest["executions"]] == ["run-2", "run-1", "run-0"]
    assert "nextToken" not in rest
    for status, count in (("SUCCEEDED", 5), ("RUNNING", 0)):
        assert len(states.list_executions(stateMachineArn=arn, statusFilter=status)["executions"]) == count
    assert len(states.list_executions(stateMachineArn=arn, redriveFilter="NOT_REDRIVEN")["executions"]) == 5
    assert states.list_executions(stateMachineArn=arn, redriveFilter="REDRIVEN")["executions"] == []
    code, _ = api_error(states.list_executions, stateMachineArn=arn, nextToken="nonsense")
    assert code == "InvalidToken"
    # Only children of a Map Run can be filtered by PENDING_REDRIVE (ListExecutions).
    for status in ("NOPE", "PENDING_REDRIVE"):
        code, _ = api_error(states.list_executions, stateMachineArn=arn, statusFilter=status)
        assert code == "ValidationException"


def test_the_history_is_paged_in_both_orders_and_can_omit_data(states: Any, machines: Machines) -> None:
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


def test_a_redrive_continues_at_the_failed_state(states: Any, machines: Machines, client: Any) -> None:
    bucket = f"redrive-{time.time_ns()}"
    arn = machines.start(
        {
            "StartAt": "Before",
            "States": {
                "Before": {"Type": "Pass", "Next": "Read"},
                "Read": {**READ_FLAG, "Next": "After"},
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


def test_a_redrive_runs_only_the_branches_that_failed(states: Any, machines: Machines, client: Any) -> None:
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
                                "Read": {**READ_FLAG, "End": True},
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


def test_a_redrive_resets_the_retry_count(states: Any, machines: Machines) -> None:
    task = {
        **READ_FLAG,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1}],
        "End": True,
    }
    arn = machines.start({"StartAt": "Read", "States": {"Read": task}}, {"bucket": f"none-{time.time_ns()}"})
    assert machines.finish(arn)["status"] == "FAILED"
    assert machines.types(arn).count("TaskScheduled") == 2
    states.redrive_execution(executionArn=arn)
    assert machines.finish(arn)["status"] == "FAILED"
    assert machines.types(arn).count("TaskScheduled") == 4


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_an_execution_that_runs_or_has_succeeded_cannot_be_redriven(
    states: Any, machines: Machines, status: str
) -> None:
    arn = machines.start(WAIT) if status == "RUNNING" else machines.run(PASS)["executionArn"]
    code, message = api_error(states.redrive_execution, executionArn=arn)
    assert code == "ExecutionNotRedrivable"
    assert status in message
    assert arn in message


def test_a_stopped_execution_can_be_redriven(states: Any, machines: Machines) -> None:
    stopped = machines.start(machine_of({"Type": "Wait", "Seconds": 1}))
    states.stop_execution(executionArn=stopped)
    states.redrive_execution(executionArn=stopped)
    assert machines.finish(stopped)["status"] == "SUCCEEDED"


def test_many_executions_run_at_once(states: Any, machines: Machines) -> None:
    arn = machines.create(machine_of({"Type": "Wait", "Seconds": 1}))
    started = [states.start_execution(stateMachineArn=arn, name=f"n{index}")["executionArn"] for index in range(60)]
    assert {machines.finish(item)["status"] for item in started} == {"SUCCEEDED"}
