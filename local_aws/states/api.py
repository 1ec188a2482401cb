"""The operations of the Step Functions API over the stored state machines and executions.

Every operation takes the request's members and answers the response's. Follows botocore's model and
https://docs.aws.amazon.com/step-functions/latest/apireference/Welcome.html. Must not import moto.
"""

from __future__ import annotations

import base64
import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from local_aws.states import executions, role_checks
from local_aws.states.asl import validation as definitions
from local_aws.states.errors import ApiError, validation
from local_aws.states.interpreter import MAX_PAYLOAD_BYTES, Frame
from local_aws.states.models import TERMINAL, Alias, Execution, StateMachine, Version, random_id

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff]{1,80}")
_ALIAS_NAME = re.compile(r"(?=.*[a-zA-Z_\-.])[a-zA-Z0-9_\-.]{1,80}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_MACHINE = re.compile(
    r"(?P<base>arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:(?P<name>[^:/\s]{1,80}))"
    r"(?P<label>/[^:]+)?(?::(?P<qualifier>[^:/\s]+))?"
)
_EXECUTION = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:execution:(?P<machine>[^:\s]+):(?P<name>[^:\s]+)")
_MAX_TAGS = 50
_MAX_VERSIONS = 1000
_MAX_ALIASES = 100
_CLIENT_TOKENS_KEPT = 10
_CLIENT_TOKEN_SECONDS = 15 * 60
#: Closed executions kept per state machine; the oldest are forgotten first so that memory stays
#: bounded.
MAX_CLOSED_EXECUTIONS = 10_000

Item = TypeVar("Item")
Members = dict[str, Any]


