"""Policies of resources, as moto stores them: of buckets, KMS keys, topics and roles.

Resource policies of other services (queues, functions, log groups) are ignored, as
docs/local-aws.md says. See
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html.
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
    """Return the policies of the resource of an action.

    :param action: for example ``s3:GetObject``.
    :param resource: ARN of the resource.
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
    """Return moto's bucket of a name, in whichever account; None if it does not exist."""
    from moto.s3.models import s3_backends

    for account in list(s3_backends):
        for backend in list(s3_backends[account].values()):
            found = backend.buckets.get(name)
            if found is not None:
                return found
    return None


def _key(resource: str) -> ResourcePolicies:
    from moto.kms.models import kms_backends

    parts = resource.split(":")
    if len(parts) < 6 or not parts[4] or not parts[3]:
        return NONE
    key = kms_backends[parts[4]][parts[3]].keys.get(parts[5].removeprefix("key/"))
    if key is None:
        return NONE
    return ResourcePolicies((parse(key.policy, f"key policy of {resource}"),), parts[4], delegated=True)


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
    """Return who may assume a role; a role that does not exist trusts nobody."""
    role = find_role(role_arn)
    policies = () if role is None else (parse(role.assume_role_policy_document, f"trust policy of {role_arn}"),)
    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else None
    return ResourcePolicies(policies, account, delegated=True, type="role trust policy")
