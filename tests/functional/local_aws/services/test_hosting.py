"""SageMaker endpoints: creation, update, silent roll-back, stuck and failed ones, invocations, untrusted archives."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from local_aws.jobs import knobs
from tests.functional.local_aws.services.job_support import (
    BUCKET,
    XGBOOST_IMAGE,
    as_csv,
    error_of,
    labelled_rows,
    log_lines,
    wait_for,
    wait_until,
)

pytestmark = pytest.mark.slow
BUSY = {"Creating", "Updating", "RollingBack"}
FEATURES = "0.9,0.8,0\n-0.9,-0.8,0\n"


class Unpickled:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def archive_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def models(s3: Any) -> dict[str, str]:
    """Archives in S3, good and bad, by name."""
    import numpy
    import xgboost

    rows = numpy.array(labelled_rows(300), dtype=numpy.float32)
    matrix = xgboost.DMatrix(rows[:, 1:], label=rows[:, 0])
    made = {}
    for name, rounds in (("first", 5), ("second", 25)):
        booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, rounds)
        made[name] = archive_of({"xgboost-model": bytes(booster.save_raw("ubj"))})
    made["json"] = archive_of({"xgboost-model": bytes(booster.save_raw("json"))})
    marker = f"/tmp/unpickled-{os.getpid()}"
    made["pickle"] = archive_of({"xgboost-model": pickle.dumps(Unpickled(marker))})
    made["not an archive"] = b"this is no archive"
    made["not a model"] = archive_of({"xgboost-model": b'{"learner": 1}'})
    made["outside"] = archive_of({"../../evil": b"x"})
    made["no file"] = archive_of({".hidden": b"x"})
    uris = {}
    for name, body in made.items():
        key = f"hosting/{name.replace(' ', '-')}/model.tar.gz"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        uris[name] = f"s3://{BUCKET}/{key}"
    uris["absent"] = f"s3://{BUCKET}/hosting/absent/model.tar.gz"
    return uris


class Hosting:
    """Models, configurations and one endpoint under one name."""

    def __init__(self, client: Any, runtime: Any, role: str, models: dict[str, str], name: str) -> None:
        self.client, self.runtime, self.role, self.models, self.name = client, runtime, role, models, name

    def config(self, model: str, *, image: str = XGBOOST_IMAGE, count: int = 1, weight: float = 1.0) -> str:
        name = f"{self.name}-{model.replace(' ', '-')}-{count}"
        self.client.create_model(
            ModelName=name,
            PrimaryContainer={"Image": image, "ModelDataUrl": self.models[model]},
            ExecutionRoleArn=self.role,
        )
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": "ml.t2.medium",
            "InitialInstanceCount": count,
            "InitialVariantWeight": weight,
        }
        self.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def describe(self) -> dict[str, Any]:
        return self.client.describe_endpoint(EndpointName=self.name)

    def settled(self) -> dict[str, Any]:
        return wait_for(self.describe, "EndpointStatus", BUSY)

    def create(self, config: str, **options: Any) -> dict[str, Any]:
        self.client.create_endpoint(EndpointName=self.name, EndpointConfigName=config, **options)
        return self.settled()

    def update(self, config: str, **options: Any) -> dict[str, Any]:
        self.client.update_endpoint(EndpointName=self.name, EndpointConfigName=config, **options)
        return self.settled()

    def predict(self, body: str | bytes = FEATURES, **options: Any) -> Any:
        wanted = {"ContentType": "text/csv", **options}
        return self.runtime.invoke_endpoint(EndpointName=self.name, Body=body, **wanted)


@pytest.fixture
def hosting(
    aws_client: Callable[..., Any], roles: dict[str, str], models: dict[str, str], unique: Callable[[str], str]
) -> Any:
    made = Hosting(
        aws_client("sagemaker"), aws_client("sagemaker-runtime"), roles["sagemaker"], models, unique("endpoint")
    )
    yield made
    knobs.reset()
    if made.name in [
        entry["EndpointName"] for entry in made.client.list_endpoints(NameContains=made.name)["Endpoints"]
    ]:
        made.settled()
        made.client.delete_endpoint(EndpointName=made.name)


def test_endpoint_answers_from_the_model(hosting: Hosting, aws_client: Callable[..., Any]) -> None:
    found = hosting.create(hosting.config("first"))
    assert found["EndpointStatus"] == "InService", found.get("FailureReason")
    variant = found["ProductionVariants"][0]
    assert (variant["VariantName"], variant["CurrentInstanceCount"], variant["CurrentWeight"]) == ("AllTraffic", 1, 1.0)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == XGBOOST_IMAGE
    answer = hosting.predict()
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/csv", "AllTraffic")
    high, low = map(float, answer["Body"].read().decode().splitlines())
    assert high > 0.5 > low
    as_json = json.loads(hosting.predict(Accept="application/json")["Body"].read())
    assert as_json == {"predictions": [{"score": high}, {"score": low}]}
    as_lines = hosting.predict(Accept="application/jsonlines")["Body"].read().decode().splitlines()
    assert json.loads(as_lines[0]) == {"score": high}
    libsvm = hosting.predict("1:0.9 2:0.8 3:0\n1:-0.9 2:-0.8 3:0\n", ContentType="text/libsvm")["Body"].read()
    assert libsvm == f"{high}\n{low}\n".encode()
    missing = hosting.predict("0.9,,0\n")["Body"].read()
    assert 0 < float(missing) < 1
    assert as_csv([[1.0, 2.0]]) == b"1,2\n"
    hosting.client.delete_endpoint(EndpointName=hosting.name)
    wait_for(lambda: {"log": bool(log_streams(aws_client, hosting.name))}, "log", {False})
    assert any(
        "binary:logistic" in line
        for line in log_lines(aws_client, f"/aws/sagemaker/Endpoints/{hosting.name}", "AllTraffic/")
    )


def log_streams(aws_client: Callable[..., Any], name: str) -> list[Any]:
    prefix = f"/aws/sagemaker/Endpoints/{name}"
    return aws_client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]


REFUSED_PAYLOADS = {
    "too few features": (
        "1,2",
        {},
        400,
        "Feature size of csv inference data 2 is not consistent with feature size of trained model 3.",
    ),
    "too many features": ("1,2,3,4", {}, 400, "Feature size of csv inference data 4 is not consistent"),
    "text": ("a,b,c", {}, 415, "Loading csv data failed with Exception"),
    "content type": ("{}", {"ContentType": "application/json"}, 415, "Content-type application/json is not supported."),
    "accept": ("1,2,3", {"Accept": "text/html"}, 406, "Accept type text/html is not supported."),
    "not UTF-8": (b"\xff\xfe1,2", {}, 415, "Loading csv data failed with Exception"),
}


def test_payloads_that_the_model_refuses(hosting: Hosting) -> None:
    from botocore.exceptions import ClientError

    hosting.create(hosting.config("json"))
    for what, (body, options, status, text) in REFUSED_PAYLOADS.items():
        with pytest.raises(ClientError) as caught:
            hosting.predict(body, **options)
        response = caught.value.response
        assert response["Error"]["Code"] == "ModelError", what
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424, what
        assert (response["OriginalStatusCode"], text in response["OriginalMessage"]) == (status, True), (what, response)
        assert response["Error"]["Message"].startswith(f"Received client error ({status}) from primary with message")
    assert hosting.predict()["InvokedProductionVariant"] == "AllTraffic"


BAD_MODELS = {
    "absent": "Failed to download model data for container",
    "not an archive": "did not pass the ping health check",
    "not a model": "did not pass the ping health check",
    "pickle": "is a pickle, which local AWS does not load",
    "outside": "has a member with an unsafe name: ../../evil",
    "no file": "the model archive has no model file",
}


@pytest.mark.parametrize("model", BAD_MODELS)
def test_a_model_that_does_not_load_fails_the_creation(model: str, hosting: Hosting) -> None:
    found = hosting.create(hosting.config(model))
    assert found["EndpointStatus"] == "Failed"
    assert BAD_MODELS[model] in found["FailureReason"]
    assert not os.path.exists(f"/tmp/unpickled-{os.getpid()}")
    assert error_of(hosting.predict)[0] == "ValidationError"
    code, message = error_of(lambda: hosting.update(hosting.name))
    assert (code, "Cannot update failed endpoint" in message) == ("ValidationException", True)


def test_update_serves_the_new_model(hosting: Hosting) -> None:
    first, second = hosting.config("first"), hosting.config("second")
    hosting.create(first)
    before = hosting.predict()["Body"].read()
    knobs.set_delay("endpoint", 0.4)
    hosting.client.update_endpoint(EndpointName=hosting.name, EndpointConfigName=second)
    busy = hosting.describe()
    assert (busy["EndpointStatus"], busy["EndpointConfigName"]) == ("Updating", first)
    assert busy["PendingDeploymentSummary"]["EndpointConfigName"] == second
    assert hosting.predict()["Body"].read() == before
    arn = busy["EndpointArn"]
    assert error_of(lambda: hosting.update(first)) == (
        "ValidationException",
        f'Cannot update in-progress endpoint "{arn}".',
    )
    after = hosting.settled()
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", second)
    assert "PendingDeploymentSummary" not in after
    assert hosting.predict()["Body"].read() != before


def test_update_keeps_the_instance_count_when_asked(hosting: Hosting) -> None:
    hosting.create(hosting.config("first"))
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 4, "DesiredWeight": 0.5}]
    hosting.client.update_endpoint_weights_and_capacities(EndpointName=hosting.name, DesiredWeightsAndCapacities=wanted)
    assert hosting.settled()["ProductionVariants"][0]["CurrentInstanceCount"] == 4
    kept = hosting.update(hosting.config("second", count=2), RetainAllVariantProperties=True)
    assert kept["ProductionVariants"][0]["CurrentInstanceCount"] == 4
    partly = hosting.update(
        hosting.config("json", count=3),
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )
    variant = partly["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (3, 0.5)
    replaced = hosting.update(hosting.config("first", count=5))
    assert replaced["ProductionVariants"][0]["CurrentInstanceCount"] == 5


def test_an_update_that_fails_is_rolled_back_without_a_word(hosting: Hosting, local_aws: str) -> None:
    first = hosting.config("first")
    hosting.create(first)
    before = hosting.predict()["Body"].read()
    for config in (hosting.config("not a model"), hosting.config("absent")):
        found = hosting.update(config)
        assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", first)
        assert "FailureReason" not in found
    body = json.dumps({"behaviour": "rollback", "count": 1}).encode()
    control = urllib.request.Request(f"{local_aws}/_local/sagemaker/endpoints/{hosting.name}", data=body, method="POST")
    with urllib.request.urlopen(control) as answer:
        assert json.load(answer)["behaviour"] == "rollback"
    second = hosting.config("second")
    assert hosting.update(second)["EndpointConfigName"] == first
    assert hosting.predict()["Body"].read() == before
    assert hosting.update(second)["EndpointConfigName"] == second


def test_an_alarm_rolls_the_update_back(hosting: Hosting, aws_client: Callable[..., Any]) -> None:
    cloudwatch = aws_client("cloudwatch")
    alarm = f"{hosting.name}-latency"
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Average",
        Threshold=1.0,
    )
    deployment = {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }
    first, second = hosting.config("first"), hosting.config("second")
    hosting.create(first)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    found = hosting.update(second, DeploymentConfig=deployment)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", first)
    assert found["LastDeploymentConfig"]["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": alarm}]}
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    assert hosting.update(second, DeploymentConfig=deployment)["EndpointConfigName"] == second


@pytest.mark.parametrize(
    ("count", "routing"),
    [
        (1, {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}),
        (1, {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}),
        (2, {"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 2}}),
    ],
)
def test_a_first_shift_of_more_than_half_is_refused(hosting: Hosting, count: int, routing: dict[str, Any]) -> None:
    first, second = hosting.config("first", count=count), hosting.config("second", count=count)
    hosting.create(first)
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {**routing, "WaitIntervalInSeconds": 0}}}
    code, message = error_of(lambda: hosting.update(second, DeploymentConfig=policy))
    assert code == "ValidationException"
    assert "50%" in message
    assert hosting.describe()["EndpointConfigName"] == first


def test_stuck_and_released(hosting: Hosting) -> None:
    first, second = hosting.config("first"), hosting.config("second")
    hosting.create(first)
    knobs.set_endpoint_behaviour(hosting.name, "stuck")
    hosting.client.update_endpoint(EndpointName=hosting.name, EndpointConfigName=second)
    wait_until(hosting.describe, "EndpointStatus", "Updating")
    assert error_of(lambda: hosting.client.update_endpoint(EndpointName=hosting.name, EndpointConfigName=first))[0] == (
        "ValidationException"
    )
    knobs.set_endpoint_behaviour(hosting.name, "normal")
    assert hosting.settled()["EndpointConfigName"] == second


def test_creation_that_is_told_to_fail(hosting: Hosting) -> None:
    knobs.set_endpoint_behaviour(hosting.name, "fail", "no capacity", count=1)
    found = hosting.create(hosting.config("first"))
    assert (found["EndpointStatus"], found["FailureReason"]) == ("Failed", "no capacity")


def test_a_container_that_dies_comes_back(hosting: Hosting) -> None:
    from local_aws.sagemaker import hosting as service

    hosting.create(hosting.config("first"))
    before = hosting.predict()["Body"].read()
    arn = hosting.describe()["EndpointArn"]
    server = service._servers[arn]["AllTraffic"]
    server.stop()
    wait_for(lambda: {"alive": server.alive}, "alive", {True})
    assert hosting.predict()["Body"].read() == before


def test_refusals(hosting: Hosting, roles: dict[str, str]) -> None:
    config = hosting.config("first")
    hosting.create(config, Tags=[{"Key": "data-date", "Value": "2010-11-30"}])
    client, name = hosting.client, hosting.name
    base = "arn:aws:sagemaker:us-east-1:123456789012"
    container = {"Image": XGBOOST_IMAGE, "ModelDataUrl": "s3://x/y"}
    variant = {"VariantName": "v", "ModelName": config, "InstanceType": "ml.t2.medium", "InitialInstanceCount": 1}
    cases: dict[str, tuple[Callable[[], Any], str]] = {
        "model exists": (
            lambda: client.create_model(ModelName=config, PrimaryContainer=container, ExecutionRoleArn=hosting.role),
            f'Cannot create already existing model "{base}:model/{config}".',
        ),
        "model not there": (
            lambda: client.describe_model(ModelName="nix"),
            f'Could not find model "{base}:model/nix".',
        ),
        "model's role": (
            lambda: client.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=roles["lambda"]),
            f"Could not assume role {roles['lambda']}.",
        ),
        "no container": (lambda: client.create_model(ModelName="m", ExecutionRoleArn=hosting.role), "Exactly one of"),
        "config exists": (
            lambda: client.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant]),
            f'Cannot create already existing endpoint configuration "{base}:endpoint-config/{config}".',
        ),
        "config not there": (
            lambda: client.describe_endpoint_config(EndpointConfigName="nix"),
            f'Could not find endpoint configuration "{base}:endpoint-config/nix".',
        ),
        "config's model": (
            lambda: client.create_endpoint_config(
                EndpointConfigName="e", ProductionVariants=[{**variant, "ModelName": "nix"}]
            ),
            f'Could not find model "{base}:model/nix".',
        ),
        "endpoint exists": (
            lambda: client.create_endpoint(EndpointName=name, EndpointConfigName=config),
            f'Cannot create already existing endpoint "{base}:endpoint/{name}".',
        ),
        "endpoint's config": (
            lambda: client.create_endpoint(EndpointName=f"{name}-b", EndpointConfigName="nix"),
            f'Could not find endpoint configuration "{base}:endpoint-config/nix".',
        ),
        "endpoint not there": (
            lambda: client.describe_endpoint(EndpointName="nix"),
            f'Could not find endpoint "{base}:endpoint/nix".',
        ),
        "update of nothing": (
            lambda: client.update_endpoint(EndpointName="nix", EndpointConfigName=config),
            f'Could not find endpoint "{base}:endpoint/nix".',
        ),
        "delete of nothing": (
            lambda: client.delete_endpoint(EndpointName="nix"),
            f'Could not find endpoint "{base}:endpoint/nix".',
        ),
    }
    assert len(cases) == 12
    for what, (call, message) in cases.items():
        found = error_of(call)
        assert found[0] == "ValidationException", (what, found)
        assert message in found[1], (what, found)
    code, message = error_of(lambda: hosting.runtime.invoke_endpoint(EndpointName="nix", Body=b"1"))
    assert (code, message) == ("ValidationError", "Endpoint nix of account 123456789012 not found.")
    arn = client.describe_endpoint(EndpointName=name)["EndpointArn"]
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "data-date", "Value": "2010-11-30"}]
