"""The language as interpreted: data flow, errors, branches, waits, variables and JSONata."""

from __future__ import annotations

import datetime
import itertools
import json
from typing import Any

import pytest

from tests.fixtures.state_machines import READ_OBJECT, Machines, machine_of


def choice_on(path: str) -> dict[str, Any]:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": path, "NumericGreaterThan": 0.9, "Next": "Yes"}],
        "Default": "No",
    }


YES = {"Yes": {"Type": "Pass", "Result": "yes", "End": True}, "No": {"Type": "Pass", "Result": "no", "End": True}}


@pytest.mark.parametrize(
    ("definition", "data", "output"),
    [
        pytest.param(
            machine_of({"Type": "Pass", "Result": {"a": 1}, "ResultPath": "$.r"}),
            {"k": 0},
            {"k": 0, "r": {"a": 1}},
            id="Pass puts Result at ResultPath",
        ),
        pytest.param(
            machine_of({"Type": "Pass", "Result": 1, "ResultPath": None}),
            {"k": 0},
            {"k": 0},
            id="Pass with ResultPath null keeps the input",
        ),
        pytest.param(
            machine_of({"Type": "Pass", "InputPath": "$.k", "OutputPath": "$.m"}),
            {"k": {"m": 2}},
            2,
            id="Pass filters by InputPath and OutputPath",
        ),
        pytest.param(
            machine_of({"Type": "Pass", "InputPath": None}), {"k": 1}, {}, id="InputPath null gives an empty object"
        ),
        pytest.param(
            machine_of({"Type": "Pass", "Parameters": {"auc.$": "$.m[?(@.n=='validation:auc')].v"}}),
            {"m": [{"n": "train:auc", "v": 1}, {"n": "validation:auc", "v": 0.8}]},
            {"auc": [0.8]},
            id="a filter in Parameters selects a list",
        ),
        pytest.param(
            machine_of(
                {
                    "Type": "Pass",
                    "Parameters": {"name.$": "States.Format('{}-{}-{}', $.p, $$.Execution.RedriveCount, 0)"},
                }
            ),
            {"p": "train"},
            {"name": "train-0-0"},
            id="States.Format reads the context object",
        ),
        pytest.param(machine_of(choice_on("$.score"), **YES), {"score": 0.95}, "yes", id="Choice whose rule matches"),
        pytest.param(
            machine_of(choice_on("$.score"), **YES), {"score": 0.9}, "no", id="Choice whose rule does not match"
        ),
        pytest.param(
            machine_of({"Type": "Succeed", "OutputPath": "$.x"}), {"x": [1]}, [1], id="Succeed filters by OutputPath"
        ),
        pytest.param(machine_of({"Type": "Wait", "Seconds": 0}), {"a": 1}, {"a": 1}, id="Wait of no seconds"),
        pytest.param(
            machine_of({"Type": "Wait", "SecondsPath": "$.s"}), {"s": 1}, {"s": 1}, id="Wait of seconds from a path"
        ),
        pytest.param(
            machine_of({"Type": "Wait", "TimestampPath": "$.t"}),
            {"t": "2020-01-01T00:00:00Z"},
            {"t": "2020-01-01T00:00:00Z"},
            id="Wait until a moment that has passed",
        ),
        pytest.param(
            machine_of(
                {
                    "Type": "Parallel",
                    "Branches": [
                        {"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": 1, "End": True}}},
                        {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}},
                    ],
                    "ResultSelector": {"first.$": "$[0]", "second.$": "$[1].k"},
                    "ResultPath": "$.both",
                }
            ),
            {"k": 5},
            {"k": 5, "both": {"first": 1, "second": 5}},
            id="Parallel joins the outputs of its branches",
        ),
        pytest.param(
            machine_of(
                {
                    "Type": "Map",
                    "ItemsPath": "$.items",
                    "MaxConcurrency": 1,
                    "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "k.$": "$.k"},
                    "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Pass", "End": True}}},
                }
            ),
            {"items": ["a", "b"], "k": 7},
            [{"i": 0, "v": "a", "k": 7}, {"i": 1, "v": "b", "k": 7}],
            id="Map selects index and value of each item",
        ),
        pytest.param(
            machine_of(
                {"Type": "Map", "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}}},
            ),
            [],
            [],
            id="Map of no items",
        ),
        pytest.param(
            {
                "QueryLanguage": "JSONata",
                **machine_of(
                    {
                        "Type": "Pass",
                        "Assign": {"total": "{% $sum($states.input.n) %}"},
                        "Output": {"n": "{% $states.input.n %}"},
                        "Next": "T",
                    },
                    T={"Type": "Choice", "Choices": [{"Condition": "{% $total > 2 %}", "Next": "U"}]},
                    U={"Type": "Succeed", "Output": "{% $total & '!' %}"},
                ),
            },
            {"n": [1, 2]},
            "3!",
            id="JSONata variables and Output",
        ),
    ],
)
def test_a_state_machine_turns_its_input_into_this_output(
    machines: Machines, definition: dict[str, Any], data: Any, output: Any
) -> None:
    described = machines.run(definition, data)
    assert described["status"] == "SUCCEEDED", described
    assert json.loads(described["output"]) == output


