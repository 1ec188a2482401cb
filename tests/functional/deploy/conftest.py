"""A pipeline of its own for each test, deployed to local AWS through the real hooks."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Importing Airflow makes a configuration file in its home: not in the developer's own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

REPOSITORY = Path(__file__).resolve().parents[3]
REGION = "us-east-1"
ROLES = ("states", "databrew", "glue", "sagemaker")
PIPELINE = """\
name: {name}
start_date: 2024-01-01
source:
  path: s3://{{bucket}}/data/{name}/dt={{date}}/
recipe: steps.json
label:
  column: label
training:
  hyperparameters:
    num_round: 10
gate:
  metrics:
    validation:auc: {{min: 0.7}}
"""
STEPS: list[dict[str, Any]] = [
    {"Action": {"Operation": "RENAME", "Parameters": {"sourceColumn": "y", "targetColumn": "label"}}},
    {"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": '["duration"]'}}},
]
_numbers = itertools.count(1)


class InjectedError(ConnectionError):
    """The failure that a test injects: the process dies, or the answer never arrives."""


@dataclass
class Faults:
    """Makes one write to AWS fail, before it arrives or after it took effect.

    :param at: Which write, counted from 1; 0 for none.
    :param after: Whether it takes effect before the caller sees the failure.
    """

    at: int = 0
    after: bool = False
    writes: int = 0

    def before_call(self, operation: str) -> None:
        if _is_write(operation):
            self.writes += 1
            if self.writes == self.at and not self.after:
                raise InjectedError(f"before {operation}")

    def after_call(self, operation: str) -> None:
        if _is_write(operation) and self.writes == self.at and self.after:
            raise InjectedError(f"after {operation}")


class Connected:
    """The real hooks on one session, which takes seconds to make: all tests share it."""

    def __init__(self) -> None:
        from brewtrain.deployment.stack import Hooks
        from brewtrain.hooks.connection import AwsClientHook
        from brewtrain.hooks.databrew_recipe import DataBrewRecipeHook
        from brewtrain.hooks.glue_job import GlueJobHook
        from brewtrain.hooks.model_registry import ModelRegistryHook
        from brewtrain.hooks.s3_deployment import S3DeploymentHook
        from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

        self.faults = Faults()
        self.connection = AwsClientHook()
        self.account = self.connection.account
        events = self.connection.get_session(self.connection.region_name).events
        events.register("before-call", lambda model, **_: self.faults.before_call(model.name))
        events.register("after-call", lambda model, **_: self.faults.after_call(model.name))
        self.hooks = Hooks(
            s3=S3DeploymentHook(beside=self.connection),
            databrew=DataBrewRecipeHook(beside=self.connection),
            glue=GlueJobHook(beside=self.connection),
            states=StepFunctionsStateMachineHook(beside=self.connection),
            registry=ModelRegistryHook(beside=self.connection),
        )


def _is_write(operation: str) -> bool:
    return not operation.startswith(("Describe", "List", "Get", "Head", "Validate"))


@dataclass
class Workshop:
    """One pipeline's files, and what is deployed of it.

    :param name: Name of the pipeline.
    :param include: Folder of its files; tests edit them as a user would.
    :param client: ``client(service)``: a boto3 client of local AWS.
    :param connected: The hooks under test.
    """

    name: str
    include: Path
    client: Callable[[str], Any]
    connected: Connected

    @property
    def slug(self) -> str:
        return f"brewtrain-{self.name}"

    @property
    def machine_arn(self) -> str:
        return f"arn:aws:states:{REGION}:{self.account}:stateMachine:{self.slug}"

    @property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def bucket(self) -> str:
        return f"brewtrain-{self.account}-{REGION}"

    def write_recipe(self, steps: list[dict[str, Any]]) -> None:
        (self.include / "recipes" / "steps.json").write_text(json.dumps(steps))

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.include / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    def stack(self) -> Any:
        from brewtrain import resources
        from brewtrain.deployment.stack import Content, Stack

        pipeline = resources.find_pipeline(self.name)
        content = Content(
            recipe_steps=resources.recipe_steps(pipeline.recipe),
            split_script=resources.split_script(),
            evaluation_code=resources.evaluation_code(),
            definition=resources.state_machine_definition(),
        )
        return Stack(pipeline, content, self.connected.account, self.connected.hooks)

    def plan(self) -> dict[str, str]:
        """Kind of resource → action."""
        return {change.resource: change.action.value for change in self.stack().plan()}

    def apply(self, faults: Faults | None = None) -> list[str]:
        """Deploy, and return the lines of the log."""
        lines: list[str] = []
        self.connected.faults = faults or Faults()
        try:
            self.stack().apply(lambda change: lines.append(change.line), sleep=lambda seconds: None)
        finally:
            self.connected.faults = Faults()
        return lines

    def deployed(self) -> dict[str, Any]:
        """Everything that is deployed, without times and without the pipeline's name."""
        databrew, glue, states, s3, sagemaker = (
            self.client(name) for name in ("databrew", "glue", "stepfunctions", "s3", "sagemaker")
        )
        group = sagemaker.describe_model_package_group(ModelPackageGroupName=self.slug)
        versions = databrew.list_recipe_versions(Name=self.slug)["Recipes"]
        working = databrew.describe_recipe(Name=self.slug, RecipeVersion="LATEST_WORKING")
        job = glue.get_job(JobName=f"{self.slug}-split")["Job"]
        machine = states.describe_state_machine(stateMachineArn=self.machine_arn)
        alias = states.describe_state_machine_alias(stateMachineAliasArn=f"{self.machine_arn}:live")
        listed = states.list_state_machine_versions(stateMachineArn=self.machine_arn)["stateMachineVersions"]
        objects = s3.list_objects_v2(Bucket=self.bucket, Prefix=f"brewtrain/{self.name}/").get("Contents", [])
        document = {
            "recipe versions": {version["RecipeVersion"]: version["Steps"] for version in versions},
            "recipe": working["Steps"],
            "recipe tags": working["Tags"],
            "job": {key: job[key] for key in ("Role", "Command", "Timeout", "DefaultArguments", "GlueVersion")},
            "machine": json.loads(machine["definition"]),
            "role": machine["roleArn"],
            "machine versions": sorted(version["stateMachineVersionArn"] for version in listed),
            "alias": alias["routingConfiguration"],
            "registry": group["ModelPackageGroupDescription"],
            "registry tags": sagemaker.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"],
            "objects": sorted(item["Key"] for item in objects),
        }
        return dict(json.loads(json.dumps(document).replace(self.name, "NAME")))


