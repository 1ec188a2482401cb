"""Operations on the tags of state machines. Must not import moto.

See https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#concepts-tagging.
"""

from __future__ import annotations

from local_aws.states.api.store import Members, Operations, parse_arn
from local_aws.states.errors import ApiError
from local_aws.states.models import StateMachine

_MAX_TAGS = 50


class TagOperations(Operations):
    """The operations on tags."""

    def tag_resource(self, members: Members, region: str, account: str) -> Members:
        """Add tags to a state machine, or change their values.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_TagResource.html
        """
        with self.store.lock:
            machine = self._tagged(members["resourceArn"])
            machine.tags = with_tags(machine.tags, members["tags"])
        return {}

    def untag_resource(self, members: Members, region: str, account: str) -> Members:
        """Remove tags from a state machine.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_UntagResource.html
        """
        with self.store.lock:
            machine = self._tagged(members["resourceArn"])
            machine.tags = {key: value for key, value in machine.tags.items() if key not in members["tagKeys"]}
        return {}

    def list_tags_for_resource(self, members: Members, region: str, account: str) -> Members:
        """List the tags of a state machine.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListTagsForResource.html
        """
        with self.store.lock:
            machine = self._tagged(members["resourceArn"])
            return {"tags": [{"key": key, "value": value} for key, value in machine.tags.items()]}

    def tags_of(self, arn: str) -> dict[str, str]:
        """Return the tags of a state machine for IAM; without tags for anything else.

        :param arn: ARN of a state machine, version or alias; an execution has no tags.
        """
        machine = self.store.machines.get(":".join(arn.split(":")[:7]))
        return dict(machine.tags) if machine is not None else {}

    def _tagged(self, arn: str) -> StateMachine:
        machine = self.store.machines.get(parse_arn(arn)["base"])
        if machine is None:
            raise ApiError("ResourceNotFound", f"Resource not found: '{arn}'")
        return machine


def with_tags(tags: dict[str, str], added: list[Members]) -> dict[str, str]:
    """Return tags with others added.

    :param added: members ``key`` and ``value`` of each new tag.
    :raises ApiError: ``TooManyTags``.
    """
    result = {**tags, **{item["key"]: item.get("value", "") for item in added}}
    if len(result) > _MAX_TAGS:
        raise ApiError("TooManyTags", f"A resource can have at most {_MAX_TAGS} tags, not {len(result)}.")
    return result
