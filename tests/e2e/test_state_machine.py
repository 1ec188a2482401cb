"""The state machine on local AWS: real jobs and endpoints, and what can go wrong with each.

Most cases are about the deployment. They run a machine that starts at Deploy Policy, with the
results of one real training in its input; every other state is the committed one.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from brewtrain.domain import names
from brewtrain.domain.evaluation.metrics import METRICS
from brewtrain.domain.run.execution_input import endpoint_section, promotion_input, rollback_input
from brewtrain.domain.run.outcome import Outcome
from brewtrain.resources import images
from tests.contract import asl
from tests.fixtures.account import ACCOUNT, BUCKET, REGION, role_arn
from tests.fixtures.executions import StateMachine
from tests.fixtures.installation import QUICK_WAITS, Installation
from tests.fixtures.local_aws_control import LocalAwsControl
from tests.fixtures.places import STATE_MACHINE

pytestmark = pytest.mark.slow

DOCUMENT = {
    "outcome", "reason", "message", "run", "metrics", "evaluation", "training_metrics", "split", "training_job_name",
    "model_artifacts", "image_uri", "model_name", "endpoint_config_name", "endpoint_name",
}  # fmt: skip


@dataclass
class Deployment(StateMachine):
    """Runs only the deployment of a model that is already trained."""

    installation: Installation
    control: LocalAwsControl
    results: dict[str, Any]

    def input(self, data_date: str, endpoint_name: str, **changes: dict[str, Any]) -> dict[str, Any]:
        """Build the input of a run whose model passed the gate."""
        return self.installation.input(data_date, endpoint_name, **changes) | self.results

    def deploy(self, data_date: str, endpoint_name: str, **changes: dict[str, Any]) -> dict[str, Any]:
        """Deploy the model to an endpoint, which must succeed; return the execution's output."""
        return self.succeed(self.input(data_date, endpoint_name, **changes))


@pytest.fixture(scope="module")
def trained(installation: Installation) -> dict[str, Any]:
    """Return the output of one whole run, which makes the endpoint ``whole``."""
    return installation.succeed(installation.input("2010-11-01", "whole"))


@pytest.fixture(scope="module")
def deployment(installation: Installation, trained: dict[str, Any], control: LocalAwsControl) -> Deployment:
    definition = json.loads(STATE_MACHINE.read_text("utf-8"))
    machine = installation.states.create_state_machine(
        name="brewtrain-deployment-only",
        definition=json.dumps(asl.reachable(definition, "Deploy Policy")),
        roleArn=role_arn("states"),
    )
    results = {
        "training_results": {"metrics": trained["training_metrics"]},
        "champion": {"uri": trained["evaluation"]["champion_uri"]},
        "verdict": {
            "metrics": {name.removeprefix("validation:"): value for name, value in trained["metrics"].items()},
            **{key: trained["evaluation"][key] for key in ("champion_status", "champion_metrics", "reasons")},
        },
        "split_summary": {"document": trained["split"]},
        "training_job": {"name": trained["training_job_name"], "model_artifacts": trained["model_artifacts"]},
    }
    return Deployment(installation.clients, machine["stateMachineArn"], installation, control, results)


# -- the whole run


def test_a_run_ends_with_a_serving_model(installation: Installation, trained: dict[str, Any]) -> None:
    assert set(trained) == DOCUMENT
    assert (trained["outcome"], trained["reason"]) == ("promoted", "promoted")
    assert set(trained["metrics"]) == set(METRICS)
    assert {one["MetricName"] for one in trained["training_metrics"]} >= {"validation:auc", "validation:logloss"}
    assert trained["evaluation"]["champion_status"] == "absent"
    assert trained["evaluation"]["champion_uri"] is None
    assert 0.5 < trained["metrics"]["validation:auc"] < 0.9, "without the leak of duration AUC is about 0.8"
    endpoint = installation.endpoint("whole")
    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["EndpointConfigName"] == trained["endpoint_config_name"]
    rows = installation.clients("s3").list_objects_v2(
        Bucket=BUCKET, Prefix=f"brewtrain/bank_marketing/runs/{trained['run']['id']}/validation/part"
    )["Contents"]
    first = installation.clients("s3").get_object(Bucket=BUCKET, Key=rows[0]["Key"])["Body"].read().decode()
    label, _, features = first.splitlines()[0].partition(",")
    assert label in ("0", "1")
    answer = installation.clients("sagemaker-runtime").invoke_endpoint(
        EndpointName="whole", ContentType="text/csv", Body=features
    )
    assert 0 <= float(answer["Body"].read()) <= 1


