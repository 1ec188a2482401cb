"""The end of a run against real endpoints: smoke test, version, result document, asset event."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xgboost

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError, TransientError
from tests.fixtures.executions import wait_for_end
from tests.fixtures.recorded_run import REVISION, RecordedRun
from tests.fixtures.switched_execution import SwitchedExecution
from tests.fixtures.waiting import wait_until

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
FEATURES = np.array([[0.9, 0.8, 0.0], [-0.9, -0.8, 0.0], [0.1, np.nan, 1.0]], dtype=np.float32)
FAIL_STATE = "Model Accuracy Too Low"
DEFINITION = {
    "StartAt": "Red",
    "States": {
        "Red": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.red", "BooleanEquals": True, "Next": FAIL_STATE}],
            "Default": "Done",
        },
        "Done": {"Type": "Pass", "OutputPath": "$.output", "End": True},
        FAIL_STATE: {"Type": "Fail", "Error": "Brewtrain.QualityGateFailed", "CausePath": "$.verdict.message"},
    },
}
_minutes = itertools.count(1)


@dataclass
class Desk:
    """A pipeline's group, a state machine that ends as told, and an endpoint of a real model."""

    account: SwitchedExecution
    machine_arn: str
    archives: dict[str, str] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return names.model_package_group(self.account.pipeline.name)

    @property
    def sagemaker(self) -> Any:
        return self.account.client("sagemaker")

    def config(self, model: str, name: str) -> str:
        """Return an endpoint config of a model that was put into the bucket."""
        self.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": self.archives[model]},
            ExecutionRoleArn=self.account.account.role_arn("sagemaker"),
        )
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
        return name

    def serve(self, endpoint: str, config: str) -> None:
        """Create or update an endpoint, and wait until it serves."""
        known = [one["EndpointName"] for one in self.sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"]]
        call = self.sagemaker.update_endpoint if endpoint in known else self.sagemaker.create_endpoint
        call(EndpointName=endpoint, EndpointConfigName=config)
        wait_until(
            lambda: self.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService",
            seconds=60,
            what=f"endpoint {endpoint} is in service",
        )

    def packages(self) -> list[dict[str, Any]]:
        """All versions, oldest first."""
        listed = self.sagemaker.list_model_packages(ModelPackageGroupName=self.group)["ModelPackageSummaryList"]
        return [self.sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]) for one in listed]


