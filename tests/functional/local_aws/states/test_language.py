"""The language as interpreted: data flow, errors, Retry, Catch, Parallel, Map, Wait, variables and JSONata."""

from __future__ import annotations

import datetime
import itertools
import json
from typing import Any

import pytest

MISSING = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject"}


def one(state: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    ended = (
        state
        if {"End", "Next"} & set(state) or state["Type"] in ("Choice", "Fail", "Succeed")
        else {**state, "End": True}
    )
    return {"StartAt": "S", "States": {"S": ended, **others}}


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
        (one({"Type": "Pass", "Result": {"a": 1}, "ResultPath": "$.r"}), {"k": 0}, {"k": 0, "r": {"a": 1}}),
        (one({"Type": "Pass", "Result": 1, "ResultPath": None}), {"k": 0}, {"k": 0}),
        (one({"Type": "Pass", "InputPath": "$.k", "OutputPath": "$.m"}), {"k": {"m": 2}}, 2),
        (one({"Type": "Pass", "InputPath": None}), {"k": 1}, {}),
        (
            one({"Type": "Pass", "Parameters": {"auc.$": "$.m[?(@.n=='validation:auc')].v"}}),
            {"m": [{"n": "train:auc", "v": 1}, {"n": "validation:auc", "v": 0.8}]},
            {"auc": [0.8]},
        ),
        (
            one(
                {
                    "Type": "Pass",
                    "Parameters": {"name.$": "States.Format('{}-{}-{}', $.p, $$.Execution.RedriveCount, 0)"},
                }
            ),
            {"p": "train"},
            {"name": "train-0-0"},
        ),
        (one(choice_on("$.score"), **YES), {"score": 0.95}, "yes"),
        (one(choice_on("$.score"), **YES), {"score": 0.9}, "no"),
        (one({"Type": "Succeed", "OutputPath": "$.x"}), {"x": [1]}, [1]),
        (one({"Type": "Wait", "Seconds": 0}), {"a": 1}, {"a": 1}),
        (one({"Type": "Wait", "SecondsPath": "$.s"}), {"s": 1}, {"s": 1}),
        (one({"Type": "Wait", "TimestampPath": "$.t"}), {"t": "2020-01-01T00:00:00Z"}, {"t": "2020-01-01T00:00:00Z"}),
        (
            one(
                {
                    "Type": "Parallel",
                    "Branches": [
                        one({"Type": "Pass", "Result": 1}),
                        {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}},
                    ],
                    "ResultSelector": {"first.$": "$[0]", "second.$": "$[1].k"},
                    "ResultPath": "$.both",
                }
            )
            | {},
            {"k": 5},
            {"k": 5, "both": {"first": 1, "second": 5}},
        ),
        (
            one(
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
        ),
        (
            one(
                {"Type": "Map", "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}}},
            ),
            [],
            [],
        ),
        (
            one(
                {"Type": "Pass", "Assign": {"kept.$": "$.a"}, "Result": "gone", "Next": "T"},
                T={"Type": "Pass", "Parameters": {"kept.$": "$kept"}, "End": True},
            ),
            {"a": 1},
            None,
        ),
        (
            {
                "QueryLanguage": "JSONata",
                **one(
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
        ),
    ],
)
def test_output(machines: Any, definition: dict[str, Any], data: Any, output: Any) -> None:
    # Names are unique in a definition, so nested machines of this table rename their state.
    text = json.dumps(definition)
    if definition["States"]["S"]["Type"] == "Parallel":
        nested = json.loads(text)
        branch = nested["States"]["S"]["Branches"][0]
        branch["States"] = {"B": branch["States"].pop("S")}
        branch["StartAt"] = "B"
        definition = nested
    described = machines.run(definition, data)
    if output is None:
        # Assign reads the state's result, which has no member a.
        assert described["error"] == "States.Runtime"
    else:
        assert described["status"] == "SUCCEEDED", described
        assert json.loads(described["output"]) == output


@pytest.mark.parametrize(
    ("definition", "data", "error", "cause"),
    [
        (one({"Type": "Fail", "Error": "E", "Cause": "c"}), {}, "E", "c"),
        (one({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}), {"e": "E", "c": "why"}, "E", "why"),
        (
            one({"Type": "Pass", "Parameters": {"a.$": "$.absent"}}),
            {"b": 1},
            "States.Runtime",
            "An error occurred while executing the state 'S' (entered at the event id #2). The JSONPath '$.absent' "
            "specified for the field 'a.$' could not be found in the input '{\"b\":1}'",
        ),
        (
            one(
                {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "T"}]},
                T={"Type": "Succeed"},
            ),
            {"n": 2},
            "States.NoChoiceMatched",
            "No choice rule",
        ),
        (
            one({"Type": "Pass", "Parameters": {"a.$": "States.ArrayGetItem($.l, 0)"}}),
            {"l": []},
            "States.IntrinsicFailure",
            "States.ArrayGetItem",
        ),
        (one({"Type": "Pass", "Result": 1, "ResultPath": "$.a.b"}), {"a": 1}, "States.ResultPathMatchFailure", "$.a.b"),
        (one({"Type": "Wait", "SecondsPath": "$.s"}), {"s": "soon"}, "States.Runtime", "SecondsPath"),
        (
            one(
                {
                    "Type": "Map",
                    "ItemsPath": "$.x",
                    "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}},
                }
            ),
            {"x": 1},
            "States.Runtime",
            "must point to array",
        ),
        (
            {"QueryLanguage": "JSONata", **one({"Type": "Pass", "Output": "{% $states.input.none %}"})},
            {},
            "States.QueryEvaluationError",
            "undefined",
        ),
    ],
)
def test_failure(machines: Any, definition: dict[str, Any], data: Any, error: str, cause: str) -> None:
    described = machines.run(definition, data)
    assert described["status"] == "FAILED"
    assert described["error"] == error
    assert cause in described["cause"]
    last = machines.events(described["executionArn"])[-1]
    assert last["executionFailedEventDetails"] == {"error": error, "cause": described["cause"]}


