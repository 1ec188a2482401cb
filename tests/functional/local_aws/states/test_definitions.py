"""State machines, versions, aliases and validation: codes, messages and idempotency."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.fixtures.state_machines import PASS, WAIT, Machines, api_error
from tests.fixtures.waiting import wait_until

OTHER = {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}


def test_a_state_machine_is_described_and_listed_as_it_was_created(
    states: Any, machines: Machines, role_arn: str
) -> None:
    arn = machines.create(PASS, tags=[{"key": "team", "value": "ml"}])
    described = states.describe_state_machine(stateMachineArn=arn)
    assert described["status"] == "ACTIVE"
    assert described["type"] == "STANDARD"
    assert described["roleArn"] == role_arn
    assert json.loads(described["definition"]) == PASS
    assert states.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "ml"}]
    assert arn in [
        item["stateMachineArn"]
        for page in states.get_paginator("list_state_machines").paginate()
        for item in page["stateMachines"]
    ]


def test_creating_is_idempotent_for_the_same_definition_only(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    name = arn.rsplit(":", 1)[1]
    assert machines.create(PASS, name=name) == arn
    code, message = api_error(machines.create, definition=OTHER, name=name)
    assert code == "StateMachineAlreadyExists"
    assert arn in message


@pytest.mark.parametrize(
    ("definition", "code", "location"),
    [
        pytest.param("{", "INVALID_JSON_DESCRIPTION", "", id="not JSON"),
        pytest.param({"States": PASS["States"]}, "SCHEMA_VALIDATION_FAILED", "", id="without StartAt"),
        pytest.param(
            {"StartAt": "X", "States": PASS["States"]},
            "MISSING_TRANSITION_TARGET",
            "/StartAt",
            id="StartAt that does not exist",
        ),
        pytest.param(
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "X"}, "B": {"Type": "Succeed"}}},
            "MISSING_TRANSITION_TARGET",
            "/States/A/Next",
            id="Next that does not exist",
        ),
        pytest.param(
            {"StartAt": "A", "States": {"A": {"Type": "Nope", "End": True}}},
            "SCHEMA_VALIDATION_FAILED",
            "/States/A/Type",
            id="unknown state type",
        ),
        pytest.param(
            {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, "ResultPath": "$.a[*]"}}},
            "INVALID_PATH",
            "/States/A/ResultPath",
            id="ResultPath that is not a reference path",
        ),
        pytest.param(
            {
                "StartAt": "A",
                "States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::glue:nope", "End": True}},
            },
            "SCHEMA_VALIDATION_FAILED",
            "/States/A/Resource",
            id="unknown integration",
        ),
        pytest.param(
            {
                "StartAt": "A",
                "States": {
                    "A": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::aws-sdk:sagemaker:describeTrainingJob",
                        "Parameters": {"TrainingJob": "x"},
                        "End": True,
                    }
                },
            },
            "SCHEMA_VALIDATION_FAILED",
            "/States/A/Parameters/TrainingJob",
            id="unknown parameter of an API call",
        ),
        pytest.param(
            {
                "StartAt": "A",
                "States": {
                    "A": {"Type": "Pass", "Parameters": {"x.$": "States.Nope($)"}, "End": True},
                },
            },
            "INVALID_PATH",
            "/States/A/Parameters/x.$",
            id="unknown intrinsic function",
        ),
        pytest.param(
            {"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "A"}]}}},
            "SCHEMA_VALIDATION_FAILED",
            "/States/A/Choices[0]",
            id="choice rule without an operator",
        ),
    ],
)
def test_an_invalid_definition_is_rejected_and_diagnosed(
    states: Any, machines: Machines, definition: Any, code: str, location: str
) -> None:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    error, message = api_error(machines.create, definition=text)
    assert error == "InvalidDefinition"
    assert message.startswith("Invalid State Machine Definition: '")
    assert code in message
    answer = states.validate_state_machine_definition(definition=text)
    assert answer["result"] == "FAIL"
    assert answer["truncated"] is False
    assert (code, location) in [(item["code"], item.get("location", "")) for item in answer["diagnostics"]]


def test_a_warning_does_not_fail_the_validation(states: Any) -> None:
    text = json.dumps(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "B"}]},
                "B": {"Type": "Succeed"},
            },
        }
    )
    assert states.validate_state_machine_definition(definition=text)["diagnostics"] == []
    answer = states.validate_state_machine_definition(definition=text, severity="WARNING")
    assert answer["result"] == "OK"
    assert [item["severity"] for item in answer["diagnostics"]] == ["WARNING"]


def test_an_invalid_name_or_role_is_rejected(states: Any, machines: Machines, role_arn: str) -> None:
    definition = json.dumps(PASS)
    for name in ("a b", "a:b", "a/b", "a*"):
        code, message = api_error(states.create_state_machine, name=name, definition=definition, roleArn=role_arn)
        assert (code, message) == ("InvalidName", f"Invalid Name: '{name}'")
    code, message = api_error(states.create_state_machine, name="x" * 81, definition=definition, roleArn=role_arn)
    assert code == "ValidationException"
    assert "Member must have length less than or equal to 80" in message
    code, message = api_error(states.create_state_machine, name="x", definition=definition, roleArn="role")
    assert (code, message) == ("InvalidArn", "Invalid Role Arn: 'role'")


def test_an_update_makes_a_revision_only_when_something_changes(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    assert "revisionId" not in states.update_state_machine(stateMachineArn=arn, definition=json.dumps(PASS))
    first = states.update_state_machine(stateMachineArn=arn, definition=json.dumps(OTHER))["revisionId"]
    assert states.describe_state_machine(stateMachineArn=arn)["revisionId"] == first
    code, _ = api_error(states.update_state_machine, stateMachineArn=arn)
    assert code == "MissingRequiredParameter"
    code, message = api_error(states.update_state_machine, stateMachineArn=arn + "x", definition=json.dumps(PASS))
    assert (code, message) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}x'")


def test_a_version_is_immutable_and_its_number_is_never_used_again(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS, publish=True, versionDescription="first")
    assert states.describe_state_machine(stateMachineArn=f"{arn}:1")["description"] == "first"
    # Publishing an unchanged revision returns the existing version.
    assert states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:1"
    revision = states.update_state_machine(stateMachineArn=arn, definition=json.dumps(OTHER))["revisionId"]
    code, message = api_error(states.publish_state_machine_version, stateMachineArn=arn, revisionId="INITIAL")
    assert code == "ConflictException"
    assert revision in message
    published = states.publish_state_machine_version(stateMachineArn=arn, revisionId=revision)
    assert published["stateMachineVersionArn"] == f"{arn}:2"
    listed = states.list_state_machine_versions(stateMachineArn=arn, maxResults=1)
    assert [item["stateMachineVersionArn"] for item in listed["stateMachineVersions"]] == [f"{arn}:2"]
    rest = states.list_state_machine_versions(stateMachineArn=arn, nextToken=listed["nextToken"])
    assert [item["stateMachineVersionArn"] for item in rest["stateMachineVersions"]] == [f"{arn}:1"]
    assert json.loads(states.describe_state_machine(stateMachineArn=f"{arn}:1")["definition"]) == PASS
    states.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    states.delete_state_machine_version(stateMachineVersionArn=f"{arn}:1")
    code, _ = api_error(states.describe_state_machine, stateMachineArn=f"{arn}:1")
    assert code == "StateMachineDoesNotExist"
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(PASS), publish=True)
    assert states.describe_state_machine(stateMachineArn=f"{arn}:3")["stateMachineArn"] == f"{arn}:3"


def test_an_alias_routes_to_versions_and_protects_them_from_deletion(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS, publish=True)
    routing = [{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    created = states.create_state_machine_alias(name="live", routingConfiguration=routing)
    assert created["stateMachineAliasArn"] == f"{arn}:live"
    again = states.create_state_machine_alias(name="live", routingConfiguration=routing)
    assert again["creationDate"] == created["creationDate"]
    code, _ = api_error(states.create_state_machine_alias, name="live", description="x", routingConfiguration=routing)
    assert code == "ConflictException"
    code, message = api_error(states.delete_state_machine_version, stateMachineVersionArn=f"{arn}:1")
    assert code == "ConflictException"
    assert message.endswith("Current list of aliases referencing this version: [live]")
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(OTHER), publish=True)
    states.update_state_machine_alias(
        stateMachineAliasArn=f"{arn}:live",
        routingConfiguration=[
            {"stateMachineVersionArn": f"{arn}:1", "weight": 10},
            {"stateMachineVersionArn": f"{arn}:2", "weight": 90},
        ],
    )
    described = states.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:live")
    assert [item["weight"] for item in described["routingConfiguration"]] == [10, 90]
    assert [
        item["stateMachineAliasArn"]
        for item in states.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
    ] == [f"{arn}:live"]
    states.delete_state_machine_alias(stateMachineAliasArn=f"{arn}:live")
    code, _ = api_error(states.describe_state_machine_alias, stateMachineAliasArn=f"{arn}:live")
    assert code == "ResourceNotFound"


@pytest.mark.parametrize(
    ("routing", "code", "text"),
    [
        pytest.param([(1, 50)], "ValidationException", "must equal 100", id="weights below 100"),
        pytest.param([(1, 50), (1, 50)], "ValidationException", "distinct", id="one version twice"),
        pytest.param([(9, 100)], "ResourceNotFound", "does not exist", id="absent version"),
        pytest.param([("live", 100)], "ValidationException", "version ARNs", id="alias instead of a version"),
    ],
)
def test_an_invalid_routing_is_rejected(states: Any, machines: Machines, routing: Any, code: str, text: str) -> None:
    arn = machines.create(PASS, publish=True)
    configuration = [{"stateMachineVersionArn": f"{arn}:{item}", "weight": weight} for item, weight in routing]
    error, message = api_error(states.create_state_machine_alias, name="live", routingConfiguration=configuration)
    assert error == code
    assert text in message


def test_an_execution_runs_the_version_or_alias_it_was_started_with(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS, publish=True)
    states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    )
    states.update_state_machine(
        stateMachineArn=arn,
        definition=json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "New"}}}),
    )
    by_alias = states.start_execution(stateMachineArn=f"{arn}:live")["executionArn"]
    by_version = states.start_execution(stateMachineArn=f"{arn}:1")["executionArn"]
    newest = states.start_execution(stateMachineArn=arn)["executionArn"]
    described = machines.finish(by_alias)
    assert described["status"] == "SUCCEEDED"
    assert described["stateMachineArn"] == arn
    assert described["stateMachineAliasArn"] == f"{arn}:live"
    assert described["stateMachineVersionArn"] == f"{arn}:1"
    assert "stateMachineAliasArn" not in machines.finish(by_version)
    assert machines.finish(newest)["error"] == "New"

    def listed(qualified: str) -> set[str]:
        return {item["executionArn"] for item in states.list_executions(stateMachineArn=qualified)["executions"]}

    assert listed(f"{arn}:live") == {by_alias}
    assert listed(f"{arn}:1") == {by_alias, by_version}
    assert listed(arn) == {by_alias, by_version, newest}
    code, _ = api_error(states.start_execution, stateMachineArn=f"{arn}:7")
    assert code == "StateMachineDoesNotExist"


def test_deleting_is_idempotent(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    states.delete_state_machine(stateMachineArn=arn)
    states.delete_state_machine(stateMachineArn=arn)
    code, message = api_error(states.describe_state_machine, stateMachineArn=arn)
    assert (code, message) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    code, message = api_error(states.delete_state_machine, stateMachineArn="nonsense")
    assert code == "InvalidArn"
    assert re.search("nonsense", message)


def test_deleting_a_state_machine_stops_its_executions(states: Any, machines: Machines) -> None:
    execution = machines.start(WAIT)
    (arn,) = machines.arns
    states.delete_state_machine(stateMachineArn=arn)

    def listed() -> list[str]:
        return [
            item["stateMachineArn"]
            for page in states.get_paginator("list_state_machines").paginate()
            for item in page["stateMachines"]
        ]

    wait_until(lambda: arn not in listed(), seconds=10, what=f"{arn} is deleted")
    code, _ = api_error(states.start_execution, stateMachineArn=arn)
    assert code == "StateMachineDoesNotExist"
    code, _ = api_error(states.describe_execution, executionArn=execution)
    assert code == "ExecutionDoesNotExist"


def test_tags_are_added_removed_and_limited(states: Any, machines: Machines) -> None:
    arn = machines.create(PASS)
    states.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    states.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert states.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    code, _ = api_error(
        states.tag_resource, resourceArn=arn, tags=[{"key": f"k{index}", "value": ""} for index in range(50)]
    )
    assert code == "TooManyTags"
    code, message = api_error(states.list_tags_for_resource, resourceArn=arn + "x")
    assert (code, message) == ("ResourceNotFound", f"Resource not found: '{arn}x'")
