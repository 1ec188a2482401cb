"""``AWS::S3::BucketPolicy`` for moto's CloudFormation, which skips it.

See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-s3-bucketpolicy.html.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_models import CloudFormationModel


class StackBucketPolicy(CloudFormationModel):  # type: ignore[misc]
    """A stack's bucket policy; its ``physical_resource_id`` is the bucket's name, as on AWS."""

    def __init__(self, bucket: str) -> None:
        self.physical_resource_id = bucket

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return no property: the resource has no name of its own."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the type's name in templates."""
        return "AWS::S3::BucketPolicy"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Return False: ``Fn::GetAtt`` has no attributes of it."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> StackBucketPolicy:
        """Give the bucket its policy when the stack is created."""
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
        """Put the new policy, and remove the old one from a bucket that is no longer named."""
        made = cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)
        if made.physical_resource_id != original_resource.physical_resource_id:
            _remove(account_id, original_resource.physical_resource_id)
        return made

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Remove the policy from the bucket, if the bucket still exists."""
        _remove(account_id, str(cloudformation_json["Properties"].get("Bucket", resource_name)))


def _backend(account_id: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"]


def _remove(account_id: str, bucket: str) -> None:
    backend = _backend(account_id)
    if bucket in backend.buckets:
        backend.delete_bucket_policy(bucket)