@dataclass
class Run:
    """One DAG run at its end."""

    desk: Desk
    endpoint: str
    config: str
    states: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        account = self.desk.account
        self.end = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(minutes=next(_minutes))
        self.identity = names.RunIdentity(account.pipeline.name, self.end - timedelta(days=1), self.end, "0")
        self.prefix = f"{names.run_prefix(self.identity)}evaluation/"

    @property
    def run_id(self) -> str:
        return self.identity.run_id

    def put(self, key: str, document: Any) -> None:
        self.desk.account.client("s3").put_object(
            Bucket=self.desk.account.bucket, Key=key, Body=json.dumps(document).encode()
        )

    def smoke(self, scores: list[float], **changes: Any) -> None:
        rows = [",".join("" if np.isnan(value) else f"{value:.9g}" for value in row) for row in FEATURES]
        document = {"layout": 1, "content_type": "text/csv", "rows": rows, "scores": scores}
        self.put(f"{self.prefix}smoke.json", {**document, **changes})

    def end_with(self, **changes: Any) -> Run:
        """Let its execution succeed with an output."""
        output = {
            "outcome": "promoted",
            "reason": "promoted",
            "message": "Endpoint serves it.",
            "metrics": {"validation:auc": 0.81},
            "evaluation": self._evaluation(),
            "training_job_name": f"brewtrain-{self.run_id}-0-0",
            "model_artifacts": "s3://b/model.tar.gz",
            "model_name": self.config,
            "endpoint_config_name": self.config,
            "endpoint_name": self.endpoint,
            **changes,
        }
        return self._start({"red": False, "output": output})

    def end_red(self) -> Run:
        """Let its execution fail at the gate."""
        evaluation = self._evaluation()
        self.states["gate"] = "failed"
        return self._start(
            {
                "red": True,
                "verdict": {
                    "message": "The quality gate refused the model: AUC is too low.",
                    "metrics": {"auc": 0.5},
                    "champion_status": evaluation["champion_status"],
                    "champion_metrics": {"auc": 0.8},
                },
                "evaluation": {"output_uri": evaluation["uri"]},
                "champion": {"uri": "s3://b/old/model.tar.gz"},
                "training_job": {"name": f"brewtrain-{self.run_id}-0-0", "model_artifacts": "s3://b/model.tar.gz"},
            }
        )

    def _evaluation(self) -> dict[str, Any]:
        champion = {"auc": 0.8}
        interval = {"value": 0.01, "low": -0.02, "high": 0.04}
        self.put(
            f"{self.prefix}evaluation.json",
            {
                "challenger": {"metrics": {"auc": {"value": 0.81, "low": 0.79, "high": 0.83}}},
                "champion": {"metrics": {"auc": {"value": 0.8, "low": 0.78, "high": 0.82}}},
                "comparison": {"differences": {"auc": interval}},
                "gate": {"checks": [{"outcome": "warn", "sentence": "1 feature is constant: age; check the source"}]},
            },
        )
        uri = f"s3://{self.desk.account.bucket}/{self.prefix}"
        return {"uri": uri, "champion_status": "compared", "champion_metrics": champion, "champion_uri": None}

    def _start(self, document: dict[str, Any]) -> Run:
        states = self.desk.account.client("stepfunctions")
        given = {
            "run": {"recipe_version": "3.0"},
            "training": {"image_uri": IMAGE},
            "endpoint": {"instance_type": "ml.m5.xlarge", "name": self.endpoint},
            **document,
        }
        self.arn = states.start_execution(
            stateMachineArn=self.desk.machine_arn, name=self.run_id, input=json.dumps(given)
        )["executionArn"]
        wait_for_end(states, self.arn, seconds=30)
        return self

    def record(self) -> dict[str, Any]:
        """Run the task once."""
        self.recorded = RecordedRun(self.desk.account.pipeline, self.identity, self.arn, states=self.states)
        return self.recorded.record()

    @property
    def extras(self) -> list[dict[str, Any]]:
        """Extra of each asset event of the last attempt."""
        return self.recorded.extras

    def result(self) -> dict[str, Any] | None:
        from brewtrain.hooks.s3_run import S3RunHook

        return S3RunHook("brewtrain_aws").read_document(
            f"s3://{self.desk.account.bucket}/{names.run_prefix(self.identity)}result.json"
        )

    def package(self) -> dict[str, Any]:
        """Return the run's version; there must be one."""
        (found,) = [one for one in self.desk.packages() if one["CustomerMetadataProperties"]["run_id"] == self.run_id]
        return found


