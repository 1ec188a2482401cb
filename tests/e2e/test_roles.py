"""Executions under enforcement: without a statement of a role they fail and name the action; stopped, they stop jobs.

tests/e2e/test_least_privilege.py asks for every statement; these few show that what it asks is what
happens.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws.iam import enforcement
from local_aws.jobs import knobs
from tests.e2e.conftest import INCLUDE, Installation
from tools.cloudformation import load, resolve

pytestmark = pytest.mark.slow

Without = Callable[[str, str], None]
LIMIT_SECONDS = 120


@pytest.fixture
def without(installation: Installation) -> Iterator[Without]:
    """Enforce the shipped roles; ``without(role, sid)`` takes a statement from one of them."""
    iam = installation.clients("iam")
    roles = [item["Properties"] for item in resolve(load(INCLUDE / "cloudformation" / "roles.yaml")).values()]
    policies = {role["RoleName"]: role["Policies"][0]["PolicyDocument"] for role in roles}

    def put(role: str, document: dict[str, Any]) -> None:
        iam.put_role_policy(RoleName=role, PolicyName="brewtrain", PolicyDocument=json.dumps(document))

    def take(role: str, sid: str) -> None:
        kept = [statement for statement in policies[role]["Statement"] if statement["Sid"] != sid]
        assert len(kept) == len(policies[role]["Statement"]) - 1
        put(role, {**policies[role], "Statement": kept})

    present = {role["RoleName"] for role in iam.list_roles()["Roles"]}
    for role in policies.keys() & present:
        put(role, policies[role])
    enforcement.install()
    yield take
    enforcement.uninstall()
    for role in policies.keys() & present:
        put(role, policies[role])


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
        until = time.monotonic() + LIMIT_SECONDS
        while poll not in used():
            assert time.monotonic() < until, installation.trace(execution)
            time.sleep(0.05)
        installation.clients("stepfunctions").stop_execution(executionArn=execution)
    finally:
        knobs.reset()
    assert stop in used()
