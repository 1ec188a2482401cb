"""``iam:SimulatePrincipalPolicy``: what enforcement would decide, without making the call.

See https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html. As there,
boundaries count, and a resource's policy counts only if the request contains it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_aws.iam import principals
from local_aws.iam.evaluation import AccessRequest, Identity, PolicySet, evaluate
from local_aws.iam.policy_documents import PolicyDocumentError, parse
from local_aws.iam.request_context import principal_keys


class SimulationError(Exception):
    """The request cannot be simulated.

    :param code: IAM's error code.
    :param message: what the caller reads.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def simulate(params: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate every action on every resource.

    :param params: members of the request: ``PolicySourceArn``, ``ActionNames``, ``ResourceArns``,
        ``ContextEntries``, ``PolicyInputList``, ``ResourcePolicy``.
    :returns: ``EvaluationResults`` and ``IsTruncated``.
    :raises SimulationError: the principal does not exist, or a policy cannot be read.
    """
    identity = _identity(str(params.get("PolicySourceArn") or ""))
    try:
        added = tuple(
            parse(text, f"PolicyInputList.{number}") for number, text in enumerate(_list(params, "PolicyInputList"))
        )
        resource = (parse(params["ResourcePolicy"], "ResourcePolicy"),) if params.get("ResourcePolicy") else ()
        policies = PolicySet(
            identity=(*principals.identity_policies(identity), *added),
            boundary=principals.permissions_boundary(identity),
            resource=resource,
        )
    except PolicyDocumentError as error:
        raise SimulationError("InvalidInput", str(error)) from error
    context = {**principal_keys(identity), **_context(params)}
    results = []
    for action in _list(params, "ActionNames"):
        for arn in _list(params, "ResourceArns") or ["*"]:
            decision = evaluate(AccessRequest(identity, action, arn, context), policies)
            matched = [{"SourcePolicyId": decision.policy, "SourcePolicyType": "IAM Policy"}] if decision.policy else []
            verdict = "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny"
            results.append(
                {
                    "EvalActionName": action,
                    "EvalResourceName": arn,
                    "EvalDecision": verdict,
                    "MatchedStatements": matched,
                    "MissingContextValues": [],
                }
            )
    return {"EvaluationResults": results, "IsTruncated": False}


def _identity(arn: str) -> Identity:
    match = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):(role|user)/.+", arn)
    if match is None:
        raise SimulationError("InvalidInput", f"Invalid Entity Arn: {arn}")
    found = principals.find_role(arn) if match[2] == "role" else principals.find_user(arn)
    if found is None:
        raise SimulationError("NoSuchEntity", f"{arn} does not exist.")
    if match[2] == "user":
        return Identity("user", arn, match[1])
    session = f"arn:aws:sts::{match[1]}:assumed-role/{arn.rsplit('/', 1)[-1]}/simulated"
    return Identity("role", session, match[1], arn)


def _list(params: Mapping[str, Any], name: str) -> list[str]:
    return [str(item) for item in params.get(name) or []]


def _context(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    entries = params.get("ContextEntries") or []
    return {
        str(entry["ContextKeyName"]).lower(): tuple(str(value) for value in entry.get("ContextKeyValues") or ())
        for entry in entries
        if entry.get("ContextKeyName")
    }