def test_a_training_job_is_never_asked_for_under_a_used_name(
    installation: Installation, faults: LocalAwsControl
) -> None:
    """Five answers are lost although the jobs were made: three retries, a redrive and its retry."""
    faults.add_fault(
        service="sagemaker", operation="CreateTrainingJob", effect="error", code="InternalFailure", status=500,
        message="lost", when="after", times=5,
    )  # fmt: skip
    arn = installation.start(installation.input("2010-10-01", "whole", run={"deploy_policy": "never"}))
    seen = installation.wait(arn)
    assert (seen["status"], seen["error"]) == ("FAILED", "SageMaker.AmazonSageMakerException")
    again = installation.redrive(arn)
    assert again["status"] == "SUCCEEDED", (again.get("error"), again.get("cause"))
    name = json.loads(again["output"])["training_job_name"]
    assert name.endswith("-1-1")
    sagemaker = installation.clients("sagemaker")
    jobs = sagemaker.list_training_jobs(NameContains=name.removesuffix("-1-1"), MaxResults=100)
    suffixes = sorted(job["TrainingJobName"].removeprefix(name.removesuffix("1-1"))
                      for job in jobs["TrainingJobSummaries"])  # fmt: skip
    assert suffixes == ["0-0", "0-1", "0-2", "0-3", "1-0", "1-1"]


def test_the_gate_refuses_and_the_run_is_green(installation: Installation) -> None:
    document = installation.input("2010-11-02", "never-made", gate={"metrics": {"validation:auc": {"min": 0.999}}})
    output = installation.succeed(document)
    assert (output["outcome"], output["reason"]) == ("rejected", "quality_gate")
    assert set(output) == DOCUMENT
    assert output["model_name"] is None
    assert "is below its floor of 0.9990" in output["message"]
    sagemaker = installation.clients("sagemaker")
    names = [item["ModelName"] for item in sagemaker.list_models(MaxResults=100)["Models"]]
    assert not [name for name in names if document["run"]["id"] in name], "refused models pile up"


def test_the_gate_refuses_and_the_run_is_red(installation: Installation) -> None:
    seen = installation.run(
        installation.input(
            "2010-11-02",
            "never-made",
            gate={"metrics": {"validation:auc": {"min": 0.999}}, "on_reject": "fail"},
        )
    )
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.QualityGateFailed")
    assert seen["cause"].startswith("The quality gate refused the candidate: auc 0.")


def test_better_than_the_majority_is_a_rule(installation: Installation) -> None:
    document = installation.input("2010-11-02", "never-made", gate={"metrics": {"validation:auc": {"min": 0.0}}})
    # A tree that may not split predicts the majority class: as good as that, but not better.
    document["training"]["hyperparameters"] |= {"gamma": "1000000", "num_round": "1"}
    output = installation.succeed(document)
    assert output["reason"] == "quality_gate"
    assert output["metrics"]["validation:error"] == pytest.approx(output["split"]["majority_class_error"], abs=1e-5)


# -- bad data


@pytest.mark.parametrize(
    ("label", "state", "sentence"),
    [
        ("no_such_column", "Split Train & Test DataSet", "label column 'no_such_column' is not in"),
        ("age", "Split Train & Test DataSet", "label column 'age' has"),
    ],
)
def test_what_the_split_refuses_is_said(installation: Installation, label: str, state: str, sentence: str) -> None:
    document = installation.input("2010-09-01", "never-made")
    document["split"]["arguments"]["--label"] = label
    seen = installation.run(document)
    assert (seen["status"], seen["error"]) == ("FAILED", "States.TaskFailed")
    assert installation.trace(seen["executionArn"])[-1] == state
    assert sentence in seen["cause"]


# -- create, update, keep


