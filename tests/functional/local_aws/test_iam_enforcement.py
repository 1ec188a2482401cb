"""Enforcement in front of real services: who is denied what, in which form, and the record."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.iam import enforcement
from tests.fixtures.state_machines import Machines

ACCOUNT = "123456789012"
BUCKET = "iam-enforced"
NAMES = iter(range(10_000))
Client = Callable[..., Any]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(*, sid: str = "Trust", **more: Any) -> str:
    return document({"Sid": sid, "Effect": "Allow", "Action": "sts:AssumeRole", **more})


@pytest.fixture
def enforced(aws_client: Client) -> Iterator[enforcement.Enforcer]:
    """Enforce IAM for one test; the client of the fixtures is the account's root."""
    enforcer = enforcement.install()
    yield enforcer
    enforcement.uninstall()


@pytest.fixture
def bucket(aws_client: Client) -> Iterator[str]:
    s3 = aws_client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="a/x", Body=b"x")
    yield BUCKET
    s3.delete_bucket_policy(Bucket=BUCKET)
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def user(aws_client: Client, enforced: enforcement.Enforcer) -> Callable[..., Client]:
    """Give a factory of IAM users: ``user(statement, …)`` returns a factory of their clients."""

    def make(*statements: dict[str, Any]) -> Client:
        iam, name = aws_client("iam"), f"ann-{next(NAMES)}"
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return lambda service, **more: aws_client(service, **keys, **more)

    return make


def make_role(aws_client: Client, trust_policy: str, *statements: dict[str, Any], **more: Any) -> str:
    iam, name = aws_client("iam"), f"worker-{next(NAMES)}"
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust_policy, **more)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    return arn


def assume(aws_client: Client, by: Client, role_arn: str, **more: Any) -> Client:
    keys = by("sts").assume_role(RoleArn=role_arn, RoleSessionName="me", **more)["Credentials"]
    given = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    return lambda service: aws_client(service, **given)


