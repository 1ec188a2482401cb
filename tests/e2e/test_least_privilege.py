"""The roles are enough, and no more: every DAG under enforcement, and every statement of roles.yaml needed by it.

Sufficient: the DAGs are green. Minimal: each permission check of those runs is asked again of a policy that lacks one
statement, one action or one resource, and at least one is then denied. What only AWS itself asks for is listed, with a
reason; the list may not grow old either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws.iam.evaluation import AccessRequest, Identity, PolicySet, evaluate
from local_aws.iam.policy_documents import Policy, parse
from tests.fixtures.enforced_airflow import EnforcedAirflow
from tools.cloudformation import load, resolve
from tools.run.processes import Processes

pytestmark = [pytest.mark.slow, pytest.mark.integration]

TEMPLATE = Path(__file__).resolve().parents[2] / "include" / "cloudformation" / "roles.yaml"

#: (role, action) → why no run here asks for it although AWS does.
ONLY_ON_AWS: dict[tuple[str, str], str] = {}
#: (role, Sid, resource) of resources that no run here touches.
RESOURCES_ONLY_ON_AWS: set[tuple[str, str, str]] = set()


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcedAirflow]:
    with Processes() as processes:
        yield EnforcedAirflow(tmp_path_factory.mktemp("enforced"), processes)


@pytest.fixture(scope="module")
def runs(airflow: EnforcedAirflow) -> dict[str, Any]:
    """Every DAG once, and what the enforcer remembers of it."""
    results = {}
    day_before = airflow.newest - timedelta(days=1)
    results["deploy"] = airflow.run("deploy")
    results["retrain: create"] = airflow.run("retrain", day_before)
    results["retrain: update"] = airflow.run("retrain")
    results["preflight"] = airflow.run("preflight")
    results["cleanup"] = airflow.run("cleanup")
    return {"results": results, **airflow.permissions()}


def test_every_dag_is_green_with_every_call_enforced(runs: dict[str, Any]) -> None:
    failed = {name: result for name, result in runs["results"].items() if result[0] != "success"}
    assert failed == {}
    denied = [f"{entry['principal']}: {entry['action']} on {entry['resource']}" for entry in runs["denied"]]
    assert denied == [], "allow it in include/cloudformation/roles.yaml"


def shipped() -> dict[str, Policy]:
    """Role name → the policy that the template gives it."""
    roles = [item["Properties"] for item in resolve(load(TEMPLATE)).values() if item["Type"] == "AWS::IAM::Role"]
    return {role["RoleName"]: parse(role["Policies"][0]["PolicyDocument"], role["RoleName"]) for role in roles}


def checks(runs: dict[str, Any], role: str) -> list[AccessRequest]:
    """The allowed permission checks of a role's sessions, as they were asked."""
    found = []
    for entry in runs["permissions"]:
        if not entry["principal"].endswith(f":role/{role}"):
            continue
        account = entry["principal"].split(":")[4]
        identity = Identity("role", f"arn:aws:sts::{account}:assumed-role/{role}/s", account, entry["principal"])
        context = {key: tuple(values) for key, values in entry["context"].items()}
        found.append(AccessRequest(identity, entry["action"], entry["resource"], context))
    return found


def denied(requests: list[AccessRequest], policy: Policy) -> set[str]:
    """The actions of which a policy denies at least one check."""
    policies = PolicySet(identity=(policy,))
    return {request.action for request in requests if not evaluate(request, policies).allowed}


def less(policy: Policy, number: int, **changed: Any) -> Policy:
    """A policy without its statement of a number, or with that statement changed."""
    kept = list(policy.statements)
    kept[number : number + 1] = [replace(kept[number], **changed)] if changed else []
    return Policy(policy.name, tuple(kept))


ROLES = sorted(shipped())
STATEMENTS = [(role, number) for role in ROLES for number in range(len(shipped()[role].statements))]


def test_the_checks_come_out_the_same_when_asked_again(runs: dict[str, Any]) -> None:
    for role, policy in shipped().items():
        requests = checks(runs, role)
        assert requests, f"nothing was done as {role}"
        assert denied(requests, policy) == set(), role


@pytest.mark.parametrize(
    ("role", "number"),
    STATEMENTS,
    ids=[f"{role}-{shipped()[role].statements[number].sid}" for role, number in STATEMENTS],
)
def test_every_statement_action_and_resource_is_needed(runs: dict[str, Any], role: str, number: int) -> None:
    policy, requests = shipped()[role], checks(runs, role)
    statement = policy.statements[number]
    without = denied(requests, less(policy, number))
    reasons = {action for one, action in ONLY_ON_AWS if one == role}
    unneeded = {action for action in statement.actions or () if action not in without and action not in reasons}
    assert unneeded == set(), f"{role}/{statement.sid}: nothing needs these; remove them, or say in ONLY_ON_AWS why"
    for action in set(statement.actions or ()) & without:
        fewer = tuple(one for one in statement.actions or () if one != action)
        assert denied(requests, less(policy, number, actions=fewer)) == {action}
    if not without:
        return
    for resource in statement.resources or ():
        others = tuple(one for one in statement.resources or () if one != resource)
        if len(others) and not denied(requests, less(policy, number, resources=others)):
            assert (role, statement.sid, resource) in RESOURCES_ONLY_ON_AWS, f"nothing needs {resource}"


def test_no_reason_is_given_for_what_is_used(runs: dict[str, Any]) -> None:
    for (role, action), reason in ONLY_ON_AWS.items():
        assert reason
        used = {request.action for request in checks(runs, role)}
        assert action not in used, f"{role} used {action}: take it from ONLY_ON_AWS"
        assert any(action in (statement.actions or ()) for statement in shipped()[role].statements), (role, action)
