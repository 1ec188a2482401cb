"""Who may assume a role."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.deployment.trust_policy import allows_service


def _statement(**changes: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "glue.amazonaws.com"},
    } | changes


ALLOWING = {
    "the service": [_statement()],
    "a single statement": _statement(),
    "one of several services": [_statement(Principal={"Service": ["states.amazonaws.com", "glue.amazonaws.com"]})],
    "one of several actions": [_statement(Action=["sts:TagSession", "sts:AssumeRole"])],
    "every action": [_statement(Action="sts:*")],
    "a condition": [_statement(Condition={"StringEquals": {"aws:SourceAccount": "1"}})],
    "the service of a region": [_statement(Principal={"Service": "glue.eu-central-1.amazonaws.com"})],
    "everybody": [_statement(Principal="*")],
    "every account": [_statement(Principal={"AWS": "*"})],
    "every account among others": [_statement(Principal={"AWS": ["arn:aws:iam::1:root", "*"]})],
    "an action in other letters": [_statement(Action="STS:assumerole")],
    "a statement after others": [
        "no statement",
        _statement(Action="sts:TagSession"),
        _statement(Principal={"Service": "states.amazonaws.com"}),
        _statement(),
    ],
    "a denial to another service": [
        _statement(),
        _statement(Effect="Deny", Principal={"Service": "states.amazonaws.com"}),
    ],
    "a denial of another action": [_statement(), _statement(Effect="Deny", Action="sts:TagSession")],
    "a denial with a condition": [
        _statement(),
        _statement(Effect="Deny", Principal="*", Condition={"Bool": {"x": "true"}}),
    ],
}
REFUSING = {
    "no statement": [],
    "another service": [_statement(Principal={"Service": "states.amazonaws.com"})],
    "an account": [_statement(Principal={"AWS": "arn:aws:iam::1:root"})],
    "another action": [_statement(Action="sts:TagSession")],
    "a denial": [_statement(Effect="Deny")],
    "a principal that is text": [_statement(Principal="glue.amazonaws.com")],
    "no principal": [_statement(Principal=None)],
    "a service without a name": [_statement(Principal={"Service": None})],
    "no action": [_statement(Action=None)],
    "no effect": [_statement(Effect=None)],
    "a denial before": [_statement(Effect="Deny", Principal={"AWS": "*"}), _statement()],
    "a denial with an empty condition": [_statement(), _statement(Effect="Deny", Condition={})],
    "a denial beside": [_statement(), _statement(Effect="Deny", Principal="*")],
}


@pytest.mark.parametrize("statements", ALLOWING.values(), ids=ALLOWING)
def test_a_trust_policy_allows(statements: Any) -> None:
    assert allows_service({"Version": "2012-10-17", "Statement": statements}, "glue") is True


@pytest.mark.parametrize("statements", REFUSING.values(), ids=REFUSING)
def test_a_trust_policy_refuses(statements: Any) -> None:
    assert allows_service({"Version": "2012-10-17", "Statement": statements}, "glue") is False


def test_no_policy_allows_nobody() -> None:
    assert not allows_service({}, "glue")
