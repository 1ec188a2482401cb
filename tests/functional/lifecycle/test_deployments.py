"""Promotion and rollback through their tasks and the committed state machine, against local AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brewtrain import resources
from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError, TransientError
from brewtrain.operators import promotion, rollback
from local_aws.jobs import knobs
from tests.fixtures.executions import wait_for_end
from tests.fixtures.hosted_models import HostedModels
from tests.functional.lifecycle.conftest import Context

pytestmark = pytest.mark.slow
YES = {"chosen_options": ["Approve"], "responded_by_user": {"id": "7", "name": "Ada"}}
NO = {"chosen_options": ["Reject"], "responded_by_user": {"id": "7", "name": "Ada"}}


class Lifecycle:
    """Runs the tasks of a DAG run one after the other, as Airflow would."""

    def __init__(self, hosted: HostedModels) -> None:
        self.hosted = hosted
        self.choose: dict[str, Any] = {}

    def promote(self, *, approval: Any = None, **params: Any) -> dict[str, Any]:
        context = Context(**params)
        pipeline = self.hosted.pipeline
        context.xcoms["choose_candidate"] = promotion.ChooseCandidateOperator(
            task_id="choose_candidate", pipeline=pipeline
        ).execute(context)  # type: ignore[arg-type]
        start = promotion.StartPromotionOperator(task_id="start_deployment", pipeline=pipeline)
        record = promotion.RecordPromotionOperator(task_id="record_promotion", pipeline=pipeline, asks=True)
        return self._deploy(context, start, record, "start_deployment", "approve_candidate", approval)

    def roll_back(self, *, approval: Any = YES, **params: Any) -> dict[str, Any]:
        context = Context(**params)
        pipeline = self.hosted.pipeline
        context.xcoms["choose_version"] = rollback.ChooseVersionOperator(
            task_id="choose_version", pipeline=pipeline
        ).execute(context)  # type: ignore[arg-type]
        start = rollback.StartRollbackOperator(task_id="start_rollback", pipeline=pipeline)
        record = rollback.RecordRollbackOperator(task_id="record_rollback", pipeline=pipeline, asks=True)
        return self._deploy(context, start, record, "start_rollback", "confirm_rollback", approval)

    def _deploy(
        self, context: Context, start: Any, record: Any, start_task: str, approve_task: str, approval: Any
    ) -> dict[str, Any]:
        if approval is not None:
            context.xcoms[approve_task] = approval
        if approval is not NO:
            started = context.xcoms[start_task] = start.execute(context)
            assert start.execute(context)["action"] in ("attach", "finish"), "a second worker starts nothing"
            self.wait(started["execution_arn"])
        result: dict[str, Any] = record.execute(context)
        assert result["record"].startswith(
            f"s3://{self.hosted.bucket}/brewtrain/{self.hosted.pipeline.name}/deployments/"
        )
        return {**result, "events": context.events, "chosen": context.xcoms}

    def wait(self, arn: str) -> None:
        found = wait_for_end(self.hosted.client("stepfunctions"), arn, seconds=120)
        assert found["status"] == "SUCCEEDED", (found.get("error"), found.get("cause"))


@pytest.fixture
def life(deployed: HostedModels) -> Lifecycle:
    return Lifecycle(deployed)


def served(hosted: HostedModels, *days: int) -> None:
    """Return runs of these days that deployed their models one after the other."""
    for day in days:
        hosted.run(day)
        hosted.record(day)
    hosted.serve(days[-1], recorded=False)


def test_back_to_the_previous_and_to_a_chosen_one_and_forward_again(life: Lifecycle) -> None:
    hosted = life.hosted
    served(hosted, 2, 3, 4)
    hosted.run(5)

    result = life.roll_back()
    assert (result["outcome"], result["reason"]) == ("promoted", "rolled_back_to")
    assert hosted.wait()["EndpointConfigName"] == hosted.config(3), "not 5, which never served"
    [event] = result["events"]
    assert event["data_date"] == "2024-01-02"
    assert event["metrics"]["validation:auc"] == 0.8
    assert "2024-01-03" in result["chosen"]["choose_version"]["subject"]
    record = json.loads(
        hosted.client("s3").get_object(Bucket=hosted.bucket, Key=result["record"].split("/", 3)[3])["Body"].read()
    )
    assert record["approved_by"] == "Ada"
    assert record["smoke_test"]["status"] == "passed", "the endpoint answers as that run evaluated"
    assert record["from_endpoint_config_name"] == hosted.config(4)

    life.roll_back()
    assert hosted.wait()["EndpointConfigName"] == hosted.config(2), "the one before, not the bad one again"
    with pytest.raises(
        DeploymentError, match=r"no endpoint config is known to have served.*before.*served later can be named"
    ):
        life.roll_back()
    life.roll_back(target=hosted.config(4))
    assert hosted.wait()["EndpointConfigName"] == hosted.config(4)

    # A candidate that was recorded as older, deployed because a person asks, and then the newest
    # again.
    promoted = life.promote(candidate=hosted.run_id(2), deploy_policy="always", approval=YES)
    assert promoted["reason"] == "promoted"
    now = hosted.wait()["EndpointConfigName"]
    assert names.run_of_job(hosted.pipeline.name, now) not in (None, hosted.run_id(2)), "model and config of its own"
    assert promoted["events"][0]["run_id"] == hosted.run_id(2)
    life.promote(candidate=hosted.run_id(5))
    life.roll_back()
    assert hosted.wait()["EndpointConfigName"] == now


def test_an_older_candidate_is_not_deployed_unless_asked(life: Lifecycle) -> None:
    served(life.hosted, 2, 3)
    result = life.promote(candidate=life.hosted.run_id(2))
    assert (result["outcome"], result["reason"]) == ("rejected", "older_than_serving")
    assert result["events"] == []
    assert life.hosted.serving() == life.hosted.config(3)


def test_the_best_of_a_backfill_creates_the_endpoint(life: Lifecycle) -> None:
    hosted = life.hosted
    hosted.run(2, auc=0.79, backfill="deep", recorded_at="2024-03-01T00:00:00+00:00")
    hosted.run(3, auc=0.95, backfill="deep", reason="quality_gate", recorded_at="2024-03-01T00:00:01+00:00")
    hosted.run(4, auc=0.85, backfill="deep", recorded_at="2024-03-01T00:00:02+00:00")
    hosted.run(5, auc=0.99, backfill="other", recorded_at="2024-02-01T00:00:00+00:00")
    hosted.run(6, auc=0.98, run_type="scheduled", recorded_at="2024-04-01T00:00:00+00:00")
    result = life.promote()
    assert result["run_id"] == hosted.run_id(4), "the best that passed the gate, of the newest backfill"
    assert hosted.wait()["EndpointStatus"] == "InService"
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match=r"serves the model of run .* already"):
        life.promote()


def test_a_person_who_says_no_leaves_everything_as_it_is(life: Lifecycle) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    served(life.hosted, 2, 3)
    life.hosted.run(4)
    with pytest.raises(AirflowSkipException, match="Ada did not approve"):
        life.promote(candidate=life.hosted.run_id(4), approval=NO)
    with pytest.raises(AirflowSkipException, match="Ada did not approve"):
        life.roll_back(approval=NO)
    assert life.hosted.serving() == life.hosted.config(3)


def choose_candidate(hosted: HostedModels, **params: Any) -> Any:
    operator = promotion.ChooseCandidateOperator(task_id="choose_candidate", pipeline=hosted.pipeline)
    return operator.execute(Context(**params))  # type: ignore[arg-type]


def test_candidates_that_will_not_do_are_named(
    hosted: HostedModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted.run(2, reason="quality_gate", message="auc 0.5 is below 0.7")
    hosted.run(3)
    hosted.client("s3").delete_object(
        Bucket=hosted.bucket, Key=hosted.artifacts(3).removeprefix(f"s3://{hosted.bucket}/")
    )
    with pytest.raises(InputError, match=r"the gate refused it \(auc 0\.5 is below 0\.7\).*even_if_refused"):
        choose_candidate(hosted, candidate=hosted.run_id(2))
    chosen = choose_candidate(hosted, candidate=hosted.run_id(2), even_if_refused=True)
    assert chosen["body"].startswith("**Refused before: the gate refused it**")
    with pytest.raises(DeploymentError, match=r"the model archive of run .* is gone"):
        choose_candidate(hosted, candidate=hosted.run_id(3))
    with pytest.raises(InputError, match=r"has no result\.json.*never ended, or was cleaned up"):
        choose_candidate(hosted, candidate=hosted.run_id(9))
    with pytest.raises(InputError, match="has no version 999"):
        choose_candidate(hosted, candidate=999)
    with pytest.raises(InputError, match=r"no backfilled run of .* from 2025-01-01 to the last data date"):
        choose_candidate(hosted, from_date="2025-01-01")


def test_an_endpoint_claimed_by_two_pipelines_is_not_touched(
    hosted: HostedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pipeline: Any) -> None:
        raise DeploymentError("named by two pipeline files")

    monkeypatch.setattr(resources, "check_endpoint_claim", refuse)
    with pytest.raises(DeploymentError, match="two pipeline files"):
        choose_candidate(hosted, candidate=hosted.run_id(2))
    with pytest.raises(DeploymentError, match="two pipeline files"):
        choose_version(hosted)


def choose_version(hosted: HostedModels, **params: Any) -> Any:
    operator = rollback.ChooseVersionOperator(task_id="choose_version", pipeline=hosted.pipeline)
    return operator.execute(Context(**params))  # type: ignore[arg-type]


def test_what_cannot_be_rolled_back_to_is_named_and_the_endpoint_untouched(hosted: HostedModels) -> None:
    with pytest.raises(DeploymentError, match=r"endpoint .* does not exist, so there is nothing to roll back"):
        choose_version(hosted)
    served(hosted, 2, 3, 4, 5)
    with pytest.raises(DeploymentError, match=r"already serves"):
        choose_version(hosted, target=hosted.config(5))
    with pytest.raises(DeploymentError, match="nowhere does not exist"):
        choose_version(hosted, target="nowhere")
    hosted.sagemaker.delete_endpoint_config(EndpointConfigName=hosted.config(4))
    chosen = choose_version(hosted)
    assert chosen["endpoint_config"] == hosted.config(3)
    assert f"{hosted.config(4)} does not exist, so it is skipped" in chosen["body"]
    hosted.sagemaker.delete_model(ModelName=hosted.config(3))
    hosted.client("s3").delete_object(
        Bucket=hosted.bucket, Key=hosted.artifacts(2).removeprefix(f"s3://{hosted.bucket}/")
    )
    with pytest.raises(
        DeploymentError, match=r"its model .* was deleted.*its archive .* is gone.*name an endpoint config"
    ):
        choose_version(hosted)
    with pytest.raises(DeploymentError, match=r"cannot serve: its model .* was deleted; name another"):
        choose_version(hosted, target=hosted.config(3))
    foreign = f"{hosted.config(5)}-mine"
    variant = {
        "VariantName": "a",
        "ModelName": hosted.config(5),
        "InstanceType": "ml.t2.medium",
        "InitialInstanceCount": 1,
    }
    hosted.sagemaker.create_endpoint_config(EndpointConfigName=foreign, ProductionVariants=[variant])
    with pytest.raises(DeploymentError, match="has no tag brewtrain:pipeline"):
        choose_version(hosted, target=foreign)
    assert hosted.serving() == hosted.config(5)


def test_a_deployment_between_question_and_answer_stops_the_rollback(hosted: HostedModels) -> None:
    served(hosted, 2, 3)
    chosen = choose_version(hosted)
    hosted.run(4)
    hosted.serve(4)
    start = rollback.StartRollbackOperator(task_id="start_rollback", pipeline=hosted.pipeline)
    with pytest.raises(
        DeploymentError, match=r"now, and not .* as when the rollback was confirmed; trigger a new rollback"
    ):
        start.execute(Context(xcoms={"choose_version": chosen}))  # type: ignore[arg-type]
    machine = hosted.account.state_machine_arn(hosted.pipeline.name)
    assert hosted.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"] == []


def test_an_endpoint_on_its_way_is_waited_for(hosted: HostedModels) -> None:
    served(hosted, 2, 3)
    knobs.set_endpoint_behaviour(hosted.endpoint, "stuck")
    hosted.sagemaker.update_endpoint(EndpointName=hosted.endpoint, EndpointConfigName=hosted.config(2))
    try:
        with pytest.raises(TransientError, match="is Updating: what it will serve is not known yet"):
            choose_version(hosted)
    finally:
        # Local AWS lets a stuck one be deleted.
        hosted.sagemaker.delete_endpoint(EndpointName=hosted.endpoint)
        knobs.reset()


def test_results_from_before_there_were_records_are_history_too(hosted: HostedModels) -> None:
    hosted.run(2, outcome="promoted", reason="promoted")
    hosted.run(3)
    hosted.run(4, outcome="promoted", reason="promoted")
    hosted.serve(4, recorded=False)
    assert choose_version(hosted)["endpoint_config"] == hosted.config(2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"candidate": "other-20240102T0000-g0"}, "write a run's id such as life"),
        ({"candidate": "../x"}, "write a run's id"),
        ({"candidate": ["x"]}, "write a run's id"),
        ({"candidate": True}, "write a run's id"),
        ({"candidate": "0"}, "write a run's id"),
        ({"metric": "duration"}, "param metric is 'duration'; write one of validation:auc"),
        ({"deploy_policy": "never"}, "write one of newest, always"),
        ({"from_date": "2024-02-30"}, "which is not a day"),
        ({"from_date": "2024-02-02", "to_date": "2024-02-01"}, "swap them"),
        ({"backfill": "a b"}, "the label"),
        ({"even_if_refused": "true"}, "write true or false"),
    ],
)
def test_params_are_checked_before_any_call(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], message: str
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BREWTRAIN_AWS", raising=False)
    operator = promotion.ChooseCandidateOperator(task_id="choose_candidate", pipeline=pipeline)
    with pytest.raises(InputError, match=message):
        operator.execute(Context(**params))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["a/b", "", None, "-x", "x" * 64, "{{ x }}", "a\n"])
def test_a_target_that_is_no_name_is_refused_before_any_call(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, target: Any
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_BREWTRAIN_AWS", raising=False)
    operator = rollback.ChooseVersionOperator(task_id="choose_version", pipeline=pipeline)
    with pytest.raises(InputError, match="write previous, or the name of an endpoint config"):
        operator.execute(Context(target=target))  # type: ignore[arg-type]