@pytest.mark.parametrize(
    ("definition", "data", "error", "cause"),
    [
        pytest.param(
            machine_of({"Type": "Fail", "Error": "E", "Cause": "c"}), {}, "E", "c", id="Fail with Error and Cause"
        ),
        pytest.param(
            machine_of({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}),
            {"e": "E", "c": "why"},
            "E",
            "why",
            id="Fail with ErrorPath and CausePath",
        ),
        pytest.param(
            machine_of({"Type": "Pass", "Parameters": {"a.$": "$.absent"}}),
            {"b": 1},
            "States.Runtime",
            "An error occurred while executing the state 'S' (entered at the event id #2). The JSONPath '$.absent' "
            "specified for the field 'a.$' could not be found in the input '{\"b\":1}'",
            id="path that does not exist",
        ),
        pytest.param(
            machine_of(
                {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "T"}]},
                T={"Type": "Succeed"},
            ),
            {"n": 2},
            "States.NoChoiceMatched",
            "No choice rule",
            id="no rule matches and there is no Default",
        ),
        pytest.param(
            machine_of({"Type": "Pass", "Parameters": {"a.$": "States.ArrayGetItem($.l, 0)"}}),
            {"l": []},
            "States.IntrinsicFailure",
            "States.ArrayGetItem",
            id="intrinsic function out of bounds",
        ),
        pytest.param(
            machine_of({"Type": "Pass", "Result": 1, "ResultPath": "$.a.b"}),
            {"a": 1},
            "States.ResultPathMatchFailure",
            "$.a.b",
            id="ResultPath through a number",
        ),
        pytest.param(
            machine_of({"Type": "Wait", "SecondsPath": "$.s"}),
            {"s": "soon"},
            "States.Runtime",
            "SecondsPath",
            id="SecondsPath to a text",
        ),
        pytest.param(
            machine_of(
                {
                    "Type": "Map",
                    "ItemsPath": "$.x",
                    "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}},
                }
            ),
            {"x": 1},
            "States.Runtime",
            "must point to array",
            id="ItemsPath to a number",
        ),
        pytest.param(
            machine_of(
                {"Type": "Pass", "Assign": {"kept.$": "$.a"}, "Result": "gone", "Next": "T"},
                T={"Type": "Pass", "Parameters": {"kept.$": "$kept"}, "End": True},
            ),
            {"a": 1},
            "States.Runtime",
            "The JSONPath '$.a' specified for the field 'kept.$' could not be found in the input '\"gone\"'",
            id="Assign reads the result and not the input",
        ),
        pytest.param(
            {"QueryLanguage": "JSONata", **machine_of({"Type": "Pass", "Output": "{% $states.input.none %}"})},
            {},
            "States.QueryEvaluationError",
            "undefined",
            id="undefined JSONata",
        ),
    ],
)
def test_a_state_machine_fails_with_error_and_cause(
    machines: Machines, definition: dict[str, Any], data: Any, error: str, cause: str
) -> None:
    described = machines.run(definition, data)
    assert described["status"] == "FAILED"
    assert described["error"] == error
    assert cause in described["cause"]
    last = machines.events(described["executionArn"])[-1]
    assert last["executionFailedEventDetails"] == {"error": error, "cause": described["cause"]}


