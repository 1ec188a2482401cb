"""Fixtures of the Step Functions conformance suite.

Runs against local AWS; ``BREWTRAIN_CONFORMANCE=aws`` with ``BREWTRAIN_CONFORMANCE_ROLE_ARN`` and
ordinary AWS credentials runs the same tests against AWS, which shows where local AWS differs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fixtures.state_machines import Machines


@pytest.fixture(scope="session")
def on_aws() -> bool:
    """Whether the suite runs against AWS itself."""
    return os.environ.get("BREWTRAIN_CONFORMANCE") == "aws"


@pytest.fixture(scope="session")
def role_arn() -> str:
    """Return the role that the state machines run as."""
    return os.environ.get("BREWTRAIN_CONFORMANCE_ROLE_ARN", "arn:aws:iam::123456789012:role/conformance")


@pytest.fixture(scope="session")
def client(on_aws: bool, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    """Give a factory of boto3 clients of the endpoint under test: ``client(service)``."""
    if on_aws:
        import boto3

        made: dict[str, Any] = {}
        yield lambda service: made.setdefault(service, boto3.client(service))
        for item in made.values():
            item.close()
    else:
        yield request.getfixturevalue("aws_client")


@pytest.fixture(scope="session")
def states(client: Callable[[str], Any]) -> Any:
    """Return the Step Functions client."""
    return client("stepfunctions")


@pytest.fixture
def machines(states: Any, role_arn: str) -> Iterator[Machines]:
    """Give a factory of state machines, and delete them afterwards."""
    made = Machines(states, role_arn)
    yield made
    for arn in made.arns:
        states.delete_state_machine(stateMachineArn=arn)
