"""The cleanup tasks against local AWS: what serves, and what it may be rolled back to, stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError, TransientError
from brewtrain.operators import cleanup
from tests.fixtures.hosted_models import HostedModels
from tests.fixtures.quality import rule_of
from tests.functional.lifecycle.conftest import Context

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _much_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a test makes is old."""
    later = datetime.now(UTC) + timedelta(days=100)
    monkeypatch.setattr(cleanup.CleanupOperator, "now", staticmethod(lambda: later))


def plan(hosted: HostedModels, **params: Any) -> list[dict[str, str]]:
    operator = cleanup.PlanCleanupOperator(task_id="plan_cleanup", pipeline=hosted.pipeline)
    return operator.execute(Context(**params))  # type: ignore[arg-type]


def apply(hosted: HostedModels, planned: list[dict[str, str]], **params: Any) -> dict[str, int]:
    operator = cleanup.ApplyCleanupOperator(task_id="apply_cleanup", pipeline=hosted.pipeline)
    return operator.execute(Context(xcoms={"plan_cleanup": planned}, **params))  # type: ignore[arg-type]


def deployed(hosted: HostedModels, *days: int) -> None:
    for day in days:
        hosted.run(day)
        hosted.record(day)
    hosted.serve(days[-1], recorded=False)


def everything(hosted: HostedModels) -> tuple[Any, ...]:
    databrew = hosted.client("databrew")
    return (
        hosted.configs(),
        hosted.models(),
        hosted.keys(),
        {one["Name"] for one in databrew.list_jobs()["Jobs"]},
        {one["Name"] for one in databrew.list_rulesets()["Rulesets"]},
        {one["Name"] for one in databrew.list_datasets()["Datasets"]},
        {
            one["RecipeVersion"]
            for one in databrew.list_recipe_versions(Name=names.recipe(hosted.pipeline.name))["Recipes"]
        },
    )


def leftovers(hosted: HostedModels, day: int) -> str:
    """Return the name of a job, a ruleset and a dataset whose run is over."""
    databrew, name = hosted.client("databrew"), f"brewtrain-{hosted.run_id(day)}"
    tags = {"brewtrain:pipeline": hosted.pipeline.name}
    where = {"S3InputDefinition": {"Bucket": hosted.bucket, "Key": "data/x.csv"}}
    databrew.create_dataset(Name=name, Input=where, Tags=tags)
    databrew.create_ruleset(
        Name=name,
        TargetArn=databrew.describe_dataset(Name=name)["ResourceArn"],
        Rules=[rule_of("{not_null: age}").definition()],
        Tags=tags,
    )
    databrew.create_recipe_job(
        Name=name,
        DatasetName=name,
        RecipeReference={"Name": names.recipe(hosted.pipeline.name), "RecipeVersion": "1.0"},
        RoleArn=hosted.account.role_arn("databrew"),
        Outputs=[{"Location": {"Bucket": hosted.bucket, "Key": "out/"}, "Format": "CSV"}],
        Tags=tags,
    )
    return name


def test_a_weekly_cleanup(hosted: HostedModels, capfd: pytest.CaptureFixture[str]) -> None:
    databrew = hosted.client("databrew")
    for _ in range(2):
        databrew.publish_recipe(Name=names.recipe(hosted.pipeline.name))
    deployed(hosted, 2, 3, 4, 5)
    hosted.run(6)
    left = leftovers(hosted, 7)
    code = names.code_prefix(hosted.pipeline.name)
    hosted.put(f"{code}split-{1:012x}.py", b"old")
    sibling = hosted.config(2).replace("brewtrain-", "brewtrain-x-")
    hosted.sagemaker.create_model(
        ModelName=sibling,
        PrimaryContainer={"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"},
        ExecutionRoleArn=hosted.account.role_arn("sagemaker"),
    )
    before = everything(hosted)

    planned = plan(hosted, dry_run=True)
    assert everything(hosted) == before, "planning changes nothing"
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="dry_run"):
        apply(hosted, planned, dry_run=True)
    assert everything(hosted) == before, "a dry run changes nothing"
    log = capfd.readouterr().out
    assert f"endpoint {hosted.endpoint} serves it" in log
    assert "one of the rollback targets (retention.rollback_targets is 2)" in log
    assert "never served, and is not one of the last 2 rollback targets" in log

    result = apply(hosted, planned)
    assert result["deleted"] == len(planned)
    kept = {hosted.config(day) for day in (3, 4, 5)}
    assert hosted.configs() == kept
    assert hosted.models() >= kept
    assert not hosted.models() & {hosted.config(2), hosted.config(6)}
    assert hosted.serving() == hosted.config(5)
    files = hosted.keys("runs/")
    for day in (2, 6):
        assert not [key for key in files if hosted.run_id(day) in key]
    for day in (3, 4, 5):
        rest = {key.split("/")[4] for key in files if hosted.run_id(day) in key}
        assert rest == {"model", "evaluation", "split.json", "result.json"}
    left_of_code = hosted.keys("code/")
    assert left_of_code == {key for key in left_of_code if "/evaluation-" in key}, "what the next run uses stays"
    assert len(hosted.keys("deployments/")) == 4, "the history stays"
    after = everything(hosted)
    assert left not in after[3] | after[4] | after[5]
    assert after[6] == {"3.0", "1.0"}, "1.0 made the data of what is kept"

    assert plan(hosted) == []
    with pytest.raises(AirflowSkipException, match="nothing to delete"):
        apply(hosted, [])
    answer = hosted.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=hosted.endpoint, ContentType="text/csv", Body="0.9,0.8"
    )
    assert float(answer["Body"].read()) > 0.5, "the endpoint still answers"
    hosted.sagemaker.delete_model(ModelName=sibling)


