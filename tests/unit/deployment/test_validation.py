"""What validate_deployment finds before anything is made. Fakes answer as AWS would; no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from brewtrain.deployment.stack import Content
from brewtrain.deployment.validation import PASSED_ROLES, Validation
from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.domain.evaluation.job import Code
from brewtrain.domain.names import Account
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.execution_input import ImageTable
from tests.fixtures.pipelines import pipeline_of

CONTENT = Content(
    recipe_steps=[],
    split_script="print(1)\n",
    evaluation_code=Code(files={"gate.py": b"PASS = 'pass'\n", "evaluate.py": b"import gate\n"}),
    definition='{"StartAt": "A", "States": {}}',
)
IMAGES = ImageTable({"1.7-1": {"eu-central-1": "123.dkr.ecr.eu-central-1.amazonaws.com"}})


class FakeIam:
    """Roles by name, each with the service that may assume it."""

    def __init__(self, trusted: dict[str, str]) -> None:
        self.trusted = trusted

    def trust_policy(self, role_name: str) -> dict[str, Any] | None:
        if role_name not in self.trusted:
            return None
        principal = {"Service": f"{self.trusted[role_name]}.amazonaws.com"}
        return {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}


class FakeSageMaker:
    """One endpoint, or none."""

    def __init__(self, tags: dict[str, str] | None) -> None:
        self.tags = tags

    def endpoint_tags(self, name: str) -> dict[str, str] | None:
        return self.tags


class FakeStates:
    """Diagnostics of a definition."""

    def __init__(self, diagnostics: list[dict[str, str]]) -> None:
        self.diagnostics = diagnostics

    def validate_definition(self, definition: str) -> list[dict[str, str]]:
        return self.diagnostics


def _validate(
    *,
    trusted: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    diagnostics: list[dict[str, str]] | None = None,
    content: Content = CONTENT,
    region: str = "eu-central-1",
    claim: Callable[[Pipeline], None] = lambda pipeline: None,
) -> list[str]:
    lines: list[str] = []
    all_roles = {f"brewtrain-{service}": service for service in PASSED_ROLES}
    Validation(
        pipeline=pipeline_of(),
        content=content,
        account=Account("123456789012", region),
        images=IMAGES,
        claim=claim,
        iam=FakeIam(all_roles if trusted is None else trusted),  # type: ignore[arg-type]
        sagemaker=FakeSageMaker(tags),  # type: ignore[arg-type]
        states=FakeStates(diagnostics or []),  # type: ignore[arg-type]
    ).run(lines.append)
    return lines


def test_each_check_has_its_line() -> None:
    assert [line.split(maxsplit=1) for line in _validate()] == [
        ["ok", "state machine definition"],
        ["ok", "split script"],
        ["ok", "evaluation code"],
        ["ok", "roles"],
        ["ok", "training image"],
        ["ok", "endpoint"],
    ]


def test_a_missing_role_names_the_command() -> None:
    roles = {f"brewtrain-{service}": service for service in PASSED_ROLES if service != "glue"}
    with pytest.raises(DeploymentError) as caught:
        _validate(trusted=roles)
    assert str(caught.value) == (
        "role 'brewtrain-glue' does not exist; create the roles: aws cloudformation deploy "
        "--stack-name brewtrain-roles --template-file include/cloudformation/roles.yaml "
        "--capabilities CAPABILITY_NAMED_IAM"
    )


def test_a_role_that_another_service_assumes_is_refused() -> None:
    roles = {f"brewtrain-{service}": service for service in PASSED_ROLES} | {"brewtrain-states": "lambda"}
    with pytest.raises(DeploymentError, match=r"'brewtrain-states' may not be assumed by states\.amazonaws\.com"):
        _validate(trusted=roles)


def test_all_missing_roles_are_told_at_once() -> None:
    with pytest.raises(DeploymentError) as caught:
        _validate(trusted={})
    assert len(str(caught.value).splitlines()) == len(PASSED_ROLES)


def test_errors_of_the_definition_are_told_and_warnings_pass() -> None:
    warning = {"severity": "WARNING", "code": "W", "message": "is unusual"}
    error = {"severity": "ERROR", "code": "MISSING_TRANSITION_TARGET", "message": "no state X", "location": "/States/A"}
    assert len(_validate(diagnostics=[warning])) == 6
    with pytest.raises(DeploymentError) as caught:
        _validate(diagnostics=[warning, error])
    assert str(caught.value) == (
        "include/statemachine/retraining.asl.json at /States/A: no state X (MISSING_TRANSITION_TARGET); correct "
        "include/statemachine/workflow.py and run: make statemachine"
    )


def test_a_script_that_is_no_python_is_found() -> None:
    broken = replace(CONTENT, split_script="x = 1\ndef f(:\n")
    with pytest.raises(DeploymentError, match=r"include/glue/split\.py is not Python at line 2"):
        _validate(content=broken)


def test_evaluation_code_that_is_no_python_is_found() -> None:
    broken = replace(CONTENT, evaluation_code=Code(files={"gate.py": b"def decide(:\n", "evaluate.py": b"x = 1\n"}))
    with pytest.raises(DeploymentError, match=r"plugins/brewtrain/domain/evaluation/gate\.py is not Python at line 1"):
        _validate(content=broken)


def test_a_region_without_the_image_is_found() -> None:
    with pytest.raises(DeploymentError, match=r"region 'eu-west-9' has no built-in XGBoost image 1\.7-1"):
        _validate(region="eu-west-9")


@pytest.mark.parametrize("tags", [None, {"brewtrain:pipeline": "churn"}])
def test_an_endpoint_of_ours_or_none_is_fine(tags: dict[str, str] | None) -> None:
    assert _validate(tags=tags)[-1].startswith("ok")


@pytest.mark.parametrize(
    ("tags", "whose"),
    [
        ({"brewtrain:pipeline": "other"}, "belongs to pipeline 'other'"),
        ({"team": "search"}, "was not made by brewtrain (no tag brewtrain:pipeline)"),
        ({}, "was not made by brewtrain"),
    ],
)
def test_an_endpoint_of_somebody_else_is_refused(tags: dict[str, str], whose: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        _validate(tags=tags)
    assert whose in str(caught.value)
    assert "include/pipelines/churn.yaml (endpoint.name)" in str(caught.value)


def test_an_endpoint_claimed_twice_is_refused() -> None:
    def claim(pipeline: Pipeline) -> None:
        raise DeploymentError("endpoint 'x' is named by two pipeline files")

    with pytest.raises(DeploymentError, match="named by two pipeline files"):
        _validate(claim=claim)


def test_aws_out_of_reach_is_no_finding() -> None:
    def claim(pipeline: Pipeline) -> None:
        raise TransientError("throttled")

    with pytest.raises(TransientError):
        _validate(claim=claim)
