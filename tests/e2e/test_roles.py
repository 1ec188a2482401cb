"""The roles are enough: a run with every call of every role checked against include/cloudformation/roles.yaml.

Resources and actions are checked by name; conditions are not. The call log then says which actions nothing used.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.e2e.conftest import INCLUDE, Installation
from tools.cloudformation import load, resolve, statements

pytestmark = [
    pytest.mark.slow,
]

# Roles of the services; brewtrain-airflow is the DAGs' and is not used here.
CHECKED = ("states", "databrew", "glue", "sagemaker")
# Allowed since AWS calls them where local AWS does not need to: managed event rules, polling by other calls, stopping
# jobs, pulling images, deleting what is overwritten, publishing metrics.
NOT_SEEN_LOCALLY = {
    "states": {
        "databrew:ListJobRuns", "databrew:DescribeJobRun", "databrew:StopJobRun", "glue:GetJobRun", "glue:GetJobRuns",
        "glue:BatchStopJobRun", "sagemaker:StopTrainingJob", "events:PutTargets", "events:PutRule",
        "events:DescribeRule", "sagemaker:AddTags", "iam:PassRole",
    },
    "databrew": {"s3:GetObject", "s3:DeleteObject", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"},
    "glue": {
        "s3:DeleteObject", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents",
        "cloudwatch:PutMetricData",
    },
    "sagemaker": {
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
        "ecr:GetAuthorizationToken", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams",
        "logs:PutLogEvents", "cloudwatch:PutMetricData", "s3:ListBucket",
    },
}  # fmt: skip


class Template:
    """Allows what the template allows to the four roles, and remembers what it saw."""

    def __init__(self) -> None:
        roles = resolve(load(INCLUDE / "cloudformation" / "roles.yaml")).values()
        self.allowed = {
            role["Properties"]["RoleName"].removeprefix("brewtrain-"): statements(role)
            for role in roles
            if role["Type"] == "AWS::IAM::Role"
        }
        self.denied: list[tuple[str, str, str]] = []
        self.used: dict[str, set[str]] = {name: set() for name in CHECKED}
        self._lock = threading.Lock()

    def __call__(self, call: Any) -> Any:
        from local_aws.authorisation import Denial

        name = next((name for name in CHECKED if f"/brewtrain-{name}/" in f"{call.principal.arn}/"), None)
        if name is None:
            return None
        resource = call.resource or "*"
        fits = any(
            call.action in statement["Action"]
            and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
            for statement in self.allowed[name]
        )
        with self._lock:
            self.used[name].add(call.action)
            if fits:
                return None
            self.denied.append((name, call.action, resource))
        return Denial(f"User: {call.principal.arn} is not authorized to perform: {call.action} on resource: {resource}")


@pytest.fixture
def template() -> Iterator[Template]:
    from local_aws import authorisation

    policy = Template()
    authorisation.set_authoriser(policy)
    yield policy
    authorisation.set_authoriser(authorisation.allow_all)


def test_the_roles_are_enough_and_no_more(installation: Installation, template: Template) -> None:
    """What a create and an update use, and what only AWS itself needs, is all that is allowed."""
    for date in ("2010-11-10", "2010-11-11"):
        seen = installation.run(installation.input(date, "guarded"))
        assert seen["status"] == "SUCCEEDED", (seen.get("error"), seen.get("cause"), template.denied)
    assert template.denied == []
    for name in CHECKED:
        assert template.used[name], f"no call came with role brewtrain-{name}: nothing was checked"
        granted = {action for statement in template.allowed[name] for action in statement["Action"]}
        assert granted - template.used[name] <= NOT_SEEN_LOCALLY[name], name


def test_a_role_without_a_permission_fails_with_its_name(installation: Installation, template: Template) -> None:
    for statement in template.allowed["glue"]:
        statement["Action"] = [action for action in statement["Action"] if action != "s3:PutObject"]
    seen = installation.run(installation.input("2010-11-10", "never-made"))
    assert (seen["status"], seen["error"]) == ("FAILED", "States.TaskFailed")
    assert "s3:PutObject" in seen["cause"] or "AccessDenied" in seen["cause"]