class StatesApi:
    """All state machines of this process, in every account and region."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._machines: dict[str, StateMachine] = {}

    # State machines

    def create_state_machine(self, members: Members, region: str, account: str) -> Members:
        name = members["name"]
        if not _NAME.fullmatch(name):
            raise ApiError("InvalidName", f"Invalid Name: '{name}'")
        self._check_role(members["roleArn"])
        publish = bool(members.get("publish"))
        if members.get("versionDescription") and not publish:
            raise validation("Version description can only be set when publish is true")
        self._check_definition(members["definition"])
        tags = self._tags({}, members.get("tags", []))
        arn = f"arn:aws:states:{region}:{account}:stateMachine:{name}"
        role_checks.check(members["roleArn"], arn, members["definition"])
        now = time.time()
        machine = StateMachine(
            arn=arn,
            name=name,
            definition=members["definition"],
            role_arn=members["roleArn"],
            type=members.get("type", "STANDARD"),
            creation_date=now,
            update_date=now,
            logging=members.get("loggingConfiguration", {"level": "OFF", "includeExecutionData": False}),
            tracing=members.get("tracingConfiguration", {"enabled": False}),
            encryption=members.get("encryptionConfiguration"),
            tags=tags,
            publish=publish,
            version_description=members.get("versionDescription", ""),
        )
        with self._lock:
            existing = self._machines.get(arn)
            if existing is not None:
                if existing.status == "DELETING":
                    raise ApiError("StateMachineDeleting", f"State machine is being deleted: '{arn}'")
                compared = ("definition", "type", "logging", "tracing", "encryption", "publish", "version_description")
                if existing.revision_id != "INITIAL" or any(
                    getattr(existing, field) != getattr(machine, field) for field in compared
                ):
                    raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
                machine = existing
            else:
                self._machines[arn] = machine
                if publish:
                    self._publish(machine, machine.version_description)
            answer = {"stateMachineArn": arn, "creationDate": machine.creation_date}
            if publish and machine.versions:
                answer["stateMachineVersionArn"] = machine.versions[min(machine.versions)].arn
            return answer

    def update_state_machine(self, members: Members, region: str, account: str) -> Members:
        given = ("definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
        if not any(members.get(field) is not None for field in given):
            raise ApiError(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, "
                "the TracingConfiguration or the EncryptionConfiguration must be specified",
            )
        publish = bool(members.get("publish"))
        if members.get("versionDescription") and not publish:
            raise validation("Version description can only be set when publish is true")
        if "roleArn" in members:
            self._check_role(members["roleArn"])
        if "definition" in members:
            self._check_definition(members["definition"])
        with self._lock:
            machine = self._machine(members["stateMachineArn"], unqualified=True)
            if "roleArn" in members or "definition" in members:
                role_checks.check(
                    members.get("roleArn", machine.role_arn), machine.arn, members.get("definition", machine.definition)
                )
            before = (machine.definition, machine.role_arn, machine.logging, machine.tracing, machine.encryption)
            machine.definition = members.get("definition", machine.definition)
            machine.role_arn = members.get("roleArn", machine.role_arn)
            machine.logging = members.get("loggingConfiguration", machine.logging)
            machine.tracing = members.get("tracingConfiguration", machine.tracing)
            machine.encryption = members.get("encryptionConfiguration", machine.encryption)
            after = (machine.definition, machine.role_arn, machine.logging, machine.tracing, machine.encryption)
            machine.update_date = time.time()
            answer: Members = {"updateDate": machine.update_date}
            if before != after:
                machine.revision_id = random_id()
                answer["revisionId"] = machine.revision_id
            if publish:
                answer["stateMachineVersionArn"] = self._publish(machine, members.get("versionDescription", "")).arn
            return answer

    def describe_state_machine(self, members: Members, region: str, account: str) -> Members:
        arn = members["stateMachineArn"]
        with self._lock:
            machine, version, _ = self._resolve(arn)
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

    def delete_state_machine(self, members: Members, region: str, account: str) -> Members:
        match = self._parse_arn(members["stateMachineArn"])
        if match["qualifier"] or match["label"]:
            raise validation("DeleteStateMachine does not accept a qualified state machine ARN")
        with self._lock:
            machine = self._machines.get(match["base"])
            if machine is None or machine.status == "DELETING":
                return {}
            running = [item for item in machine.executions.values() if item.status not in TERMINAL]
            machine.status = "DELETING"
            if not running:
                del self._machines[machine.arn]
                return {}

        def finish() -> None:
            for execution in running:
                executions.stop(execution, None, None)
            with self._lock:
                if self._machines.get(machine.arn) is machine:
                    del self._machines[machine.arn]

        threading.Thread(target=finish, name=f"states-delete-{machine.name}", daemon=True).start()
        return {}

    def list_state_machines(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            found = [item for item in self._machines.values() if item.arn.split(":")[3:5] == [region, account]]
        rows = [
            {"stateMachineArn": item.arn, "name": item.name, "type": item.type, "creationDate": item.creation_date}
            for item in sorted(found, key=lambda item: item.name)
        ]
        return _page(rows, members, "stateMachines")

    def validate_state_machine_definition(self, members: Members, region: str, account: str) -> Members:
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

    # Versions

    def publish_state_machine_version(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            machine = self._machine(members["stateMachineArn"], unqualified=True)
            revision = members.get("revisionId")
            if revision is not None and revision != machine.revision_id:
                raise ApiError(
                    "ConflictException",
                    f"Failed to publish the State Machine version for revision {revision}. "
                    f"The current State Machine revision is {machine.revision_id}.",
                )
            version = self._publish(machine, members.get("description", ""))
            return {"creationDate": version.creation_date, "stateMachineVersionArn": version.arn}

    def list_state_machine_versions(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            machine = self._machine(members["stateMachineArn"], unqualified=True)
            rows = [
                {"stateMachineVersionArn": item.arn, "creationDate": item.creation_date}
                for item in sorted(machine.versions.values(), key=lambda item: item.number, reverse=True)
            ]
        return _page(rows, members, "stateMachineVersions")

    def delete_state_machine_version(self, members: Members, region: str, account: str) -> Members:
        arn = members["stateMachineVersionArn"]
        match = self._parse_arn(arn)
        if not (match["qualifier"] or "").isdigit():
            raise validation(f"Invalid state machine version ARN: '{arn}'")
        with self._lock:
            machine = self._machines.get(match["base"])
            if machine is None:
                return {}
            using = sorted(alias.name for alias in machine.aliases.values() if arn in dict(alias.routing))
            if using:
                raise ApiError(
                    "ConflictException",
                    "Version to be deleted must not be referenced by an alias. Current list "
                    f"of aliases referencing this version: [{', '.join(using)}]",
                )
            machine.versions.pop(int(match["qualifier"]), None)
        return {}

    def _publish(self, machine: StateMachine, description: str) -> Version:
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

    # Aliases

    def create_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        name, description = members["name"], members.get("description", "")
        if not _ALIAS_NAME.fullmatch(name):
            raise ApiError("InvalidName", f"Invalid Name: '{name}'")
        with self._lock:
            machine, routing = self._routing(members["routingConfiguration"])
            existing = machine.aliases.get(name)
            if existing is not None:
                if (existing.routing, existing.description) != (routing, description):
                    raise ApiError(
                        "ConflictException",
                        "Failed to create alias because an alias with the same name and a "
                        "different routing configuration already exists.",
                    )
                return {"stateMachineAliasArn": existing.arn, "creationDate": existing.creation_date}
            if len(machine.aliases) >= _MAX_ALIASES:
                raise ApiError("ServiceQuotaExceededException", f"A state machine can have {_MAX_ALIASES} aliases.")
            now = time.time()
            alias = Alias(f"{machine.arn}:{name}", name, description, routing, now, now)
            machine.aliases[name] = alias
            return {"stateMachineAliasArn": alias.arn, "creationDate": now}

    def update_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        if members.get("routingConfiguration") is None and members.get("description") is None:
            raise validation(
                "Either the description or the routing configuration must be specified", "MISSING_REQUIRED_PARAMETER"
            )
        with self._lock:
            machine, alias = self._alias(members["stateMachineAliasArn"])
            if members.get("routingConfiguration") is not None:
                target, routing = self._routing(members["routingConfiguration"])
                if target is not machine:
                    raise validation(
                        "An alias can only point to versions of its own state machine", "INVALID_ROUTING_CONFIGURATION"
                    )
                alias.routing = routing
            alias.description = members.get("description", alias.description)
            alias.update_date = time.time()
            return {"updateDate": alias.update_date}

    def describe_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            _, alias = self._alias(members["stateMachineAliasArn"])
            return {
                "stateMachineAliasArn": alias.arn,
                "name": alias.name,
                "description": alias.description,
                "routingConfiguration": [
                    {"stateMachineVersionArn": version, "weight": weight} for version, weight in alias.routing
                ],
                "creationDate": alias.creation_date,
                "updateDate": alias.update_date,
            }

    def list_state_machine_aliases(self, members: Members, region: str, account: str) -> Members:
        arn = members["stateMachineArn"]
        with self._lock:
            machine, version, _ = self._resolve(arn)
            rows = [
                {"stateMachineAliasArn": item.arn, "creationDate": item.creation_date}
                for item in sorted(machine.aliases.values(), key=lambda item: item.name)
                if version is None or version.arn in dict(item.routing)
            ]
        return _page(rows, members, "stateMachineAliases")

    def delete_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            machine, alias = self._alias(members["stateMachineAliasArn"])
            del machine.aliases[alias.name]
        return {}

    def _routing(self, configuration: list[Members]) -> tuple[StateMachine, list[tuple[str, int]]]:
        reason = "INVALID_ROUTING_CONFIGURATION"
        routing = [(item["stateMachineVersionArn"], item["weight"]) for item in configuration]
        if sum(weight for _, weight in routing) != 100:
            raise validation("Sum of routing configuration weights must equal 100", reason)
        if len({arn for arn, _ in routing}) != len(routing):
            raise validation("Routing configuration must contain distinct state machine version ARNs", reason)
        machines = []
        for arn, _ in routing:
            match = _MACHINE.fullmatch(arn)
            if match is None or not (match["qualifier"] or "").isdigit():
                raise validation(f"Routing configuration must contain state machine version ARNs: '{arn}'", reason)
            machine = self._machines.get(match["base"])
            if machine is None or int(match["qualifier"]) not in machine.versions:
                raise ApiError("ResourceNotFound", "Request references a resource that does not exist.")
            machines.append(machine)
        if len({machine.arn for machine in machines}) != 1:
            raise validation("Routing configuration must contain versions of one state machine", reason)
        return machines[0], routing

    def _alias(self, arn: str) -> tuple[StateMachine, Alias]:
        match = self._parse_arn(arn)
        machine = self._machines.get(match["base"])
        alias = machine.aliases.get(match["qualifier"] or "") if machine else None
        if machine is None or alias is None:
            raise ApiError("ResourceNotFound", f"Request references a resource that does not exist: '{arn}'.")
        return machine, alias

    # Executions

    def start_execution(self, members: Members, region: str, account: str) -> Members:
        name = members.get("name") or random_id()
        if not _NAME.fullmatch(name):
            raise ApiError("InvalidName", f"Invalid Name: '{name}'")
        text = members.get("input", "{}")
        if len(text.encode()) > MAX_PAYLOAD_BYTES:
            raise ApiError(
                "InvalidExecutionInput",
                f"Invalid State Machine Execution Input: the input exceeds the maximum of {MAX_PAYLOAD_BYTES} bytes",
            )
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except ValueError as error:
            raise ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error
        with self._lock:
            machine, version, alias = self._resolve(members["stateMachineArn"], route=True)
            if machine.status == "DELETING":
                raise ApiError("StateMachineDeleting", f"State machine is being deleted: '{machine.arn}'")
            arn = f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}"
            existing = machine.executions.get(name)
            if existing is not None:
                same = existing.status == "RUNNING" and json.loads(existing.input) == value
                if not same:
                    raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
                return {"executionArn": arn, "startDate": existing.start_date}
            definition = version.definition if version else machine.definition
            execution = Execution(
                arn=arn,
                name=name,
                state_machine_arn=machine.arn,
                definition=definition,
                role_arn=version.role_arn if version else machine.role_arn,
                input=text,
                start_date=time.time(),
                frame=Frame(state=json.loads(definition)["StartAt"], input=value),
                version_arn=version.arn if version else None,
                alias_arn=alias.arn if alias else None,
                trace_header=members.get("traceHeader"),
            )
            machine.executions[name] = execution
            _forget_oldest(machine)
            executions.start(execution)
        return {"executionArn": arn, "startDate": execution.start_date}

    def describe_execution(self, members: Members, region: str, account: str) -> Members:
        execution = self._execution(members["executionArn"])
        with execution.lock:
            reason = execution.not_redrivable_reason
            included = members.get("includedData") != "METADATA_ONLY"
            answer = {
                "executionArn": execution.arn,
                "stateMachineArn": execution.state_machine_arn,
                "name": execution.name,
                "status": execution.status,
                "startDate": execution.start_date,
                "stopDate": execution.stop_date,
                "input": execution.input if included else None,
                "inputDetails": {"included": included},
                "output": execution.output if included else None,
                "outputDetails": {"included": included} if execution.output is not None else None,
                "error": execution.error,
                "cause": execution.cause,
                "traceHeader": execution.trace_header,
                "stateMachineVersionArn": execution.version_arn,
                "stateMachineAliasArn": execution.alias_arn,
                "redriveCount": execution.redrive_count,
                "redriveDate": execution.redrive_date,
                "redriveStatus": "REDRIVABLE" if reason is None else "NOT_REDRIVABLE",
                "redriveStatusReason": reason,
            }
        return {key: value for key, value in answer.items() if value is not None}

    def describe_state_machine_for_execution(self, members: Members, region: str, account: str) -> Members:
        execution = self._execution(members["executionArn"])
        with self._lock:
            machine = self._machines[execution.state_machine_arn]
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

    def list_executions(self, members: Members, region: str, account: str) -> Members:
        if members.get("mapRunArn"):
            raise ApiError("ResourceNotFound", f"Map Run does not exist: '{members['mapRunArn']}'")
        if not members.get("stateMachineArn"):
            raise validation("Must provide a valid state machine ARN or map run ARN", "MISSING_REQUIRED_PARAMETER")
        if members.get("statusFilter") == "PENDING_REDRIVE":
            raise validation("A statusFilter of PENDING_REDRIVE needs a mapRunArn")
        with self._lock:
            machine, version, alias = self._resolve(members["stateMachineArn"])
            found = list(machine.executions.values())
        if machine.type == "EXPRESS":
            raise ApiError(
                "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
            )
        status, redriven = members.get("statusFilter"), members.get("redriveFilter")
        rows = []
        for item in sorted(found, key=lambda item: (item.sort_date, item.arn), reverse=True):
            if status is not None and item.status != status:
                continue
            if redriven is not None and (item.redrive_count > 0) != (redriven == "REDRIVEN"):
                continue
            if alias is not None:
                if item.alias_arn != alias.arn:
                    continue
            elif version is not None and item.version_arn != version.arn:
                continue
            row = {
                "executionArn": item.arn,
                "stateMachineArn": item.state_machine_arn,
                "name": item.name,
                "status": item.status,
                "startDate": item.start_date,
                "stopDate": item.stop_date,
                "stateMachineVersionArn": item.version_arn,
                "stateMachineAliasArn": item.alias_arn,
                "redriveCount": item.redrive_count,
                "redriveDate": item.redrive_date,
            }
            rows.append({key: value for key, value in row.items() if value is not None})
        return _page(rows, members, "executions")

    def get_execution_history(self, members: Members, region: str, account: str) -> Members:
        execution = self._execution(members["executionArn"])
        events: Iterable[Members] = execution.history.read()
        if members.get("reverseOrder"):
            events = reversed(list(events))
        rows = list(events)
        if members.get("includeExecutionData") is False:
            rows = [_without_data(event) for event in rows]
        return _page(rows, members, "events")

    def stop_execution(self, members: Members, region: str, account: str) -> Members:
        execution = self._execution(members["executionArn"])
        return {"stopDate": executions.stop(execution, members.get("error"), members.get("cause"))}

    def redrive_execution(self, members: Members, region: str, account: str) -> Members:
        execution = self._execution(members["executionArn"])
        token = members.get("clientToken")
        with self._lock, execution.lock:
            now = time.time()
            used = {
                key: value for key, value in execution.client_tokens.items() if value[0] > now - _CLIENT_TOKEN_SECONDS
            }
            if token in used:
                return {"redriveDate": used[token][1]}
            reason = execution.not_redrivable_reason
            machine = self._machines.get(execution.state_machine_arn)
            if machine is not None and machine.status == "DELETING":
                reason = "State machine is in DELETING status"
            if reason is not None:
                raise ApiError(
                    "ExecutionNotRedrivable", f"The execution '{execution.arn}' cannot be redriven: {reason}."
                )
            executions.redrive(execution)
            if token:
                used[token] = (now, execution.redrive_date or now)
                execution.client_tokens = dict(list(used.items())[-_CLIENT_TOKENS_KEPT:])
            return {"redriveDate": execution.redrive_date}

    # Task tokens

    def send_task_success(self, members: Members, region: str, account: str) -> Members:
        try:
            output = json.loads(members["output"])
        except ValueError as error:
            raise ApiError("InvalidOutput", f"Invalid output: '{error}'") from error
        return self._send(members["taskToken"], "success", output)

    def send_task_failure(self, members: Members, region: str, account: str) -> Members:
        return self._send(members["taskToken"], "failure", members.get("error"), members.get("cause"))

    def send_task_heartbeat(self, members: Members, region: str, account: str) -> Members:
        return self._send(members["taskToken"], "heartbeat")

    def _send(self, token: str, kind: str, one: Any = None, other: Any = None) -> Members:
        if not executions.TOKENS.send(token, kind, one, other):
            raise ApiError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        return {}

    # Tags

    def tag_resource(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            machine = self._tagged(members["resourceArn"])
            machine.tags = self._tags(machine.tags, members["tags"])
        return {}

    def untag_resource(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            machine = self._tagged(members["resourceArn"])
            machine.tags = {key: value for key, value in machine.tags.items() if key not in members["tagKeys"]}
        return {}

    def list_tags_for_resource(self, members: Members, region: str, account: str) -> Members:
        with self._lock:
            machine = self._tagged(members["resourceArn"])
            return {"tags": [{"key": key, "value": value} for key, value in machine.tags.items()]}

    def list_activities(self, members: Members, region: str, account: str) -> Members:
        return {"activities": []}

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a state machine; empty when there is none. Executions have no tags."""
        machine = self._machines.get(":".join(arn.split(":")[:7]))
        return dict(machine.tags) if machine is not None else {}

    def _tagged(self, arn: str) -> StateMachine:
        match = self._parse_arn(arn)
        machine = self._machines.get(match["base"])
        if machine is None:
            raise ApiError("ResourceNotFound", f"Resource not found: '{arn}'")
        return machine

    def _tags(self, tags: dict[str, str], added: list[Members]) -> dict[str, str]:
        result = {**tags, **{item["key"]: item.get("value", "") for item in added}}
        if len(result) > _MAX_TAGS:
            raise ApiError("TooManyTags", f"A resource can have at most {_MAX_TAGS} tags, not {len(result)}.")
        return result

    # Looking things up

    def _parse_arn(self, arn: str) -> re.Match[str]:
        match = _MACHINE.fullmatch(arn)
        if match is None:
            raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
        return match

    def _machine(self, arn: str, *, unqualified: bool = False) -> StateMachine:
        match = self._parse_arn(arn)
        if match["label"]:
            raise validation(
                "This operation does not accept the ARN of a Map state", "API_DOES_NOT_SUPPORT_LABELED_ARNS"
            )
        if unqualified and match["qualifier"]:
            raise validation(f"This operation takes an unqualified state machine ARN, not '{arn}'")
        machine = self._machines.get(match["base"])
        if machine is None:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        if unqualified and machine.status == "DELETING":
            raise ApiError("StateMachineDeleting", f"State machine is being deleted: '{arn}'")
        return machine

    def _resolve(self, arn: str, *, route: bool = False) -> tuple[StateMachine, Version | None, Alias | None]:
        """Machine, version and alias behind an ARN; ``route`` draws the version of an alias by weight."""
        machine = self._machine(arn)
        qualifier = self._parse_arn(arn)["qualifier"]
        if not qualifier:
            return machine, None, None
        if qualifier.isdigit():
            version = machine.versions.get(int(qualifier))
            if version is None:
                raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
            return machine, version, None
        alias = machine.aliases.get(qualifier)
        if alias is None:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        arns, weights = zip(*alias.routing, strict=True)
        chosen = random.SystemRandom().choices(arns, weights)[0] if route else arns[weights.index(max(weights))]
        return machine, machine.versions[int(chosen.rsplit(":", 1)[1])], alias

    def _execution(self, arn: str) -> Execution:
        match = _EXECUTION.fullmatch(arn)
        if match is None:
            raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
        with self._lock:
            machine = self._machines.get(arn.rsplit(":", 1)[0].replace(":execution:", ":stateMachine:"))
            execution = machine.executions.get(match["name"]) if machine else None
        if execution is None:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def _check_role(self, arn: str) -> None:
        if not _ROLE.fullmatch(arn):
            raise ApiError("InvalidArn", f"Invalid Role Arn: '{arn}'")

    def _check_definition(self, text: str) -> None:
        try:
            definitions.parse(text)
        except definitions.DefinitionError as error:
            raise ApiError("InvalidDefinition", error.message()) from error

    # Tests, shutdown and persistence

    def age(self, arn: str, seconds: float) -> Execution:
        """Make a closed execution older; for tests of what happens after days.

        :raises ApiError: there is no such execution, or it runs.
        """
        execution = self._execution(arn)
        with execution.lock:
            if execution.status not in TERMINAL or execution.stop_date is None:
                raise validation(f"Only a closed execution can be aged, and this one is {execution.status}: '{arn}'")
            execution.start_date -= seconds
            execution.stop_date -= seconds
        return execution

    def stop_all(self) -> None:
        """Stop every running execution because the server ends."""
        with self._lock:
            running = [
                item
                for machine in self._machines.values()
                for item in machine.executions.values()
                if item.status not in TERMINAL
            ]
        threads = [
            threading.Thread(target=executions.stop, args=(item, *executions.SERVER_STOPPED)) for item in running
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def reset(self) -> None:
        """Forget everything; running executions are stopped."""
        self.stop_all()
        with self._lock:
            self._machines.clear()

    def snapshot(self) -> dict[str, StateMachine]:
        """Picklable state."""
        with self._lock:
            return dict(self._machines)

    def restore(self, machines: dict[str, StateMachine]) -> None:
        """Take over a saved state; executions that were running are closed as ABORTED and can be redriven."""
        with self._lock:
            self._machines = dict(machines)
            for machine in self._machines.values():
                for execution in machine.executions.values():
                    executions.abort_interrupted(execution)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _forget_oldest(machine: StateMachine) -> None:
    if len(machine.executions) <= MAX_CLOSED_EXECUTIONS:
        return
    for name, execution in list(machine.executions.items()):
        if execution.status in TERMINAL:
            del machine.executions[name]
            return


def _without_data(event: Members) -> Members:
    stripped = {}
    for key, value in event.items():
        if isinstance(value, dict):
            stripped[key] = {
                name: item
                for name, item in value.items()
                if name not in ("input", "output", "parameters", "inputDetails", "outputDetails", "assignedVariables")
            }
        else:
            stripped[key] = value
    return stripped


def _page(rows: list[Members], members: Members, name: str) -> Members:
    """One page of rows; the token says after which position to go on."""
    limit = members.get("maxResults") or 100
    start = 0
    if members.get("nextToken"):
        try:
            kind, start_text = base64.urlsafe_b64decode(members["nextToken"].encode()).decode().split(":")
            start = int(start_text)
        except ValueError:
            kind = ""
        if kind != name:
            raise ApiError("InvalidToken", f"Invalid Token: '{members['nextToken']}'")
    answer: Members = {name: rows[start : start + limit]}
    if start + limit < len(rows):
        answer["nextToken"] = base64.urlsafe_b64encode(f"{name}:{start + limit}".encode()).decode()
    return answer


#: What serves an operation: a method of ``StatesApi`` taking members, region and account.
Operation = Callable[[Members, str, str], Members]
