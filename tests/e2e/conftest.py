"""One account on local AWS with everything of a pipeline, deployed by plain boto3.

The deploy DAG is not used on purpose: these tests hold the state machine, the scripts and the
templates by themselves.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.iam_roles import delete_role

REPOSITORY = Path(__file__).resolve().parents[2]
INCLUDE = REPOSITORY / "include"
REGION = "us-east-1"
ACCOUNT = "123456789012"
BUCKET = f"brewtrain-{ACCOUNT}-{REGION}"
Clients = Callable[..., Any]
EXECUTION_LIMIT_SECONDS = 180.0


@dataclass
class Installation:
    """What is deployed, and how to run it."""

    clients: Clients
    state_machine_arn: str
    recipe_version: str
    data_key: str
    serial: Iterator[int] = field(default_factory=lambda: count(1))

    def pipeline(self, **sections: Any) -> Any:
        """The pipeline file with sections written otherwise; of ``gate`` and ``endpoint`` only the fields given."""
        from brewtrain.domain.pipeline.file import Pipeline
        from brewtrain.resources import find_pipeline

        document = find_pipeline("bank_marketing").model_dump(exclude_none=True)
        for section, content in sections.items():
            document[section] = {**document[section], **content} if isinstance(content, dict) else content
        return Pipeline.model_validate(document)

    def input(
        self, data_date: str, endpoint_name: str, *, gate: dict[str, Any] | None = None, **changes: dict[str, Any]
    ) -> dict[str, Any]:
        """Input of one run as the project builds it, with the waits of a test.

        :param gate: Fields of the pipeline file's gate to change.
        :param changes: Section of the input → fields to change in it.
        """
        from brewtrain.domain import names
        from brewtrain.domain.run.execution_input import execution_input
        from brewtrain.resources import evaluation_code, images

        start = datetime.fromisoformat(data_date).replace(tzinfo=UTC)
        identity = names.RunIdentity(
            pipeline="bank_marketing",
            interval_start=start,
            interval_end=start + timedelta(days=1),
            generation=str(next(self.serial)),
        )
        document = execution_input(
            self.pipeline(gate=gate or {}),
            identity,
            names.Account(account_id=ACCOUNT, region=REGION),
            images=images(),
            recipe_version=self.recipe_version,
            code=evaluation_code(),
        )
        document["endpoint"] |= {"name": endpoint_name, "wait_seconds": 1, "max_waits": 60}
        document["training"]["hyperparameters"]["num_round"] = "20"
        for section, fields in changes.items():
            document[section] |= fields
        return document

    def prepare(self, document: dict[str, Any]) -> None:
        """Make the run's DataBrew dataset and recipe job."""
        databrew = self.clients("databrew")
        name = document["transform"]["job_name"]
        databrew.create_dataset(
            Name=name,
            Format="CSV",
            FormatOptions={"Csv": {"Delimiter": ";", "HeaderRow": True}},
            Input={"S3InputDefinition": {"Bucket": BUCKET, "Key": self.data_key}},
        )
        source = document["split"]["arguments"]["--source"]
        databrew.create_recipe_job(
            Name=name,
            DatasetName=name,
            RecipeReference={"Name": "brewtrain-bank-marketing", "RecipeVersion": self.recipe_version},
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/brewtrain-databrew",
            Outputs=[
                {
                    "Location": {"Bucket": BUCKET, "Key": source.removeprefix(f"s3://{BUCKET}/")},
                    "Format": "CSV",
                    "Overwrite": True,
                }
            ],
        )

    def start(self, document: dict[str, Any]) -> str:
        """Prepare a run and start its execution; returns the execution's ARN."""
        self.prepare(document)
        answer = self.clients("stepfunctions").start_execution(
            stateMachineArn=self.state_machine_arn, name=document["run"]["id"], input=json.dumps(document)
        )
        arn: str = answer["executionArn"]
        return arn

    def wait(self, execution_arn: str) -> dict[str, Any]:
        """Wait for the end of an execution; returns DescribeExecution's answer."""
        states = self.clients("stepfunctions")
        limit = time.monotonic() + EXECUTION_LIMIT_SECONDS
        while time.monotonic() < limit:
            seen: dict[str, Any] = states.describe_execution(executionArn=execution_arn)
            if seen["status"] not in ("RUNNING", "PENDING_REDRIVE"):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"still running after {EXECUTION_LIMIT_SECONDS} s: {self.trace(execution_arn)[-10:]}")

    def run(self, document: dict[str, Any]) -> dict[str, Any]:
        """Start an execution and wait for its end."""
        return self.wait(self.start(document))

    def succeed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Run an execution that must succeed; returns its output."""
        seen = self.run(document)
        assert seen["status"] == "SUCCEEDED", (seen.get("error"), seen.get("cause"), self.trace(seen["executionArn"]))
        output: dict[str, Any] = json.loads(seen["output"])
        return output

    def trace(self, execution_arn: str) -> list[str]:
        """Names of the states entered, in order."""
        pages = self.clients("stepfunctions").get_paginator("get_execution_history")
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages.paginate(executionArn=execution_arn)
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]

    def endpoint(self, name: str) -> dict[str, Any]:
        """DescribeEndpoint's answer."""
        seen: dict[str, Any] = self.clients("sagemaker").describe_endpoint(EndpointName=name)
        return seen