def test_newer_replaces_older_and_older_never_replaces_newer(deployment: Deployment) -> None:
    first = deployment.deploy("2010-11-10", "ladder")
    assert first["reason"] == "promoted"
    second = deployment.deploy("2010-11-12", "ladder")
    assert second["reason"] == "promoted"
    assert second["endpoint_config_name"] != first["endpoint_config_name"]
    older = deployment.deploy("2010-11-11", "ladder")
    assert (older["outcome"], older["reason"]) == ("rejected", "older_than_serving")
    assert "2010-11-12" in older["message"]
    assert older["endpoint_config_name"], "recorded"
    serving = deployment.installation.endpoint("ladder")
    assert serving["EndpointConfigName"] == second["endpoint_config_name"]
    again = deployment.deploy("2010-11-12", "ladder")
    assert again["reason"] == "promoted", "the same date again is a re-run, and may replace"
    asked = deployment.deploy("2010-11-01", "ladder", run={"deploy_policy": "always"})
    assert asked["reason"] == "promoted", "a person may ask for an older one"
    tags = deployment.clients("sagemaker").list_tags(ResourceArn=serving["EndpointArn"])["Tags"]
    assert {"Key": "brewtrain:data-date", "Value": "2010-11-01"} in tags


def test_deploy_never_leaves_no_trace(deployment: Deployment) -> None:
    output = deployment.deploy("2010-11-10", "never-made", run={"deploy_policy": "never"})
    assert (output["outcome"], output["reason"]) == ("rejected", "deploy_never")
    assert set(output) == DOCUMENT
    assert output["model_name"] is None


def test_approval_is_waited_for_and_nothing_is_made(deployment: Deployment) -> None:
    output = deployment.deploy("2010-11-10", "never-made", run={"deploy_policy": "approval"})
    assert (output["outcome"], output["reason"]) == ("pending", "awaiting_approval")
    assert set(output) == DOCUMENT
    assert output["model_name"] is None


def test_a_promotion_and_a_rollback_enter_the_same_machine(installation: Installation, trained: dict[str, Any]) -> None:
    account = names.Account(account_id=ACCOUNT, region=REGION)
    pipeline = installation.pipeline(endpoint={"name": "by-promotion"})

    def promote(data_date: str, number: int, **more: Any) -> dict[str, Any]:
        moment = datetime(2010, 12, 1, 0, number, tzinfo=UTC)
        name = names.deployment_id(pipeline.name, "promote", moment, dag_run_id="manual", clear_number=0)
        candidate = Outcome.of({**trained, "run": {**trained["run"], "data_date": data_date}})
        document = promotion_input(pipeline, account, candidate, deployment_id=name, images=images(), **more)
        document["endpoint"] |= QUICK_WAITS
        output = installation.succeed(document, name=name)
        assert set(output) == DOCUMENT
        assert output["metrics"] == trained["metrics"]
        if output["model_name"]:
            assert output["model_name"] == f"brewtrain-{name}-0-0"
        return output

    first = promote("2010-11-10", 1)
    assert first["reason"] == "promoted"
    second = promote("2010-11-12", 2)
    assert installation.endpoint("by-promotion")["EndpointConfigName"] == second["endpoint_config_name"]
    assert promote("2010-11-11", 3)["reason"] == "older_than_serving"
    assert promote("2010-11-11", 4, deploy_policy="always")["reason"] == "promoted"

    document = rollback_input(
        pipeline,
        endpoint_config_name=first["endpoint_config_name"],
        model_name=first["model_name"],
        run_id=trained["run"]["id"],
        data_date="2010-11-10",
    )
    document["endpoint"] |= QUICK_WAITS
    output = installation.succeed(document, name="bank-marketing-r20101202T0000-abcd-g0")
    assert set(output) == DOCUMENT
    assert (output["outcome"], output["reason"]) == ("promoted", "rolled_back_to")
    assert installation.endpoint("by-promotion")["EndpointConfigName"] == first["endpoint_config_name"]
    arn = installation.endpoint("by-promotion")["EndpointArn"]
    tags = installation.clients("sagemaker").list_tags(ResourceArn=arn)["Tags"]
    assert {"Key": "brewtrain:data-date", "Value": "2010-11-10"} in tags
    Outcome.of(output)


@pytest.mark.parametrize("document", [{}, {"entry": "retire"}])
def test_an_input_of_another_release_is_named(installation: Installation, document: dict[str, Any]) -> None:
    seen = installation.run(document, name=f"unknown-entry-{len(document)}")
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.UnknownEntry")
    assert "deploy DAG" in seen["cause"]


