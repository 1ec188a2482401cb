"""The roles allow what every DAG needs, and no more.

Enough: the DAGs are green under enforcement. No more: each permission check of those runs is
repeated with a policy that lacks one statement, one action or one resource, and at least one is
then denied. What only AWS itself needs is listed with a reason, and the list is checked too.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws.iam.evaluation import AccessRequest, Identity, PolicySet, evaluate
from local_aws.iam.policy_documents import Policy, parse
from tests.fixtures.airflow_connection import CONNECTION_ID, VARIABLE
from tests.fixtures.enforced_airflow import PIPELINE, EnforcedAirflow
from tests.fixtures.executions import wait_for_end
from tests.fixtures.places import INCLUDE
from tools.airflow_env import REGION, connection
from tools.cloudformation import load, resolve
from tools.run.processes import Processes

pytestmark = [pytest.mark.slow, pytest.mark.integration]

TODAY = datetime.now(UTC).date()
TEMPLATE = INCLUDE / "cloudformation" / "roles.yaml"

#: (role, action) → why no run here asks for it although AWS does.
ONLY_ON_AWS: dict[tuple[str, str], str] = {
    ("brewtrain-states", "glue:GetJobRuns"): "AWS's policy for startJobRun.sync lists it (Developer Guide, Glue)",
    ("brewtrain-states", "sagemaker:ListTags"): "AWS's policy for create…Job.sync lists it (Developer Guide)",
    ("brewtrain-states", "cloudwatch:DescribeAlarms"): "only where a pipeline names alarms that roll an update back",
    ("brewtrain-sagemaker", "cloudwatch:DescribeAlarms"): "only where a pipeline names alarms that roll an update back",
    ("brewtrain-sagemaker", "logs:DescribeLogStreams"): "SageMaker's log agent looks for its stream; here it is known",
    ("brewtrain-databrew", "s3:DeleteObject"): "DataBrew deletes what a job with Overwrite finds, also on a retry",
    ("brewtrain-databrew", "s3:GetObject"): "Spark's committer reads what it has written before it renames",
    ("brewtrain-glue", "s3:DeleteObject"): "Spark's committer deletes its _temporary folders",
    ("brewtrain-glue", "s3:GetObject"): "Spark's committer reads what it has written before it renames",
}
_DATABREW_RUN = "tests/functional/retrain/test_databrew_run.py: a run prepared twice, or stopped"
_VALIDATION = "tests/functional/quality: the data of a pipeline with quality rules is validated"
#: Actions that a role uses on other resources than those of its reason.
PARTLY_USED = {"s3:GetObject", "s3:PutObject", "sagemaker:ListTags"}
#: (role, action) → which other test uses it.
SHOWN_ELSEWHERE: dict[tuple[str, str], str] = {
    ("brewtrain-states", action): "tests/e2e/test_roles.py stops an execution in each stage"
    for action in (
        "databrew:StopJobRun", "glue:BatchStopJobRun", "sagemaker:StopTrainingJob", "sagemaker:StopProcessingJob",
    )
} | {
    ("brewtrain-airflow", action): "tests/functional/retrain/test_arrival_roles.py: a run that waits for its data"
    for action in ("s3:GetBucketNotification", "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage")
} | {
    ("brewtrain-airflow", f"databrew:{call}"): _VALIDATION
    for call in (
        "CreateRuleset", "DescribeRuleset", "UpdateRuleset", "DeleteRuleset", "CreateProfileJob", "UpdateProfileJob",
        "StartJobRun",
    )
} | {
    ("brewtrain-databrew", "s3:PutObject"): _VALIDATION,
    ("brewtrain-airflow", "databrew:UpdateDataset"): _DATABREW_RUN,
    ("brewtrain-airflow", "databrew:UpdateRecipeJob"): _DATABREW_RUN,
    ("brewtrain-airflow", "databrew:StopJobRun"): _DATABREW_RUN,
}  # fmt: skip
#: (role, Sid, resource) of resources that no run here touches.
RESOURCES_ONLY_ON_AWS: set[tuple[str, str, str]] = {
    ("brewtrain-airflow", "DatasetsAndJobsOfRuns", "arn:aws:databrew:us-east-1:123456789012:ruleset/brewtrain-*"),
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnforcedAirflow]:
    with Processes() as processes:
        account = EnforcedAirflow(tmp_path_factory.mktemp("enforced"), processes)
        with contextlib.closing(account):
            yield account


@pytest.fixture(scope="module")
def runs(airflow: EnforcedAirflow) -> dict[str, Any]:
    """Run every DAG, a failed run and its redrive; return what they and the enforcer said."""
    newest, before = airflow.days[-1], airflow.days[-2]
    results = {"deploy": airflow.run("deploy"), "retrain": airflow.run("retrain", before)}
    refused = {"service": "glue", "operation": "StartJobRun", "effect": "error", "code": "InvalidInputException",
               "message": "no such script", "status": 400}  # fmt: skip
    airflow.control.add_fault(**refused)
    failed = airflow.run("retrain", newest)
    airflow.control.remove_faults()
    with pytest.MonkeyPatch.context() as patch:
        _redrive(airflow, patch)
    results["redriven, updates"] = airflow.run("retrain", newest)
    earlier = f"{PIPELINE.replace('_', '-')}-{before + timedelta(days=1):%Y%m%d}T0000-g0"
    results["promote"] = airflow.run("promote", TODAY, candidate=earlier, deploy_policy="always")
    results["rollback"] = airflow.run("rollback", TODAY, confirmed="confirm_rollback")
    results["preflight"] = airflow.run("preflight", TODAY)
    _edit(airflow.include)
    results |= {"deploy again": airflow.run("deploy"), "cleanup": airflow.run("cleanup", TODAY)}
    with pytest.MonkeyPatch.context() as patch:
        _use_hooks(airflow, patch)
    return {"failed": failed, "results": results, **airflow.permissions()}


def _edit(include: Path) -> None:
    """Change everything that a deployment compares."""
    recipe = include / "recipes" / f"{PIPELINE}.json"
    steps = json.loads(recipe.read_text("utf-8"))
    again = {"sourceColumn": "y_output"}
    recipe.write_text(json.dumps([*steps, {"Action": {"Operation": "MOVE_TO_START", "Parameters": again}}]), "utf-8")
    script = include / "glue" / "split.py"
    script.write_text(script.read_text("utf-8") + "\n# edited\n", "utf-8")
    machine = include / "statemachine" / "retraining.asl.json"
    definition = json.loads(machine.read_text("utf-8"))
    machine.write_text(json.dumps({**definition, "Comment": "edited"}), "utf-8")


def _connect(airflow: EnforcedAirflow, patch: pytest.MonkeyPatch) -> None:
    """Let hooks of this process sign as the DAGs do."""
    patch.setenv("AIRFLOW_HOME", os.environ.get("AIRFLOW_HOME", str(airflow.folder / "hooks")))
    patch.setenv(VARIABLE, connection(airflow.endpoint_url, login=airflow.login))


def _redrive(airflow: EnforcedAirflow, patch: pytest.MonkeyPatch) -> None:
    """Redrive the execution that failed, as a cleared task does; DAG.test cannot clear."""
    _connect(airflow, patch)
    from brewtrain.hooks.stepfunctions import StepFunctionsHook

    states = airflow.client("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    (failed,) = states.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"]
    assert StepFunctionsHook(CONNECTION_ID).redrive(failed["executionArn"], "again")
    wait_for_end(states, failed["executionArn"], seconds=120)


def _use_hooks(airflow: EnforcedAirflow, patch: pytest.MonkeyPatch) -> None:
    """Do with the DAGs' hooks what they do only after months, or when a job has failed."""
    _connect(airflow, patch)
    from brewtrain.domain.run.execution_history import JobReference
    from brewtrain.hooks.databrew_leftovers import DataBrewLeftoversHook
    from brewtrain.hooks.job_diagnostics import JobDiagnosticsHook
    from brewtrain.hooks.s3_pipeline import S3PipelineHook
    from brewtrain.hooks.sagemaker_hosting import SageMakerHostingHook
    from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

    slug = PIPELINE.replace("_", "-")
    glue, sagemaker = airflow.client("glue"), airflow.client("sagemaker")
    split = f"brewtrain-{slug}-split"
    jobs = [
        JobReference("databrew", f"brewtrain-{slug}-gone", "db_0"),
        JobReference("glue", split, glue.get_job_runs(JobName=split)["JobRuns"][0]["Id"]),
        JobReference("sagemaker", sagemaker.list_training_jobs()["TrainingJobSummaries"][0]["TrainingJobName"]),
        JobReference(
            "sagemaker processing", sagemaker.list_processing_jobs()["ProcessingJobSummaries"][0]["ProcessingJobName"]
        ),
    ]
    diagnostics = JobDiagnosticsHook(CONNECTION_ID)
    for job in jobs:
        report, _ = diagnostics.report(job)
        assert report.log_lines or job.service == "databrew", job
    hosting = SageMakerHostingHook(CONNECTION_ID)
    assert not hosting.delete_model("brewtrain-gone")
    assert not hosting.delete_config("brewtrain-gone")
    account = hosting.account
    S3PipelineHook(CONNECTION_ID).delete(f"brewtrain-{account.account_id}-{REGION}", [f"brewtrain/{PIPELINE}/gone"])
    DataBrewLeftoversHook(CONNECTION_ID).delete_recipe_versions(PIPELINE, ["1.0"])
    states = StepFunctionsStateMachineHook(CONNECTION_ID)
    oldest = states.list_versions(account.state_machine_arn(PIPELINE))[-1]
    states.delete_version(oldest)


