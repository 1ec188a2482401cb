"""Executions under enforcement: a missing permission is named, and a stopped one stops its job.

tests/e2e/test_least_privilege.py asks about every statement of the roles; these few executions show
that its answers are what happens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws.iam import enforcement
from local_aws.jobs import knobs
from tests.fixtures.installation import Installation
from tests.fixtures.places import INCLUDE
from tests.fixtures.waiting import wait_until
from tools.cloudformation import load, resolve

pytestmark = pytest.mark.slow

Without = Callable[[str, str], None]
LIMIT_SECONDS = 120


@pytest.fixture
def without(installation: Installation) -> Iterator[Without]:
    """Enforce the shipped roles; ``without(role, sid)`` takes a statement from one of them."""
    iam = installation.clients("iam")
    resources = resolve(load(INCLUDE / "cloudformation" / "roles.yaml")).values()
    roles = [item["Properties"] for item in resources if item["Type"] == "AWS::IAM::Role"]
    present = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    policies = {
        role["RoleName"]: role["Policies"][0]["PolicyDocument"] for role in roles if role["RoleName"] in present
    }

    def put(role: str, policy: str, document: dict[str, Any]) -> None:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    def take(role: str, sid: str) -> None:
        kept = [statement for statement in policies[role]["Statement"] if statement["Sid"] != sid]
        assert len(kept) == len(policies[role]["Statement"]) - 1
        put(role, "brewtrain", {**policies[role], "Statement": kept})

    # Other tests of this process may have given the same roles more than the template does.
    before = {role: _inline_policies(iam, role) for role in policies}
    for role, document in policies.items():
        for name in before[role]:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
        put(role, "brewtrain", document)
    enforcement.install()
    yield take
    enforcement.uninstall()
    for role in policies:
        iam.delete_role_policy(RoleName=role, PolicyName="brewtrain")
        for name, document in before[role].items():
            put(role, name, document)


def _inline_policies(iam: Any, role: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a role's own policies by name."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


@pytest.mark.parametrize(
    ("role", "sid", "error", "action"),
    [
        ("brewtrain-states", "Transform", "DataBrew.AccessDeniedException", "databrew:StartJobRun"),
        ("brewtrain-states", "PassSageMakerRole", "SageMaker.AmazonSageMakerException", "iam:PassRole"),
        ("brewtrain-databrew", "WriteTransformed", "States.TaskFailed", "s3:PutObject"),
        ("brewtrain-glue", "WriteSummary", "States.TaskFailed", "s3:PutObject"),
    ],
)
def test_an_execution_fails_with_the_action_that_is_missing(
    installation: Installation, without: Without, role: str, sid: str, error: str, action: str
) -> None:
    without(role, sid)
    seen = installation.run(installation.input("2010-11-10", "never-made"))
    assert (seen["status"], seen["error"]) == ("FAILED", error), seen.get("cause")
    assert f"assumed-role/{role}/" in seen["cause"]
    assert f"is not authorized to perform: {action}" in seen["cause"]


@pytest.mark.parametrize(
    ("service", "poll", "stop"),
    [
        ("databrew", "databrew:ListJobRuns", "databrew:StopJobRun"),
        ("glue", "glue:GetJobRun", "glue:BatchStopJobRun"),
        ("training", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"),
        ("processing", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"),
    ],
)
def test_a_stopped_execution_stops_its_job_with_its_own_role(
    installation: Installation, without: Without, service: str, poll: str, stop: str
) -> None:
    enforcer = enforcement.install()

    def used() -> set[str]:
        seen = enforcer.usage.read()
        assert seen["denied"] == []
        return {entry["action"] for entry in seen["permissions"] if entry["principal"].endswith("brewtrain-states")}

    knobs.set_delay(service, LIMIT_SECONDS)
    try:
        execution = installation.start(installation.input("2010-11-10", "never-made"))
        wait_until(
            lambda: poll in used(),
            seconds=LIMIT_SECONDS,
            what=lambda: f"{poll} is called; the execution entered {installation.trace(execution)}",
        )
        installation.states.stop_execution(executionArn=execution)
    finally:
        knobs.reset()
    assert stop in used()
