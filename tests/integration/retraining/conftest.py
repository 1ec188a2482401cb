"""One Airflow for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.retraining.night import Night
from tests.integration.retraining.running import running_night


@pytest.fixture(scope="session")
def night() -> Iterator[Night]:
    """The running stack, and the accounts of the tests' pipelines."""
    with running_night() as night:
        yield night
