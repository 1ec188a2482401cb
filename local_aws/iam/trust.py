"""Whether an AWS service can assume a role: it must exist, and its trust policy must allow it.

The condition keys ``aws:SourceAccount`` and ``aws:SourceArn`` say on whose behalf. See
https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
"""

from __future__ import annotations

import re

from local_aws.iam.evaluation import AccessRequest, Identity, PolicySet, evaluate
from local_aws.iam.policy_documents import PolicyDocumentError
from local_aws.iam.principals import find_role
from local_aws.iam.request_context import principal_keys
from local_aws.iam.resource_policies import trust_policy


def role_problem(role_arn: str, service_principal: str, source_arn: str | None = None) -> str | None:
    """Say in one sentence why a service cannot assume a role.

    A role whose trust policy has no statement is accepted, because such a policy denies nothing.

    :param role_arn: ARN of the role.
    :param service_principal: for example ``sagemaker.amazonaws.com``.
    :param source_arn: ARN of the job or state machine for which the role is assumed.
    :returns: None if it can.
    """
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/.+", role_arn):
        return f"{role_arn} is not the ARN of an IAM role"
    if find_role(role_arn) is None:
        return f"the role {role_arn} does not exist"
    try:
        trust = trust_policy(role_arn)
    except PolicyDocumentError as error:
        return f"the trust policy of {role_arn} cannot be read: {error}"
    if not any(policy.statements for policy in trust.policies):
        return None
    account = role_arn.split(":")[4]
    identity = Identity("service", service_principal, account)
    context = principal_keys(identity) | {"aws:sourceaccount": (account,), "aws:securetransport": ("true",)}
    if source_arn is not None:
        context |= {"aws:sourcearn": (source_arn,), "aws:sourceaccount": (source_arn.split(":")[4] or account,)}
    request = AccessRequest(identity, "sts:AssumeRole", role_arn, context)
    if evaluate(request, PolicySet(resource=trust.policies, resource_type=trust.type)).allowed:
        return None
    return f"the trust policy of {role_arn} does not allow {service_principal} to assume it"
