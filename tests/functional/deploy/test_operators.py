"""The tasks themselves, against local AWS through the Airflow connection."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from brewtrain import strict_yaml
from brewtrain.domain.errors import DeploymentError, PipelineFileError, RecipeFileError, TransientError
from brewtrain.domain.pipeline.file import parse_pipeline
from tests.fixtures.iam_roles import delete_role
from tests.functional.deploy.conftest import PIPELINE, REGION, ROLES, Workshop, ensure_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_aws.core.fault_rules import FaultRules
    from local_aws.core.server import ServerHandle

CONTEXT: dict[str, Any] = {"params": {"plan_only": False}}


@pytest.fixture
def airflow_connection(local_aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the connection, with a secret that must appear nowhere."""
    extra = {
        "region_name": REGION,
        "endpoint_url": local_aws,
        # The faults injected here are answered at once instead of after botocore's pauses.
        "config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 2}},
    }
    monkeypatch.setenv(
        "AIRFLOW_CONN_BREWTRAIN_AWS",
        json.dumps({"conn_type": "aws", "login": "testing", "password": "canary-4711", "extra": extra}),
    )
    return local_aws


@pytest.fixture
def faults(local_aws_server: ServerHandle) -> Iterator[FaultRules]:
    """Fault rules of local AWS, cleared afterwards."""
    rules = local_aws_server.front.fault_rules
    yield rules
    rules.clear()


def _run(kind: str, pipeline: str, context: dict[str, Any] | None = None) -> Any:
    from brewtrain.operators import deploy_pipeline

    # As the DAG file has read it; the tasks read the file again.
    parsed = parse_pipeline(strict_yaml.load(PIPELINE.format(name=pipeline)), source="test")
    operator = getattr(deploy_pipeline, f"{kind}DeploymentOperator")(task_id=kind.lower(), pipeline=parsed)
    return operator.execute(context or CONTEXT)


@pytest.mark.usefixtures("airflow_connection")
def test_plan_validate_apply_and_again(workshop: Workshop) -> None:
    planned = _run("Plan", workshop.name)
    _run("Validate", workshop.name)
    applied = _run("Apply", workshop.name)
    assert applied == planned
    assert [change["action"] for change in applied] == ["unchanged", "create", "create", "unchanged", *["create"] * 5]
    assert {change["action"] for change in _run("Apply", workshop.name)} == {"unchanged"}


@pytest.mark.usefixtures("airflow_connection")
def test_the_log_reads_like_a_plan_and_tells_no_secret(
    workshop: Workshop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        xcom = _run("Apply", workshop.name)
        _run("Apply", workshop.name)
    out, err = capfd.readouterr()
    text = caplog.text + out + err
    assert f"+ create     DataBrew recipe {workshop.slug}" in text
    assert f"+ create     Model package group {workshop.slug}" in text
    assert "Deployed: 7 created, 0 updated, 2 unchanged." in text
    assert f"= unchanged  DataBrew recipe {workshop.slug}" in text
    assert "Nothing to change: 9 resources are as they should be." in text
    assert "canary-4711" not in text + json.dumps(xcom)


@pytest.mark.usefixtures("airflow_connection")
def test_plan_only_changes_nothing(workshop: Workshop) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException):
        _run("Apply", workshop.name, {"params": {"plan_only": True}})
    assert set(workshop.plan().values()) == {"create", "unchanged"}


@pytest.mark.usefixtures("airflow_connection")
@pytest.mark.parametrize("service", ROLES)
def test_a_missing_role_stops_before_anything_is_made(workshop: Workshop, service: str) -> None:
    iam = workshop.client("iam")
    delete_role(iam, f"brewtrain-{service}")
    try:
        with pytest.raises(DeploymentError, match=f"role 'brewtrain-{service}' does not exist; create the roles: aws"):
            _run("Validate", workshop.name)
    finally:
        ensure_role(iam, service)


@pytest.mark.usefixtures("airflow_connection")
def test_a_definition_that_aws_refuses_is_told_with_its_place(workshop: Workshop) -> None:
    workshop.edit("statemachine/retraining.asl.json", '"Next": "', '"Next": "Nowhere ')
    with pytest.raises(DeploymentError, match=r"include/statemachine/retraining\.asl\.json.*Nowhere"):
        _run("Validate", workshop.name)


@pytest.mark.usefixtures("airflow_connection")
def test_a_recipe_with_an_unknown_operation_is_told_with_its_step(workshop: Workshop) -> None:
    workshop.write_recipe([{"Action": {"Operation": "REMOVE_NULLS", "Parameters": {"sourceColumn": "a"}}}])
    with pytest.raises(RecipeFileError, match=r"recipes/steps\.json: step 1: DataBrew has no operation 'REMOVE_NULLS'"):
        _run("Plan", workshop.name)


