"""A bucket's events: in AWS's form, to queues that the bucket may send to, also from a stack.

See https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote_plus

from local_aws.iam.evaluation import AccessRequest, Identity, PolicySet, evaluate
from local_aws.iam.policy_documents import PolicyDocumentError, parse
from local_aws.iam.request_context import principal_keys

_numbers = itertools.count()
UNVERIFIABLE = "Unable to validate the following destination configurations"


def event(bucket: Any, key: Any, *, made_by_moto: dict[str, Any]) -> dict[str, Any]:
    """Return an event as AWS writes it.

    :param bucket: moto's bucket.
    :param key: moto's object.
    :param made_by_moto: What moto would send.
    """
    sequencer = f"{time.time_ns():016X}{next(_numbers) % 0x10000:04X}"
    (record,) = made_by_moto["Records"]
    stored = record["s3"]
    stored["bucket"]["ownerIdentity"] = {"principalId": bucket.account_id}
    # Slashes stay as they are, and moto encodes them.
    stored["object"]["key"] = quote_plus(key.name, safe="/")
    # Of one key, the greater one is of the later event.
    stored["object"]["sequencer"] = sequencer
    if bucket.is_versioned:
        stored["object"]["versionId"] = key.version_id
    record |= {
        "userIdentity": {"principalId": f"AWS:{bucket.account_id}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": sequencer[:16], "x-amz-id-2": sequencer},
    }
    return made_by_moto


def refused_queues(bucket: Any, queues: Iterable[str]) -> list[str]:
    """Return the queues that a bucket may not send to, or that do not exist.

    :param bucket: moto's bucket.
    :param queues: ARNs.
    """
    return [arn for arn in queues if not _may_send(bucket, arn)]


def _may_send(bucket: Any, arn: str) -> bool:
    from moto.sqs.models import sqs_backends

    region, account_id, name = arn.split(":")[3:6]
    queue = sqs_backends[account_id][region].queues.get(name)
    if queue is None or not queue.policy:
        return False
    identity = Identity("service", "s3.amazonaws.com", bucket.account_id)
    context = principal_keys(identity) | {
        "aws:sourceaccount": (bucket.account_id,),
        "aws:sourcearn": (bucket.arn,),
        "aws:securetransport": ("true",),
    }
    try:
        policy = parse(queue.policy, f"policy of the queue {arn}")
    except PolicyDocumentError:
        return False
    request = AccessRequest(identity, "sqs:SendMessage", arn, context)
    return evaluate(request, PolicySet(resource=(policy,), resource_type="resource-based policy")).allowed


def of_stack(properties: dict[str, Any]) -> dict[str, Any]:
    """Return what PutBucketNotificationConfiguration takes for a stack's bucket.

    Queues only. See
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-queueconfiguration.html.

    :param properties: Of ``AWS::S3::Bucket``.
    """
    found = []
    for one in properties.get("NotificationConfiguration", {}).get("QueueConfigurations", ()):
        rules = [
            {"Name": rule["Name"], "Value": rule["Value"]}
            for rule in one.get("Filter", {}).get("S3Key", {}).get("Rules", ())
        ]
        made: dict[str, Any] = {"Queue": one["Queue"], "Event": [one["Event"]]}
        found.append(made | ({"Filter": {"S3Key": {"FilterRule": rules}}} if rules else {}))
    return {"QueueConfiguration": found} if found else {}


def policy_text(document: Any) -> str:
    """Return a policy document of a template as SQS keeps it."""
    return document if isinstance(document, str) else json.dumps(document, default=str)