def test_two_at_once_end_with_the_newer(deployment: Deployment) -> None:
    deployment.deploy("2010-10-01", "race")
    arns = [deployment.start(deployment.input(date, "race")) for date in ("2010-10-20", "2010-10-30", "2010-10-10")]
    ends = [deployment.wait(arn) for arn in arns]
    assert [end["status"] for end in ends] == ["SUCCEEDED"] * 3, [(end.get("error"), end.get("cause")) for end in ends]
    reasons = [json.loads(end["output"])["reason"] for end in ends]
    assert reasons[1] == "promoted"
    assert set(reasons) <= {"promoted", "older_than_serving"}
    sagemaker = deployment.clients("sagemaker")
    config = sagemaker.describe_endpoint_config(
        EndpointConfigName=deployment.installation.endpoint("race")["EndpointConfigName"]
    )
    tags = sagemaker.list_tags(ResourceArn=config["EndpointConfigArn"])["Tags"]
    assert {"Key": "brewtrain:data-date", "Value": "2010-10-30"} in tags


def test_a_config_deleted_by_hand_does_not_open_the_door(deployment: Deployment) -> None:
    first = deployment.deploy("2010-11-12", "bare")
    deployment.clients("sagemaker").delete_endpoint_config(EndpointConfigName=first["endpoint_config_name"])
    assert deployment.deploy("2010-11-11", "bare")["reason"] == "older_than_serving"
    assert deployment.deploy("2010-11-13", "bare")["reason"] == "promoted"


def test_an_endpoint_deleted_by_hand_is_made_again(deployment: Deployment) -> None:
    deployment.deploy("2010-11-12", "gone")
    deployment.clients("sagemaker").delete_endpoint(EndpointName="gone")
    assert deployment.deploy("2010-11-11", "gone")["reason"] == "promoted"


def test_a_model_without_a_date_may_be_replaced(deployment: Deployment) -> None:
    sagemaker = deployment.clients("sagemaker")
    made = deployment.deploy("2010-11-12", "foreign")
    model = sagemaker.describe_endpoint_config(EndpointConfigName=made["endpoint_config_name"])
    sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=model["ProductionVariants"])
    sagemaker.delete_endpoint(EndpointName="foreign")
    sagemaker.create_endpoint(EndpointName="foreign", EndpointConfigName="by-hand")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="foreign", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert deployment.deploy("2010-11-01", "foreign")["reason"] == "promoted"


def count_of(deployment: Deployment, endpoint: str) -> int:
    (variant,) = deployment.installation.endpoint(endpoint)["ProductionVariants"]
    number: int = variant["CurrentInstanceCount"]
    return number


def test_the_count_that_autoscaling_set_is_kept(deployment: Deployment) -> None:
    sagemaker = deployment.clients("sagemaker")
    deployment.deploy("2010-11-10", "scaled")
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="scaled",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="scaled", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert count_of(deployment, "scaled") == 3
    deployment.deploy("2010-11-11", "scaled")
    assert count_of(deployment, "scaled") == 3
    deployment.deploy("2010-11-12", "scaled", endpoint={"instance_count": 2})
    assert count_of(deployment, "scaled") == 2, "the pipeline file asks for something new"


# -- endpoints that misbehave


def test_a_rolled_back_update_is_red_and_a_redrive_deploys(deployment: Deployment) -> None:
    first = deployment.deploy("2010-11-10", "rolls")
    deployment.control.behave("rolls", "rollback", count=1)
    seen = deployment.run(deployment.input("2010-11-11", "rolls"))
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.EndpointRolledBack")
    assert first["endpoint_config_name"] in seen["cause"]
    assert deployment.installation.endpoint("rolls")["EndpointConfigName"] == first["endpoint_config_name"]
    deployment.control.behave("rolls", "normal")
    again = deployment.redrive(seen["executionArn"])
    assert again["status"] == "SUCCEEDED", (again.get("error"), again.get("cause"))
    output = json.loads(again["output"])
    assert output["reason"] == "promoted"
    assert deployment.installation.endpoint("rolls")["EndpointConfigName"] == output["endpoint_config_name"]


