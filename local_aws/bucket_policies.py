"""``AWS::S3::BucketPolicy`` for moto's CloudFormation, which knows no such resource and leaves it out with a warning.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-s3-bucketpolicy.html. Whether a policy
allows a call is not decided here: see :mod:`local_aws.authorisation`.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_models import CloudFormationModel

TYPE = "AWS::S3::BucketPolicy"


class StackBucketPolicy(CloudFormationModel):  # type: ignore[misc]
    """A bucket's policy as CloudFormation's resource. moto finds it among the subclasses of ``CloudFormationModel``."""

    def __init__(self, bucket: str) -> None:
        self.bucket = self.physical_resource_id = bucket
        self.type = TYPE

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names it: the bucket."""
        return "Bucket"

    @staticmethod
    def cloudformation_type() -> str:
        """The resource's type."""
        return TYPE

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether ``Fn::GetAtt`` knows the attribute: it has none."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> StackBucketPolicy:
        """Put the policy."""
        properties = cloudformation_json["Properties"]
        document = properties["PolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document)
        _s3(account_id).put_bucket_policy(properties["Bucket"], text.encode())
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
        """Put the policy again; another bucket's replaces it."""
        made = cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)
        if original_resource.bucket != made.bucket:
            _remove(account_id, original_resource.bucket)
        return made

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Remove the policy; the bucket may be gone already."""
        _remove(account_id, resource_name)

    def is_created(self) -> bool:
        """Creation is immediate."""
        return True


def _s3(account_id: str) -> Any:
    from moto.s3.models import s3_backends

    return s3_backends[account_id]["aws"]


def _remove(account_id: str, bucket: str) -> None:
    from moto.s3.exceptions import MissingBucket

    try:
        _s3(account_id).delete_bucket_policy(bucket)
    except MissingBucket:
        return
