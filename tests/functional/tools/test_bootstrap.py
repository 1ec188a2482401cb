"""The account's stacks: each change is logged before it is made, and a second run changes none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tools.bootstrap import BootstrapError, StackOutcome, bootstrap, main

ANOTHER_ACCOUNT = "222222222222"
BUCKET = """
Parameters:
  Days: {{Type: Number, Default: 30}}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: {name}
"""


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    (tmp_path / "first.yaml").write_text(BUCKET.format(name="bootstrap-first"))
    return tmp_path


def test_creates_then_changes_nothing_then_updates(aws_client: Callable[..., Any], templates: Path) -> None:
    lines: list[str] = []

    def run() -> list[StackOutcome]:
        lines.clear()
        return bootstrap(aws_client, log=lines.append, stacks=["first"], templates=templates)

    assert run() == [StackOutcome("brewtrain-first", "created", ("add AWS::S3::Bucket Bucket",))]
    assert lines == ["stack brewtrain-first: add AWS::S3::Bucket Bucket", "stack brewtrain-first: created"]
    assert "bootstrap-first" in {bucket["Name"] for bucket in aws_client("s3").list_buckets()["Buckets"]}

    assert run() == [StackOutcome("brewtrain-first", "unchanged")]
    assert lines == ["stack brewtrain-first: unchanged"]

    template = templates / "first.yaml"
    template.write_text(template.read_text() + "  Topic:\n    Type: AWS::SNS::Topic\n")
    assert run() == [StackOutcome("brewtrain-first", "updated", ("add AWS::SNS::Topic Topic",))]
    assert run() == [StackOutcome("brewtrain-first", "unchanged")]


def test_a_parameter_is_a_change(aws_client: Callable[..., Any], templates: Path) -> None:
    (templates / "second.yaml").write_text(BUCKET.format(name="bootstrap-second"))

    def run(days: str) -> str:
        parameters = {"second": {"Days": days}}
        outcome = bootstrap(aws_client, parameters=parameters, stacks=["second"], templates=templates)
        return outcome[0].action

    assert [run("7"), run("7")] == ["created", "unchanged"]


# local_aws makes no bucket policies from stacks: moto would enforce them without their conditions,
# and deny everything.
def test_the_stacks_of_the_project_deploy(local_aws: str) -> None:
    # In an account of its own: other tests of this process have a bucket and roles of these names.
    def client(service: str) -> Any:
        made = boto3.client(
            service, endpoint_url=local_aws, region_name="us-east-1",
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        made.meta.events.register("before-send", _in_another_account)
        return made

    bootstrap(client)
    assert [outcome.action for outcome in bootstrap(client)] == ["unchanged", "unchanged"]
    assert client("s3").head_bucket(Bucket=f"brewtrain-{ANOTHER_ACCOUNT}-us-east-1")
    for role in ("airflow", "states", "databrew", "glue", "sagemaker"):
        assert client("iam").get_role(RoleName=f"brewtrain-{role}")


def _in_another_account(request: Any, **_: Any) -> None:
    request.headers["x-moto-account-id"] = ANOTHER_ACCOUNT


def test_a_missing_template_is_reported_in_one_sentence(aws_client: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(BootstrapError, match=r"gone\.yaml cannot be read \(no such file or directory\)\."):
        bootstrap(aws_client, stacks=["gone"], templates=tmp_path)


def test_a_stack_that_failed_to_be_created_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(BUCKET.format(name="x-y-z"))

    class RolledBack:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:
            return {"Stacks": [{"StackName": StackName, "StackStatus": "ROLLBACK_COMPLETE"}]}

    what_to_do = "or delete the stack in CloudFormation if its creation failed, and run this again."
    with pytest.raises(
        BootstrapError,
        match=rf"^stack brewtrain-first is in ROLLBACK_COMPLETE and cannot be updated; .*, {what_to_do}$",
    ):
        bootstrap(lambda service: RolledBack(), stacks=["first"], templates=tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--aws", "--endpoint-url", "http://127.0.0.1:1"], ["--aws", "--parameter", "storage=x"]],
    ids=["no target", "two targets", "parameter without stack"],
)
def test_wrong_usage_is_refused_before_anything_is_called(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
