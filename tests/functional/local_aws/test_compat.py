"""Contract of every patch of moto: the behaviour it mends, and that it refuses another moto."""

from __future__ import annotations

import json
from typing import Any

import pytest

DEFINITION = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": "${Greeting}", "End": True}}}


def template(**properties: Any) -> str:
    machine = {
        "StateMachineName": "stacked",
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "DefinitionString": json.dumps(DEFINITION),
        "DefinitionSubstitutions": {"Greeting": "hello"},
        **properties,
    }
    role = {
        "RoleName": "stack-role",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    }
    return json.dumps(
        {
            "Resources": {
                "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine},
                "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            },
            "Outputs": {"Arn": {"Value": {"Ref": "Machine"}}, "Name": {"Value": {"Fn::GetAtt": ["Machine", "Name"]}}},
        }
    )


@pytest.mark.slow
def test_a_stacks_state_machines_are_executable_and_its_roles_have_their_policies(aws_client: Any) -> None:
    stacks, states = aws_client("cloudformation"), aws_client("stepfunctions")
    stacks.create_stack(StackName="stack", TemplateBody=template(), Capabilities=["CAPABILITY_NAMED_IAM"])
    outputs = {
        item["OutputKey"]: item["OutputValue"]
        for item in stacks.describe_stacks(StackName="stack")["Stacks"][0]["Outputs"]
    }
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:stacked"
    assert outputs == {"Arn": arn, "Name": "stacked"}
    assert '"hello"' in states.describe_state_machine(stateMachineArn=arn)["definition"]
    states.start_execution(stateMachineArn=arn)
    stacks.update_stack(
        StackName="stack",
        TemplateBody=template(DefinitionSubstitutions={"Greeting": "again"}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    assert '"again"' in states.describe_state_machine(stateMachineArn=arn)["definition"]
    attached = aws_client("iam").list_attached_role_policies(RoleName="stack-role")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["ReadOnlyAccess"]
    stacks.delete_stack(StackName="stack")
    listed = [item["name"] for item in states.list_state_machines()["stateMachines"]]
    assert "stacked" not in listed


def test_a_request_does_not_look_for_modules(aws_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto import backends

    assert {"s3", "iam", "databrew", "sagemaker"} <= set(backends.list_of_moto_modules())
    client = aws_client("s3")
    client.list_buckets()
    monkeypatch.setattr(backends.os, "listdir", lambda path: pytest.fail(f"looked into {path}"))
    assert "Buckets" in client.list_buckets()


def test_another_moto_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from local_aws import compat

    monkeypatch.setattr(compat, "_applied", False)
    monkeypatch.setattr(compat, "version", lambda name: "9.9.9")
    with pytest.raises(compat.MotoIncompatibleError, match=r"install moto==5\.2\.5"):
        compat.apply_patches()


def test_a_missing_attribute_is_named() -> None:
    from local_aws import compat

    with pytest.raises(compat.MotoIncompatibleError, match=r"has no Thing\.gone, which local_aws extends"):
        compat._attribute(type("Thing", (), {}), "gone")


def test_every_patch_has_a_test() -> None:
    from local_aws import compat

    assert {patch.__name__ for patch in compat.PATCHES} == {
        "_state_machines_of_stacks",
        "_aws_managed_policies_on_demand",
        "_managed_policies_of_stack_roles",
        "_bucket_policies_of_stacks",
        "_bucket_policies_are_not_decided_twice",
        "_policy_simulation",
        "_list_modules_once",
    }