def test_a_rollback_between_plan_and_deletion_is_seen(hosted: HostedModels, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed(hosted, 2, 3, 4, 5)
    planned = plan(hosted)
    assert {"kind": "endpoint config", "name": hosted.config(2)}.items() <= planned[0].items()
    decided = cleanup.CleanupOperator.decide

    def decide_and_roll_back(self: Any) -> Any:
        decisions = decided(self)
        hosted.serve(2)
        return decisions

    monkeypatch.setattr(cleanup.CleanupOperator, "decide", decide_and_roll_back)
    apply(hosted, planned)
    assert hosted.config(2) in hosted.configs()
    assert hosted.config(2) in hosted.models()
    assert hosted.wait()["EndpointConfigName"] == hosted.config(2)


def test_what_is_new_since_the_plan_was_logged_is_not_deleted(hosted: HostedModels) -> None:
    deployed(hosted, 2, 3, 4)
    hosted.run(6)
    planned = plan(hosted)
    assert {one["name"] for one in planned if one["kind"] == "endpoint config"} == {hosted.config(6)}
    hosted.run(7)
    apply(hosted, planned)
    assert hosted.config(7) in hosted.configs(), "nobody has read that it would go"
    assert hosted.config(6) not in hosted.configs()


def test_a_second_try_goes_on_and_gone_is_fine(hosted: HostedModels, local_aws_server: Any) -> None:
    deployed(hosted, 2, 3, 4, 5)
    planned = plan(hosted)
    rules = local_aws_server.front.fault_rules
    busy = {"effect": "error", "code": "SlowDown", "message": "slow", "status": 503}
    rule = rules.add({"service": "s3", "operation": "DeleteObjects", **busy})
    try:
        with pytest.raises(TransientError, match="throttled s3:DeleteObject"):
            apply(hosted, planned)
    finally:
        rules.clear(rule)
    assert hosted.config(2) not in hosted.configs()
    hosted.client("s3").delete_object(Bucket=hosted.bucket, Key=f"brewtrain/{hosted.pipeline.name}/runs/"
                                      f"{hosted.run_id(2)}/split.json")  # fmt: skip
    apply(hosted, planned)
    assert not [key for key in hosted.keys("runs/") if hosted.run_id(2) in key]


def test_a_denied_deletion_says_what_to_allow(hosted: HostedModels, local_aws_server: Any) -> None:
    deployed(hosted, 2, 3, 4, 5)
    planned = plan(hosted)
    rules = local_aws_server.front.fault_rules
    denied = {"effect": "error", "code": "AccessDeniedException", "message": "no"}
    rule = rules.add({"service": "sagemaker", "operation": "DeleteEndpointConfig", **denied})
    try:
        with pytest.raises(DeploymentError, match=r"sagemaker:DeleteEndpointConfig.*roles\.yaml"):
            apply(hosted, planned)
    finally:
        rules.clear(rule)
    assert len(hosted.configs()) == 4


@pytest.mark.parametrize("value", ["no", 1, None, "false; rm -rf /"])
def test_a_param_that_is_no_boolean_is_refused_before_any_call(hosted: HostedModels, value: Any) -> None:
    with pytest.raises(InputError, match=r"param dry_run is .*; write true or false"):
        plan(hosted, dry_run=value)


def test_an_account_in_which_nothing_is_deployed(hosted: HostedModels) -> None:
    hosted.client("stepfunctions").delete_state_machine(
        stateMachineArn=hosted.account.state_machine_arn(hosted.pipeline.name)
    )
    assert plan(hosted) == []
