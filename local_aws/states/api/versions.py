"""Operations on versions of state machines: publish, list and delete.

See https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html. Must
not import moto.
"""

from __future__ import annotations

import time

from local_aws.states.api.paging import page
from local_aws.states.api.store import Members, Operations, parse_arn, version_number
from local_aws.states.errors import ApiError, validation
from local_aws.states.models import StateMachine, Version

_MAX_VERSIONS = 1000


class VersionOperations(Operations):
    """The operations on versions."""

    def publish_state_machine_version(self, members: Members, region: str, account: str) -> Members:
        """Publish the current revision; one that has a version already keeps it.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html
        """
        with self.store.lock:
            machine = self.store.unqualified_machine(members["stateMachineArn"])
            revision = members.get("revisionId")
            if revision is not None and revision != machine.revision_id:
                raise ApiError(
                    "ConflictException",
                    f"Failed to publish the State Machine version for revision {revision}. "
                    f"The current State Machine revision is {machine.revision_id}.",
                )
            version = publish(machine, members.get("description", ""))
            return {"creationDate": version.creation_date, "stateMachineVersionArn": version.arn}

    def list_state_machine_versions(self, members: Members, region: str, account: str) -> Members:
        """List the versions of a state machine, newest first.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineVersions.html
        """
        with self.store.lock:
            machine = self.store.unqualified_machine(members["stateMachineArn"])
            rows = [
                {"stateMachineVersionArn": item.arn, "creationDate": item.creation_date}
                for item in sorted(machine.versions.values(), key=lambda item: item.number, reverse=True)
            ]
        return page(rows, members, "stateMachineVersions")

    def delete_state_machine_version(self, members: Members, region: str, account: str) -> Members:
        """Delete a version that no alias routes to; one that does not exist is no error.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineVersion.html
        """
        arn = members["stateMachineVersionArn"]
        parse_arn(arn)
        found = version_number(arn)
        if found is None:
            raise validation(f"Invalid state machine version ARN: '{arn}'")
        base, number = found
        with self.store.lock:
            machine = self.store.machines.get(base)
            if machine is None:
                return {}
            using = sorted(alias.name for alias in machine.aliases.values() if arn in dict(alias.routing))
            if using:
                raise ApiError(
                    "ConflictException",
                    "Version to be deleted must not be referenced by an alias. Current list "
                    f"of aliases referencing this version: [{', '.join(using)}]",
                )
            machine.versions.pop(number, None)
        return {}


def publish(machine: StateMachine, description: str) -> Version:
    """Return the version of the machine's current revision, and make it if there is none yet.

    :param description: description of a new version.
    :raises ApiError: ``ServiceQuotaExceededException``.
    """
    for version in machine.versions.values():
        if version.revision_id == machine.revision_id:
            return version
    if len(machine.versions) >= _MAX_VERSIONS:
        raise ApiError(
            "ServiceQuotaExceededException", f"A state machine can have {_MAX_VERSIONS} versions; delete some."
        )
    number = machine.next_version
    machine.next_version += 1
    version = Version(
        f"{machine.arn}:{number}",
        number,
        machine.revision_id,
        machine.definition,
        machine.role_arn,
        description,
        time.time(),
    )
    machine.versions[number] = version
    return version
