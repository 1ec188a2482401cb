"""``AWS::SQS::QueuePolicy`` for moto's CloudFormation, which skips it.

See
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html.
"""

from __future__ import annotations

from typing import Any

from moto.core.common_models import CloudFormationModel

from local_aws.s3.notifications import policy_text


class StackQueuePolicy(CloudFormationModel):  # type: ignore[misc]
    """The policy that a stack gives to queues."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        """Return no property: the resource has no name of its own."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Return the type's name in templates."""
        return "AWS::SQS::QueuePolicy"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Return False: ``Fn::GetAtt`` has no attributes of it but its id."""
        return False

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> StackQueuePolicy:
        """Give the queues their policy when the stack is created."""
        properties = cloudformation_json["Properties"]
        _put(properties, policy_text(properties["PolicyDocument"]), account_id, region_name)
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: StackQueuePolicy,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> StackQueuePolicy:
        """Put the new policy."""
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        """Remove the policy from the queues that still exist."""
        _put(cloudformation_json["Properties"], "", account_id, region_name)


def _put(properties: dict[str, Any], policy: str, account_id: str, region_name: str) -> None:
    from moto.sqs.models import sqs_backends

    backend = sqs_backends[account_id][region_name]
    for url in properties["Queues"]:
        name = str(url).rsplit("/", 1)[-1]
        if name in backend.queues:
            backend.set_queue_attributes(name, {"Policy": policy})