@pytest.fixture(scope="session")
def connected(local_aws: str) -> Connected:
    """Return the hooks under test, on the Airflow connection."""
    connection = {
        "conn_type": "aws",
        "login": "testing",
        "password": "testing",
        "extra": {"region_name": REGION, "endpoint_url": local_aws},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(connection))
        return Connected()


@pytest.fixture
def workshop(
    tmp_path: Path, aws_client: Callable[..., Any], connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> Workshop:
    """Return a pipeline that has never been deployed, in an account with bucket and roles."""
    include = tmp_path / "include"
    for folder in ("pipelines", "recipes", "glue", "statemachine"):
        (include / folder).mkdir(parents=True)
    shutil.copytree(REPOSITORY / "include" / "evaluation", include / "evaluation", ignore=shutil.ignore_patterns("__*"))
    for file in ("glue/split.py", "statemachine/retraining.asl.json", "statemachine/images.json"):
        shutil.copy(REPOSITORY / "include" / file, include / file)
    name = f"p{os.getpid()}x{next(_numbers)}"
    (include / "pipelines" / f"{name}.yaml").write_text(PIPELINE.format(name=name))
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    made = Workshop(name, include, aws_client, connected)
    made.write_recipe(STEPS)
    aws_client("s3").create_bucket(Bucket=made.bucket)
    for service in ROLES:
        ensure_role(aws_client("iam"), service)
    return made


def ensure_role(iam: Any, service: str) -> None:
    """Make the role that a service assumes, unless it is there."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": f"{service}.amazonaws.com"}}
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(
            RoleName=f"brewtrain-{service}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