def denial(call: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


EXECUTION = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:m:e"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/none"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
#: service, call, code, HTTP status, text of the message
FORMS = [
    pytest.param(
        "s3",
        lambda s3: s3.get_object(Bucket="b-b", Key="k"),
        "AccessDenied",
        403,
        's3:GetObject on resource: "arn:aws:s3:::b-b/k"',
        id="s3",
    ),
    pytest.param(
        "s3", lambda s3: s3.head_object(Bucket="b-b", Key="k"), "403", 403, "Forbidden", id="s3 without a body"
    ),
    pytest.param(
        "glue",
        lambda glue: glue.start_job_run(JobName="j"),
        "AccessDeniedException",
        400,
        f"glue:StartJobRun on resource: arn:aws:glue:us-east-1:{ACCOUNT}:job/j"
        " because no identity-based policy allows the glue:StartJobRun action",
        id="glue",
    ),
    pytest.param(
        "databrew",
        lambda databrew: databrew.list_jobs(),
        "AccessDeniedException",
        403,
        "databrew:ListJobs on resource: *",
        id="databrew",
    ),
    pytest.param(
        "stepfunctions",
        lambda states: states.describe_execution(executionArn=EXECUTION),
        "AccessDeniedException",
        400,
        "states:DescribeExecution",
        id="stepfunctions",
    ),
    pytest.param(
        "sagemaker",
        lambda sagemaker: sagemaker.describe_endpoint(EndpointName="e"),
        "AccessDeniedException",
        400,
        "endpoint/e",
        id="sagemaker",
    ),
    pytest.param(
        "sagemaker-runtime",
        lambda runtime: runtime.invoke_endpoint(EndpointName="e", Body=b"1"),
        "AccessDeniedException",
        403,
        "sagemaker:InvokeEndpoint",
        id="sagemaker-runtime",
    ),
    pytest.param(
        "iam", lambda iam: iam.get_role(RoleName="r"), "AccessDenied", 403, f"arn:aws:iam::{ACCOUNT}:role/r", id="iam"
    ),
    pytest.param(
        "sts",
        lambda sts: sts.assume_role(RoleArn=ROLE, RoleSessionName="me"),
        "AccessDenied",
        403,
        "sts:AssumeRole because no role trust policy allows the sts:AssumeRole action",
        id="sts",
    ),
    pytest.param(
        "sns", lambda sns: sns.publish(TopicArn=TOPIC, Message="m"), "AuthorizationError", 403, "SNS:Publish", id="sns"
    ),
    pytest.param(
        "logs",
        lambda logs: logs.describe_log_streams(logGroupName="g"),
        "AccessDeniedException",
        400,
        "log-group:g:log-stream:",
        id="logs",
    ),
]


@pytest.mark.parametrize(("service", "call", "code", "status", "text"), FORMS)
def test_a_denial_has_the_form_of_its_service(
    user: Callable[..., Client], service: str, call: Callable[[Any], Any], code: str, status: int, text: str
) -> None:
    found = denial(lambda: call(user()(service)))
    assert found[:2] == (code, status)
    assert text in found[2]
    assert found[2].startswith("User: arn:aws:iam::") or code == "403"


def test_root_is_allowed_everything_and_others_too_without_enforcement(
    aws_client: Client, user: Callable[..., Client]
) -> None:
    assert "Roles" in aws_client("iam").list_roles()
    nobody = user()
    assert denial(lambda: nobody("iam").list_roles())[0] == "AccessDenied"
    enforcement.uninstall()
    assert "Roles" in nobody("iam").list_roles()


def test_an_access_key_that_is_missing_inactive_or_unknown_is_rejected(
    aws_client: Client, user: Callable[..., Client], local_aws: str, bucket: str
) -> None:
    gone = {"aws_access_key_id": "AKIA" + "A" * 16, "aws_secret_access_key": "x"}
    assert denial(lambda: aws_client("glue", **gone).get_job(JobName="j"))[0] == "UnrecognizedClientException"
    assert denial(lambda: aws_client("s3", **gone).get_object(Bucket=bucket, Key="a/x"))[0] == "InvalidAccessKeyId"
    anyone = user(allow("*"))
    name = anyone("sts").get_caller_identity()["Arn"].rsplit("/", 1)[-1]
    key = aws_client("iam").list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"]
    aws_client("iam").update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert denial(lambda: anyone("iam").list_roles())[0] == "InvalidClientTokenId"
    with pytest.raises(urllib.error.HTTPError) as unsigned:
        urllib.request.urlopen(f"{local_aws}/{bucket}/a/x", timeout=5)
    with unsigned.value as answer:
        assert (answer.code, b"<Code>AccessDenied</Code>" in answer.read()) == (403, True)


def test_only_who_may_list_is_told_that_a_key_is_missing(user: Callable[..., Client], bucket: str) -> None:
    s3 = user(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a/*"))("s3")
    assert s3.get_object(Bucket=bucket, Key="a/x")["Body"].read() == b"x"
    assert denial(lambda: s3.get_object(Bucket=bucket, Key="b/x"))[0] == "AccessDenied"
    assert "s3:ListBucket" in denial(lambda: s3.get_object(Bucket=bucket, Key="a/none"))[2]
    lister = user(allow("s3:GetObject", "*"), allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))("s3")
    assert denial(lambda: lister.get_object(Bucket=bucket, Key="a/none"))[0] == "NoSuchKey"


def test_the_deletion_of_many_objects_is_decided_key_by_key(
    aws_client: Client, user: Callable[..., Client], bucket: str
) -> None:
    aws_client("s3").put_object(Bucket=bucket, Key="b/x", Body=b"x")
    s3 = user(allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/a/*"))("s3")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/x"}, {"Key": "b/x"}]})
    assert [one["Key"] for one in answer["Deleted"]] == ["a/x"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [("b/x", "AccessDenied")]
    assert [one["Key"] for one in aws_client("s3").list_objects_v2(Bucket=bucket)["Contents"]] == ["b/x"]


def test_listing_can_be_limited_to_a_prefix(user: Callable[..., Client], bucket: str) -> None:
    s3 = user(allow("s3:ListBucket", "*", Condition={"StringLike": {"s3:prefix": "a/*"}}))("s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="a/")["KeyCount"] == 1
    assert denial(lambda: s3.list_objects_v2(Bucket=bucket))[0] == "AccessDenied"


def test_a_bucket_policy_grants_access_and_denies_plain_http(
    aws_client: Client, user: Callable[..., Client], bucket: str
) -> None:
    everything = {"Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], "Principal": "*"}
    tls = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}, **everything}
    reader = user()
    arn = reader("sts").get_caller_identity()["Arn"]
    grant = {**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), "Principal": {"AWS": arn}}
    aws_client("s3").put_bucket_policy(Bucket=bucket, Policy=document(tls, grant))
    s3 = reader("s3")
    assert s3.get_object(Bucket=bucket, Key="a/x")["Body"].read() == b"x"
    plain = reader("s3", region_name="us-west-2")
    plain.meta.events.register(
        "before-sign.s3.*", lambda request, **_: request.headers.add_header("X-Forwarded-Proto", "http")
    )
    assert "explicit deny in a resource-based policy" in denial(lambda: plain.get_object(Bucket=bucket, Key="a/x"))[2]


def test_a_role_can_be_assumed_by_those_it_trusts(aws_client: Client, user: Callable[..., Client]) -> None:
    may = user(allow("sts:AssumeRole"))
    may_not = user()
    named = may_not("sts").get_caller_identity()["Arn"]
    by_account = make_role(aws_client, trust(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), allow("iam:ListRoles"))
    by_name = make_role(aws_client, trust(Principal={"AWS": named}))
    by_service = make_role(aws_client, trust(Principal={"Service": "glue.amazonaws.com"}))
    with_id = make_role(
        aws_client,
        trust(Principal={"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "77"}}),
    )
    session = assume(aws_client, may, by_account)
    assert "Roles" in session("iam").list_roles()
    assert "/me is not authorized to perform: iam:ListUsers" in denial(lambda: session("iam").list_users())[2]
    assert denial(lambda: assume(aws_client, may_not, by_account))[0] == "AccessDenied"
    assume(aws_client, may_not, by_name)
    assert "no role trust policy" in denial(lambda: assume(aws_client, may, by_service))[2]
    assert "no role trust policy" in denial(lambda: assume(aws_client, may, with_id))[2]
    assume(aws_client, may, with_id, ExternalId="77")


def test_a_session_policy_and_a_boundary_limit_a_role(
    aws_client: Client, user: Callable[..., Client], bucket: str
) -> None:
    iam = aws_client("iam")
    name = f"bound-{next(NAMES)}"
    boundary = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("iam:*")))["Policy"]["Arn"]
    trusted = trust(Principal={"AWS": ACCOUNT})
    everything = (allow("*"),)
    bounded = make_role(aws_client, trusted, *everything, PermissionsBoundary=boundary)
    free = make_role(aws_client, trusted, *everything)
    caller = user(allow("sts:AssumeRole"))
    session = assume(aws_client, caller, bounded)
    assert "Roles" in session("iam").list_roles()
    message = denial(lambda: session("s3").get_object(Bucket=bucket, Key="a/x"))[2]
    assert "because no permissions boundary allows the s3:GetObject action" in message
    narrowed = assume(aws_client, caller, free, Policy=document(allow("s3:*")))
    assert narrowed("s3").get_object(Bucket=bucket, Key="a/x")
    assert "no session policy allows" in denial(lambda: narrowed("iam").list_roles())[2]


def test_a_role_can_be_passed_to_the_allowed_service_only(aws_client: Client, user: Callable[..., Client]) -> None:
    role = make_role(aws_client, trust(Principal={"Service": "glue.amazonaws.com"}))
    job = {"Role": role, "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/s.py"}, "GlueVersion": "5.0"}
    to_states = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}})
    wrong = user(allow("glue:CreateJob"), to_states)("glue")
    code, _, message = denial(lambda: wrong.create_job(Name=f"j-{next(NAMES)}", **job))
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {role}" in message
    to_glue = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}})
    right = user(allow("glue:CreateJob"), to_glue)("glue")
    assert right.create_job(Name=f"j-{next(NAMES)}", **job)
    with_tags = denial(lambda: right.create_job(Name=f"j-{next(NAMES)}", Tags={"a": "b"}, **job))
    assert "glue:TagResource" in with_tags[2]


def test_a_condition_can_require_tags_of_the_request_and_of_the_resource(
    aws_client: Client, user: Callable[..., Client]
) -> None:
    def group(team: str) -> dict[str, Any]:
        name = f"g-{next(NAMES)}"
        return {"ModelPackageGroupName": name, "Tags": [{"Key": "team", "Value": team}]}

    of_blue = {"StringEquals": {"aws:RequestTag/team": "blue"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    owner = user(
        allow(["sagemaker:CreateModelPackageGroup", "sagemaker:AddTags"], Condition=of_blue),
        allow("sagemaker:DescribeModelPackageGroup", Condition={"StringEquals": {"aws:ResourceTag/team": "blue"}}),
    )("sagemaker")
    blue, red = group("blue"), group("red")
    owner.create_model_package_group(**blue)
    assert denial(lambda: owner.create_model_package_group(**red))[0] == "AccessDeniedException"
    aws_client("sagemaker").create_model_package_group(**red)
    assert owner.describe_model_package_group(ModelPackageGroupName=blue["ModelPackageGroupName"])
    refused = denial(lambda: owner.describe_model_package_group(ModelPackageGroupName=red["ModelPackageGroupName"]))
    assert "sagemaker:DescribeModelPackageGroup" in refused[2]


def test_the_role_of_a_state_machine_has_to_trust_step_functions_and_to_manage_its_rule(
    aws_client: Client, enforced: enforcement.Enforcer
) -> None:
    states = aws_client("stepfunctions")
    child = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:child"},
        "End": True,
    }
    definition = json.dumps({"StartAt": "Child", "States": {"Child": child}})

    def create(role: str) -> Any:
        return states.create_state_machine(name=f"m-{next(NAMES)}", definition=definition, roleArn=role)

    rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    events = allow(["events:PutRule", "events:PutTargets", "events:DescribeRule"], rule)
    of_states = {"Principal": {"Service": "states.amazonaws.com"}}
    stranger = make_role(aws_client, trust(Principal={"Service": "glue.amazonaws.com"}), events)
    elsewhere = {"ArnLike": {"aws:SourceArn": f"arn:aws:states:*:{ACCOUNT}:stateMachine:other-*"}}
    bound = make_role(aws_client, trust(**of_states, Condition=elsewhere), events)
    for role in (stranger, bound):
        code, _, message = denial(lambda role=role: create(role))  # type: ignore[misc]
        assert (code, "authorized to assume the provided role" in message) == ("AccessDeniedException", True)
    blind = make_role(aws_client, trust(**of_states))
    assert "not authorized to create managed-rule" in denial(lambda: create(blind))[2]
    here = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert create(make_role(aws_client, trust(**of_states, Condition=here), events))


def test_an_execution_makes_its_calls_with_its_own_role(
    aws_client: Client, enforced: enforcement.Enforcer, bucket: str
) -> None:
    states = aws_client("stepfunctions")
    read = {
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "End": True,
        "Parameters": {"Bucket": bucket, "Key": "a/x"},
    }  # fmt: skip
    role = make_role(aws_client, trust(Principal={"Service": "states.amazonaws.com"}))
    machine = states.create_state_machine(
        name=f"m-{next(NAMES)}", definition=json.dumps({"StartAt": "Read", "States": {"Read": read}}), roleArn=role
    )["stateMachineArn"]

    def run() -> dict[str, Any]:
        return Machines(states, role).finish(states.start_execution(stateMachineArn=machine)["executionArn"])

    failed = run()
    assert (failed["status"], failed["error"]) == ("FAILED", "S3.AccessDeniedException")
    assert "is not authorized to perform: s3:GetObject" in failed["cause"]
    name = role.rsplit("/", 1)[-1]
    aws_client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(allow("s3:GetObject")))
    assert run()["status"] == "SUCCEEDED"


def test_an_encrypted_bucket_requires_the_right_to_use_its_key(
    aws_client: Client, user: Callable[..., Client], bucket: str
) -> None:
    key = aws_client("kms").create_key()["KeyMetadata"]["Arn"]
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    aws_client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    s3 = user(allow("s3:*"))("s3")
    assert (
        f"kms:GenerateDataKey on resource: {key}" in denial(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"1"))[2]
    )
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    writer = user(allow("s3:*"), allow("kms:GenerateDataKey", key, Condition=via))("s3")
    writer.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert f"kms:Decrypt on resource: {key}" in denial(lambda: writer.get_object(Bucket=bucket, Key="k"))[2]
    # Objects from before the encryption are not encrypted.
    assert writer.get_object(Bucket=bucket, Key="a/x")["Body"].read() == b"x"


def test_a_simulation_decides_as_enforcement_would(aws_client: Client, user: Callable[..., Client]) -> None:
    condition = {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}}
    role = make_role(aws_client, trust(Principal={"AWS": ACCOUNT}), allow("iam:PassRole", Condition=condition))
    iam = user(allow("iam:SimulatePrincipalPolicy", role))("iam")

    def verdict(service: str) -> str:
        entry = {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": [service], "ContextKeyType": "string"}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=["iam:PassRole"], ResourceArns=["arn:aws:iam::1:role/x"],
            ContextEntries=[entry],
        )  # fmt: skip
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    assert verdict("glue.amazonaws.com") == "allowed"
    assert verdict("lambda.amazonaws.com") == "implicitDeny"
    nobody = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    root = aws_client("iam")
    assert denial(lambda: root.simulate_principal_policy(PolicySourceArn=nobody, ActionNames=["s3:GetObject"]))[0] == (
        "NoSuchEntity"
    )


def test_allowed_and_denied_checks_are_recorded(user: Callable[..., Client], bucket: str, local_aws: str) -> None:
    caller = user({**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), "Sid": "Read"})
    arn = caller("sts").get_caller_identity()["Arn"]
    for _ in range(2):
        caller("s3").get_object(Bucket=bucket, Key="a/x")
    denial(lambda: caller("s3").delete_object(Bucket=bucket, Key="a/x"))
    with urllib.request.urlopen(f"{local_aws}/_local/permissions", timeout=5) as answer:
        seen = json.load(answer)
    assert seen["mode"] == "enforce"
    (used,) = [entry for entry in seen["permissions"] if entry["principal"] == arn]
    assert (used["action"], used["resource"]) == ("s3:GetObject", f"arn:aws:s3:::{bucket}/a/x")
    assert (used["policy"], used["statement"], used["count"]) == ("own", "Read", 2)
    (denied,) = [entry for entry in seen["denied"] if entry["principal"] == arn]
    assert denied["action"] == "s3:DeleteObject"


def test_policies_attached_to_a_group_count_for_its_members(aws_client: Client, user: Callable[..., Client]) -> None:
    iam, caller, name = aws_client("iam"), user(), f"readers-{next(NAMES)}"
    who = caller("sts").get_caller_identity()["Arn"].rsplit("/", 1)[-1]
    assert denial(lambda: caller("iam").list_users())[0] == "AccessDenied"
    iam.create_group(GroupName=name)
    iam.attach_group_policy(GroupName=name, PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    iam.add_user_to_group(GroupName=name, UserName=who)
    assert "Users" in caller("iam").list_users()
