"""Operations on aliases of state machines: create, update, describe, list and delete.

See https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html. Must not
import moto.
"""

from __future__ import annotations

import re
import time

from local_aws.states.api.paging import page
from local_aws.states.api.store import Members, Operations, Store, version_number
from local_aws.states.errors import ApiError, validation
from local_aws.states.models import Alias, StateMachine

_ALIAS_NAME = re.compile(r"(?=.*[a-zA-Z_\-.])[a-zA-Z0-9_\-.]{1,80}")
_MAX_ALIASES = 100
_INVALID_ROUTING = "INVALID_ROUTING_CONFIGURATION"


class AliasOperations(Operations):
    """The operations on aliases."""

    def create_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        """Create an alias; the same request made again returns the existing one.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachineAlias.html
        """
        name, description = members["name"], members.get("description", "")
        if not _ALIAS_NAME.fullmatch(name):
            raise ApiError("InvalidName", f"Invalid Name: '{name}'")
        with self.store.lock:
            machine, routing = _routing(self.store, members["routingConfiguration"])
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
        """Change the routing or description of an alias.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachineAlias.html
        """
        if members.get("routingConfiguration") is None and members.get("description") is None:
            raise validation(
                "Either the description or the routing configuration must be specified", "MISSING_REQUIRED_PARAMETER"
            )
        with self.store.lock:
            machine, alias = self.store.alias(members["stateMachineAliasArn"])
            if members.get("routingConfiguration") is not None:
                target, routing = _routing(self.store, members["routingConfiguration"])
                if target is not machine:
                    raise validation("An alias can only point to versions of its own state machine", _INVALID_ROUTING)
                alias.routing = routing
            alias.description = members.get("description", alias.description)
            alias.update_date = time.time()
            return {"updateDate": alias.update_date}

    def describe_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        """Describe an alias and the versions it routes to.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineAlias.html
        """
        with self.store.lock:
            _, alias = self.store.alias(members["stateMachineAliasArn"])
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
        """List the aliases of a state machine, or those that route to one version, by name.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineAliases.html
        """
        with self.store.lock:
            machine, version, _ = self.store.resolve(members["stateMachineArn"])
            rows = [
                {"stateMachineAliasArn": item.arn, "creationDate": item.creation_date}
                for item in sorted(machine.aliases.values(), key=lambda item: item.name)
                if version is None or version.arn in dict(item.routing)
            ]
        return page(rows, members, "stateMachineAliases")

    def delete_state_machine_alias(self, members: Members, region: str, account: str) -> Members:
        """Delete an alias; its versions stay.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineAlias.html
        """
        with self.store.lock:
            machine, alias = self.store.alias(members["stateMachineAliasArn"])
            del machine.aliases[alias.name]
        return {}


def _routing(store: Store, configuration: list[Members]) -> tuple[StateMachine, list[tuple[str, int]]]:
    routing = [(item["stateMachineVersionArn"], item["weight"]) for item in configuration]
    if sum(weight for _, weight in routing) != 100:
        raise validation("Sum of routing configuration weights must equal 100", _INVALID_ROUTING)
    if len({arn for arn, _ in routing}) != len(routing):
        raise validation("Routing configuration must contain distinct state machine version ARNs", _INVALID_ROUTING)
    machines = []
    for arn, _ in routing:
        found = version_number(arn)
        if found is None:
            raise validation(
                f"Routing configuration must contain state machine version ARNs: '{arn}'", _INVALID_ROUTING
            )
        base, number = found
        machine = store.machines.get(base)
        if machine is None or number not in machine.versions:
            raise ApiError("ResourceNotFound", "Request references a resource that does not exist.")
        machines.append(machine)
    if len({machine.arn for machine in machines}) != 1:
        raise validation("Routing configuration must contain versions of one state machine", _INVALID_ROUTING)
    return machines[0], routing
