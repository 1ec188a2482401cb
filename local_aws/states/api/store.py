"""The stored state machines, and how a request's ARN finds what it names. Must not import moto.

See https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html for the
forms of a state machine's ARN.
"""

from __future__ import annotations

import random
import re
import threading
from typing import Any

from local_aws.states.errors import ApiError, validation
from local_aws.states.models import Alias, Execution, StateMachine, Version

#: Members of a request or response.
Members = dict[str, Any]

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff]{1,80}")
_MACHINE = re.compile(
    r"(?P<base>arn:aws[a-z-]*:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):stateMachine:(?P<name>[^:/\s]{1,80}))"
    r"(?P<label>/[^:]+)?(?::(?P<qualifier>[^:/\s]+))?"
)
_EXECUTION = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:execution:(?P<machine>[^:\s]+):(?P<name>[^:\s]+)")


def check_name(name: str) -> None:
    """Reject a name of a state machine or execution with characters that Step Functions forbids.

    :raises ApiError: ``InvalidName``.
    """
    if not _NAME.fullmatch(name):
        raise ApiError("InvalidName", f"Invalid Name: '{name}'")


def parse_arn(arn: str) -> re.Match[str]:
    """Split the ARN of a state machine into ``base``, ``label`` (Map state) and ``qualifier``.

    :raises ApiError: ``InvalidArn``.
    """
    match = _MACHINE.fullmatch(arn)
    if match is None:
        raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
    return match


def version_number(arn: str) -> tuple[str, int] | None:
    """Split the ARN of a version into the state machine's ARN and the version number.

    :returns: None for a text that is not the ARN of a version.
    """
    match = _MACHINE.fullmatch(arn)
    if match is None or not (match["qualifier"] or "").isdigit():
        return None
    return match["base"], int(match["qualifier"])


class Store:
    """All state machines of this process.

    ``machines`` is ARN → state machine; ``lock`` guards it and everything in it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.machines: dict[str, StateMachine] = {}

    def machine(self, arn: str) -> StateMachine:
        """Return the state machine that an ARN names, with or without a qualifier.

        :raises ApiError: it does not exist, or the ARN is of a Map state.
        """
        match = parse_arn(arn)
        if match["label"]:
            raise validation(
                "This operation does not accept the ARN of a Map state", "API_DOES_NOT_SUPPORT_LABELED_ARNS"
            )
        machine = self.machines.get(match["base"])
        if machine is None:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return machine

    def unqualified_machine(self, arn: str) -> StateMachine:
        """Return the state machine that an ARN without version or alias names.

        :raises ApiError: the ARN is qualified, or the machine does not exist or is being deleted.
        """
        match = parse_arn(arn)
        if match["qualifier"] and not match["label"]:
            raise validation(f"This operation takes an unqualified state machine ARN, not '{arn}'")
        machine = self.machine(arn)
        if machine.status == "DELETING":
            raise ApiError("StateMachineDeleting", f"State machine is being deleted: '{arn}'")
        return machine

    def resolve(self, arn: str) -> tuple[StateMachine, Version | None, Alias | None]:
        """Return the machine, version and alias that an ARN names.

        Of an alias, the version with the greatest weight is returned.

        :raises ApiError: one of them does not exist.
        """
        return self._resolved(arn, lambda arns, weights: arns[weights.index(max(weights))])

    def route(self, arn: str) -> tuple[StateMachine, Version | None, Alias | None]:
        """Return what an execution started with an ARN runs.

        The version of an alias is drawn by weight.

        :raises ApiError: the machine, version or alias does not exist.
        """
        return self._resolved(arn, lambda arns, weights: random.SystemRandom().choices(arns, weights)[0])

    def _resolved(self, arn: str, choose: Any) -> tuple[StateMachine, Version | None, Alias | None]:
        machine = self.machine(arn)
        qualifier = parse_arn(arn)["qualifier"]
        if not qualifier:
            return machine, None, None
        absent = ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        if qualifier.isdigit():
            version = machine.versions.get(int(qualifier))
            if version is None:
                raise absent
            return machine, version, None
        alias = machine.aliases.get(qualifier)
        if alias is None:
            raise absent
        arns, weights = zip(*alias.routing, strict=True)
        return machine, machine.versions[int(choose(arns, weights).rsplit(":", 1)[1])], alias

    def alias(self, arn: str) -> tuple[StateMachine, Alias]:
        """Return an alias and its state machine.

        :raises ApiError: ``ResourceNotFound``.
        """
        match = parse_arn(arn)
        machine = self.machines.get(match["base"])
        alias = machine.aliases.get(match["qualifier"] or "") if machine else None
        if machine is None or alias is None:
            raise ApiError("ResourceNotFound", f"Request references a resource that does not exist: '{arn}'.")
        return machine, alias

    def execution(self, arn: str) -> Execution:
        """Return an execution.

        :raises ApiError: ``InvalidArn`` or ``ExecutionDoesNotExist``.
        """
        match = _EXECUTION.fullmatch(arn)
        if match is None:
            raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
        with self.lock:
            machine = self.machines.get(arn.rsplit(":", 1)[0].replace(":execution:", ":stateMachine:"))
            execution = machine.executions.get(match["name"]) if machine else None
        if execution is None:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution


class Operations:
    """A group of operations on the stored state machines."""

    def __init__(self, store: Store) -> None:
        self.store = store
