"""Canaries in connection, variable and environment are found nowhere after runs good and bad.

Searched: the whole metadata database (XCom, rendered templates, params, logs), task logs,
what the process printed, every S3 key and body, local AWS's call log, and what was published for
whoever is on call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from brewtrain.resources import load_pipeline
from tests.fixtures.airflow_connection import connection_to
from tests.fixtures.airflow_process import run_in_airflow
from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.local_aws_control import LocalAwsControl
from tests.fixtures.places import INCLUDE
from tests.fixtures.switched_execution import SwitchedExecution

pytestmark = [pytest.mark.slow, pytest.mark.integration]

CANARY = "c4n4ry0f5ecret5"
# The end of each says where it came from.
PASSWORD, TOKEN, EXTRA, VARIABLE, ENVIRONMENT, NOTIFIER, JWT = (
    f"{CANARY}{name}" for name in ("Password", "Token", "Extra", "Variable", "Environment", "Notifier", "Jwt")
)
# Says whom to tell of failures.
ON_CALL = "AIRFLOW_VAR_BREWTRAIN_ON_CALL"
BROKEN_NOTIFIER = {
    "notifier": "airflow.providers.amazon.aws.notifications.sns.SnsNotifier",
    "arguments": {"target_arn": "no-topic", "message": "x", "token": NOTIFIER},
}
# One process for all runs: what Airflow imports and migrates takes most of the time.
RUNS = """
import json, os, sys
from datetime import datetime, UTC
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
for step in json.loads(sys.argv[2]):
    dag = bag.dags[step["dag"]]
    os.environ.update(step.get("environment", {}))
    when = step.get("logical_date")
    run = dag.test(logical_date=datetime.fromisoformat(when) if when else None, run_conf=step.get("conf"))
    print("ENDED", step["dag"], run.state)
"""


@pytest.fixture(scope="module")
def account(aws_client: AwsClients) -> SwitchedExecution:
    """Return the shipped pipeline's account: one run's training fails, another lacks its input."""
    pipeline = load_pipeline(INCLUDE / "pipelines" / "bank_marketing.yaml")
    switched = SwitchedExecution(aws_client, pipeline)
    switched.deploy()
    for day in (date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2)):
        switched.deliver(day)
        switched.let_pass(switched.run_id(day), but="Model Training")
        switched.switch(switched.run_id(day), "Model Training", "fail")
    return switched


@pytest.fixture(scope="module")
def told(aws_client: AwsClients) -> Iterator[Callable[[], list[str]]]:
    """Return a function that reads what was published to the on-call topic."""
    sns, sqs = aws_client("sns"), aws_client("sqs")
    queue = sqs.create_queue(QueueName="secrets-told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="brewtrain-on-call")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)

    def read() -> list[str]:
        found = []
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    yield read
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=queue)


@dataclass
class Ended:
    """What the runs left behind.

    :param printed: What their process printed.
    :param messages: What was published to the on-call topic.
    :param places: Everything that was searched, by where it was found.
    """

    printed: str
    messages: list[str]
    places: dict[str, bytes]

    def places_with_a_canary(self) -> list[str]:
        """Return where a canary is."""
        return [where for where, content in self.places.items() if CANARY.encode() in content]


@pytest.fixture(scope="module")
def ended(
    local_aws: str,
    aws_client: AwsClients,
    account: SwitchedExecution,
    told: Callable[[], list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Ended:
    """Run DAGs that succeed and fail, one with a notifier that fails, and search everything."""
    name = account.pipeline.name
    # What a person who may trigger runs, and nothing else, would try.
    prying = {"note": "{{ conn.brewtrain_aws.get_password() }} {{ var.value.brewtrain_canary }}"}
    steps: list[dict[str, Any]] = [
        {"dag": f"{name}__retrain", "logical_date": "2024-02-01T00:00:00+00:00", "conf": prying},
        {"dag": f"{name}__retrain", "logical_date": "2023-06-01T00:00:00+00:00"},
        {"dag": f"{name}__preflight"},
        {"dag": f"{name}__deploy"},
        {
            "dag": f"{name}__retrain",
            "logical_date": "2023-06-02T00:00:00+00:00",
            "environment": {ON_CALL: json.dumps(BROKEN_NOTIFIER)},
        },
    ]
    home = tmp_path_factory.mktemp("airflow")
    done = run_in_airflow(
        RUNS,
        json.dumps(steps),
        home=home,
        connection=connection_to(
            local_aws,
            password=PASSWORD,
            aws_session_token=TOKEN,
            note=EXTRA,
            config_kwargs={"s3": {"addressing_style": "path"}},
        ),
        AIRFLOW__API_AUTH__JWT_SECRET=JWT,
        AIRFLOW_VAR_BREWTRAIN_CANARY=VARIABLE,
        BREWTRAIN_API_TOKEN=ENVIRONMENT,
        **{ON_CALL: "{}"},
    )
    printed = done.stdout + done.stderr
    assert printed.count("ENDED") == len(steps), printed[-4000:]
    messages = told()
    return Ended(printed, messages, dict(places(home, printed, messages, local_aws, aws_client)))


def places(
    home: Path, printed: str, told: list[str], endpoint: str, aws_client: AwsClients
) -> Iterator[tuple[str, bytes]]:
    yield "printed", printed.encode()
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()
    yield "call log", json.dumps(LocalAwsControl(endpoint).calls()).encode()
    yield "told", "\n".join(told).encode()
    s3 = aws_client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for item in page.get("Contents", []):
                yield f"S3 key {item['Key']}", item["Key"].encode()
                yield f"S3 {item['Key']}", s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read()


def test_no_canary_is_found_anywhere(ended: Ended) -> None:
    assert any("Model Training" in message for message in ended.messages), "the run must have failed, and been told of"
    assert any("check_input" in message for message in ended.messages)
    assert b"ON CALL" in ended.places["airflow.db"], "the database must be the one that the card went through"
    assert len(ended.places) > 20
    assert ended.places_with_a_canary() == []


def test_a_notifier_that_fails_does_not_show_its_arguments(ended: Ended) -> None:
    """The variable may hold a notifier's token; its failure is logged with a traceback."""
    assert "on-call notification was not sent" in ended.printed
    assert ended.places_with_a_canary() == []
