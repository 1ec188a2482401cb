"""Policy evaluation in tables: patterns, conditions, and what wins over what."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.iam.evaluation import AccessRequest, Decision, Identity, PolicySet, evaluate
from local_aws.iam.policy_documents import Policy, PolicyDocumentError, parse
from local_aws.iam.wildcards import arn_matches

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = Identity("role", f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/s1", ACCOUNT, ROLE)
USER = Identity("user", f"arn:aws:iam::{ACCOUNT}:user/ann", ACCOUNT)
ROOT = Identity("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
OTHER = Identity("user", "arn:aws:iam::999999999999:user/eve", "999999999999")
GLUE = Identity("service", "glue.amazonaws.com", ACCOUNT)
OBJECT = "arn:aws:s3:::bucket/a/b.csv"


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return parse({"Version": version, "Statement": list(statements)}, "p")


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **elements}


def deny(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": "*", "Resource": "*", **elements}


def ask(
    policies: PolicySet,
    identity: Identity = SESSION,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    **context: Any,
) -> Decision:
    keys = {key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in context.items()}
    return evaluate(AccessRequest(identity, action, resource, keys), policies)


@pytest.mark.parametrize(
    ("pattern", "arn", "fits"),
    [
        ("*", "*", True),
        ("*", OBJECT, True),
        (OBJECT, OBJECT, True),
        ("arn:aws:s3:::bucket/*", OBJECT, True),
        ("arn:aws:s3:::bucket/*.csv", OBJECT, True),
        ("arn:aws:s3:::bucket/?/b.csv", OBJECT, True),
        ("arn:aws:s3:::Bucket/*", OBJECT, False),
        ("arn:aws:s3:::bucket", OBJECT, False),
        ("arn:aws:s3:::*", OBJECT, True),
        ("arn:aws:s3*", OBJECT, True),
        ("arn:aws:glue:*:*:job/x", "arn:aws:glue:us-east-1:123456789012:job/x", True),
        ("arn:aws:glue:*:job/x", "arn:aws:glue:us-east-1:123456789012:job/x", False),
        ("arn:aws:logs:*:*:log-group:/a/*", "arn:aws:logs:us-east-1:1:log-group:/a/b:log-stream:c", True),
        ("arn:aws:databrew:us-east-1:1:job/*", "*", False),
    ],
)
def test_arn_patterns(pattern: str, arn: str, fits: bool) -> None:
    assert arn_matches(pattern, arn, {}) is fits


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow(), True),
        (allow(Action="s3:getobject"), True),
        (allow(Action=["s3:Put*", "s3:Get?bject"]), True),
        (allow(Action="s3:Put*"), False),
        (allow(Action="glue:*"), False),
        ({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket/secret/*"}, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket/*"}, False),
        (allow(Resource="arn:aws:s3:::bucket/${aws:PrincipalAccount}/*"), False),
        (allow(Resource="arn:aws:s3:::bucket/${aws:Folder}/b.csv"), True),
        (allow(Resource="arn:aws:s3:::bucket/${aws:None, 'a'}/*"), True),
        (allow(Resource="arn:aws:s3:::bucket/a/${*}"), False),
    ],
)
def test_what_a_statement_covers(statement: dict[str, Any], allowed: bool) -> None:
    assert ask(PolicySet(identity=(policy(statement),)), **{"aws:Folder": "a"}).allowed is allowed


def test_a_variable_s_value_is_no_pattern() -> None:
    rule = allow(Resource="arn:aws:s3:::bucket/${aws:username}/*")
    policies = PolicySet(identity=(policy(rule),))
    assert not ask(policies, **{"aws:username": "*"}).allowed
    assert ask(policies, resource="arn:aws:s3:::bucket/*/x", **{"aws:username": "*"}).allowed


def test_the_old_version_has_no_variables() -> None:
    rule = allow(Resource="arn:aws:s3:::bucket/${aws:username}/x")
    old = PolicySet(identity=(policy(rule, version="2008-10-17"),))
    assert not ask(old, resource="arn:aws:s3:::bucket/ann/x", **{"aws:username": "ann"}).allowed
    assert ask(old, resource="arn:aws:s3:::bucket/${aws:username}/x").allowed


CONDITIONS: list[tuple[str, str, Any, dict[str, Any], bool]] = [
    ("StringEquals", "k", "v", {"k": "v"}, True),
    ("StringEquals", "K", "v", {"k": "v"}, True),
    ("StringEquals", "k", "V", {"k": "v"}, False),
    ("StringEquals", "k", ["a", "v"], {"k": "v"}, True),
    ("StringEquals", "k", "v*", {"k": "vw"}, False),
    ("StringEquals", "k", "v", {}, False),
    ("StringEqualsIfExists", "k", "v", {}, True),
    ("StringEqualsIfExists", "k", "v", {"k": "w"}, False),
    ("StringEqualsIgnoreCase", "k", "V", {"k": "v"}, True),
    ("StringNotEquals", "k", "v", {"k": "w"}, True),
    ("StringNotEquals", "k", ["v", "w"], {"k": "w"}, False),
    ("StringNotEquals", "k", "v", {}, True),
    ("StringLike", "k", "brew*", {"k": "brewtrain"}, True),
    ("StringLike", "k", "${aws:who}/*", {"k": "ann/x", "aws:who": "ann"}, True),
    ("StringNotLike", "k", "brew*", {"k": "brewtrain"}, False),
    ("ArnLike", "k", "arn:aws:states:*:*:stateMachine:brew*", {"k": "arn:aws:states:r:1:stateMachine:brewx"}, True),
    ("ArnEquals", "k", "arn:aws:sns:*:*:t", {"k": "arn:aws:sns:r:1:u"}, False),
    ("ArnNotLike", "k", "arn:aws:sns:*:*:t", {"k": "arn:aws:sns:r:1:u"}, True),
    ("NumericLessThan", "k", 10, {"k": "9.5"}, True),
    ("NumericLessThan", "k", 10, {"k": "ten"}, False),
    ("NumericGreaterThanEquals", "k", "10", {"k": "10"}, True),
    ("NumericNotEquals", "k", "10", {"k": "10"}, False),
    ("Bool", "k", "true", {"k": "true"}, True),
    ("Bool", "k", False, {"k": "true"}, False),
    ("Bool", "k", "false", {}, False),
    ("BoolIfExists", "k", "false", {}, True),
    ("Null", "k", "true", {}, True),
    ("Null", "k", "false", {}, False),
    ("Null", "k", "false", {"k": "v"}, True),
    ("Null", "k", True, {"k": "v"}, False),
    ("DateGreaterThan", "k", "2024-01-01T00:00:00Z", {"k": "2025-01-01T00:00:00Z"}, True),
    ("DateLessThan", "k", "1700000000", {"k": "2025-01-01T00:00:00Z"}, False),
    ("IpAddress", "k", "10.0.0.0/8", {"k": "10.1.2.3"}, True),
    ("IpAddress", "k", ["10.0.0.0/8", "127.0.0.1"], {"k": "127.0.0.1"}, True),
    ("NotIpAddress", "k", "10.0.0.0/8", {"k": "10.1.2.3"}, False),
    ("IpAddress", "k", "2001:db8::/32", {"k": "2001:db8::1"}, True),
    ("BinaryEquals", "k", "YWJj", {"k": "YWJj"}, True),
    ("ForAllValues:StringEquals", "k", ["a", "b"], {"k": ["a", "b"]}, True),
    ("ForAllValues:StringEquals", "k", ["a"], {"k": ["a", "b"]}, False),
    ("ForAllValues:StringEquals", "k", ["a"], {}, True),
    ("ForAllValues:StringNotEquals", "k", ["c"], {"k": ["a", "b"]}, True),
    ("ForAnyValue:StringEquals", "k", ["a"], {"k": ["a", "b"]}, True),
    ("ForAnyValue:StringEquals", "k", ["a"], {}, False),
    ("ForAnyValue:StringLike", "k", ["z*"], {"k": ["a", "b"]}, False),
    ("ForAnyValue:StringNotEquals", "k", ["a"], {"k": ["a", "b"]}, True),
    ("ForAnyValue:StringNotEquals", "k", ["a"], {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "key", "values", "context", "holds"), CONDITIONS)
def test_conditions(operator: str, key: str, values: Any, context: dict[str, Any], holds: bool) -> None:
    policies = PolicySet(identity=(policy(allow(Condition={operator: {key: values}})),))
    assert ask(policies, **context).allowed is holds


def test_every_key_of_a_condition_has_to_hold() -> None:
    rule = allow(Condition={"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}})
    policies = PolicySet(identity=(policy(rule),))
    assert ask(policies, a="1", b="2", c="true").allowed
    assert not ask(policies, a="1", b="3", c="true").allowed
    assert not ask(policies, a="1", b="2").allowed


TO_ALL = {"Principal": "*"}
TLS = {"Bool": {"aws:SecureTransport": "false"}}
BY_ACCOUNT = {"Principal": {"AWS": ACCOUNT}}
BY_ROLE = {"Principal": {"AWS": [ROLE, "arn:aws:iam::123456789012:role/other"]}}


def test_nothing_is_allowed_by_default() -> None:
    assert ask(PolicySet()) == Decision(False, False, "identity-based policy")


@pytest.mark.parametrize(
    ("policies", "policy_type"),
    [
        (PolicySet(identity=(policy(allow()), policy(deny(Action="s3:GetObject")))), "identity-based policy"),
        (PolicySet(identity=(policy(allow()),), boundary=policy(allow(), deny())), "permissions boundary"),
        (PolicySet(identity=(policy(allow()),), session=policy(allow(), deny())), "session policy"),
        (PolicySet(identity=(policy(allow()),), resource=(policy(deny(**TO_ALL)),)), "resource-based policy"),
        (PolicySet(identity=(policy(allow()),), resource=(policy(deny(**BY_ROLE)),)), "resource-based policy"),
    ],
)
def test_an_explicit_deny_wins(policies: PolicySet, policy_type: str) -> None:
    decision = ask(policies)
    assert (decision.allowed, decision.explicit, decision.policy_type) == (False, True, policy_type)


def test_a_deny_whose_condition_does_not_hold_says_nothing() -> None:
    policies = PolicySet(identity=(policy(allow()),), resource=(policy(deny(**TO_ALL, Condition=TLS)),))
    assert ask(policies, **{"aws:SecureTransport": "true"}).allowed
    assert not ask(policies, **{"aws:SecureTransport": "false"}).allowed


def test_a_boundary_takes_away_and_gives_nothing() -> None:
    wide, narrow = policy(allow()), policy(allow(Action="s3:Get*"))
    assert ask(PolicySet(identity=(wide,), boundary=narrow)).allowed
    assert not ask(PolicySet(identity=(), boundary=wide)).allowed
    decision = ask(PolicySet(identity=(wide,), boundary=narrow), action="s3:PutObject")
    assert (decision.allowed, decision.policy_type) == (False, "permissions boundary")
    assert not ask(PolicySet(identity=(wide,), session=narrow), action="s3:PutObject").allowed


@pytest.mark.parametrize(
    ("principal", "identity", "allowed"),
    [
        ("*", SESSION, True),
        ({"AWS": "*"}, SESSION, True),
        ({"AWS": ROLE}, SESSION, True),
        ({"AWS": SESSION.arn}, SESSION, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, SESSION, False),
        # The account only hands the decision to its own policies.
        ({"AWS": ACCOUNT}, SESSION, False),
        ({"AWS": ROOT.arn}, USER, False),
        ({"AWS": USER.arn}, USER, True),
        ({"Service": "glue.amazonaws.com"}, GLUE, True),
        ({"Service": ["states.amazonaws.com"]}, GLUE, False),
        ({"AWS": "*"}, GLUE, False),
        ({"Service": "glue.amazonaws.com"}, SESSION, False),
    ],
)
def test_a_resource_policy_names_who_may(principal: Any, identity: Identity, allowed: bool) -> None:
    policies = PolicySet(resource=(policy(allow(Principal=principal)),))
    assert ask(policies, identity).allowed is allowed


def test_not_principal() -> None:
    locked = deny(NotPrincipal={"AWS": [ROLE, SESSION.arn]})
    policies = PolicySet(identity=(policy(allow()),), resource=(policy(locked),))
    assert ask(policies, SESSION).allowed
    assert not ask(policies, USER).allowed


def test_a_boundary_bounds_what_a_resource_policy_gives_the_role_but_not_the_session() -> None:
    narrow = policy(allow(Action="s3:Put*"))
    assert not ask(PolicySet(resource=(policy(allow(**BY_ROLE)),), boundary=narrow)).allowed
    assert ask(PolicySet(resource=(policy(allow(Principal={"AWS": SESSION.arn})),), boundary=narrow)).allowed


def test_root_may_everything_that_no_resource_denies() -> None:
    assert ask(PolicySet(), ROOT).allowed
    assert not ask(PolicySet(resource=(policy(deny(**TO_ALL)),)), ROOT).allowed


def test_another_account_needs_both_sides() -> None:
    own, shared = policy(allow()), policy(allow(Principal={"AWS": "999999999999"}))
    both = {"resource_account_id": ACCOUNT}
    assert ask(PolicySet(identity=(own,), resource=(shared,), **both), OTHER).allowed  # type: ignore[arg-type]
    assert not ask(PolicySet(identity=(own,), **both), OTHER).allowed  # type: ignore[arg-type]
    assert not ask(PolicySet(resource=(shared,), **both), OTHER).allowed  # type: ignore[arg-type]


def test_a_key_or_role_lets_the_account_in_first() -> None:
    own = (policy(allow()),)
    by_account, nobody = (policy(allow(**BY_ACCOUNT)),), (policy(allow(Principal={"AWS": USER.arn})),)
    assert ask(PolicySet(identity=own, resource=by_account, delegated=True)).allowed
    assert not ask(PolicySet(identity=(), resource=by_account, delegated=True)).allowed
    assert not ask(PolicySet(identity=own, resource=nobody, delegated=True)).allowed
    assert ask(PolicySet(resource=nobody, delegated=True), USER).allowed


def test_the_decision_names_policy_and_statement() -> None:
    decision = ask(PolicySet(identity=(policy(allow(Sid="Other", Action="glue:*"), allow(Sid="Read")),)))
    assert (decision.policy, decision.sid) == ("p", "Read")


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("{", "not JSON"),
        ({"Version": "2020-01-01", "Statement": []}, "Version"),
        ({"Statement": [{"Effect": "Maybe", "Action": "*"}]}, "Effect"),
        ({"Statement": [{"Effect": "Allow", "Resource": "*"}]}, "neither Action nor NotAction"),
        ({"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*"}]}, "both Action and NotAction"),
        ({"Statement": [{"Effect": "Allow", "Action": "*", "Actions": "*"}]}, "unknown element Actions"),
        ({"Statement": [allow(Condition={"StringIs": {"k": "v"}})]}, "StringIs"),
        ({"Statement": [allow(Condition={"ForSome:StringEquals": {"k": "v"}})]}, "ForSome"),
    ],
)
def test_a_document_that_iam_would_not_take_is_refused(document: Any, complaint: str) -> None:
    with pytest.raises(PolicyDocumentError, match=complaint):
        parse(document, "p")
