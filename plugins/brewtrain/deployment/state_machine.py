"""The state machine, its published version, and the alias that runs are started on.

Definition and role are compared, the definition as parsed JSON. Logging, tracing and encryption are
the account owner's: brewtrain sets none of them (a run's history is in Step Functions for 90 days,
and a log group would cost money and CloudWatch Logs permissions on every resource), and leaves
alone what somebody has set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brewtrain.domain import names
from brewtrain.domain.deployment.plan import Change, change, mapping_differences
from brewtrain.domain.errors import DeploymentError, TransientError

if TYPE_CHECKING:
    from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

# Step Functions keeps 1,000 versions of a state machine and then refuses to publish (API reference,
# PublishStateMachineVersion).
KEPT_VERSIONS = 100


class StateMachine:
    """The state machine of a pipeline, with a version published of what it should be.

    :param pipeline: Name of the pipeline.
    :param definition: Amazon States Language, JSON.
    """

    def __init__(
        self, pipeline: str, definition: str, account: names.Account, states: StepFunctionsStateMachineHook
    ) -> None:
        self._name = names.state_machine(pipeline)
        self._definition = for_partition(definition, account)
        self._document = _parse(self._definition)
        self._role_arn = account.role_arn("states")
        self._tags = {names.PIPELINE_TAG: pipeline}
        self._states = states
        self.arn = account.state_machine_arn(pipeline)

    def plan(self) -> Change:
        """Say in what the deployed state machine differs."""
        machine = self._states.describe_state_machine(self.arn)
        differences = [] if machine is None else self.differences(machine)
        return change("state machine", self._name, exists=machine is not None, differences=differences)

    def apply(self) -> None:
        """Create or update the state machine, if needed, and publish it in the same call."""
        machine = self._states.describe_state_machine(self.arn)
        if machine is None:
            if self._states.create_state_machine(
                self._name, self._definition, role_arn=self._role_arn, tags=self._tags
            ):
                return
            machine = self._states.describe_state_machine(self.arn) or {}
        if self.differences(machine):
            self._states.update_state_machine(self.arn, self._definition, role_arn=self._role_arn)

    def differences(self, machine: Mapping[str, Any]) -> list[str]:
        """Say in what a state machine, or a version of it, differs from what it should be.

        :param machine: What DescribeStateMachine returns.
        :raises DeploymentError: If it is an express state machine, which no update can change.
        """
        if machine.get("type", "STANDARD") != "STANDARD":
            raise DeploymentError(
                f"state machine {self._name!r} is of type {machine['type']}, which cannot be changed; delete it and "
                "deploy again"
            )
        differences = self._definition_differences(machine.get("definition", ""))
        if machine.get("roleArn") != self._role_arn:
            differences.append(f"role: {machine.get('roleArn')} → {self._role_arn}")
        return differences

    def _definition_differences(self, definition: str) -> list[str]:
        try:
            document = json.loads(definition)
        except ValueError:
            return ["definition is not JSON"]
        if document == self._document:
            return []
        states = {key: _fingerprint(value) for key, value in document.get("States", {}).items()}
        wanted = {key: _fingerprint(value) for key, value in self._document["States"].items()}
        phrases = [f"state {name!r} added" for name in wanted.keys() - states.keys()]
        phrases += [f"state {name!r} removed" for name in states.keys() - wanted.keys()]
        phrases += [f"state {name!r} changed" for name in wanted.keys() & states.keys() if wanted[name] != states[name]]
        rest = mapping_differences(
            {key: value for key, value in self._document.items() if key != "States"},
            {key: value for key, value in document.items() if key != "States"},
        )
        return sorted(phrases) + rest


class LiveAlias:
    """The alias ``live``, which sends every execution to the published version."""

    def __init__(
        self, pipeline: str, account: names.Account, machine: StateMachine, states: StepFunctionsStateMachineHook
    ) -> None:
        self._arn = account.alias_arn(pipeline)
        self._name = f"{names.state_machine(pipeline)}:{names.ALIAS}"
        self._machine = machine
        self._states = states

    def plan(self) -> Change:
        """Say whether the alias exists and points to the right version."""
        route = self._states.describe_alias(self._arn)
        differences = [] if route is None or self._is_current(route) else [self._difference(route)]
        return change("state machine alias", self._name, exists=route is not None, differences=differences)

    def apply(self) -> None:
        """Publish the state machine unless it is published, and point the alias at that version.

        :raises TransientError: If the state machine is not what it should be, because somebody else
            is deploying.
        """
        route = self._states.describe_alias(self._arn)
        if route is not None and self._is_current(route):
            return
        machine = self._states.describe_state_machine(self._machine.arn)
        if machine is None or self._machine.differences(machine):
            raise TransientError(
                f"state machine {self._machine.arn} was changed by somebody else during this deployment; deploy again"
            )
        version = self._states.publish_version(self._machine.arn, revision_id=machine.get("revisionId"))
        if route is None and self._states.create_alias(names.ALIAS, version):
            self._prune()
            return
        self._states.update_alias(self._arn, version)
        self._prune()

    def _is_current(self, route: Mapping[str, int]) -> bool:
        if len(route) != 1:
            return False
        version = self._states.describe_state_machine(next(iter(route)))
        return version is not None and not self._machine.differences(version)

    def _difference(self, route: Mapping[str, int]) -> str:
        shares = ", ".join(f"version {arn.rsplit(':', 1)[-1]} {weight} %" for arn, weight in route.items())
        return f"{shares or 'nothing'} → version of this definition 100 %"

    def _prune(self) -> None:
        # Versions that an alias refers to are refused by AWS and stay; running executions are not
        # affected.
        for version in self._states.list_versions(self._machine.arn)[KEPT_VERSIONS:]:
            self._states.delete_version(version)


def for_partition(definition: str, account: names.Account) -> str:
    """Return the definition with the ARNs of its service integrations in the account's partition.

    The committed text is that of the partition ``aws``; China and GovCloud refuse it (Developer
    Guide, "Integrating services": the partition is part of a Task's ``Resource``).

    :param definition: Amazon States Language, JSON.
    """
    return definition.replace('"arn:aws:states:::', f'"arn:{names.partition(account.region)}:states:::')


def _parse(definition: str) -> dict[str, Any]:
    try:
        document = json.loads(definition)
    except ValueError as error:
        raise DeploymentError(
            f"include/statemachine/retraining.asl.json is not JSON ({error}); render it again: make statemachine"
        ) from None
    if not isinstance(document, dict) or not isinstance(document.get("States"), dict):
        raise DeploymentError(
            "include/statemachine/retraining.asl.json has no States; render it again: make statemachine"
        )
    return document


def _fingerprint(value: object) -> str:
    return json.dumps(value, sort_keys=True)
