"""The deploy DAG, run by Airflow itself on a metadata database, against local AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.account import SERVICES
from tests.fixtures.airflow_connection import connection_to
from tests.fixtures.airflow_process import run_in_airflow
from tests.fixtures.iam_roles import ensure_role
from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.places import INCLUDE

REGION = "eu-west-1"
# One process for all runs: what Airflow imports and migrates takes most of the time.
RUNS = """
import json, sys
from airflow.utils.db import initdb
initdb()
import boto3
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
dag = bag.dags[sys.argv[2]]
iam = boto3.client("iam", endpoint_url=sys.argv[3], region_name="eu-west-1",
                   aws_access_key_id="testing", aws_secret_access_key="testing")
results = []
for step in json.loads(sys.argv[4]):
    if step.get("delete_role"):
        role = step["delete_role"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
        iam.delete_role(RoleName=role)
    run = dag.test(run_conf=step.get("conf"))
    tis = {ti.task_id: ti for ti in run.get_task_instances()}
    results.append({
        "state": str(run.state),
        "tasks": {name: str(ti.state) for name, ti in tis.items()},
        "tries": {name: ti.try_number for name, ti in tis.items()},
        "applied": tis["apply_deployment"].xcom_pull(task_ids="apply_deployment"),
        "planned": tis["plan_deployment"].xcom_pull(task_ids="plan_deployment"),
    })
print("RESULT " + json.dumps(results))
"""


@pytest.mark.slow
@pytest.mark.integration
def test_deploying_twice_changes_nothing_and_a_permanent_error_is_not_tried_again(
    local_aws: str, aws_client: AwsClients, tmp_path: Path
) -> None:
    account = aws_client("sts").get_caller_identity()["Account"]
    aws_client("s3", region_name=REGION).create_bucket(
        Bucket=f"brewtrain-{account}-{REGION}", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    for service in SERVICES:
        ensure_role(aws_client("iam"), service)
    pipeline = sorted((INCLUDE / "pipelines").glob("*.yaml"))[0].stem
    # plan_only last: DAG.test keeps a run's conf in the DAG's params for the runs after it.
    steps = [{}, {}, {"conf": {"plan_only": True}}, {"delete_role": "brewtrain-glue"}]
    ended = run_in_airflow(
        RUNS, f"{pipeline}__deploy", local_aws, json.dumps(steps),
        home=tmp_path, connection=connection_to(local_aws, region=REGION),
    )  # fmt: skip
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, ended.stdout[-3000:] + ended.stderr[-3000:]
    first, second, plan_only, without_role = json.loads(lines[0].removeprefix("RESULT "))

    assert first["state"] == "success"
    assert [change["action"] for change in first["applied"]] == [
        "unchanged",
        "create",
        "create",
        "unchanged",
        *["create"] * 5,
    ]
    assert second["state"] == "success"
    assert {change["action"] for change in second["planned"] + second["applied"]} == {"unchanged"}
    assert plan_only["tasks"]["apply_deployment"] == "skipped"
    assert {change["action"] for change in plan_only["planned"]} == {"unchanged"}
    assert without_role["state"] == "failed"
    assert without_role["tasks"]["validate_deployment"] == "failed"
    assert without_role["tries"]["validate_deployment"] == 1
    assert without_role["tasks"]["apply_deployment"] == "upstream_failed"
