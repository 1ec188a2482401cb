"""Denials in AWS's words and in the form of each service.

Wording: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html; codes:
the "Common Errors" of the services. Must not import moto.
"""

from __future__ import annotations

from local_aws.core.authorisation import Denial
from local_aws.core.call_identity import Call
from local_aws.iam.evaluation import AccessRequest, Decision

#: Services whose code is neither AccessDenied (query, XML) nor AccessDeniedException (JSON).
_CODES = {"sns": "AuthorizationError", "sqs": "AccessDenied", "cloudwatch": "AccessDenied"}
#: Prefixes of actions that AWS spells differently in messages.
_SPELLED = {"sns": "SNS"}
#: JSON 1.x answers errors with 400, REST with 403.
_JSON_STATUS = 400


def message(request: AccessRequest, decision: Decision) -> str:
    """Say why a request is denied, in AWS's words.

    :param request: the request.
    :param decision: the decision, a denial.
    """
    prefix, _, name = request.action.partition(":")
    action = f"{_SPELLED.get(prefix, prefix)}:{name}"
    who = f"User: {request.identity.arn} is not authorized to perform: {action}"
    if decision.policy_type == "role trust policy":
        return who + (
            f" with an explicit deny in the {decision.policy_type}"
            if decision.explicit
            else f" because no role trust policy allows the {action} action"
        )
    # Only S3 quotes the ARN.
    resource = f'"{request.resource}"' if prefix == "s3" else request.resource
    where = f" on resource: {resource}"
    if decision.explicit:
        article = "an" if decision.policy_type[0] in "aeiou" else "a"
        return f"{who}{where} with an explicit deny in {article} {decision.policy_type}"
    return f"{who}{where} because no {decision.policy_type} allows the {action} action"


def access_denied(call: Call, text: str) -> Denial:
    """Put a denial into the form of the call's service.

    :param call: the call that is denied.
    :param text: the message.
    """
    prefix = call.action.partition(":")[0]
    plain = call.protocol in ("query", "rest-xml", "ec2")
    code = _CODES.get(prefix) or ("AccessDenied" if plain else "AccessDeniedException")
    status = _JSON_STATUS if call.protocol in ("json", "cbor") and prefix not in _CODES else 403
    return Denial(text, code, status)


def credential_refused(call: Call, code: str, text: str) -> Denial:
    """Put the rejection of an access key into the form of the call's service.

    :param call: the call that is denied.
    :param code: error code of a query service, for example ``InvalidClientTokenId``.
    :param text: the message.
    """
    if call.service == "s3" and code == "InvalidClientTokenId":
        return Denial("The AWS Access Key Id you provided does not exist in our records.", "InvalidAccessKeyId", 403)
    if call.protocol == "json":
        named = {"InvalidClientTokenId": "UnrecognizedClientException", "ExpiredToken": "ExpiredTokenException"}
        return Denial(text, named.get(code, code), 400)
    return Denial(text, code, 403)
