"""Fixtures of the Step Functions conformance suite.

Runs against local AWS; ``BREWTRAIN_CONFORMANCE=aws`` with ``BREWTRAIN_CONFORMANCE_ROLE_ARN`` and
ordinary AWS credentials runs the same tests against AWS, which is how a deviation is told from a
feature.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_counter = itertools.count()
TERMINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@pytest.fixture(scope="session")
def on_aws() -> bool:
    """Whether the suite runs against AWS itself."""
    return os.environ.get("BREWTRAIN_CONFORMANCE") == "aws"


@pytest.fixture(scope="session")
def role_arn() -> str:
    """The role that the state machines run as."""
    return os.environ.get("BREWTRAIN_CONFORMANCE_ROLE_ARN", "arn:aws:iam::123456789012:role/conformance")


@pytest.fixture(scope="session")
def client(on_aws: bool, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    """``client(service)``: boto3 client of the endpoint under test."""
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
    """The Step Functions client."""
    return client("stepfunctions")


class Machines:
    """Creates state machines and runs them."""

    def __init__(self, states: Any, role_arn: str) -> None:
        self.states, self.role_arn, self.arns = states, role_arn, []

    def create(self, definition: dict[str, Any] | str, **members: Any) -> str:
        """Create a state machine with a fresh name; answers its ARN."""
        text = definition if isinstance(definition, str) else json.dumps(definition)
        name = members.pop("name", f"conformance-{os.getpid()}-{next(_counter)}")
        arn = self.states.create_state_machine(name=name, definition=text, roleArn=self.role_arn, **members)[
            "stateMachineArn"
        ]
        self.arns.append(arn)
        return str(arn)

    def start(self, definition: dict[str, Any], data: Any = None, **members: Any) -> str:
        """Create and start; answers the execution's ARN."""
        answer = self.states.start_execution(
            stateMachineArn=self.create(definition), input=json.dumps({} if data is None else data), **members
        )
        return str(answer["executionArn"])

    def run(self, definition: dict[str, Any], data: Any = None) -> dict[str, Any]:
        """Create, start and wait; answers DescribeExecution."""
        return self.finish(self.start(definition, data))

    def finish(self, execution_arn: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until an execution is closed; answers DescribeExecution."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            described = self.states.describe_execution(executionArn=execution_arn)
            if described["status"] in TERMINAL:
                return dict(described)
            time.sleep(0.02)
        raise AssertionError(f"{execution_arn} still runs after {seconds} s")

    def wait_for_event(self, execution_arn: str, event_type: str, seconds: float = 10) -> dict[str, Any]:
        """Wait until the history has an event of a type; answers it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events(execution_arn):
                if event["type"] == event_type:
                    return event
            time.sleep(0.02)
        raise AssertionError(f"no {event_type} in the history of {execution_arn} after {seconds} s")

    def events(self, execution_arn: str, **members: Any) -> list[dict[str, Any]]:
        """The whole history."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=execution_arn, **members)
        return [event for page in pages for event in page["events"]]

    def types(self, execution_arn: str) -> list[str]:
        """The types of all events, in order."""
        return [event["type"] for event in self.events(execution_arn)]


@pytest.fixture
def machines(states: Any, role_arn: str) -> Iterator[Machines]:
    """A factory of state machines; deletes them afterwards."""
    made = Machines(states, role_arn)
    yield made
    for arn in made.arns:
        states.delete_state_machine(stateMachineArn=arn)