def test_every_dag_is_green_with_every_call_enforced(runs: dict[str, Any]) -> None:
    failed = {name: result for name, result in runs["results"].items() if result[0] != "success"}
    assert failed == {}
    denied = [f"{entry['principal']}: {entry['action']} on {entry['resource']}" for entry in runs["denied"]]
    assert denied == [], "allow it in include/cloudformation/roles.yaml"
    # The run whose split was made to fail told why.
    state, complaints = runs["failed"]
    assert state == "failed"
    assert any("no such script" in complaint for complaint in complaints), complaints


def shipped() -> dict[str, Policy]:
    """Return the policy that the template gives each role, by the role's name."""
    roles = [item["Properties"] for item in resolve(load(TEMPLATE)).values() if item["Type"] == "AWS::IAM::Role"]
    return {role["RoleName"]: parse(role["Policies"][0]["PolicyDocument"], role["RoleName"]) for role in roles}


def checks(runs: dict[str, Any], role: str) -> list[AccessRequest]:
    """Return the permission checks of a role's sessions that were allowed."""
    found = []
    for entry in runs["permissions"]:
        if not entry["principal"].endswith(f":role/{role}"):
            continue
        account = entry["principal"].split(":")[4]
        identity = Identity("role", f"arn:aws:sts::{account}:assumed-role/{role}/s", account, entry["principal"])
        context = {key: tuple(values) for key, values in entry["context"].items()}
        found.append(AccessRequest(identity, entry["action"], entry["resource"], context))
    return found