@pytest.mark.parametrize(
    ("names", "caught"),
    [
        (["S3.NoSuchBucketException"], True),
        (["States.ALL"], True),
        (["States.TaskFailed"], True),
        (["States.Timeout"], False),
        (["S3.NoSuchKeyException"], False),
    ],
)
def test_catch(machines: Any, names: list[str], caught: bool) -> None:
    described = machines.run(
        one(
            {
                **MISSING,
                "Parameters": {"Bucket": "absent-bucket", "Key": "k"},
                "Catch": [{"ErrorEquals": names, "ResultPath": "$.failure", "Next": "Handle"}],
                "End": True,
            },
            Handle={"Type": "Pass", "End": True},
        ),
        {"kept": 1},
    )
    if not caught:
        assert described["error"] == "S3.NoSuchBucketException"
        return
    output = json.loads(described["output"])
    assert output["kept"] == 1
    assert output["failure"]["Error"] == "S3.NoSuchBucketException"
    assert "Service: S3, Status Code: 404" in output["failure"]["Cause"]
    types = machines.types(described["executionArn"])
    assert types[2:6] == ["TaskScheduled", "TaskStarted", "TaskFailed", "TaskStateExited"]


def test_states_runtime_is_neither_retried_nor_caught(machines: Any) -> None:
    described = machines.run(
        one(
            {
                **MISSING,
                "Parameters": {"Bucket.$": "$.absent", "Key": "k"},
                "Retry": [{"ErrorEquals": ["States.ALL"]}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Handle"}],
                "End": True,
            },
            Handle={"Type": "Succeed"},
        )
    )
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")


def test_a_state_without_retries_has_no_retry_count(machines: Any) -> None:
    described = machines.run(one({"Type": "Pass", "Parameters": {"n.$": "$$.State.RetryCount"}}))
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")


def test_retry_waits_longer_each_time_and_counts(machines: Any) -> None:
    described = machines.run(
        one(
            {
                **MISSING,
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


def test_a_failing_branch_stops_the_others(machines: Any) -> None:
    described = machines.run(
        one(
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


def test_task_timeout_is_an_error_of_its_own(machines: Any, states: Any, role_arn: str) -> None:
    inner = machines.create({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    described = machines.run(
        one(
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
    # The job is stopped, not abandoned.
    stopped = machines.finish(inner.replace(":stateMachine:", ":execution:") + ":inner")
    assert stopped["status"] == "ABORTED"


def test_stopping_stops_the_job_that_is_waited_for(machines: Any, states: Any) -> None:
    inner = machines.create({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    arn = machines.start(
        one(
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


def test_a_failed_job_carries_its_description(machines: Any) -> None:
    inner = machines.create(one({"Type": "Fail", "Error": "Inner", "Cause": "because"}))
    described = machines.run(
        one(
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


def test_task_token(machines: Any, states: Any, client: Any) -> None:
    queue = client("sqs").create_queue(QueueName=f"tokens-{datetime.datetime.now():%H%M%S%f}")["QueueUrl"]
    definition = one(
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


def test_sns_and_sdk_calls(machines: Any, client: Any) -> None:
    topic = client("sns").create_topic(Name="conformance")["TopicArn"]
    described = machines.run(
        one(
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
        one({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sns:listTopics", "Parameters": {}})
    )
    assert {"TopicArn": topic} in json.loads(listed["output"])["Topics"]


def test_too_much_data_is_refused(machines: Any, client: Any) -> None:
    s3 = client("s3")
    bucket = f"large-{datetime.datetime.now():%H%M%S%f}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 262_144)
    described = machines.run(
        one({**MISSING, "Parameters": {"Bucket": bucket, "Key": "k"}, "ResultSelector": {"n": 1}}), {}
    )
    assert described["error"] == "States.DataLimitExceeded"
