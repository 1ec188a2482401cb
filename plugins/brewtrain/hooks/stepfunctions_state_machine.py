"""State machines with their versions and aliases; executions are in another hook.

Source: AWS Step Functions API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.errors import TransientError
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook

# The revision of a state machine that was never updated has no id; this word is used for it.
_INITIAL_REVISION = "INITIAL"


class StepFunctionsStateMachineHook(AwsClientHook):
    """State machines, versions, aliases."""

    service = "stepfunctions"

    def describe_state_machine(self, arn: str) -> dict[str, Any] | None:
        """Return a state machine, or one version of it, or ``None`` if it is not there.

        :param arn: ARN of the state machine, or of a version.
        :raises TransientError: If it is just being deleted.
        """
        with self.errors(f"state machine {arn}"):
            try:
                machine: dict[str, Any] = self.conn.describe_state_machine(stateMachineArn=arn)
            except ClientError as error:
                if error_code(error) == "StateMachineDoesNotExist":
                    return None
                raise
        if machine.get("status") == "DELETING":
            raise TransientError(f"state machine {arn}: is being deleted; deploy again once it is gone")
        return machine

    def create_state_machine(self, name: str, definition: str, *, role_arn: str, tags: Mapping[str, str]) -> bool:
        """Make a state machine and publish its first version.

        :returns: Whether it was made; ``False`` if one of this name has just appeared.
        """
        with self.errors(f"state machine {name!r}"):
            try:
                self.conn.create_state_machine(
                    name=name,
                    definition=definition,
                    roleArn=role_arn,
                    type="STANDARD",
                    publish=True,
                    tags=[{"key": key, "value": value} for key, value in tags.items()],
                )
            except ClientError as error:
                if error_code(error) == "StateMachineAlreadyExists":
                    return False
                raise
        return True

    def update_state_machine(self, arn: str, definition: str, *, role_arn: str) -> None:
        """Replace definition and role, and publish the result as a version in the same call."""
        with self.errors(f"state machine {arn}"):
            self.conn.update_state_machine(stateMachineArn=arn, definition=definition, roleArn=role_arn, publish=True)

    def publish_version(self, arn: str, *, revision_id: str | None) -> str:
        """Publish the state machine as a version.

        :param revision_id: The revision that was looked at: another one is not published.
        :returns: ARN of the version; that of the existing one if this revision has been published
            before.
        :raises TransientError: If the state machine has changed since.
        """
        with self.errors(f"state machine {arn}"):
            version: str = self.conn.publish_state_machine_version(
                stateMachineArn=arn, revisionId=revision_id or _INITIAL_REVISION
            )["stateMachineVersionArn"]
        return version

    def list_versions(self, arn: str) -> list[str]:
        """Return the ARNs of all versions, newest first."""
        versions: list[str] = []
        token: dict[str, str] = {}
        with self.errors(f"versions of state machine {arn}"):
            while True:
                # botocore has no paginator for this operation.
                page = self.conn.list_state_machine_versions(stateMachineArn=arn, maxResults=100, **token)
                versions += [version["stateMachineVersionArn"] for version in page["stateMachineVersions"]]
                if not page.get("nextToken"):
                    return versions
                token = {"nextToken": page["nextToken"]}

    def delete_version(self, arn: str) -> bool:
        """Delete a version.

        :returns: Whether it was deleted; ``False`` if an alias refers to it.
        """
        with self.errors(f"state machine version {arn}"):
            try:
                self.conn.delete_state_machine_version(stateMachineVersionArn=arn)
            except ClientError as error:
                if error_code(error) == "ConflictException":
                    return False
                raise
        return True

    def describe_alias(self, arn: str) -> dict[str, int] | None:
        """Return version ARN → percent of new executions; ``None`` if the alias does not exist."""
        with self.errors(f"state machine alias {arn}"):
            try:
                alias = self.conn.describe_state_machine_alias(stateMachineAliasArn=arn)
            except ClientError as error:
                if error_code(error) in ("ResourceNotFound", "StateMachineDoesNotExist"):
                    return None
                raise
        return {route["stateMachineVersionArn"]: route["weight"] for route in alias.get("routingConfiguration", [])}

    def create_alias(self, name: str, version_arn: str) -> bool:
        """Make an alias that sends every new execution to one version.

        :returns: Whether it was made; ``False`` if one of this name has just appeared.
        """
        with self.errors(f"state machine alias {name!r}"):
            try:
                self.conn.create_state_machine_alias(name=name, routingConfiguration=_all_to(version_arn))
            except ClientError as error:
                if error_code(error) == "ConflictException":
                    return False
                raise
        return True

    def update_alias(self, arn: str, version_arn: str) -> None:
        """Point an alias at one version."""
        with self.errors(f"state machine alias {arn}"):
            self.conn.update_state_machine_alias(stateMachineAliasArn=arn, routingConfiguration=_all_to(version_arn))

    def validate_definition(self, definition: str) -> list[dict[str, str]]:
        """Return AWS's diagnostics of a definition.

        :returns: ``severity`` (``ERROR`` or ``WARNING``), ``code``, ``message`` and, if known,
            ``location`` of each.
        """
        with self.errors("state machine definition"):
            diagnostics: list[dict[str, str]] = self.conn.validate_state_machine_definition(
                definition=definition, type="STANDARD", severity="WARNING"
            )["diagnostics"]
        return diagnostics


def _all_to(version_arn: str) -> list[dict[str, Any]]:
    return [{"stateMachineVersionArn": version_arn, "weight": 100}]
