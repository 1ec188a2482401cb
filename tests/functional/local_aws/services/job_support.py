"""What the job services' tests share: waiting for a state, small data, logs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

SEED = 20_260_701
XGBOOST_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
BUCKET = "job-services"
_WAIT_SECONDS = 90.0


def wait_for(describe: Callable[[], dict[str, Any]], state: str, busy: set[str]) -> dict[str, Any]:
    """Describe until the state is not a busy one."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        found = describe()
        if found[state] not in busy:
            return found
        assert time.monotonic() < deadline, f"still {found[state]} after {_WAIT_SECONDS} s"
        time.sleep(0.03)


def wait_until(describe: Callable[[], dict[str, Any]], state: str, wanted: str) -> dict[str, Any]:
    """Describe until the state is the wanted one."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        found = describe()
        if found[state] == wanted:
            return found
        assert time.monotonic() < deadline, f"{found[state]} and not {wanted} after {_WAIT_SECONDS} s"
        time.sleep(0.01)


def labelled_rows(count: int, *, seed: int = SEED) -> list[list[float]]:
    """Rows of a label that depends on three features, label first."""
    generator = random.Random(seed)
    rows = []
    for _ in range(count):
        first, second, third = (round(generator.uniform(-1, 1), 4) for _ in range(3))
        label = 1.0 if first + 0.5 * second + generator.gauss(0, 0.3) > 0.2 else 0.0
        rows.append([label, first, second, third])
    return rows


def as_csv(rows: list[list[Any]]) -> bytes:
    """CSV without header."""
    return "".join(
        ",".join(f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row) + "\n" for row in rows
    ).encode()


def log_lines(aws_client: Callable[..., Any], group: str, stream_prefix: str) -> list[str]:
    """All messages of the group's streams with that prefix."""
    logs = aws_client("logs")
    narrowed = {"logStreamNamePrefix": stream_prefix} if stream_prefix else {}
    streams = logs.describe_log_streams(logGroupName=group, **narrowed)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


def error_of(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and message of the error that a call must end with."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("the call was accepted")
