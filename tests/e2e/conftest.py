"""The pipeline of these tests, deployed once a process, and local AWS's control endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.local_aws_control import LocalAwsControl

if TYPE_CHECKING:
    from tests.fixtures.installation import Installation


@pytest.fixture(scope="session")
def installation(aws_client: AwsClients, bank_marketing_csv: Path) -> Installation:
    """Return the pipeline bank_marketing, deployed."""
    from tests.fixtures.installation import install

    return install(aws_client, bank_marketing_csv)


@pytest.fixture(scope="session")
def control(local_aws: str) -> LocalAwsControl:
    """Return the control endpoints of the session's local AWS."""
    return LocalAwsControl(local_aws)


@pytest.fixture
def faults(control: LocalAwsControl) -> Iterator[LocalAwsControl]:
    """Return the same for a test that adds faults, which end with it."""
    yield control
    control.remove_faults()