def denied(requests: list[AccessRequest], policy: Policy) -> set[str]:
    """Return the actions of which a policy denies at least one check."""
    policies = PolicySet(identity=(policy,))
    return {request.action for request in requests if not evaluate(request, policies).allowed}


def less(policy: Policy, number: int, **changed: Any) -> Policy:
    """Return a policy without one of its statements, or with that statement changed."""
    kept = list(policy.statements)
    kept[number : number + 1] = [replace(kept[number], **changed)] if changed else []
    return Policy(policy.name, tuple(kept))


ROLES = sorted(shipped())
STATEMENTS = [(role, number) for role in ROLES for number in range(len(shipped()[role].statements))]


def test_the_checks_come_out_the_same_when_asked_again(runs: dict[str, Any]) -> None:
    for role, policy in shipped().items():
        requests = checks(runs, role)
        assert requests, f"nothing was done as {role}"
        assert denied(requests, policy) == set(), role


@pytest.mark.parametrize(
    ("role", "number"),
    STATEMENTS,
    ids=[f"{role}-{shipped()[role].statements[number].sid}" for role, number in STATEMENTS],
)
def test_every_statement_action_and_resource_is_needed(runs: dict[str, Any], role: str, number: int) -> None:
    policy, requests = shipped()[role], checks(runs, role)
    statement = policy.statements[number]
    without = denied(requests, less(policy, number))
    reasons = {action for one, action in (*ONLY_ON_AWS, *SHOWN_ELSEWHERE) if one == role}
    unneeded = {action for action in statement.actions or () if action not in without and action not in reasons}
    assert unneeded == set(), f"{role}/{statement.sid}: nothing needs these; remove them, or say why in ONLY_ON_AWS"
    for action in set(statement.actions or ()) & without:
        fewer = tuple(one for one in statement.actions or () if one != action)
        assert denied(requests, less(policy, number, actions=fewer)) == {action}
    if not without:
        return
    for resource in statement.resources or ():
        others = tuple(one for one in statement.resources or () if one != resource)
        if len(others) and not denied(requests, less(policy, number, resources=others)):
            assert (role, statement.sid, resource) in RESOURCES_ONLY_ON_AWS, f"nothing needs {resource}"


def test_no_reason_is_given_for_what_is_used(runs: dict[str, Any]) -> None:
    for (role, action), reason in (ONLY_ON_AWS | SHOWN_ELSEWHERE).items():
        assert reason
        if action not in PARTLY_USED:
            used = {request.action for request in checks(runs, role)}
            assert action not in used, f"{role} used {action}: remove it from the list"
        assert any(action in (statement.actions or ()) for statement in shipped()[role].statements), (role, action)
