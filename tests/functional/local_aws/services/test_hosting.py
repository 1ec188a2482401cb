"""SageMaker endpoints: creation, update, roll-back, invocations, untrusted archives."""

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
from tests.fixtures.job_services import (
    BUCKET,
    XGBOOST_IMAGE,
    Refusal,
    as_csv,
    check_refusals,
    error_of,
    labelled_rows,
    log_lines,
    wait_for,
    wait_for_state,
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
    """Put archives into S3, good and bad, and return their URIs by name."""
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


def test_an_endpoint_answers_from_the_model(hosting: Hosting, aws_client: Callable[..., Any]) -> None:
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
    group = f"/aws/sagemaker/Endpoints/{hosting.name}"
    wait_for_state(lambda: {"logged": "binary:logistic" in log_of(aws_client, group)}, "logged", True)


def log_of(aws_client: Callable[..., Any], group: str) -> str:
    """Return what a log group has so far; nothing if it does not exist."""
    exists = aws_client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return "\n".join(log_lines(aws_client, group, "AllTraffic/")) if exists else ""


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


def test_invalid_payloads_are_the_models_errors(hosting: Hosting) -> None:
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


def test_an_update_serves_the_new_model(hosting: Hosting) -> None:
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


def test_an_update_keeps_the_instance_count_when_asked(hosting: Hosting) -> None:
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


def test_an_update_that_fails_is_rolled_back_silently(hosting: Hosting, local_aws: str) -> None:
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
        pytest.param(
            1, {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}, id="10% of one instance"
        ),
        pytest.param(
            1, {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}, id="50% of one instance"
        ),
        pytest.param(
            2, {"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 2}}, id="two of two instances"
        ),
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


def test_a_stuck_update_goes_on_when_it_is_released(hosting: Hosting) -> None:
    first, second = hosting.config("first"), hosting.config("second")
    hosting.create(first)
    knobs.set_endpoint_behaviour(hosting.name, "stuck")
    hosting.client.update_endpoint(EndpointName=hosting.name, EndpointConfigName=second)
    wait_for_state(hosting.describe, "EndpointStatus", "Updating")
    assert error_of(lambda: hosting.client.update_endpoint(EndpointName=hosting.name, EndpointConfigName=first))[0] == (
        "ValidationException"
    )
    knobs.set_endpoint_behaviour(hosting.name, "normal")
    assert hosting.settled()["EndpointConfigName"] == second


def test_a_creation_can_be_told_to_fail(hosting: Hosting) -> None:
    knobs.set_endpoint_behaviour(hosting.name, "fail", "no capacity", count=1)
    found = hosting.create(hosting.config("first"))
    assert (found["EndpointStatus"], found["FailureReason"]) == ("Failed", "no capacity")


def test_a_container_that_dies_comes_back(hosting: Hosting) -> None:
    from local_aws.sagemaker.variant_server import FLEETS

    hosting.create(hosting.config("first"))
    before = hosting.predict()["Body"].read()
    arn = hosting.describe()["EndpointArn"]
    server = FLEETS[arn]["AllTraffic"]
    server.stop()
    wait_for(lambda: {"alive": server.alive}, "alive", {True})
    assert hosting.predict()["Body"].read() == before


@pytest.fixture
def refusing(hosting: Hosting) -> tuple[Hosting, str]:
    """Return an endpoint that exists, and the name of its configuration and model."""
    config = hosting.config("first")
    hosting.create(config, Tags=[{"Key": "data-date", "Value": "2010-11-30"}])
    return hosting, config


ARN = "arn:aws:sagemaker:us-east-1:123456789012"
CONTAINER = {"Image": XGBOOST_IMAGE, "ModelDataUrl": "s3://x/y"}


def refused(call: Callable[[], Any], text: str) -> Refusal:
    return Refusal(call, "ValidationException", text)


def test_invalid_models_are_refused(refusing: tuple[Hosting, str], roles: dict[str, str]) -> None:
    (hosting, config), client = refusing, refusing[0].client
    check_refusals(
        {
            "model exists": refused(
                lambda: client.create_model(
                    ModelName=config, PrimaryContainer=CONTAINER, ExecutionRoleArn=hosting.role
                ),
                f'Cannot create already existing model "{ARN}:model/{config}".',
            ),
            "model does not exist": refused(
                lambda: client.describe_model(ModelName="nix"), f'Could not find model "{ARN}:model/nix".'
            ),
            "role of another service": refused(
                lambda: client.create_model(
                    ModelName="m", PrimaryContainer=CONTAINER, ExecutionRoleArn=roles["lambda"]
                ),
                f"Could not assume role {roles['lambda']}.",
            ),
            "no container": refused(
                lambda: client.create_model(ModelName="m", ExecutionRoleArn=hosting.role), "Exactly one of"
            ),
        }
    )


def test_invalid_endpoint_configs_are_refused(refusing: tuple[Hosting, str]) -> None:
    client, config = refusing[0].client, refusing[1]
    variant = {"VariantName": "v", "ModelName": config, "InstanceType": "ml.t2.medium", "InitialInstanceCount": 1}

    def create(name: str, **changes: Any) -> Callable[[], Any]:
        members = {"EndpointConfigName": name, "ProductionVariants": [variant], **changes}
        return lambda: client.create_endpoint_config(**members)

    check_refusals(
        {
            "config exists": refused(
                create(config),
                f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/{config}".',
            ),
            "config does not exist": refused(
                lambda: client.describe_endpoint_config(EndpointConfigName="nix"),
                f'Could not find endpoint configuration "{ARN}:endpoint-config/nix".',
            ),
            "model does not exist": refused(
                create("e", ProductionVariants=[{**variant, "ModelName": "nix"}]),
                f'Could not find model "{ARN}:model/nix".',
            ),
            "shadow variants": refused(
                create("e", ShadowProductionVariants=[variant]),
                "CreateEndpointConfig: local AWS does not support ShadowProductionVariants; leave it out.",
            ),
        }
    )


def test_invalid_endpoint_requests_are_refused(refusing: tuple[Hosting, str]) -> None:
    (hosting, config), client, name = refusing, refusing[0].client, refusing[0].name
    absent = f'Could not find endpoint "{ARN}:endpoint/nix".'
    check_refusals(
        {
            "endpoint exists": refused(
                lambda: client.create_endpoint(EndpointName=name, EndpointConfigName=config),
                f'Cannot create already existing endpoint "{ARN}:endpoint/{name}".',
            ),
            "config does not exist": refused(
                lambda: client.create_endpoint(EndpointName=f"{name}-b", EndpointConfigName="nix"),
                f'Could not find endpoint configuration "{ARN}:endpoint-config/nix".',
            ),
            "endpoint does not exist": refused(lambda: client.describe_endpoint(EndpointName="nix"), absent),
            "update of nothing": refused(
                lambda: client.update_endpoint(EndpointName="nix", EndpointConfigName=config), absent
            ),
            "delete of nothing": refused(lambda: client.delete_endpoint(EndpointName="nix"), absent),
        }
    )
    code, message = error_of(lambda: hosting.runtime.invoke_endpoint(EndpointName="nix", Body=b"1"))
    assert (code, message) == ("ValidationError", "Endpoint nix of account 123456789012 not found.")
    code, message = error_of(lambda: hosting.predict(TargetModel="other.tar.gz"))
    assert (code, message) == (
        "ValidationError",
        "InvokeEndpoint: local AWS does not support TargetModel; leave it out.",
    )


def test_an_endpoint_has_the_tags_of_its_creation(refusing: tuple[Hosting, str]) -> None:
    client, name = refusing[0].client, refusing[0].name
    arn = client.describe_endpoint(EndpointName=name)["EndpointArn"]
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "data-date", "Value": "2010-11-30"}]
