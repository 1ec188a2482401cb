"""The state machine's definition as it goes to AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brewtrain.deployment.state_machine import StateMachine, for_partition
from brewtrain.domain.names import Account

DEFINITION = (Path(__file__).resolve().parents[3] / "include/statemachine/retraining.asl.json").read_text()


def _resources(states: dict[str, Any]) -> list[str]:
    return [state["Resource"] for state in states.values() if state["Type"] == "Task"]


@pytest.mark.parametrize(
    ("region", "prefix"),
    [
        ("eu-central-1", "arn:aws:states:::"),
        ("cn-north-1", "arn:aws-cn:states:::"),
        ("us-gov-west-1", "arn:aws-us-gov:states:::"),
    ],
)
def test_service_integrations_are_those_of_the_accounts_partition(region: str, prefix: str) -> None:
    account = Account("123456789012", region)
    resources = _resources(json.loads(for_partition(DEFINITION, account))["States"])
    assert len(resources) > 8
    assert all(resource.startswith(prefix) for resource in resources)


class _States:
    """Stands for the hook: keeps what it is given."""

    definition = ""

    def describe_state_machine(self, arn: str) -> dict[str, Any] | None:
        return None

    def create_state_machine(self, name: str, definition: str, **_: Any) -> bool:
        self.definition = definition
        return True


def test_what_is_created_is_of_the_accounts_partition_and_compares_equal() -> None:
    account, states = Account("123456789012", "us-gov-west-1"), _States()
    machine = StateMachine("churn", DEFINITION, account, states)  # type: ignore[arg-type]
    machine.apply()
    assert "arn:aws:states" not in states.definition
    found = {"definition": states.definition, "roleArn": account.role_arn("states"), "type": "STANDARD"}
    assert machine.differences(found) == []
