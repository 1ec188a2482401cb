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


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([_statement()], True),
        (_statement(), True),
        ([_statement(Principal={"Service": ["states.amazonaws.com", "glue.amazonaws.com"]})], True),
        ([_statement(Action=["sts:TagSession", "sts:AssumeRole"])], True),
        ([_statement(Action="sts:*")], True),
        ([_statement(Condition={"StringEquals": {"aws:SourceAccount": "1"}})], True),
        ([_statement(Principal={"Service": "glue.eu-central-1.amazonaws.com"})], True),
        ([], False),
        ([_statement(Principal={"Service": "states.amazonaws.com"})], False),
        ([_statement(Principal={"AWS": "arn:aws:iam::1:root"})], False),
        ([_statement(Action="sts:TagSession")], False),
        ([_statement(Effect="Deny")], False),
        ([_statement(), _statement(Effect="Deny", Principal="*")], False),
        ([_statement(), _statement(Effect="Deny", Principal="*", Condition={"Bool": {"x": "true"}})], True),
    ],
)
def test_a_trust_policy(statements: Any, allowed: bool) -> None:
    assert allows_service({"Version": "2012-10-17", "Statement": statements}, "glue") is allowed


def test_no_policy_allows_nobody() -> None:
    assert not allows_service({}, "glue")
