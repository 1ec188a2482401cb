"""Policies that resources have of their own, as moto stores them: buckets, KMS keys, topics and roles.

Other services' resource policies (queues, functions, log groups) are not looked at:
docs/local-aws.md says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local_aws.iam.evaluation import PolicyType
from local_aws.iam.policy_documents import Policy, parse
from local_aws.iam.principals import find_role


@dataclass(frozen=True, slots=True)
class ResourcePolicies:
    """The policies of a resource and how they count, see ``evaluation.PolicySet``."""

    policies: tuple[Policy, ...] = ()
    account_id: str | None = None
    delegated: bool = False
    type: PolicyType = "resource-based policy"


NONE = ResourcePolicies()


def policies_of(action: str, resource: str) -> ResourcePolicies:
    """The policies of the resource that an action is about.

    :raises PolicyDocumentError: the resource's policy cannot be read.
    """
    service = action.partition(":")[0]
    if service == "s3":
        return _bucket(resource)
    if service == "kms":
        return _key(resource)
    if service == "sns":
        return _topic(resource)
    if action == "sts:AssumeRole":
        return trust_policy(resource)
    return NONE


def _bucket(resource: str) -> ResourcePolicies:
    bucket = find_bucket(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
    if bucket is None:
        return NONE
    document = bucket.policy.decode() if bucket.policy else None
    policies = (parse(document, f"bucket policy of {bucket.name}"),) if document else ()
    return ResourcePolicies(policies, bucket.account_id)


def find_bucket(name: str) -> Any | None:
    """moto's bucket of that name, in whichever account; None if there is none."""
    from moto.s3.models import s3_backends

    for account in list(s3_backends):
        for backend in list(s3_backends[account].values()):
            found = backend.buckets.get(name)
            if found is not None:
                return found
    return None


def find_key(key_arn: str) -> Any | None:
    """moto's KMS key, None if there is none."""
    from moto.kms.models import kms_backends

    parts = key_arn.split(":")
    if len(parts) < 6 or not parts[4] or not parts[3]:
        return None
    return kms_backends[parts[4]][parts[3]].keys.get(parts[5].removeprefix("key/"))


def _key(resource: str) -> ResourcePolicies:
    key = find_key(resource)
    if key is None:
        return NONE
    account = resource.split(":")[4]
    return ResourcePolicies((parse(key.policy, f"key policy of {resource}"),), account, delegated=True)


def _topic(resource: str) -> ResourcePolicies:
    from moto.sns.models import sns_backends

    parts = resource.split(":")
    if len(parts) != 6:
        return NONE
    topic = sns_backends[parts[4]][parts[3]].topics.get(resource)
    if topic is None or not topic.policy:
        return ResourcePolicies(account_id=parts[4])
    return ResourcePolicies((parse(topic.policy, f"policy of the topic {resource}"),), parts[4])


def trust_policy(role_arn: str) -> ResourcePolicies:
    """Who may assume a role; a role that does not exist trusts nobody."""
    role = find_role(role_arn)
    policies = () if role is None else (parse(role.assume_role_policy_document, f"trust policy of {role_arn}"),)
    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else None
    return ResourcePolicies(policies, account, delegated=True, type="role trust policy")
