"""Canaries in connection, variable and environment: after runs that succeed and fail they are found nowhere.

Looked through: the whole metadata database (XCom, rendered templates, params, logs), task logs,
what the process printed, every S3 key and body, local AWS's call log, and what was published for
whoever is on call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from brewtrain.resources import load_pipeline
from tests.fixtures.switched_execution import SwitchedExecution

pytestmark = [pytest.mark.slow, pytest.mark.integration]

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
CANARY = "c4n4ry0f5ecret5"
# The part that tells where one came from.
PASSWORD, TOKEN, EXTRA, VARIABLE, ENVIRONMENT, NOTIFIER, JWT = (
    f"{CANARY}{name}" for name in ("Password", "Token", "Extra", "Variable", "Environment", "Notifier", "Jwt")
)
# One process for all runs: what Airflow imports and migrates takes most of the time.
RUNS = """
import json, sys
from datetime import datetime, UTC
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
for step in json.loads(sys.argv[2]):
    dag = bag.dags[step["dag"]]
    when = step.get("logical_date")
    run = dag.test(logical_date=datetime.fromisoformat(when) if when else None, run_conf=step.get("conf"))
    print("ENDED", step["dag"], run.state)
"""


@pytest.fixture(scope="module")
def account(aws_client: Callable[..., Any]) -> SwitchedExecution:
    """The shipped pipeline's account, where one run's training will fail and another's input is missing."""
    pipeline = load_pipeline(REPOSITORY / "include" / "pipelines" / "bank_marketing.yaml")
    switched = SwitchedExecution(aws_client, pipeline)
    switched.deploy()
    for day in (date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2)):
        switched.deliver(day)
        switched.let_pass(switched.run_id(day), but="Model Training")
        switched.switch(switched.run_id(day), "Model Training", "fail")
    return switched


@pytest.fixture(scope="module")
def told(aws_client: Callable[..., Any]) -> Iterator[Callable[[], list[str]]]:
    """What was published to the on-call topic."""
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


def run_dags(home: Path, endpoint: str, steps: list[dict[str, Any]], variable: dict[str, Any]) -> str:
    connection = {
        "conn_type": "aws",
        "login": "testing",
        "password": PASSWORD,
        "extra": {
            "region_name": REGION,
            "endpoint_url": endpoint,
            "aws_session_token": TOKEN,
            "note": EXTRA,
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        },
    }
    ended = subprocess.run(
        [sys.executable, "-c", RUNS, str(REPOSITORY / "dags"), json.dumps(steps)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API_AUTH__JWT_SECRET": JWT,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW_CONN_BREWTRAIN_AWS": json.dumps(connection),
            "AIRFLOW_VAR_BREWTRAIN_CANARY": VARIABLE,
            "AIRFLOW_VAR_BREWTRAIN_ON_CALL": json.dumps(variable),
            "BREWTRAIN_API_TOKEN": ENVIRONMENT,
            "PYTHONPATH": str(REPOSITORY / "plugins"),
        },
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    printed = ended.stdout + ended.stderr
    assert printed.count("ENDED") == len(steps), printed[-4000:]
    return printed


def places(
    home: Path, printed: str, told: list[str], endpoint: str, aws_client: Callable[..., Any]
) -> Iterator[tuple[str, bytes]]:
    yield "printed", printed.encode()
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()
    with urllib.request.urlopen(f"{endpoint}/_local/calls") as answer:
        yield "call log", answer.read()
    yield "told", "\n".join(told).encode()
    s3 = aws_client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for item in page.get("Contents", []):
                yield "S3 key", item["Key"].encode()
                yield f"S3 {item['Key']}", s3.get_object(Bucket=bucket["Name"], Key=item["Key"])["Body"].read()


def test_no_canary_is_found_anywhere(
    local_aws: str,
    aws_client: Callable[..., Any],
    account: SwitchedExecution,
    told: Callable[[], list[str]],
    tmp_path: Path,
) -> None:
    name = account.pipeline.name
    # What a person who may trigger runs, and nothing else, would try.
    prying = {"note": "{{ conn.brewtrain_aws.get_password() }} {{ var.value.brewtrain_canary }}"}
    steps: list[dict[str, Any]] = [
        {"dag": f"{name}__retrain", "logical_date": "2024-02-01T00:00:00+00:00", "conf": prying},
        {"dag": f"{name}__retrain", "logical_date": "2023-06-01T00:00:00+00:00"},
        {"dag": f"{name}__preflight"},
        {"dag": f"{name}__deploy"},
    ]
    printed = run_dags(tmp_path, local_aws, steps, {})
    messages = told()
    assert any("Model Training" in message for message in messages), "the run must have failed, and been told of"
    assert any("check_input" in message for message in messages)
    looked_at = dict(places(tmp_path, printed, messages, local_aws, aws_client))
    assert b"ON CALL" in looked_at["airflow.db"], "the database must be the one that the card went through"
    assert len(looked_at) > 20
    assert [where for where, content in looked_at.items() if CANARY.encode() in content] == []


def test_a_notifier_that_fails_does_not_show_its_arguments(
    local_aws: str, aws_client: Callable[..., Any], account: SwitchedExecution, tmp_path: Path
) -> None:
    """The variable may hold a notifier's token; its failure is logged with a traceback."""
    variable = {
        "notifier": "airflow.providers.amazon.aws.notifications.sns.SnsNotifier",
        "arguments": {"target_arn": "no-topic", "message": "x", "token": NOTIFIER},
    }
    steps = [{"dag": f"{account.pipeline.name}__retrain", "logical_date": "2023-06-02T00:00:00+00:00"}]
    printed = run_dags(tmp_path, local_aws, steps, variable)
    looked_at = dict(places(tmp_path, printed, [], local_aws, aws_client))
    assert "on-call notification was not sent" in printed
    assert [where for where, content in looked_at.items() if CANARY.encode() in content] == []
