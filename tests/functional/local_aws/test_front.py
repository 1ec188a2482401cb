"""The front: health, call log, fault rules, control endpoints, and errors in AWS's form."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.fixtures.http_json import http_json
from tests.fixtures.job_services import wait_for


@pytest.fixture
def control(local_aws: str) -> Iterator[Callable[..., tuple[int, Any]]]:
    """Call a control endpoint; clears fault rules afterwards."""

    def call(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return http_json(method, f"{local_aws}/_local/{path}", body, headers)

    yield call
    call("DELETE", "faults")


def mark(control: Callable[..., tuple[int, Any]]) -> int:
    return int(control("GET", "calls")[1]["last_id"])


def test_health_lists_the_services(local_aws: str) -> None:
    status, answer = http_json("GET", f"{local_aws}/health")
    assert status == 200
    assert answer["status"] == "ok"
    assert {"s3", "iam", "sts", "states", "sns", "cloudwatch"} <= set(answer["services"])


def test_the_call_log_names_principal_operation_and_resource(aws_client: Any, control: Any) -> None:
    before = mark(control)
    s3 = aws_client("s3")
    s3.create_bucket(Bucket="call-log")
    s3.put_object(Bucket="call-log", Key="a/b c.csv", Body=b"1")
    s3.copy_object(Bucket="call-log", Key="copy", CopySource="call-log/a/b c.csv")
    s3.list_objects_v2(Bucket="call-log")
    s3.get_bucket_location(Bucket="call-log")
    with pytest.raises(ClientError):
        s3.get_object(Bucket="call-log", Key="none")
    upload = s3.create_multipart_upload(Bucket="call-log", Key="big")["UploadId"]
    s3.abort_multipart_upload(Bucket="call-log", Key="big", UploadId=upload)
    session = aws_client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="me")
    keys = session["Credentials"]
    as_role = aws_client(
        "s3",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    as_role.head_object(Bucket="call-log", Key="copy")
    aws_client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    aws_client("logs").create_log_group(logGroupName="/call/log")
    aws_client("iam").create_role(RoleName="reader", AssumeRolePolicyDocument="{}")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "call-log", "Key": "copy"})
    urllib.request.urlopen(url, timeout=10).close()
    calls = control("GET", f"calls?since_id={before}")[1]["calls"]
    bucket, root = "arn:aws:s3:::call-log", "arn:aws:iam::123456789012:root"
    expected = [
        ("s3", "CreateBucket", "s3:CreateBucket", bucket, 200, None),
        ("s3", "PutObject", "s3:PutObject", f"{bucket}/a/b c.csv", 200, None),
        ("s3", "CopyObject", "s3:PutObject", f"{bucket}/copy", 200, None),
        ("s3", "ListObjectsV2", "s3:ListBucket", bucket, 200, None),
        ("s3", "GetBucketLocation", "s3:GetBucketLocation", bucket, 200, None),
        ("s3", "GetObject", "s3:GetObject", f"{bucket}/none", 404, "NoSuchKey"),
        ("s3", "CreateMultipartUpload", "s3:PutObject", f"{bucket}/big", 200, None),
        ("s3", "AbortMultipartUpload", "s3:AbortMultipartUpload", f"{bucket}/big", 204, None),
        ("sts", "AssumeRole", "sts:AssumeRole", "arn:aws:iam::123456789012:role/reader", 200, None),
        ("s3", "HeadObject", "s3:GetObject", f"{bucket}/copy", 200, None),
        ("cloudwatch", "PutMetricData", "cloudwatch:PutMetricData", "*", 200, None),
        (
            "logs",
            "CreateLogGroup",
            "logs:CreateLogGroup",
            "arn:aws:logs:us-east-1:123456789012:log-group:/call/log:*",
            200,
            None,
        ),
        ("iam", "CreateRole", "iam:CreateRole", "arn:aws:iam::123456789012:role/reader", 200, None),
        ("s3", "GetObject", "s3:GetObject", f"{bucket}/copy", 200, None),
    ]
    names = ("service", "operation", "action", "resource", "status", "error_code")
    assert [tuple(call[name] for name in names) for call in calls] == expected
    principals = {call["operation"]: call["principal"] for call in calls}
    assert principals["PutObject"] == root
    assert principals["HeadObject"] == "arn:aws:sts::123456789012:assumed-role/reader/me"


def test_the_log_can_be_read_in_part_and_cleared(aws_client: Any, control: Any) -> None:
    aws_client("s3").list_buckets()
    since = time.time()
    aws_client("iam").list_roles()
    calls = control("GET", f"calls?since={since}&service=iam")[1]["calls"]
    assert [call["operation"] for call in calls] == ["ListRoles"]
    last = mark(control)
    control("DELETE", "calls")
    assert control("GET", "calls")[1] == {"calls": [], "last_id": last, "dropped": 0}
    assert control("GET", "calls?since=yesterday")[0] == 400


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        pytest.param("s3", "list_buckets", "SlowDown", 503, id="rest-xml"),
        pytest.param("stepfunctions", "list_state_machines", "ThrottlingException", 400, id="json"),
        pytest.param("sts", "get_caller_identity", "Throttling", 400, id="query"),
        pytest.param("cloudwatch", "list_metrics", "ThrottlingException", 400, id="cbor"),
        pytest.param("lambda", "list_functions", "TooManyRequestsException", 429, id="rest-json"),
    ],
)
def test_a_throttled_call_gets_the_services_own_error(
    aws_client: Any, control: Any, service: str, operation: str, code: str, status: int
) -> None:
    client = aws_client(service)
    rule = control("POST", "faults", {"service": service, "effect": "throttle", "nth": [1]})
    assert rule[0] == 201
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    getattr(client, operation)()
    assert control("GET", "faults")[1]["faults"][0]["applied"] == 1


def test_each_effect_of_a_rule_reaches_the_client(aws_client: Any, control: Any) -> None:
    iam = aws_client("iam")
    control("POST", "faults", {"service": "iam", "operation": "ListRoles", "effect": "http500", "times": 1})
    with pytest.raises(ClientError) as caught:
        iam.list_roles()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    iam.list_roles()
    control("DELETE", "faults")
    control("POST", "faults", {"service": "iam", "effect": "error", "code": "Busy", "message": "later", "status": 409})
    with pytest.raises(ClientError) as caught:
        iam.list_users()
    assert caught.value.response["Error"] == {"Type": "Sender", "Code": "Busy", "Message": "later"}
    control("DELETE", "faults")
    control("POST", "faults", {"service": "iam", "effect": "delay", "seconds": 0.3, "times": 1})
    started = time.monotonic()
    iam.list_users()
    assert time.monotonic() - started >= 0.3
    control("POST", "faults", {"service": "iam", "effect": "drop", "times": 1})
    with pytest.raises(HTTPClientError):
        iam.list_users()


def test_a_lost_answer_is_work_done(aws_client: Any, control: Any) -> None:
    control("POST", "faults", {"operation": "CreateBucket", "effect": "http500", "when": "after", "times": 1})
    with pytest.raises(ClientError):
        aws_client("s3").create_bucket(Bucket="lost-answer")
    aws_client("s3").head_bucket(Bucket="lost-answer")


def test_a_seed_makes_probable_faults_reproducible(aws_client: Any, control: Any) -> None:
    def outcomes() -> list[bool]:
        control("POST", "faults", {"service": "iam", "effect": "throttle", "probability": 0.4, "seed": 7})
        answers = []
        for _ in range(12):
            try:
                aws_client("iam").list_roles()
                answers.append(True)
            except ClientError:
                answers.append(False)
        control("DELETE", "faults")
        return answers

    first = outcomes()
    assert True in first
    assert False in first
    assert outcomes() == first


def test_rules_outside_their_time_do_nothing(aws_client: Any, control: Any) -> None:
    control("POST", "faults", {"effect": "throttle", "until": time.time() - 1})
    control("POST", "faults", {"effect": "throttle", "after": time.time() + 60, "for_seconds": 60})
    aws_client("iam").list_roles()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param({}, "'effect'", id="no effect"),
        pytest.param({"effect": "nope"}, "one of throttle", id="unknown effect"),
        pytest.param({"effect": "delay", "second": 1}, "'second'", id="unknown field"),
        pytest.param({"effect": "delay", "seconds": "x"}, "wrong type", id="wrong type"),
        pytest.param([], "JSON object", id="no object"),
    ],
)
def test_bad_rules_are_refused(control: Any, rule: Any, text: str) -> None:
    status, answer = control("POST", "faults", rule)
    assert status == 400
    assert text in answer["message"]


def test_unknown_control_endpoints_are_told(control: Any) -> None:
    status, answer = control("GET", "nope")
    assert status == 404
    assert "/_local/faults" in answer["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": "http://evil.example"}, 403, id="page of another site"),
        pytest.param({"Origin": "null"}, 403, id="page without origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="cross-site fetch"),
        pytest.param({"Host": "rebound.example"}, 403, id="rebound name"),
        pytest.param({"Host": "bucket.localhost:4566"}, 200, id="bucket of this machine"),
        pytest.param({"Origin": "http://localhost:8080"}, 200, id="page of this machine"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="no page"),
    ],
)
@pytest.mark.parametrize("path", ["/_local/calls", "/health"])
def test_web_pages_are_refused(local_aws: str, path: str, headers: dict[str, str], status: int) -> None:
    assert http_json("GET", f"{local_aws}{path}", headers=headers)[0] == status


def test_an_unhandled_exception_is_an_aws_error(
    aws_client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from moto.iam.models import IAMBackend

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(IAMBackend, "get_role", broken)
    with pytest.raises(ClientError) as caught:
        aws_client("iam").get_role(RoleName="x")
    error = caught.value.response
    assert error["Error"]["Code"] == "InternalFailure"
    assert "iam:GetRole" in error["Error"]["Message"]
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_sdk_retries_ride_over_faults(local_aws: str, control: Any) -> None:
    import boto3

    control("POST", "faults", {"service": "stepfunctions", "effect": "throttle", "times": 2})
    client = boto3.client(
        "stepfunctions",
        endpoint_url=local_aws,
        region_name="us-east-1",
        aws_access_key_id="t",
        aws_secret_access_key="t",
        config=Config(retries={"total_max_attempts": 4, "mode": "standard"}, proxies={}),
    )
    client.list_state_machines()
    client.close()


def test_the_role_of_a_state_machine_makes_its_calls(aws_client: Any, control: Any) -> None:
    states = aws_client("stepfunctions")
    before = mark(control)
    arn = states.create_state_machine(
        name="principal",
        roleArn="arn:aws:iam::123456789012:role/pipeline",
        definition=json.dumps(
            {
                "StartAt": "L",
                "States": {
                    "L": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets",
                        "Parameters": {},
                        "End": True,
                    }
                },
            }
        ),
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    wait_for(lambda: states.describe_execution(executionArn=execution), "status", {"RUNNING"})
    calls = control("GET", f"calls?since_id={before}&operation=ListBuckets")[1]["calls"]
    assert [call["principal"] for call in calls] == ["arn:aws:sts::123456789012:assumed-role/pipeline/StepFunctions"]
    starts = control("GET", f"calls?since_id={before}&operation=StartExecution")[1]["calls"]
    assert [call["resource"] for call in starts] == [arn]


@pytest.mark.parametrize(
    ("service", "operation", "members", "code"),
    [
        ("s3", "list_objects_v2", {"Bucket": "guarded"}, "AccessDenied"),
        ("iam", "list_roles", {}, "AccessDenied"),
        ("stepfunctions", "list_state_machines", {}, "AccessDeniedException"),
        ("databrew", "list_jobs", {}, "AccessDeniedException"),
        ("cloudwatch", "list_metrics", {}, "AccessDeniedException"),
    ],
)
def test_a_denial_reaches_every_sdk_client(
    aws_client: Any, service: str, operation: str, members: dict[str, Any], code: str
) -> None:
    from local_aws.core import authorisation

    seen = []

    def deny(call: Any) -> authorisation.Denial:
        seen.append(call)
        return authorisation.Denial(f"{call.principal.arn} may not {call.action} on {call.resource}")

    authorisation.set_authoriser(deny)
    try:
        with pytest.raises(ClientError) as caught:
            getattr(aws_client(service), operation)(**members)
    finally:
        authorisation.set_authoriser(authorisation.allow_all)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert seen[0].action in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("gamelift", "list_builds"),
        ("lambda", "get_account_settings"),
        ("databrew", "list_projects"),
        ("glue", "list_blueprints"),
        ("iam", "list_service_specific_credentials"),
    ],
)
def test_what_is_not_served_says_so(aws_client: Any, service: str, operation: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(aws_client(service), operation)()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert "local_aws does not serve" in caught.value.response["Error"]["Message"]


SIGNED = "AWS4-HMAC-SHA256 Credential=t/20240101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        pytest.param(
            "GET", "/bucket/key", {"Authorization": "Basic eA=="}, "IncompleteSignature", id="no AWS signature"
        ),
        pytest.param(
            "PATCH",
            "/2015-03-31/functions",
            {"Authorization": SIGNED.format("lambda")},
            "UnknownOperationException",
            id="unknown method",
        ),
        pytest.param(
            "POST",
            "/",
            {"Authorization": SIGNED.format("states"), "X-Amz-Target": "AWSStepFunctions.Nope"},
            "UnknownOperationException",
            id="unknown operation",
        ),
        pytest.param(
            "POST",
            "/",
            {"Authorization": SIGNED.format("states"), "X-Amz-Target": "AWSStepFunctions.ListStateMachines"},
            "SerializationException",
            id="no JSON",
        ),
    ],
)
def test_malformed_requests_get_aws_errors(
    local_aws: str, method: str, path: str, headers: dict[str, str], code: str
) -> None:
    request = urllib.request.Request(local_aws + path, data=b"{", method=method, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as error:
        assert 400 <= error.code < 500
        assert error.headers["x-amzn-errortype"] == code
        assert b"<html" not in error.read().lower()
