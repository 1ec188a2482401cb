"""``AWS::StepFunctions::StateMachine`` for moto's CloudFormation, so that it can be executed.

See
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-stepfunctions-statemachine.html.
"""

from __future__ import annotations

import json
import re
from typing import Any

from local_aws.states.responses import API

TYPE = "AWS::StepFunctions::StateMachine"


class StackStateMachine:
    """A state machine as CloudFormation's resource.

    :param arn: ARN of the state machine, also its ``physical_resource_id``.
    :param revision_id: its current revision.
    """

    type = TYPE

    def __init__(self, arn: str, revision_id: str = "INITIAL") -> None:
        self.arn = self.physical_resource_id = arn
        self.name = arn.rsplit(":", 1)[-1]
        self.revision_id = revision_id

    @staticmethod
    def has_cfn_attr(attribute: str) -> bool:
        """Whether the resource has an attribute for ``Fn::GetAtt``."""
        return attribute in ("Arn", "Name", "StateMachineRevisionId")

    def get_cfn_attribute(self, attribute: str) -> str:
        """Return the value of an attribute for ``Fn::GetAtt``."""
        return {"Arn": self.arn, "Name": self.name, "StateMachineRevisionId": self.revision_id}[attribute]

    def is_created(self) -> bool:
        """Whether the resource exists yet; moto asks, and it always does."""
        return True


def _members(properties: dict[str, Any]) -> dict[str, Any]:
    text = properties.get("DefinitionString")
    if text is None and "Definition" in properties:
        text = json.dumps(properties["Definition"])
    if text is None:
        text = _definition_in_s3(properties["DefinitionS3Location"])
    substitutions = properties.get("DefinitionSubstitutions", {})
    text = re.sub(r"\$\{([A-Za-z0-9_]+)\}", lambda match: str(substitutions.get(match[1], match[0])), text)
    return {"definition": text, "roleArn": properties["RoleArn"]}


def _definition_in_s3(location: dict[str, str]) -> str:
    from local_aws.core import clients

    answer = clients.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"])
    return str(answer["Body"].read().decode())


def create(
    cls: type, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
) -> StackStateMachine:
    """Create the resource.

    :param cls: moto's class of the resource; unused.
    :param resource_name: name to use when the properties have none.
    :param cloudformation_json: the resource of the template, with its references resolved.
    """
    properties = cloudformation_json["Properties"]
    members = {
        **_members(properties),
        "name": properties.get("StateMachineName", resource_name),
        "type": properties.get("StateMachineType", "STANDARD"),
        "tags": [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])],
    }
    return StackStateMachine(API.create_state_machine(members, region_name, account_id)["stateMachineArn"])


def update(
    cls: type,
    original_resource: StackStateMachine,
    new_resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
) -> StackStateMachine:
    """Update the resource, or replace it when its name changes.

    :param cls: moto's class of the resource.
    :param original_resource: the resource before the update.
    :param new_resource_name: name to use when the properties have none.
    :param cloudformation_json: the resource of the new template.
    """
    properties = cloudformation_json["Properties"]
    if properties.get("StateMachineName", original_resource.name) != original_resource.name:
        made = create(cls, new_resource_name, cloudformation_json, account_id, region_name)
        API.delete_state_machine({"stateMachineArn": original_resource.arn}, region_name, account_id)
        return made
    members = {**_members(properties), "stateMachineArn": original_resource.arn}
    answer = API.update_state_machine(members, region_name, account_id)
    revision = answer.get("revisionId", original_resource.revision_id)
    return StackStateMachine(original_resource.arn, revision)


def delete(
    cls: type, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
) -> None:
    """Delete the resource.

    :param resource_name: its ARN or name.
    """
    arn = resource_name
    if not arn.startswith("arn:"):
        arn = f"arn:aws:states:{region_name}:{account_id}:stateMachine:{resource_name}"
    API.delete_state_machine({"stateMachineArn": arn}, region_name, account_id)
