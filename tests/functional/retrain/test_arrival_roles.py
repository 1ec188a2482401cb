"""The role of the DAGs, as the template has it, is enough to wait and to hear of new data."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from brewtrain.domain.names import ARRIVALS_QUEUE
from brewtrain.triggers import arrival_watch, data_arrival
from brewtrain.triggers.arrival_watch import ARRIVALS
from tests.fixtures.account import REGION
from tests.fixtures.arrivals import Lake, event_of
from tests.fixtures.event_queues import tell
from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.partitions import partition
from tests.fixtures.places import INCLUDE
from tests.fixtures.waiting import wait_until
from tools.cloudformation import load, resolve, statements

if TYPE_CHECKING:
    from local_aws.core.server import ServerHandle

BUCKET = f"brewtrain-123456789012-{REGION}"
PATTERN = "data/of_the_role/dt={date}/"


@pytest.fixture
def role(aws_client: AwsClients) -> Iterator[dict[str, str]]:
    """Enforce IAM, and return the keys of a user with the policy of brewtrain-airflow."""
    from local_aws.iam import enforcement

    roles = resolve(load(INCLUDE / "cloudformation" / "roles.yaml"), region=REGION)
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements(roles["AirflowRole"])})
    iam = aws_client("iam")
    iam.create_user(UserName="waiting")
    iam.put_user_policy(UserName="waiting", PolicyName="brewtrain", PolicyDocument=policy)
    key = iam.create_access_key(UserName="waiting")["AccessKey"]
    enforcement.install()
    yield {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    enforcement.uninstall()
    iam.delete_access_key(UserName="waiting", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="waiting", PolicyName="brewtrain")
    iam.delete_user(UserName="waiting")


@pytest.fixture
def lake(
    aws_client: AwsClients,
    local_aws_server: ServerHandle,
    local_aws: str,
    role: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lake]:
    """Return the default bucket, reached with the role's permissions alone."""
    connection = {
        "conn_type": "aws",
        "login": role["aws_access_key_id"],
        "password": role["aws_secret_access_key"],
        "extra": {"region_name": REGION, "endpoint_url": local_aws},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(connection))
    monkeypatch.setattr(arrival_watch, "ARRIVALS", replace(ARRIVALS, fastest_seconds=0.3, slowest_seconds=0.3))
    monkeypatch.setattr(arrival_watch, "TICK_SECONDS", 0.2)
    monkeypatch.setattr(data_arrival, "SETTLED_SECONDS", 0.0)
    lake = Lake(aws_client, local_aws_server)
    with contextlib.suppress(lake.s3.exceptions.BucketAlreadyOwnedByYou):
        lake.s3.create_bucket(Bucket=BUCKET)
    lake.bucket = BUCKET
    yield lake
    lake.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})


def answers(lake: Lake, since: int, service: str, operation: str) -> list[int]:
    """Return the HTTP statuses of calls."""
    found = lake.server.front.call_log.read(since_id=since, service=service, operation=operation)["calls"]
    return [call["status"] for call in found]


def test_the_role_may_wait_and_hear_of_new_data(lake: Lake) -> None:
    url = tell(lake.clients, BUCKET, f"{ARRIVALS_QUEUE}-of-the-role", prefix="data/of_the_role/")
    since = lake.last_call()

    async def story() -> Any:
        waiting = asyncio.create_task(event_of(lake.trigger(partition(PATTERN, marker="_SUCCESS"))))
        await asyncio.to_thread(wait_until, lambda: lake.left_in(url) == 0, seconds=60, what="the test event is read")
        await asyncio.to_thread(lake.put, "data/of_the_role/dt=2026-11-30/_SUCCESS", b"")
        return await waiting

    assert asyncio.run(story()).payload == {"kind": "arrived"}
    for service, operation in (
        ("s3", "GetBucketNotification"),  # its older name, by which the log knows it
        ("s3", "ListObjectsV2"),
        ("sqs", "GetQueueUrl"),
        ("sqs", "ReceiveMessage"),
        ("sqs", "DeleteMessageBatch"),
    ):
        made = wait_until(
            lambda asked=(service, operation): answers(lake, since, *asked),  # type: ignore[misc]
            seconds=30,
            what=f"{operation} is called",
        )
        assert set(made) == {200}, operation


def test_the_role_may_read_no_other_queue(lake: Lake, role: dict[str, str]) -> None:
    url = lake.clients("sqs").create_queue(QueueName="etl-of-somebody")["QueueUrl"]
    with pytest.raises(ClientError, match="AccessDenied"):
        lake.clients("sqs", **role).receive_message(QueueUrl=url)
