"""Operations on state machines: create, update, describe, delete, list and validate.

See https://docs.aws.amazon.com/step-functions/latest/dg/concepts-statemachines.html. Must not
import moto.
"""

from __future__ import annotations

import re
import threading
import time

from local_aws.states import executions, role_checks
from local_aws.states.api.paging import page
from local_aws.states.api.store import Members, Operations, check_name, parse_arn
from local_aws.states.api.tags import with_tags
from local_aws.states.api.versions import publish
from local_aws.states.asl import validation as definitions
from local_aws.states.asl.texts import random_id
from local_aws.states.errors import ApiError, validation
from local_aws.states.models import TERMINAL, Execution, StateMachine

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
#: What an existing state machine must have in common with a request to create it once more.
_COMPARED = ("definition", "type", "logging", "tracing", "encryption", "publish", "version_description")
#: Members of UpdateStateMachine → the attribute that each changes.
_UPDATABLE = {
    "definition": "definition",
    "roleArn": "role_arn",
    "loggingConfiguration": "logging",
    "tracingConfiguration": "tracing",
    "encryptionConfiguration": "encryption",
}


class StateMachineOperations(Operations):
    """The operations on state machines."""

    def create_state_machine(self, members: Members, region: str, account: str) -> Members:
        """Create a state machine; the same request made again returns the existing one.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
        """
        check_name(members["name"])
        _check_role(members["roleArn"])
        _check_version_description(members)
        _check_definition(members["definition"])
        wanted = _new_machine(members, region, account)
        role_checks.check(wanted.role_arn, wanted.arn, wanted.definition)
        with self.store.lock:
            existing = self.store.machines.get(wanted.arn)
            if existing is None:
                machine = self.store.machines[wanted.arn] = wanted
                if wanted.publish:
                    publish(wanted, wanted.version_description)
            else:
                _check_same(existing, wanted)
                machine = existing
            answer = {"stateMachineArn": machine.arn, "creationDate": machine.creation_date}
            if wanted.publish and machine.versions:
                answer["stateMachineVersionArn"] = machine.versions[min(machine.versions)].arn
            return answer

    def update_state_machine(self, members: Members, region: str, account: str) -> Members:
        """Change a state machine; a change makes a new revision, and a version if it is asked for.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html
        """
        if all(members.get(member) is None for member in _UPDATABLE):
            raise ApiError(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, "
                "the TracingConfiguration or the EncryptionConfiguration must be specified",
            )
        _check_version_description(members)
        if "roleArn" in members:
            _check_role(members["roleArn"])
        if "definition" in members:
            _check_definition(members["definition"])
        with self.store.lock:
            machine = self.store.unqualified_machine(members["stateMachineArn"])
            if "roleArn" in members or "definition" in members:
                role_checks.check(
                    members.get("roleArn", machine.role_arn), machine.arn, members.get("definition", machine.definition)
                )
            before = [getattr(machine, name) for name in _UPDATABLE.values()]
            for member, name in _UPDATABLE.items():
                setattr(machine, name, members.get(member, getattr(machine, name)))
            machine.update_date = time.time()
            answer: Members = {"updateDate": machine.update_date}
            if before != [getattr(machine, name) for name in _UPDATABLE.values()]:
                machine.revision_id = random_id()
                answer["revisionId"] = machine.revision_id
            if members.get("publish"):
                answer["stateMachineVersionArn"] = publish(machine, members.get("versionDescription", "")).arn
            return answer

    def describe_state_machine(self, members: Members, region: str, account: str) -> Members:
        """Describe a state machine, or the version that a qualified ARN names.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html
        """
        arn = members["stateMachineArn"]
        with self.store.lock:
            machine, version, _ = self.store.resolve(arn)
            answer: Members = {
                "stateMachineArn": arn if version is None else version.arn,
                "name": machine.name,
                "status": machine.status,
                "definition": version.definition if version else machine.definition,
                "roleArn": version.role_arn if version else machine.role_arn,
                "type": machine.type,
                "creationDate": version.creation_date if version else machine.creation_date,
                "loggingConfiguration": machine.logging,
                "tracingConfiguration": machine.tracing,
                "encryptionConfiguration": machine.encryption or {"type": "AWS_OWNED_KEY"},
            }
            revision = version.revision_id if version else machine.revision_id
            if revision != "INITIAL":
                answer["revisionId"] = revision
            if version is not None and version.description:
                answer["description"] = version.description
            return answer

    def describe_state_machine_for_execution(self, members: Members, region: str, account: str) -> Members:
        """Describe a state machine as it was when an execution of it started.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineForExecution.html
        """
        execution = self.store.execution(members["executionArn"])
        with self.store.lock:
            machine = self.store.machines[execution.state_machine_arn]
            return {
                "stateMachineArn": execution.state_machine_arn,
                "name": machine.name,
                "definition": execution.definition,
                "roleArn": execution.role_arn,
                "updateDate": machine.update_date,
                "loggingConfiguration": machine.logging,
                "tracingConfiguration": machine.tracing,
                "encryptionConfiguration": machine.encryption or {"type": "AWS_OWNED_KEY"},
            }

    def delete_state_machine(self, members: Members, region: str, account: str) -> Members:
        """Delete a state machine, once its running executions have been stopped.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
        """
        match = parse_arn(members["stateMachineArn"])
        if match["qualifier"] or match["label"]:
            raise validation("DeleteStateMachine does not accept a qualified state machine ARN")
        with self.store.lock:
            machine = self.store.machines.get(match["base"])
            if machine is None or machine.status == "DELETING":
                return {}
            running = [item for item in machine.executions.values() if item.status not in TERMINAL]
            machine.status = "DELETING"
            if not running:
                del self.store.machines[machine.arn]
                return {}
        threading.Thread(
            target=self._finish_deletion, args=(machine, running), name=f"states-delete-{machine.name}", daemon=True
        ).start()
        return {}

    def _finish_deletion(self, machine: StateMachine, running: list[Execution]) -> None:
        for execution in running:
            executions.stop(execution, None, None)
        with self.store.lock:
            if self.store.machines.get(machine.arn) is machine:
                del self.store.machines[machine.arn]

    def list_state_machines(self, members: Members, region: str, account: str) -> Members:
        """List the state machines of an account and region by name.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachines.html
        """
        with self.store.lock:
            found = [item for item in self.store.machines.values() if item.arn.split(":")[3:5] == [region, account]]
        rows = [
            {"stateMachineArn": item.arn, "name": item.name, "type": item.type, "creationDate": item.creation_date}
            for item in sorted(found, key=lambda item: item.name)
        ]
        return page(rows, members, "stateMachines")

    def list_activities(self, members: Members, region: str, account: str) -> Members:
        """List no activities, because local_aws runs none.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListActivities.html
        """
        return {"activities": []}

    def validate_state_machine_definition(self, members: Members, region: str, account: str) -> Members:
        """Check a definition without creating anything.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
        """
        _, found = definitions.diagnose(members["definition"])
        failed = any(item.severity == "ERROR" for item in found)
        if members.get("severity", "ERROR") == "ERROR":
            found = [item for item in found if item.severity == "ERROR"]
        limit = members.get("maxResults") or 100
        return {
            "result": "FAIL" if failed else "OK",
            "diagnostics": [item.as_api() for item in found[:limit]],
            "truncated": len(found) > limit,
        }