def _make_way(clients: Clients, stack: str) -> None:
    """Remove what other tests of this process may have made under the names of a stack."""
    if stack == "roles":
        iam = clients("iam")
        for role in [one["RoleName"] for one in iam.list_roles()["Roles"]]:
            if role.startswith("brewtrain-"):
                delete_role(iam, role)
    elif BUCKET in [one["Name"] for one in clients("s3").list_buckets()["Buckets"]]:
        s3 = clients("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
            for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"])
        s3.delete_bucket(Bucket=BUCKET)


def deploy_stack(clients: Clients, name: str) -> None:
    """Deploy one of the project's templates, unless another test of this process has its resources already."""
    roles = {role["RoleName"] for role in clients("iam").list_roles()["Roles"]}
    buckets = {bucket["Name"] for bucket in clients("s3").list_buckets()["Buckets"]}
    if {"roles": "brewtrain-states", "storage": BUCKET}[name] in roles | buckets:
        for service in ("states", "databrew", "glue", "sagemaker"):
            ensure_role(clients("iam"), service)
        return
    _make_way(clients, name)
    cloudformation = clients("cloudformation")
    template = (INCLUDE / "cloudformation" / f"{name}.yaml").read_text("utf-8")
    cloudformation.create_stack(
        StackName=f"brewtrain-{name}", TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=f"brewtrain-{name}", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )


def ensure_role(iam: Any, service: str) -> None:
    """Make a role that a service assumes, unless it is there."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": f"{service}.amazonaws.com"}}
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(
            RoleName=f"brewtrain-{service}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )


@pytest.fixture(scope="session")
def installation(aws_client: Clients, bank_marketing_csv: Path) -> Installation:
    """The pipeline bank_marketing, deployed."""
    from brewtrain.domain import names
    from brewtrain.resources import evaluation_code

    for name in ("roles", "storage"):
        deploy_stack(aws_client, name)
    s3, databrew, glue = aws_client("s3"), aws_client("databrew"), aws_client("glue")
    key = "data/bank_marketing/dt=2010-11-28/part.csv"
    s3.put_object(Bucket=BUCKET, Key=key, Body=bank_marketing_csv.read_bytes())
    script = "brewtrain/bank_marketing/code/split.py"
    s3.put_object(Bucket=BUCKET, Key=script, Body=(INCLUDE / "glue" / "split.py").read_bytes())
    code = evaluation_code()
    for name, content in code.files.items():
        prefix = names.evaluation_code_prefix("bank_marketing", code.sha256)
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}{name}", Body=content)
    databrew.create_recipe(
        Name="brewtrain-bank-marketing",
        Steps=json.loads((INCLUDE / "recipes" / "bank_marketing.json").read_text("utf-8")),
    )
    databrew.publish_recipe(Name="brewtrain-bank-marketing")
    glue.create_job(
        Name="brewtrain-bank-marketing-split",
        Role=f"arn:aws:iam::{ACCOUNT}:role/brewtrain-glue",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/{script}", "PythonVersion": "3"},
        GlueVersion="5.0",
        WorkerType="G.1X",
        NumberOfWorkers=2,
        ExecutionProperty={"MaxConcurrentRuns": 20},
    )
    machine = aws_client("stepfunctions").create_state_machine(
        name="brewtrain-bank-marketing",
        definition=(INCLUDE / "statemachine" / "retraining.asl.json").read_text("utf-8"),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/brewtrain-states",
    )
    return Installation(
        clients=aws_client, state_machine_arn=machine["stateMachineArn"], recipe_version="1.0", data_key=key
    )