def catching(name: str) -> dict[str, Any]:
    """Return a machine that fails with S3.NoSuchBucketException and catches ``name``."""
    return machine_of(
        {
            **READ_OBJECT,
            "Parameters": {"Bucket": "absent-bucket", "Key": "k"},
            "Catch": [{"ErrorEquals": [name], "ResultPath": "$.failure", "Next": "Handle"}],
            "End": True,
        },
        Handle={"Type": "Pass", "End": True},
    )


@pytest.mark.parametrize("name", ["States.Timeout", "S3.NoSuchKeyException"])
def test_a_catcher_of_another_error_does_not_catch(machines: Machines, name: str) -> None:
    assert machines.run(catching(name), {"kept": 1})["error"] == "S3.NoSuchBucketException"


@pytest.mark.parametrize("name", ["S3.NoSuchBucketException", "States.ALL", "States.TaskFailed"])
def test_a_catcher_of_the_error_catches_it(machines: Machines, name: str) -> None:
    described = machines.run(catching(name), {"kept": 1})
    output = json.loads(described["output"])
    assert output["kept"] == 1
    assert output["failure"]["Error"] == "S3.NoSuchBucketException"
    assert "Service: S3, Status Code: 404" in output["failure"]["Cause"]
    types = machines.types(described["executionArn"])
    assert types[2:6] == ["TaskScheduled", "TaskStarted", "TaskFailed", "TaskStateExited"]


def test_states_runtime_is_neither_retried_nor_caught(machines: Machines) -> None:
    described = machines.run(
        machine_of(
            {
                **READ_OBJECT,
                "Parameters": {"Bucket.$": "$.absent", "Key": "k"},
                "Retry": [{"ErrorEquals": ["States.ALL"]}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Handle"}],
                "End": True,
            },
            Handle={"Type": "Succeed"},
        )
    )
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")


def test_a_state_without_retries_has_no_retry_count(machines: Machines) -> None:
    described = machines.run(machine_of({"Type": "Pass", "Parameters": {"n.$": "$$.State.RetryCount"}}))
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")


def test_a_retry_waits_longer_each_time_and_is_counted(machines: Machines) -> None:
    described = machines.run(
        machine_of(
            {
                **READ_OBJECT,
                "Parameters": {
                    "Bucket": "absent-bucket",
                    "Key.$": "States.Format('attempt-{}', $$.State.RetryCount)",
                },
                "Retry": [
                    {"ErrorEquals": ["Other.Error"], "MaxAttempts": 9},
                    {
                        "ErrorEquals": ["States.TaskFailed"],
                        "IntervalSeconds": 1,
                        "BackoffRate": 5,
                        "MaxDelaySeconds": 2,
                        "MaxAttempts": 2,
                    },
                ],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Handle"}],
                "End": True,
            },
            Handle={"Type": "Succeed"},
        )
    )
    assert described["status"] == "SUCCEEDED"
    events = machines.events(described["executionArn"])
    scheduled = [event for event in events if event["type"] == "TaskScheduled"]
    keys = [json.loads(event["taskScheduledEventDetails"]["parameters"])["Key"] for event in scheduled]
    assert keys == ["attempt-0", "attempt-1", "attempt-2"]
    stamps = [event["timestamp"] for event in scheduled]
    waits = [(later - earlier) / datetime.timedelta(seconds=1) for earlier, later in itertools.pairwise(stamps)]
    assert [round(wait) for wait in waits] == [1, 2]


def test_a_failing_branch_stops_the_others(machines: Machines) -> None:
    described = machines.run(
        machine_of(
            {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Long", "States": {"Long": {"Type": "Wait", "Seconds": 600, "End": True}}},
                    {"StartAt": "Bad", "States": {"Bad": {"Type": "Fail", "Error": "Broken"}}},
                ],
                "Catch": [{"ErrorEquals": ["Broken"], "Next": "Handle"}],
                "End": True,
            },
            Handle={"Type": "Succeed", "OutputPath": "$.Error"},
        )
    )
    assert json.loads(described["output"]) == "Broken"
    types = machines.types(described["executionArn"])
    assert "ParallelStateFailed" in types
    assert "WaitStateExited" not in types