def _archive(seed: int) -> tuple[bytes, list[float]]:
    generator = np.random.default_rng(seed)
    rows = generator.uniform(-1, 1, size=(200, 3)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] * (seed - 1) > 0).astype(int)
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(rows, label=labels), num_boost_round=5
    )
    model = bytes(booster.save_raw("ubj"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(model)
        tar.addfile(member, io.BytesIO(model))
    scores = booster.predict(xgboost.DMatrix(FEATURES, missing=np.nan)).tolist()
    return packed.getvalue(), scores


@pytest.fixture(scope="module")
def desk(account: SwitchedExecution) -> Desk:
    """Return the pipeline's desk, with the models ``good`` and ``other``."""
    machine = account.client("stepfunctions").create_state_machine(
        name=f"{names.state_machine(account.pipeline.name)}-end",
        definition=json.dumps(DEFINITION),
        roleArn=account.account.role_arn("states"),
    )
    made = Desk(account, machine["stateMachineArn"])
    for seed, name in ((1, "good"), (2, "other")):
        content, made.scores[name] = _archive(seed)
        account.client("s3").put_object(Bucket=account.bucket, Key=f"models/{name}.tar.gz", Body=content)
        made.archives[name] = f"s3://{account.bucket}/models/{name}.tar.gz"
    return made


@pytest.fixture(scope="module")
def serving(desk: Desk) -> tuple[str, str]:
    """Endpoint and config that serve the good model."""
    name = f"{desk.account.pipeline.name.replace('_', '-')}-ep"
    config = desk.config("good", f"{name}-good")
    desk.serve(name, config)
    return name, config


@pytest.fixture
def run(desk: Desk, serving: tuple[str, str]) -> Run:
    """Return a run whose model serves."""
    return Run(desk, *serving)


def test_a_promoted_model_is_checked_registered_and_told_of(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    run.smoke(run.desk.scores["good"])
    recorded = run.end_with().record()
    package = run.package()
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ApprovalDescription"] == "Endpoint serves it."
    properties = package["CustomerMetadataProperties"]
    assert properties["git_revision"] == REVISION
    assert (properties["first_day"], properties["last_day"]) == ("2024-02-27", "2024-02-29")
    assert (properties["recipe_version"], properties["champion:auc"]) == ("3.0", "0.8")
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation/evaluation.json")
    specification = package["InferenceSpecification"]
    assert specification["Containers"][0] == {"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}
    assert specification["SupportedRealtimeInferenceInstanceTypes"] == ["ml.m5.xlarge"]
    assert recorded["model_package_arn"] == package["ModelPackageArn"]
    result = run.result()
    assert result is not None
    assert result["model_package_arn"] == package["ModelPackageArn"]
    assert result["smoke_test"]["status"] == "passed"
    (extra,) = run.extras
    assert extra == {
        "metrics": {"validation:auc": 0.81},
        "data_date": run.identity.data_date,
        "run_id": run.run_id,
        "endpoint": run.endpoint,
        "endpoint_config": run.config,
        "model": run.config,
        "model_package_arn": package["ModelPackageArn"],
        "result": recorded["result"],
        "evaluation": recorded["evaluation"],
    }
    assert run.recorded.operator.links["evaluation report"].endswith("/evaluation/report.html")
    assert "the gate warns: 1 feature is constant: age; check the source" in capfd.readouterr().out


@pytest.mark.slow
def test_whatever_is_repeated_there_is_one_version(run: Run) -> None:
    run.smoke(run.desk.scores["good"])
    first = run.end_with().record()
    before = len(run.desk.packages())
    assert run.record()["model_package_arn"] == first["model_package_arn"]
    # The attempt before died between CreateModelPackage and the result document.
    run.desk.account.client("s3").delete_object(
        Bucket=run.desk.account.bucket, Key=f"{names.run_prefix(run.identity)}result.json"
    )
    assert run.record()["model_package_arn"] == first["model_package_arn"]
    assert len(run.desk.packages()) == before
    # Somebody deleted the version that the document names.
    run.desk.sagemaker.delete_model_package(ModelPackageName=first["model_package_arn"])
    assert run.record()["model_package_arn"] != first["model_package_arn"]
    assert len(run.desk.packages()) == before


@pytest.mark.slow
def test_a_persons_decision_stays(run: Run) -> None:
    run.smoke(run.desk.scores["good"])
    run.end_with().record()
    run.desk.sagemaker.update_model_package(
        ModelPackageArn=run.package()["ModelPackageArn"], ModelApprovalStatus="Rejected", ApprovalDescription="mine"
    )
    run.record()
    assert (run.package()["ModelApprovalStatus"], run.package()["ApprovalDescription"]) == ("Rejected", "mine")


@pytest.mark.parametrize(
    ("reason", "status"), [("quality_gate", "Rejected"), ("older_than_serving", "PendingManualApproval")]
)
def test_a_model_that_was_not_deployed_is_registered_too(run: Run, reason: str, status: str) -> None:
    run.end_with(outcome="rejected", reason=reason, message="No.").record()
    assert run.package()["ModelApprovalStatus"] == status
    assert run.extras == []


def test_a_refusal_that_is_red_is_registered(run: Run) -> None:
    run.end_red()
    for _ in range(2):
        with pytest.raises(RetrainingFailedError, match=r"gate is failed.* but the refusal \(model package arn:"):
            run.record()
    package = run.package()
    assert package["ModelApprovalStatus"] == "Rejected"
    assert package["ApprovalDescription"] == "The quality gate refused the model: AUC is too low."
    assert package["CustomerMetadataProperties"]["validation:auc"] == "0.5"
    result = run.result()
    assert result is not None
    assert (result["outcome"], result["reason"]) == ("rejected", "quality_gate")


def test_a_broken_run_registers_nothing(run: Run) -> None:
    run.end_with()
    run.states["deploy"] = "failed"
    before = len(run.desk.packages())
    with pytest.raises(RetrainingFailedError, match="broken: deploy is failed, so there is nothing to record; its log"):
        run.record()
    assert len(run.desk.packages()) == before
    assert run.result() is None


@pytest.mark.slow
def test_another_model_behind_the_config_is_skew(run: Run) -> None:
    run.smoke(run.desk.scores["other"])
    run.end_with()
    with pytest.raises(RetrainingFailedError, match=r"training/serving skew: .* rows score differently") as raised:
        run.record()
    assert not raised.value.retryable
    assert f"{run.desk.account.pipeline.name}__rollback" in str(raised.value)
    assert "docs/runbooks/serving-skew.md" in str(raised.value)
    assert run.result() is None
    assert run.extras == []
    assert run.package()["CustomerMetadataProperties"]["reason"] == "serving_skew"
    assert run.package()["ModelApprovalStatus"] == "Rejected"
    # Somebody fixed the container; the task is cleared.
    run.smoke(run.desk.scores["good"])
    run.record()
    assert run.package()["ModelApprovalStatus"] == "Approved"


def test_rows_that_the_container_refuses_are_skew(run: Run) -> None:
    run.smoke([0.5], rows=["1,2"])
    run.end_with()
    with pytest.raises(
        RetrainingFailedError, match=r"refuses the rows that the evaluation scored \(400: .*Feature size"
    ):
        run.record()


def test_an_endpoint_that_has_moved_on_is_not_compared(run: Run) -> None:
    run.smoke(run.desk.scores["other"])
    run.end_with(endpoint_config_name="an-earlier-config").record()
    result = run.result()
    assert result is not None
    assert result["smoke_test"]["status"] == "moved_on"
    assert run.package()["ModelApprovalStatus"] == "Approved"


def test_rows_that_are_gone_or_no_rows_are_told(run: Run) -> None:
    run.end_with()
    with pytest.raises(DeploymentError, match=r"smoke\.json does not exist, so nothing tells"):
        run.record()
    run.smoke([0.5])
    with pytest.raises(DeploymentError, match="is not a smoke test of layout 1"):
        run.record()


def test_an_endpoint_that_was_deleted_is_told(run: Run) -> None:
    run.smoke(run.desk.scores["good"])
    with pytest.raises(DeploymentError, match="endpoint 'deleted-by-hand' does not exist any more"):
        run.end_with(endpoint_name="deleted-by-hand").record()


def test_a_missing_group_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "model_package_group", lambda pipeline: "brewtrain-nowhere")
    with pytest.raises(DeploymentError, match=r"'brewtrain-nowhere' does not exist.* run the pipeline's deploy DAG"):
        run.end_with(outcome="rejected", reason="deploy_never").record()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            {"effect": "error", "code": "ModelError", "status": 424}, TransientError, id="the-container-fails"
        ),
        pytest.param(
            {"effect": "error", "code": "ValidationError", "message": "Endpoint x of account 1 not found."},
            TransientError,
            id="the-endpoint-is-not-found",
        ),
        pytest.param({"effect": "throttle"}, TransientError, id="throttled"),
        pytest.param({"effect": "error", "code": "AccessDeniedException", "status": 403}, DeploymentError, id="denied"),
    ],
)
def test_an_invocation_that_fails_is_retried_unless_it_is_denied(
    run: Run, local_aws_server: Any, error: dict[str, Any], expected: type[Exception]
) -> None:
    run.smoke(run.desk.scores["good"])
    run.end_with()
    rules = local_aws_server.front.fault_rules
    rules.add({"service": "sagemaker-runtime", "operation": "InvokeEndpoint", "times": 20, **error})
    try:
        with pytest.raises(expected):
            run.record()
    finally:
        rules.clear()


@pytest.fixture(autouse=True)
def _no_pauses(connection: str, monkeypatch: pytest.MonkeyPatch, local_aws: str) -> Callable[[], None]:
    """Faults are answered at once instead of after botocore's pauses."""
    extra = {
        "region_name": "us-east-1",
        "endpoint_url": local_aws,
        "config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 1}},
    }
    value = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(value))
    return lambda: None


def test_on_call_is_told_of_a_skew_and_not_twice_of_a_broken_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    from brewtrain.domain.errors import AlreadyToldError
    from brewtrain.notifiers import on_call
    from brewtrain.serving.smoke_test import ServingSkewError

    told: list[str] = []
    monkeypatch.setattr(on_call, "send", lambda subject, card, **_: told.append(card))
    instance = SimpleNamespace(
        dag_id="d", task_id="record_result", run_id="r", try_number=1, xcom_pull=lambda **_: None
    )
    for raised in (AlreadyToldError("broken"), ServingSkewError("skew"), None):
        on_call.OnCallNotifier().notify({"ti": instance, "exception": raised})  # type: ignore[typeddict-unknown-key]
    assert [card.splitlines()[-1] for card in told] == ["skew", "see the task log"]
