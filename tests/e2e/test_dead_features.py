"""Features that died after the transform, through the split, the training and the evaluation.

A first run deploys a model. Later runs start at the split, on the rows that the first run's
transform wrote, in which columns were damaged; every state is the committed one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract import asl
from tests.fixtures.account import BUCKET, role_arn
from tests.fixtures.executions import StateMachine
from tests.fixtures.installation import Installation
from tests.fixtures.places import STATE_MACHINE

pytestmark = [
    pytest.mark.slow,
    # moto's CloudFormation skips bucket policies and says so in this process.
    pytest.mark.filterwarnings("ignore:Tried to parse AWS.*BucketPolicy:UserWarning"),
]

ENDPOINT = "dead-features"
# No rule but that on features decides.
LENIENT = {"metrics": {"validation:auc": {"min": 0.0}}, "better_than_majority": False}
Rows = list[dict[str, str]]


@dataclass
class Damaged(StateMachine):
    """Runs that begin with the split."""

    installation: Installation
    rows: Rows

    def retrain(self, damage: Callable[[Rows], None], **gate: Any) -> dict[str, Any]:
        """Run on damaged rows, and return what DescribeExecution says of it."""
        rows = [dict(row) for row in self.rows]
        damage(rows)
        document = self.installation.input("2010-11-20", ENDPOINT, gate=LENIENT | gate, run={"deploy_policy": "never"})
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        source = document["split"]["arguments"]["--source"].removeprefix(f"s3://{BUCKET}/")
        self.clients("s3").put_object(Bucket=BUCKET, Key=f"{source}part-0.csv", Body=text.getvalue().encode())
        return self.run(document)

    def read(self, prefix: str, name: str) -> str:
        """Return a file of an evaluation."""
        key = prefix.removeprefix(f"s3://{BUCKET}/") + name
        content: bytes = self.clients("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content.decode("utf-8")


@pytest.fixture(scope="module")
def damaged(installation: Installation) -> Damaged:
    document = installation.input("2010-11-01", ENDPOINT)
    assert installation.succeed(document)["reason"] == "promoted"
    s3 = installation.clients("s3")
    source = document["split"]["arguments"]["--source"].removeprefix(f"s3://{BUCKET}/")
    rows: Rows = []
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=source)["Contents"]:
        text = s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read().decode("utf-8")
        rows += csv.DictReader(io.StringIO(text))
    definition = json.loads(STATE_MACHINE.read_text("utf-8"))
    machine = installation.states.create_state_machine(
        name="brewtrain-from-the-split",
        definition=json.dumps(asl.reachable(definition, "Split Train & Test DataSet")),
        roleArn=role_arn("states"),
    )
    return Damaged(installation.clients, machine["stateMachineArn"], installation, rows)


def empty_age(rows: Rows) -> None:
    for row in rows:
        row["age"] = ""


def empty_age_and_a_mapping_without_matches(rows: Rows) -> None:
    empty_age(rows)
    for row in rows:
        row["education_level"] = "-1"


def half_without_age(rows: Rows) -> None:
    for row in rows[::2]:
        row["age"] = ""


def text_in_three_columns(rows: Rows) -> None:
    for row in rows:
        row.update(age="young", campaign="", education_level="none", euribor3m="1,25")


def nothing(rows: Rows) -> None:
    """Leave the rows as they are."""


def test_rows_like_the_champions_have_no_dead_feature(damaged: Damaged) -> None:
    seen = damaged.retrain(nothing, features="refuse")
    assert seen["status"] == "SUCCEEDED"
    output = json.loads(seen["output"])
    assert (output["reason"], output["evaluation"]["reasons"]) == ("deploy_never", [])


def test_an_empty_feature_refuses_the_model_and_a_constant_one_is_told_with_it(damaged: Damaged) -> None:
    output = json.loads(damaged.retrain(empty_age_and_a_mapping_without_matches)["output"])
    assert (output["outcome"], output["reason"]) == ("rejected", "quality_gate")
    refused, warned = output["evaluation"]["reasons"]
    assert refused.startswith("1 feature has no value in any row: age (nulls 0.0% → 100.0%); correct the source")
    assert warned.startswith("1 feature has the same value in every row: education_level (")
    assert refused in output["message"]
    page = damaged.read(output["evaluation"]["uri"], "report.html")
    assert "<td>age</td><td>no value</td><td>more than 20 values</td><td>no value</td>" in page
    assert "<td>education_level</td><td>constant</td>" in page


def test_more_nulls_refuse_only_where_the_pipeline_says_so(damaged: Damaged) -> None:
    warned = json.loads(damaged.retrain(half_without_age)["output"])
    assert warned["reason"] == "deploy_never"
    assert warned["evaluation"]["reasons"][0].startswith("1 feature has many more nulls than in the champion's window")
    seen = damaged.retrain(half_without_age, features="refuse", on_reject="fail")
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.QualityGateFailed")
    assert "age (nulls 0.0% → 50.0%, PSI" in seen["cause"]


def test_the_split_names_every_unusable_column_at_once(damaged: Damaged) -> None:
    seen = damaged.retrain(text_in_three_columns)
    assert (seen["status"], seen["error"]) == ("FAILED", "States.TaskFailed")
    said = json.loads(seen["cause"])["ErrorMessage"]
    for name in ("age", "education_level", "euribor3m"):
        assert f"column '{name}' has" in said
    assert "besides, column 'campaign' has no value in any row" in said
