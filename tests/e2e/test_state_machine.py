"""The state machine on local AWS: real transform, split, training and endpoint, and what can go wrong with each."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Installation

pytestmark = [
    pytest.mark.slow,
    # moto's CloudFormation skips bucket policies and says so in this process.
    pytest.mark.filterwarnings("ignore:Tried to parse AWS.*BucketPolicy:UserWarning"),
]


def test_first_run_creates_the_endpoint(installation: Installation) -> None:
    output = installation.succeed(installation.input("2010-11-01", endpoint="first"))
    assert (output["outcome"], output["reason"]) == ("promoted", "promoted")
    print(json.dumps(output, indent=1)[:3000])
