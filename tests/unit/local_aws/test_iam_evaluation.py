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
        pytest.param("*", "*", True, id="asterisk fits a call without a resource"),
        pytest.param("*", OBJECT, True, id="asterisk fits an object"),
        pytest.param(OBJECT, OBJECT, True, id="the ARN itself"),
        pytest.param("arn:aws:s3:::bucket/*", OBJECT, True, id="asterisk at the end"),
        pytest.param("arn:aws:s3:::bucket/*.csv", OBJECT, True, id="asterisk in the middle"),
        pytest.param("arn:aws:s3:::bucket/?/b.csv", OBJECT, True, id="question mark"),
        pytest.param("arn:aws:s3:::Bucket/*", OBJECT, False, id="another case of letters"),
        pytest.param("arn:aws:s3:::bucket", OBJECT, False, id="bucket without its objects"),
        pytest.param("arn:aws:s3:::*", OBJECT, True, id="every bucket"),
        pytest.param("arn:aws:s3*", OBJECT, True, id="asterisk ends the ARN early"),
        pytest.param(
            "arn:aws:glue:*:*:job/x",
            "arn:aws:glue:us-east-1:123456789012:job/x",
            True,
            id="asterisks for region and account",
        ),
        pytest.param("arn:aws:glue:*:job/x", "arn:aws:glue:us-east-1:123456789012:job/x", False, id="too few segments"),
        pytest.param(
            "arn:aws:logs:*:*:log-group:/a/*",
            "arn:aws:logs:us-east-1:1:log-group:/a/b:log-stream:c",
            True,
            id="the last segment fits colons",
        ),
        pytest.param("arn:aws:databrew:us-east-1:1:job/*", "*", False, id="a call without a resource"),
    ],
)
def test_an_arn_pattern_fits_segment_by_segment(pattern: str, arn: str, fits: bool) -> None:
    assert arn_matches(pattern, arn, {}) is fits


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        pytest.param(allow(), True, id="everything"),
        pytest.param(allow(Action="s3:getobject"), True, id="action in lower case"),
        pytest.param(allow(Action=["s3:Put*", "s3:Get?bject"]), True, id="one of several actions"),
        pytest.param(allow(Action="s3:Put*"), False, id="another action"),
        pytest.param(allow(Action="glue:*"), False, id="another service"),
        pytest.param({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}, True, id="all but another action"),
        pytest.param({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, False, id="all but this service"),
        pytest.param(
            {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket/secret/*"},
            True,
            id="all but other resources",
        ),
        pytest.param(
            {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket/*"},
            False,
            id="all but this resource",
        ),
        pytest.param(
            allow(Resource="arn:aws:s3:::bucket/${aws:PrincipalAccount}/*"), False, id="variable without a value"
        ),
        pytest.param(allow(Resource="arn:aws:s3:::bucket/${aws:Folder}/b.csv"), True, id="variable with a value"),
        pytest.param(allow(Resource="arn:aws:s3:::bucket/${aws:None, 'a'}/*"), True, id="variable with a default"),
        pytest.param(allow(Resource="arn:aws:s3:::bucket/a/${*}"), False, id="escaped asterisk is no wildcard"),
    ],
)
def test_a_statement_covers_an_action_on_a_resource(statement: dict[str, Any], allowed: bool) -> None:
    assert ask(PolicySet(identity=(policy(statement),)), **{"aws:Folder": "a"}).allowed is allowed


def test_the_value_of_a_variable_is_not_a_pattern() -> None:
    rule = allow(Resource="arn:aws:s3:::bucket/${aws:username}/*")
    policies = PolicySet(identity=(policy(rule),))
    assert not ask(policies, **{"aws:username": "*"}).allowed
    assert ask(policies, resource="arn:aws:s3:::bucket/*/x", **{"aws:username": "*"}).allowed


def test_policies_of_2008_have_no_variables() -> None:
    rule = allow(Resource="arn:aws:s3:::bucket/${aws:username}/x")
    old = PolicySet(identity=(policy(rule, version="2008-10-17"),))
    assert not ask(old, resource="arn:aws:s3:::bucket/ann/x", **{"aws:username": "ann"}).allowed
    assert ask(old, resource="arn:aws:s3:::bucket/${aws:username}/x").allowed


#: operator, key, values of the policy, context of the request
HOLDING = [
    pytest.param("StringEquals", "k", "v", {"k": "v"}, id="StringEquals: equal"),
    pytest.param("StringEquals", "K", "v", {"k": "v"}, id="StringEquals: key in upper case"),
    pytest.param("StringEquals", "k", ["a", "v"], {"k": "v"}, id="StringEquals: one of several values"),
    pytest.param("StringEqualsIfExists", "k", "v", {}, id="StringEqualsIfExists: absent key if exists"),
    pytest.param("StringEqualsIgnoreCase", "k", "V", {"k": "v"}, id="StringEqualsIgnoreCase: equal whatever the case"),
    pytest.param("StringNotEquals", "k", "v", {"k": "w"}, id="StringNotEquals: not equal"),
    pytest.param("StringNotEquals", "k", "v", {}, id="StringNotEquals: absent key is not equal"),
    pytest.param("StringLike", "k", "brew*", {"k": "brewtrain"}, id="StringLike: pattern"),
    pytest.param(
        "StringLike", "k", "${aws:who}/*", {"k": "ann/x", "aws:who": "ann"}, id="StringLike: pattern with a variable"
    ),
    pytest.param(
        "ArnLike",
        "k",
        "arn:aws:states:*:*:stateMachine:brew*",
        {"k": "arn:aws:states:r:1:stateMachine:brewx"},
        id="ArnLike: ARN pattern",
    ),
    pytest.param(
        "ArnNotLike", "k", "arn:aws:sns:*:*:t", {"k": "arn:aws:sns:r:1:u"}, id="ArnNotLike: not like another ARN"
    ),
    pytest.param("NumericLessThan", "k", 10, {"k": "9.5"}, id="NumericLessThan: smaller"),
    pytest.param(
        "NumericGreaterThanEquals", "k", "10", {"k": "10"}, id="NumericGreaterThanEquals: equal is greater or equal"
    ),
    pytest.param("Bool", "k", "true", {"k": "true"}, id="Bool: true"),
    pytest.param("BoolIfExists", "k", "false", {}, id="BoolIfExists: absent if exists"),
    pytest.param("Null", "k", "true", {}, id="Null: null when absent"),
    pytest.param("Null", "k", "false", {"k": "v"}, id="Null: present and required"),
    pytest.param(
        "DateGreaterThan", "k", "2024-01-01T00:00:00Z", {"k": "2025-01-01T00:00:00Z"}, id="DateGreaterThan: later"
    ),
    pytest.param("IpAddress", "k", "10.0.0.0/8", {"k": "10.1.2.3"}, id="IpAddress: address in a network"),
    pytest.param("IpAddress", "k", ["10.0.0.0/8", "127.0.0.1"], {"k": "127.0.0.1"}, id="IpAddress: address of several"),
    pytest.param("IpAddress", "k", "2001:db8::/32", {"k": "2001:db8::1"}, id="IpAddress: IPv6"),
    pytest.param("BinaryEquals", "k", "YWJj", {"k": "YWJj"}, id="BinaryEquals: binary"),
    pytest.param(
        "ForAllValues:StringEquals",
        "k",
        ["a", "b"],
        {"k": ["a", "b"]},
        id="ForAllValues:StringEquals: all of the values",
    ),
    pytest.param(
        "ForAllValues:StringEquals", "k", ["a"], {}, id="ForAllValues:StringEquals: no values are all allowed"
    ),
    pytest.param(
        "ForAllValues:StringNotEquals",
        "k",
        ["c"],
        {"k": ["a", "b"]},
        id="ForAllValues:StringNotEquals: none of the values",
    ),
    pytest.param(
        "ForAnyValue:StringEquals", "k", ["a"], {"k": ["a", "b"]}, id="ForAnyValue:StringEquals: one of the values"
    ),
    pytest.param(
        "ForAnyValue:StringNotEquals",
        "k",
        ["a"],
        {"k": ["a", "b"]},
        id="ForAnyValue:StringNotEquals: one value differs",
    ),
]
NOT_HOLDING = [
    pytest.param("StringEquals", "k", "V", {"k": "v"}, id="StringEquals: another case of letters"),
    pytest.param("StringEquals", "k", "v*", {"k": "vw"}, id="StringEquals: equality knows no wildcard"),
    pytest.param("StringEquals", "k", "v", {}, id="StringEquals: absent key"),
    pytest.param("StringEqualsIfExists", "k", "v", {"k": "w"}, id="StringEqualsIfExists: unequal if exists"),
    pytest.param("StringNotEquals", "k", ["v", "w"], {"k": "w"}, id="StringNotEquals: not equal to any"),
    pytest.param("StringNotLike", "k", "brew*", {"k": "brewtrain"}, id="StringNotLike: not like"),
    pytest.param("ArnEquals", "k", "arn:aws:sns:*:*:t", {"k": "arn:aws:sns:r:1:u"}, id="ArnEquals: another ARN"),
    pytest.param("NumericLessThan", "k", 10, {"k": "ten"}, id="NumericLessThan: a word is no number"),
    pytest.param("NumericNotEquals", "k", "10", {"k": "10"}, id="NumericNotEquals: not unequal"),
    pytest.param("Bool", "k", False, {"k": "true"}, id="Bool: not false"),
    pytest.param("Bool", "k", "false", {}, id="Bool: absent is not false"),
    pytest.param("Null", "k", "false", {}, id="Null: absent but required"),
    pytest.param("Null", "k", True, {"k": "v"}, id="Null: present but forbidden"),
    pytest.param("DateLessThan", "k", "1700000000", {"k": "2025-01-01T00:00:00Z"}, id="DateLessThan: not earlier"),
    pytest.param("NotIpAddress", "k", "10.0.0.0/8", {"k": "10.1.2.3"}, id="NotIpAddress: not in the network"),
    pytest.param(
        "ForAllValues:StringEquals",
        "k",
        ["a"],
        {"k": ["a", "b"]},
        id="ForAllValues:StringEquals: not all of the values",
    ),
    pytest.param(
        "ForAnyValue:StringEquals", "k", ["a"], {}, id="ForAnyValue:StringEquals: absent is none of the values"
    ),
    pytest.param(
        "ForAnyValue:StringLike", "k", ["z*"], {"k": ["a", "b"]}, id="ForAnyValue:StringLike: no value fits the pattern"
    ),
    pytest.param(
        "ForAnyValue:StringNotEquals", "k", ["a"], {}, id="ForAnyValue:StringNotEquals: absent differs from nothing"
    ),
]


def allowed_if(operator: str, key: str, values: Any) -> PolicySet:
    return PolicySet(identity=(policy(allow(Condition={operator: {key: values}})),))


@pytest.mark.parametrize(("operator", "key", "values", "context"), HOLDING)
def test_a_condition_holds(operator: str, key: str, values: Any, context: dict[str, Any]) -> None:
    assert ask(allowed_if(operator, key, values), **context).allowed


@pytest.mark.parametrize(("operator", "key", "values", "context"), NOT_HOLDING)
def test_a_condition_does_not_hold(operator: str, key: str, values: Any, context: dict[str, Any]) -> None:
    assert not ask(allowed_if(operator, key, values), **context).allowed


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
        pytest.param(
            PolicySet(identity=(policy(allow()), policy(deny(Action="s3:GetObject")))),
            "identity-based policy",
            id="identity policy",
        ),
        pytest.param(
            PolicySet(identity=(policy(allow()),), boundary=policy(allow(), deny())),
            "permissions boundary",
            id="permissions boundary",
        ),
        pytest.param(
            PolicySet(identity=(policy(allow()),), session=policy(allow(), deny())),
            "session policy",
            id="session policy",
        ),
        pytest.param(
            PolicySet(identity=(policy(allow()),), resource=(policy(deny(**TO_ALL)),)),
            "resource-based policy",
            id="resource policy for everybody",
        ),
        pytest.param(
            PolicySet(identity=(policy(allow()),), resource=(policy(deny(**BY_ROLE)),)),
            "resource-based policy",
            id="resource policy for the role",
        ),
    ],
)
def test_an_explicit_deny_wins(policies: PolicySet, policy_type: str) -> None:
    decision = ask(policies)
    assert (decision.allowed, decision.explicit, decision.policy_type) == (False, True, policy_type)


def test_a_deny_whose_condition_does_not_hold_denies_nothing() -> None:
    policies = PolicySet(identity=(policy(allow()),), resource=(policy(deny(**TO_ALL, Condition=TLS)),))
    assert ask(policies, **{"aws:SecureTransport": "true"}).allowed
    assert not ask(policies, **{"aws:SecureTransport": "false"}).allowed


def test_a_boundary_limits_and_grants_nothing() -> None:
    wide, narrow = policy(allow()), policy(allow(Action="s3:Get*"))
    assert ask(PolicySet(identity=(wide,), boundary=narrow)).allowed
    assert not ask(PolicySet(identity=(), boundary=wide)).allowed
    decision = ask(PolicySet(identity=(wide,), boundary=narrow), action="s3:PutObject")
    assert (decision.allowed, decision.policy_type) == (False, "permissions boundary")
    assert not ask(PolicySet(identity=(wide,), session=narrow), action="s3:PutObject").allowed


@pytest.mark.parametrize(
    ("principal", "identity", "allowed"),
    [
        pytest.param("*", SESSION, True, id="everybody"),
        pytest.param({"AWS": "*"}, SESSION, True, id="every AWS principal"),
        pytest.param({"AWS": ROLE}, SESSION, True, id="the role"),
        pytest.param({"AWS": SESSION.arn}, SESSION, True, id="the session"),
        pytest.param({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, SESSION, False, id="another role"),
        # The account only hands the decision to its own policies.
        pytest.param({"AWS": ACCOUNT}, SESSION, False, id="the account leaves it to its own policies"),
        pytest.param({"AWS": ROOT.arn}, USER, False, id="the account's root leaves it to its own policies"),
        pytest.param({"AWS": USER.arn}, USER, True, id="the user"),
        pytest.param({"Service": "glue.amazonaws.com"}, GLUE, True, id="the service"),
        pytest.param({"Service": ["states.amazonaws.com"]}, GLUE, False, id="another service"),
        pytest.param({"AWS": "*"}, GLUE, False, id="every AWS principal is no service"),
        pytest.param({"Service": "glue.amazonaws.com"}, SESSION, False, id="a service is no role"),
    ],
)
def test_a_resource_policy_allows_whom_it_names(principal: Any, identity: Identity, allowed: bool) -> None:
    policies = PolicySet(resource=(policy(allow(Principal=principal)),))
    assert ask(policies, identity).allowed is allowed


def test_a_deny_for_all_but_a_principal_spares_it() -> None:
    locked = deny(NotPrincipal={"AWS": [ROLE, SESSION.arn]})
    policies = PolicySet(identity=(policy(allow()),), resource=(policy(locked),))
    assert ask(policies, SESSION).allowed
    assert not ask(policies, USER).allowed


def test_a_boundary_limits_what_a_resource_policy_allows_the_role_but_not_the_session() -> None:
    narrow = policy(allow(Action="s3:Put*"))
    assert not ask(PolicySet(resource=(policy(allow(**BY_ROLE)),), boundary=narrow)).allowed
    assert ask(PolicySet(resource=(policy(allow(Principal={"AWS": SESSION.arn})),), boundary=narrow)).allowed


def test_root_may_do_everything_that_no_resource_policy_denies() -> None:
    assert ask(PolicySet(), ROOT).allowed
    assert not ask(PolicySet(resource=(policy(deny(**TO_ALL)),)), ROOT).allowed


def test_a_request_from_another_account_needs_both_sides() -> None:
    own, shared = policy(allow()), policy(allow(Principal={"AWS": "999999999999"}))
    both = {"resource_account_id": ACCOUNT}
    assert ask(PolicySet(identity=(own,), resource=(shared,), **both), OTHER).allowed  # type: ignore[arg-type]
    assert not ask(PolicySet(identity=(own,), **both), OTHER).allowed  # type: ignore[arg-type]
    assert not ask(PolicySet(resource=(shared,), **both), OTHER).allowed  # type: ignore[arg-type]


def test_the_policy_of_a_key_or_role_has_to_allow_the_account_first() -> None:
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
        pytest.param("{", "not JSON", id="not JSON"),
        pytest.param({"Version": "2020-01-01", "Statement": []}, "Version", id="unknown version"),
        pytest.param({"Statement": [{"Effect": "Maybe", "Action": "*"}]}, "Effect", id="unknown effect"),
        pytest.param(
            {"Statement": [{"Effect": "Allow", "Resource": "*"}]}, "neither Action nor NotAction", id="no action"
        ),
        pytest.param(
            {"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*"}]},
            "both Action and NotAction",
            id="Action and NotAction",
        ),
        pytest.param(
            {"Statement": [{"Effect": "Allow", "Action": "*", "Actions": "*"}]},
            "unknown element Actions",
            id="misspelt element",
        ),
        pytest.param({"Statement": [allow(Condition={"StringIs": {"k": "v"}})]}, "StringIs", id="unknown operator"),
        pytest.param(
            {"Statement": [allow(Condition={"ForSome:StringEquals": {"k": "v"}})]}, "ForSome", id="unknown set operator"
        ),
    ],
)
def test_a_document_that_iam_would_reject_is_rejected(document: Any, complaint: str) -> None:
    with pytest.raises(PolicyDocumentError, match=complaint):
        parse(document, "p")