def _new_machine(members: Members, region: str, account: str) -> StateMachine:
    now = time.time()
    return StateMachine(
        arn=f"arn:aws:states:{region}:{account}:stateMachine:{members['name']}",
        name=members["name"],
        definition=members["definition"],
        role_arn=members["roleArn"],
        type=members.get("type", "STANDARD"),
        creation_date=now,
        update_date=now,
        logging=members.get("loggingConfiguration", {"level": "OFF", "includeExecutionData": False}),
        tracing=members.get("tracingConfiguration", {"enabled": False}),
        encryption=members.get("encryptionConfiguration"),
        tags=with_tags({}, members.get("tags", [])),
        publish=bool(members.get("publish")),
        version_description=members.get("versionDescription", ""),
    )


def _check_same(existing: StateMachine, wanted: StateMachine) -> None:
    if existing.status == "DELETING":
        raise ApiError("StateMachineDeleting", f"State machine is being deleted: '{wanted.arn}'")
    if existing.revision_id != "INITIAL" or any(getattr(existing, name) != getattr(wanted, name) for name in _COMPARED):
        raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{wanted.arn}'")


def _check_version_description(members: Members) -> None:
    if members.get("versionDescription") and not members.get("publish"):
        raise validation("Version description can only be set when publish is true")


def _check_role(arn: str) -> None:
    if not _ROLE.fullmatch(arn):
        raise ApiError("InvalidArn", f"Invalid Role Arn: '{arn}'")


def _check_definition(text: str) -> None:
    try:
        definitions.parse(text)
    except definitions.DefinitionError as error:
        raise ApiError("InvalidDefinition", error.message()) from error