@pytest.mark.usefixtures("airflow_connection")
def test_a_typo_in_the_pipeline_file_is_told(workshop: Workshop) -> None:
    workshop.edit(f"pipelines/{workshop.name}.yaml", "label:", "lable:")
    with pytest.raises(PipelineFileError, match="field 'lable' is not known; did you mean 'label'"):
        _run("Plan", workshop.name)


@pytest.mark.usefixtures("airflow_connection")
def test_an_endpoint_named_by_two_files_is_refused(workshop: Workshop) -> None:
    twin = workshop.include / "pipelines" / "twin.yaml"
    text = (workshop.include / "pipelines" / f"{workshop.name}.yaml").read_text()
    twin.write_text(text.replace(f"name: {workshop.name}", "name: twin") + f"endpoint: {{name: {workshop.name}}}\n")
    with pytest.raises(DeploymentError, match=rf"named by two pipeline files.*{workshop.name}\.yaml.*twin\.yaml"):
        _run("Validate", workshop.name)


@pytest.mark.usefixtures("airflow_connection")
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"effect": "throttle"}, TransientError, "AWS throttled databrew:DescribeRecipe"),
        ({"effect": "http500"}, TransientError, "AWS failed in databrew:DescribeRecipe"),
        ({"effect": "drop"}, TransientError, "databrew could not be reached"),
        (
            {"effect": "error", "code": "AccessDeniedException", "message": "no", "status": 403},
            DeploymentError,
            "AWS denied databrew:DescribeRecipe (AccessDeniedException: no); allow it in include/cloudformation/roles",
        ),
        (
            {"effect": "error", "code": "ExpiredTokenException", "message": "old", "status": 403},
            DeploymentError,
            "renew them in the Airflow connection brewtrain_aws",
        ),
    ],
)
def test_what_aws_answers_becomes_one_sentence(
    workshop: Workshop, faults: FaultRules, fault: dict[str, Any], kind: type[Exception], words: str
) -> None:
    faults.add({"service": "databrew", "operation": "DescribeRecipe", **fault})
    with pytest.raises(kind) as caught:
        _run("Plan", workshop.name)
    assert str(caught.value).startswith(f"DataBrew recipe '{workshop.slug}': ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("airflow_connection")
def test_a_call_throttled_once_is_made_again(workshop: Workshop, faults: FaultRules) -> None:
    faults.add({"service": "glue", "operation": "CreateJob", "effect": "throttle", "times": 1})
    assert len(_run("Apply", workshop.name)) == 9


def test_a_missing_connection_is_one_sentence(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowNotFoundException

    from brewtrain.hooks.connection import AwsClientHook

    def missing(_: AwsClientHook, conn_id: str) -> Any:
        raise AirflowNotFoundException(conn_id)

    monkeypatch.setattr(AwsClientHook, "get_connection", missing)
    with pytest.raises(DeploymentError, match="Airflow connection 'brewtrain_aws' does not exist; add it: airflow"):
        _run("Plan", workshop.name)


def test_an_endpoint_out_of_reach_is_transient(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {
        "region_name": REGION,
        "endpoint_url": "http://127.0.0.1:9",
        "config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 1}},
    }
    connection = {"conn_type": "aws", "login": "x", "password": "y", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(connection))
    with pytest.raises(TransientError, match="Airflow connection 'brewtrain_aws': sts could not be reached"):
        _run("Plan", workshop.name)


def test_a_connection_without_region_is_one_sentence(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, local_aws: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    connection = {"conn_type": "aws", "login": "x", "password": "y", "extra": {"endpoint_url": local_aws}}
    monkeypatch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(connection))
    with pytest.raises(DeploymentError, match="names no region; set region_name in its extra"):
        _run("Plan", workshop.name)


def test_an_endpoint_that_is_not_there_has_no_tags(workshop: Workshop) -> None:
    from brewtrain.hooks.sagemaker_endpoint import SageMakerEndpointHook

    hook = SageMakerEndpointHook(beside=workshop.connected.connection)
    assert hook.endpoint_tags("nobody-made-this") is None


@pytest.mark.parametrize(
    ("error", "action"),
    [
        pytest.param(TransientError("x"), "retry", id="aws-unavailable"),
        pytest.param(DeploymentError("x"), "fail", id="aws-refuses"),
        pytest.param(PipelineFileError("f", ["x"]), "fail", id="a-broken-pipeline-file"),
        pytest.param(KeyError("x"), "default", id="a-bug"),
    ],
)
def test_what_airflow_tries_again(error: Exception, action: str) -> None:
    from brewtrain.retry_policy import RetryTransientErrors

    decision = RetryTransientErrors().evaluate(error, 1, 3)
    assert decision.action.value == action
    if action != "default":
        assert decision.reason == str(error).splitlines()[0]