def test_the_pipelines_update_policy_and_alarms_reach_sagemaker(deployment: Deployment) -> None:
    update = {"traffic": "canary", "step_percent": 25, "wait_seconds": 1, "alarms": ["too-many-errors", "too-slow"]}
    pipeline = deployment.installation.pipeline(endpoint={"update": update, "instance_count": 2})
    section = endpoint_section(pipeline) | {"name": "alarmed", **QUICK_WAITS}
    deployment.deploy("2010-11-10", "alarmed", endpoint=section)
    first = deployment.deploy("2010-11-11", "alarmed", endpoint=section)
    policy = deployment.installation.endpoint("alarmed")["LastDeploymentConfig"]
    routing = policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == "CANARY"
    assert routing["CanarySize"] == {"Type": "CAPACITY_PERCENT", "Value": 25}
    assert [alarm["AlarmName"] for alarm in policy["AutoRollbackConfiguration"]["Alarms"]] == update["alarms"]
    cloudwatch = deployment.clients("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="too-slow", Namespace="AWS/SageMaker", MetricName="ModelLatency", Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="too-slow", StateValue="ALARM", StateReason="test")
    seen = deployment.run(deployment.input("2010-11-12", "alarmed", endpoint=section))
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.EndpointRolledBack")
    assert "alarms that roll it back: too-many-errors, too-slow" in seen["cause"]
    assert deployment.installation.endpoint("alarmed")["EndpointConfigName"] == first["endpoint_config_name"]


def test_a_redrive_fails_again_while_the_cause_lasts(deployment: Deployment) -> None:
    deployment.deploy("2010-11-10", "rolls-on")
    deployment.control.behave("rolls-on", "rollback")
    seen = deployment.run(deployment.input("2010-11-11", "rolls-on"))
    again = deployment.redrive(seen["executionArn"])
    assert (again["status"], again["error"]) == ("FAILED", "Brewtrain.EndpointRolledBack")
    deployment.control.behave("rolls-on", "normal")
    assert deployment.redrive(seen["executionArn"])["status"] == "SUCCEEDED"


def test_a_stuck_endpoint_is_named_and_found_again(deployment: Deployment) -> None:
    deployment.control.behave("stuck", "stuck")
    seen = deployment.run(deployment.input("2010-11-10", "stuck", endpoint={"max_waits": 2}))
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.EndpointStuck")
    assert "2 times, 1 seconds apart" in seen["cause"]
    deployment.control.behave("stuck", "normal")
    again = deployment.redrive(seen["executionArn"])
    assert again["status"] == "SUCCEEDED", (again.get("error"), again.get("cause"))


def test_an_endpoint_that_cannot_start_is_named(deployment: Deployment) -> None:
    deployment.control.behave("fails", "fail", reason="no capacity", count=1)
    seen = deployment.run(deployment.input("2010-11-10", "fails"))
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.EndpointFailed")
    assert "no capacity" in seen["cause"]
    deployment.clients("sagemaker").delete_endpoint(EndpointName="fails")
    deployment.control.behave("fails", "normal")
    assert deployment.redrive(seen["executionArn"])["status"] == "SUCCEEDED"


@pytest.mark.parametrize("operation", ["DescribeEndpoint", "UpdateEndpoint", "CreateModel", "ListTags"])
def test_throttling_is_waited_out(deployment: Deployment, faults: LocalAwsControl, operation: str) -> None:
    endpoint = f"throttled-{operation.lower()}"
    deployment.deploy("2010-11-10", endpoint)
    faults.add_fault(service="sagemaker", operation=operation, effect="throttle", times=1)
    assert deployment.deploy("2010-11-11", endpoint)["reason"] == "promoted"


def test_a_refusal_that_waiting_cannot_fix_is_not_waited_for(deployment: Deployment, faults: LocalAwsControl) -> None:
    deployment.deploy("2010-11-10", "denied")
    faults.add_fault(
        service="sagemaker", operation="UpdateEndpoint", effect="error", code="AccessDeniedException", status=400,
        message="not authorized to perform: sagemaker:UpdateEndpoint",
    )  # fmt: skip
    started = time.monotonic()
    seen = deployment.run(deployment.input("2010-11-11", "denied", endpoint={"max_waits": 600}))
    assert seen["status"] == "FAILED"
    assert "not authorized" in seen["cause"]
    assert not seen["error"].startswith("Brewtrain.")
    assert time.monotonic() - started < 60, "it waited for the endpoint nevertheless"


def test_names_stay_within_sagemakers_limit(deployment: Deployment) -> None:
    longest = "brewtrain-" + "a" * 24 + "-20101111T0000-g99f0123"
    output = deployment.deploy("2010-11-10", "long", training={"job_name_prefix": longest})
    assert len(output["model_name"]) <= 63
