"""The deploy DAG run by Airflow itself, on a metadata database, against local AWS behind its endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
ROLES = ("states", "databrew", "glue", "sagemaker")
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
    local_aws: str, aws_client: Callable[..., Any], tmp_path: Path
) -> None:
    account = aws_client("sts").get_caller_identity()["Account"]
    aws_client("s3", region_name=REGION).create_bucket(
        Bucket=f"brewtrain-{account}-{REGION}", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    iam = aws_client("iam")
    for service in ROLES:
        statement = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": f"{service}.amazonaws.com"},
        }
        iam.create_role(
            RoleName=f"brewtrain-{service}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    pipeline = sorted((REPOSITORY / "include" / "pipelines").glob("*.yaml"))[0].stem
    connection = {
        "conn_type": "aws",
        "login": "testing",
        "password": "testing",
        "extra": {"region_name": REGION, "endpoint_url": local_aws},
    }
    # plan_only last: DAG.test keeps a run's conf in the DAG's params for the runs after it.
    steps = [{}, {}, {"conf": {"plan_only": True}}, {"delete_role": "brewtrain-glue"}]
    ended = subprocess.run(
        [sys.executable, "-c", RUNS, str(REPOSITORY / "dags"), f"{pipeline}__deploy", local_aws, json.dumps(steps)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
            "AIRFLOW_CONN_BREWTRAIN_AWS": json.dumps(connection),
            "PYTHONPATH": str(REPOSITORY / "plugins"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, ended.stdout[-3000:] + ended.stderr[-3000:]
    first, second, plan_only, without_role = json.loads(lines[0].removeprefix("RESULT "))

    assert first["state"] == "success"
    assert [change["action"] for change in first["applied"]] == ["unchanged", *["create"] * 7]
    assert second["state"] == "success"
    assert {change["action"] for change in second["planned"] + second["applied"]} == {"unchanged"}
    assert plan_only["tasks"]["apply_deployment"] == "skipped"
    assert {change["action"] for change in plan_only["planned"]} == {"unchanged"}
    assert without_role["state"] == "failed"
    assert without_role["tasks"]["validate_deployment"] == "failed"
    assert without_role["tries"]["validate_deployment"] == 1
    assert without_role["tasks"]["apply_deployment"] == "upstream_failed"
