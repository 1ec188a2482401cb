"""Fixtures of the job services' tests: roles, a bucket, unique names, knobs back to normal."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_aws.jobs import knobs
from tests.fixtures.job_services import BUCKET
from tests.fixtures.profile_jobs import ROWS, Profile

_counter = itertools.count()


@pytest.fixture(scope="session")
def roles(aws_client: Callable[..., Any]) -> dict[str, str]:
    """One role per service, trusted by that service only."""
    iam = aws_client("iam")
    made = {}
    for service in ("databrew", "glue", "sagemaker", "lambda"):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        answer = iam.create_role(RoleName=f"job-services-{service}", AssumeRolePolicyDocument=policy)
        made[service] = answer["Role"]["Arn"]
    return made


@pytest.fixture(scope="session")
def s3(aws_client: Callable[..., Any]) -> Any:
    """Return an S3 client; the bucket `BUCKET` exists."""
    client = aws_client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def unique() -> Callable[[str], str]:
    """``unique(prefix)``: a name that no other test uses."""
    return lambda prefix: f"{prefix}-{next(_counter)}"


@pytest.fixture
def make_profile(
    aws_client: Callable[..., Any], roles: dict[str, str], s3: Any, unique: Callable[[str], str]
) -> Callable[..., Profile]:
    """``make_profile(text)``: a dataset of one CSV file, to profile and to check rules on."""
    return lambda body=ROWS: Profile(aws_client("databrew"), roles["databrew"], s3, unique("rules"), body)


@pytest.fixture(autouse=True)
def normal_knobs() -> Iterator[None]:
    """Let every test begin and end at full speed."""
    knobs.reset()
    yield
    knobs.reset()