def test_a_task_that_times_out_fails_and_stops_its_job(machines: Machines) -> None:
    inner = machines.create({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    described = machines.run(
        machine_of(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Parameters": {"StateMachineArn": inner, "Name": "inner"},
                "TimeoutSeconds": 1,
            }
        )
    )
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")
    types = machines.types(described["executionArn"])
    assert types[-2:] == ["TaskTimedOut", "ExecutionFailed"]
    assert "TaskSubmitted" in types
    # The job is stopped too.
    stopped = machines.finish(inner.replace(":stateMachine:", ":execution:") + ":inner")
    assert stopped["status"] == "ABORTED"


def test_stopping_an_execution_stops_the_job_it_waits_for(machines: Machines, states: Any) -> None:
    inner = machines.create({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    arn = machines.start(
        machine_of(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync",
                "Parameters": {"StateMachineArn": inner, "Name": "inner"},
            }
        )
    )
    machines.wait_for_event(arn, "TaskSubmitted")
    states.stop_execution(executionArn=arn, error="Operator")
    assert machines.finish(inner.replace(":stateMachine:", ":execution:") + ":inner")["status"] == "ABORTED"
    types = machines.types(arn)
    assert types[-2:] == ["TaskStateAborted", "ExecutionAborted"]


def test_a_failed_job_carries_its_description(machines: Machines) -> None:
    inner = machines.create(machine_of({"Type": "Fail", "Error": "Inner", "Cause": "because"}))
    described = machines.run(
        machine_of(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Parameters": {"StateMachineArn": inner, "Input": {"a": 1}},
            }
        )
    )
    assert described["error"] == "States.TaskFailed"
    cause = json.loads(described["cause"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "Inner", "because")
    failed = machines.wait_for_event(described["executionArn"], "TaskFailed")["taskFailedEventDetails"]
    assert (failed["resourceType"], failed["resource"]) == ("states", "startExecution.sync:2")


def test_a_callback_ends_the_task_that_waits_for_its_token(machines: Machines, states: Any, client: Any) -> None:
    queue = client("sqs").create_queue(QueueName=f"tokens-{datetime.datetime.now():%H%M%S%f}")["QueueUrl"]
    definition = machine_of(
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
        }
    )

    def token() -> str:
        message = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"][0]
        client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return str(json.loads(message["Body"])["token"])

    arn = machines.start(definition)
    states.send_task_success(taskToken=token(), output='{"approved": true}')
    assert json.loads(machines.finish(arn)["output"]) == {"approved": True}
    arn = machines.start(definition)
    states.send_task_failure(taskToken=token(), error="Refused", cause="no")
    described = machines.finish(arn)
    assert (described["error"], described["cause"]) == ("Refused", "no")


def test_optimised_and_sdk_integrations_return_the_response(machines: Machines, client: Any) -> None:
    topic = client("sns").create_topic(Name="conformance")["TopicArn"]
    described = machines.run(
        machine_of(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": {"TopicArn": topic, "Message": {"a": 1}},
                "ResultSelector": {"id.$": "$.MessageId", "status.$": "$.SdkHttpMetadata.HttpStatusCode"},
            }
        )
    )
    output = json.loads(described["output"])
    assert output["id"]
    assert output["status"] == 200
    scheduled = machines.wait_for_event(described["executionArn"], "TaskScheduled")["taskScheduledEventDetails"]
    assert (scheduled["resourceType"], scheduled["resource"]) == ("sns", "publish")
    listed = machines.run(
        machine_of({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sns:listTopics", "Parameters": {}})
    )
    assert {"TopicArn": topic} in json.loads(listed["output"])["Topics"]


def test_a_result_that_is_too_large_fails(machines: Machines, client: Any) -> None:
    s3 = client("s3")
    bucket = f"large-{datetime.datetime.now():%H%M%S%f}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 262_144)
    described = machines.run(
        machine_of({**READ_OBJECT, "Parameters": {"Bucket": bucket, "Key": "k"}, "ResultSelector": {"n": 1}}), {}
    )
    assert described["error"] == "States.DataLimitExceeded"
