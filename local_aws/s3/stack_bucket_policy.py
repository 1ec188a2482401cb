"""``AWS::S3::BucketPolicy`` for moto's CloudFormation, which skips it: a stack's bucket has the policy it is given.

See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-s3-bucketpolicy.html.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_models import CloudFormationModel


class StackBucketPolicy(CloudFormationModel):  # type: ignore[misc]
    """The resource. ``physical_resource_id`` is the bucket's name, as CloudFormation has it."""

    def __init__(self, bucket: str) -> None:
        self.physical_resource_id = bucket

    @staticmethod
    def cloudformation_name_type() -> str:
        """The resource has no name of its own."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """The type in templates."""
        return "AWS::S3::BucketPolicy"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """``Fn::GetAtt`` knows none."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> StackBucketPolicy:
        """Put the policy."""
        properties = cloudformation_json["Properties"]
        document = json.dumps(properties["PolicyDocument"]).encode()
        _backend(account_id).put_bucket_policy(properties["Bucket"], document)
        return cls(properties["Bucket"])

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: StackBucketPolicy,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> StackBucketPolicy:
        """Put the new policy, and take the old one from a bucket that is no longer named."""
        made = cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)
        if made.physical_resource_id != original_resource.physical_resource_id:
            _remove(account_id, original_resource.physical_resource_id)
        return made

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Take the policy from the bucket, which may be gone by now."""
        _remove(account_id, str(cloudformation_json["Properties"].get("Bucket", resource_name)))


def _backend(account_id: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"]


def _remove(account_id: str, bucket: str) -> None:
    backend = _backend(account_id)
    if bucket in backend.buckets:
        backend.delete_bucket_policy(bucket)
