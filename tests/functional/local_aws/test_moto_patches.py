"""Contract of every patch of moto: the behaviour it changes, and that another moto is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.core import moto_patches

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


@pytest.mark.slow
def test_policies_of_a_stack_are_stored_and_changed_and_decided_elsewhere(aws_client: Any) -> None:
    deny = {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}  # fmt: skip

    def body(action: str) -> str:
        optional = {"Fn::If": ["Never", {"Effect": "Deny"}, {"Ref": "AWS::NoValue"}]}
        statements = [{"Effect": "Allow", "Action": action, "Resource": "*"}, optional]
        policies = [{"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}]
        role = {"RoleName": "policy-role", "AssumeRolePolicyDocument": {"Statement": []}, "Policies": policies}
        policy = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": [deny]}}
        return json.dumps(
            {
                "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
                "Resources": {
                    "Role": {"Type": "AWS::IAM::Role", "Properties": role},
                    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "policy-bucket"}},
                    "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": policy},
                },
            }
        )

    stacks, iam, s3 = aws_client("cloudformation"), aws_client("iam"), aws_client("s3")
    for action, change in (("glue:GetJob", stacks.create_stack), ("glue:GetJobs", stacks.update_stack)):
        change(StackName="policies", TemplateBody=body(action), Capabilities=["CAPABILITY_NAMED_IAM"])
        document = iam.get_role_policy(RoleName="policy-role", PolicyName="own")["PolicyDocument"]
        assert [statement["Action"] for statement in document["Statement"]] == [action]
    assert json.loads(s3.get_bucket_policy(Bucket="policy-bucket")["Policy"])["Statement"] == [deny]
    # moto would deny this, blind to the condition.
    s3.put_object(Bucket="policy-bucket", Key="k", Body=b"1")
    s3.delete_object(Bucket="policy-bucket", Key="k")
    stacks.delete_stack(StackName="policies")
    assert "policy-bucket" not in [one["Name"] for one in s3.list_buckets()["Buckets"]]


def notifying_stack(prefix: str, *, policy: bool = True) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::telling-bucket"}},
    }
    rules = [{"Name": "prefix", "Value": prefix}]
    told = {
        "Event": "s3:ObjectCreated:*",
        "Queue": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Filter": {"S3Key": {"Rules": rules}},
    }
    bucket: dict[str, Any] = {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            "BucketName": "telling-bucket",
            "NotificationConfiguration": {"QueueConfigurations": [told]},
            "VersioningConfiguration": {"Status": "Enabled"},
        },
    }
    resources: dict[str, Any] = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "told"}},
        "Bucket": bucket,
    }
    if policy:
        bucket["DependsOn"] = "Policy"
        resources["Policy"] = {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": [statement]}},
        }
    return json.dumps({"Resources": resources})


@pytest.mark.slow
def test_a_stacks_bucket_tells_its_queue_of_new_objects_as_aws_writes_it(aws_client: Any) -> None:
    stacks, s3, sqs = aws_client("cloudformation"), aws_client("s3"), aws_client("sqs")
    stacks.create_stack(StackName="telling", TemplateBody=notifying_stack("in/"))
    url = sqs.get_queue_url(QueueName="told")["QueueUrl"]

    def told() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", ())
        for one in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return [json.loads(one["Body"]) for one in found]

    assert [one["Event"] for one in told()] == ["s3:TestEvent"]
    s3.put_bucket_versioning(Bucket="telling-bucket", VersioningConfiguration={"Status": "Enabled"})
    for key in ("in/dt=2026-11-30/red flower+.csv", "out/x"):
        s3.put_object(Bucket="telling-bucket", Key=key, Body=b"12")
    ((record,),) = [one["Records"] for one in told()]
    assert record["s3"]["object"]["key"] == "in/dt%3D2026-11-30/red+flower%2B.csv"
    assert set(record["s3"]["object"]) == {"key", "size", "eTag", "versionId", "sequencer"}
    assert set(record) == {
        "eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity", "requestParameters",
        "responseElements", "s3",
    }  # fmt: skip
    stacks.update_stack(StackName="telling", TemplateBody=notifying_stack("out/"))
    s3.put_object(Bucket="telling-bucket", Key="in/y", Body=b"1")
    s3.put_object(Bucket="telling-bucket", Key="out/y", Body=b"1")
    keys = [record["s3"]["object"]["key"] for one in told() for record in one.get("Records", ())]
    assert keys == ["out/y"]


@pytest.mark.slow
def test_a_bucket_tells_no_queue_that_does_not_allow_it(aws_client: Any) -> None:
    s3, sqs = aws_client("s3"), aws_client("sqs")
    s3.create_bucket(Bucket="silent-bucket")
    sqs.create_queue(QueueName="deaf")
    for name in ("deaf", "no-such-queue"):
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        told = [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        with pytest.raises(s3.exceptions.ClientError, match="Unable to validate the following destination"):
            s3.put_bucket_notification_configuration(
                Bucket="silent-bucket", NotificationConfiguration={"QueueConfigurations": told}
            )


def test_a_request_does_not_look_for_modules(aws_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto import backends

    assert {"s3", "iam", "databrew", "sagemaker"} <= set(backends.list_of_moto_modules())
    client = aws_client("s3")
    client.list_buckets()
    monkeypatch.setattr(backends.os, "listdir", lambda path: pytest.fail(f"looked into {path}"))
    assert "Buckets" in client.list_buckets()


def test_a_listing_is_the_same_in_pages_of_any_size(aws_client: Any) -> None:
    s3, bucket = aws_client("s3"), "listed-in-pages"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    names = sorted([*(f"in/{number:02}/a b&<c>+ü.csv" for number in range(7)), "in", "in/", "out/x"])
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    s3.put_object(Bucket=bucket, Key="in/gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="in/gone")

    def listed(**options: Any) -> list[dict[str, Any]]:
        answers = []
        while True:
            answers.append(s3.list_objects_v2(Bucket=bucket, **options))
            if not answers[-1]["IsTruncated"]:
                return [one for answer in answers for one in answer.get("Contents", ())]
            options = {**options, "ContinuationToken": answers[-1]["NextContinuationToken"]}

    whole = listed()
    assert [one["Key"] for one in whole] == names
    assert [one["Size"] for one in whole] == [len(name.encode()) for name in names]
    assert {one["ETag"] for one in whole} == {s3.head_object(Bucket=bucket, Key=name)["ETag"] for name in names}
    for size in (1, 2, 3, len(names), 1000):
        assert listed(MaxKeys=size) == whole
    # With a delimiter or an owner, the page is moto's.
    assert listed(FetchOwner=True)[0].keys() == {*whole[0], "Owner"}
    assert listed(Prefix="in/0", StartAfter=names[3]) == [one for one in whole if one["Key"] > names[3]][:5]
    assert [one["Key"] for one in listed(Prefix="in/03/a b&<c>+ü")] == ["in/03/a b&<c>+ü.csv"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="in/0", MaxKeys=0)["KeyCount"] == 0
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]
    assert [one["Prefix"] for one in folders] == ["in/", "out/"]


def test_a_listing_encodes_names_as_s3_does(aws_client: Any) -> None:
    s3, bucket, bodies = aws_client("s3"), "listed-encoded", []
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="in/my file+1.csv", Body=b"x")

    def keep(response_dict: dict[str, Any], **_: Any) -> None:
        bodies.append(response_dict["body"])

    s3.meta.events.register("before-parse.s3.ListObjectsV2", keep)
    try:
        (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    finally:
        s3.meta.events.unregister("before-parse.s3.ListObjectsV2", keep)
    assert found["Key"] == "in/my file+1.csv"
    assert b"<Key>in/my+file%2B1.csv</Key>" in bodies[0]


def test_another_moto_is_refused() -> None:
    moto_patches.check_version(moto_patches.MOTO_VERSION)
    with pytest.raises(moto_patches.MotoIncompatibleError, match=r"install moto==5\.2\.5"):
        moto_patches.check_version("9.9.9")


def test_a_missing_attribute_is_named() -> None:
    with pytest.raises(moto_patches.MotoIncompatibleError, match=r"has no Thing\.gone, which local_aws extends"):
        moto_patches.attribute(type("Thing", (), {}), "gone")


def test_every_patch_has_a_test() -> None:
    stacks = test_a_stacks_state_machines_are_executable_and_its_roles_have_their_policies
    telling = test_a_stacks_bucket_tells_its_queue_of_new_objects_as_aws_writes_it
    policies = test_policies_of_a_stack_are_stored_and_changed_and_decided_elsewhere
    tests: dict[str, Any] = {
        "state_machines_of_stacks": stacks,
        "aws_managed_policies_on_demand": stacks,
        "managed_policies_of_stack_roles": stacks,
        "nothing_in_lists_of_stacks": policies,
        "inline_policies_of_stack_roles": policies,
        "bucket_policies_of_stacks": policies,
        "queue_policies_of_stacks": telling,
        "notifications_of_stack_buckets": telling,
        "events_of_buckets": test_a_bucket_tells_no_queue_that_does_not_allow_it,
        "bucket_policies_are_not_decided_twice": policies,
        "policy_simulation": "tests/functional/local_aws/test_iam_enforcement.py",
        "list_modules_once": test_a_request_does_not_look_for_modules,
        "long_listings": test_a_listing_is_the_same_in_pages_of_any_size,
    }
    assert [patch.__name__ for patch in moto_patches.PATCHES] == list(tests)
