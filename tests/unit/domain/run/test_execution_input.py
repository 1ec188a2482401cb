"""The input of an execution: what docs/architecture.md promises, and always the same."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation import gate
from brewtrain.domain.evaluation.job import Code
from brewtrain.domain.names import Account, RunIdentity
from brewtrain.domain.run.execution_input import ImageTable, execution_input, promotion_input, rollback_input
from brewtrain.domain.run.outcome import Outcome
from tests.fixtures.pipelines import CHURN, pipeline_of

ARCHITECTURE = Path(__file__).resolve().parents[4] / "docs" / "architecture.md"
ACCOUNT = Account("123456789012", "eu-central-1")
IMAGES = ImageTable({"1.7-1": {"eu-central-1": "492215442770.dkr.ecr.eu-central-1.amazonaws.com"}})
CODE = Code(files={"gate.py": b"", "evaluate.py": b"import gate"})
IDENTITY = RunIdentity("churn", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC), "0")


def _build(text: str = CHURN, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"images": IMAGES, "recipe_version": "1.0", "code": CODE} | changes
    account = arguments.pop("account", ACCOUNT)
    return execution_input(pipeline_of(text), IDENTITY, account, **arguments)


def _paths(value: object, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path for key, item in value.items() for path in _paths(item, f"{prefix}.{key}")}
    return {prefix}


def test_it_has_the_members_that_the_architecture_promises() -> None:
    section = ARCHITECTURE.read_text().split("## Execution input")[1]
    block = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert block is not None
    promised = json.loads(block.group(1))
    open_ended = (".training.hyperparameters", ".endpoint.deployment_config")
    built = {path for path in _paths(_build()) if not path.startswith(open_ended)}
    assert built == {path for path in _paths(promised) if not path.startswith(open_ended)}


RUN = "brewtrain/churn/runs/churn-20240102T0000-g0/"
BUCKET = "brewtrain-123456789012-eu-central-1"
RUN_TAGS = [
    {"Key": "brewtrain:pipeline", "Value": "churn"},
    {"Key": "brewtrain:run-id", "Value": "churn-20240102T0000-g0"},
    {"Key": "brewtrain:data-date", "Value": "2024-01-01"},
]


def test_the_run_is_named_with_its_interval_and_what_it_is_pinned_to() -> None:
    assert _build()["entry"] == "retrain"
    assert _build(recipe_version="3.0")["run"] == {
        "id": "churn-20240102T0000-g0",
        "pipeline": "churn",
        "data_date": "2024-01-01",
        "interval_start": "2024-01-01T00:00:00+00:00",
        "interval_end": "2024-01-02T00:00:00+00:00",
        "generation": "0",
        "recipe_version": "3.0",
        "deploy_policy": "newest",
    }
    assert _build()["tags"] == RUN_TAGS


def test_the_transform_is_the_runs_own_job_with_the_pipelines_limit() -> None:
    assert _build(f"{CHURN}limits: {{transform_minutes: 61}}\n")["transform"] == {
        "job_name": "brewtrain-churn-20240102T0000-g0",
        "timeout_seconds": 61 * 60,
    }


def test_the_split_reads_the_transform_and_writes_both_parts_and_a_summary() -> None:
    assert _build(f"{CHURN}limits: {{split_minutes: 31}}\n")["split"] == {
        "job_name": "brewtrain-churn-split",
        "arguments": {
            "--source": f"s3://{BUCKET}/{RUN}transform/",
            "--train": f"s3://{BUCKET}/{RUN}train/",
            "--validation": f"s3://{BUCKET}/{RUN}validation/",
            "--summary": f"s3://{BUCKET}/{RUN}split.json",
            "--label": "left",
            "--validation-fraction": "0.3",
        },
        "summary_bucket": BUCKET,
        "summary_key": f"{RUN}split.json",
        "timeout_seconds": 31 * 60,
    }


def test_the_training_is_as_the_pipeline_file_says() -> None:
    text = CHURN.replace(
        "  instance_type: ml.m5.xlarge\n",
        "  instance_type: ml.m5.xlarge\n  instance_count: 2\n  volume_gb: 7\n  max_runtime_seconds: 601\n",
    )
    assert _build(text)["training"] == {
        "job_name_prefix": "brewtrain-churn-20240102T0000-g0",
        "image_uri": "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "role_arn": "arn:aws:iam::123456789012:role/brewtrain-sagemaker",
        "instance_type": "ml.m5.xlarge",
        "instance_count": 2,
        "volume_gb": 7,
        "max_runtime_seconds": 601,
        "timeout_seconds": 601 + 30 * 60,
        "hyperparameters": {
            "objective": "binary:logistic",
            "seed": "0",
            "num_round": "100",
            "eta": "0.1",
            "eval_metric": "auc,aucpr,error,logloss",
        },
        "train_uri": f"s3://{BUCKET}/{RUN}train/part-",
        "validation_uri": f"s3://{BUCKET}/{RUN}validation/part-",
        "output_uri": f"s3://{BUCKET}/{RUN}model/",
    }


def test_a_seed_of_the_pipelines_own_is_used() -> None:
    assert _build(CHURN.replace("eta: 0.1", "seed: 7"))["training"]["hyperparameters"]["seed"] == "7"


def test_the_evaluation_is_as_the_pipeline_file_says() -> None:
    wanted = "evaluation: {instance_type: ml.m5.4xlarge, volume_gb: 8, max_runtime_seconds: 602}\n"
    evaluation = _build(CHURN + wanted, recipe_version="3.0")["evaluation"]
    arguments = evaluation.pop("arguments")
    assert evaluation == {
        "instance_type": "ml.m5.4xlarge",
        "volume_gb": 8,
        "max_runtime_seconds": 602,
        "timeout_seconds": 602 + 30 * 60,
        "code_uri": f"s3://{BUCKET}/brewtrain/churn/code/evaluation-{CODE.sha256[:12]}/",
        "train_uri": f"s3://{BUCKET}/{RUN}train/",
        "validation_uri": f"s3://{BUCKET}/{RUN}validation/",
        "summary_uri": f"s3://{BUCKET}/{RUN}split.json",
        "output_uri": f"s3://{BUCKET}/{RUN}evaluation/",
        "verdict_bucket": BUCKET,
        "verdict_key": f"{RUN}evaluation/verdict.json",
    }
    assert arguments[: arguments.index("--rule")] == [
        *("--run-id", "churn-20240102T0000-g0"),
        *("--pipeline", "churn"),
        *("--data-date", "2024-01-01"),
        *("--recipe-version", "3.0"),
        *("--validation-fraction", "0.3"),
    ]


def test_the_endpoint_is_as_the_pipeline_file_says() -> None:
    text = CHURN.replace("instance_count: 1", "instance_count: 2\n  instance_type: ml.c5.large\n  ready_minutes: 30")
    assert _build(text)["endpoint"] == {
        "name": "churn-live",
        "variant_name": "AllTraffic",
        "instance_type": "ml.c5.large",
        "instance_count": 2,
        "deployment_config": UPDATES[""],
        "alarms": "none",
        "wait_seconds": 15,
        "max_waits": 120,
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param("5.0", "5", id="a whole number written as a fraction"),
        pytest.param("0.5", "0.5", id="a fraction"),
        pytest.param("7", "7", id="a whole number"),
        pytest.param("-2.0", "-2", id="a negative whole number"),
        pytest.param("999999999999999.0", "999999999999999", id="the longest that is written out"),
        pytest.param("1000000000000000.0", "1000000000000000.0", id="a whole number too long to write out"),
        pytest.param("-1000000000000000.0", "-1000000000000000.0", id="a negative one"),
        pytest.param("hist", "hist", id="a word"),
    ],
)
def test_a_hyperparameter_is_the_shortest_text_of_what_was_meant(given: str, text: str) -> None:
    assert _build(CHURN.replace("eta: 0.1", f"gamma: {given}"))["training"]["hyperparameters"]["gamma"] == text


def test_it_is_the_same_to_the_byte() -> None:
    assert json.dumps(_build()) == json.dumps(_build())


def test_everything_lies_below_the_runs_prefix() -> None:
    document = _build()
    bucket = "s3://brewtrain-123456789012-eu-central-1/brewtrain/churn"
    uris = [text for text in json.dumps(document).split('"') if text.startswith("s3://")]
    assert len(uris) >= 11
    elsewhere = [uri for uri in uris if not uri.startswith(f"{bucket}/runs/churn-20240102T0000-g0/")]
    assert elsewhere == [f"{bucket}/code/evaluation-{CODE.sha256[:12]}/"]
    assert document["split"]["summary_key"] == "brewtrain/churn/runs/churn-20240102T0000-g0/split.json"


def test_the_pipelines_decisions_arrive() -> None:
    document = _build(CHURN.replace("{min: 0.70}", "{min: 0.8}\n    validation:logloss: {max: 0.5}"))
    arguments = document["evaluation"]["arguments"]
    rules = [value for option, value in itertools.pairwise(arguments) if option == "--rule"]
    assert gate.from_arguments(rules) == gate.GateRules(
        floors={"auc": 0.8}, ceilings={"logloss": 0.5}, minimum_rows=200, minimum_positives=20
    )
    assert document["training"]["hyperparameters"]["num_round"] == "100"
    assert document["training"]["hyperparameters"]["eta"] == "0.1"
    assert document["training"]["hyperparameters"]["eval_metric"] == "auc,aucpr,error,logloss"
    assert document["training"]["image_uri"].endswith("/sagemaker-xgboost:1.7-1")
    assert document["endpoint"]["name"] == "churn-live"
    assert document["run"]["deploy_policy"] == "newest"


def test_hyperparameters_are_text_that_reads_back_as_the_number() -> None:
    text = CHURN.replace("eta: 0.1", "eta: 0.123456789012\n    alpha: 1.0e-12\n    gamma: 12345678.5")
    given = _build(text)["training"]["hyperparameters"]
    assert all(isinstance(value, str) for value in given.values())
    assert float(given["eta"]) == 0.123456789012
    assert float(given["alpha"]) == 1e-12
    assert float(given["gamma"]) == 12345678.5


def test_training_reads_part_files_alone() -> None:
    # SageMaker takes an S3Prefix as the beginning of keys, so markers such as train/_SUCCESS stay
    # out of the channel.
    training = _build()["training"]
    assert training["train_uri"].endswith("/train/part-")
    assert training["validation_uri"].endswith("/validation/part-")


@pytest.mark.parametrize("minutes", [5, 60, 90, 91, 240, 480])
def test_the_endpoint_is_awaited_as_long_as_the_pipeline_says_within_the_history_of_an_execution(minutes: int) -> None:
    text = CHURN.replace("  name: churn-live", f"  name: churn-live\n  ready_minutes: {minutes}")
    endpoint = _build(text)["endpoint"]
    waited = endpoint["wait_seconds"] * endpoint["max_waits"]
    assert minutes * 60 - endpoint["wait_seconds"] < waited <= minutes * 60
    assert endpoint["wait_seconds"] >= 15
    assert 2 * endpoint["max_waits"] * 13 < 20_000


def test_a_required_approval_is_asked_for_unless_nothing_is_to_be_deployed() -> None:
    text = f"{CHURN}approval: required\n"
    assert _build(text)["run"]["deploy_policy"] == "approval"
    assert _build(text, deploy_policy="always")["run"]["deploy_policy"] == "approval"
    assert _build(text, deploy_policy="never")["run"]["deploy_policy"] == "never"


UPDATES = {
    "": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}},
    "update: {traffic: canary, step_percent: 5, wait_seconds: 60, alarms: [a, b]}": {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 5},
                "WaitIntervalInSeconds": 60,
            },
            "TerminationWaitInSeconds": 0,
            "MaximumExecutionTimeoutInSeconds": 1800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]},
    },
    "update: {traffic: linear, step_percent: 50, max_execution_seconds: 3600}": {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "LINEAR",
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                "WaitIntervalInSeconds": 300,
            },
            "TerminationWaitInSeconds": 0,
            "MaximumExecutionTimeoutInSeconds": 3600,
        }
    },
    "update: {termination_wait_seconds: 600, alarms: [a]}": {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": 600,
            "MaximumExecutionTimeoutInSeconds": 1800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]},
    },
}


@pytest.mark.parametrize("update", UPDATES)
def test_the_update_policy_is_one_that_sagemaker_takes(update: str) -> None:
    text = CHURN.replace("instance_count: 1", "instance_count: 2")
    endpoint = _build(text.replace("  name: churn-live", f"  name: churn-live\n  {update}"))["endpoint"]
    assert endpoint["deployment_config"] == UPDATES[update]
    shape = Session().get_service_model("sagemaker").shape_for("DeploymentConfig")
    report = ParamValidator().validate(endpoint["deployment_config"], shape)
    assert not report.has_errors(), report.generate_report()
    alarms = UPDATES[update].get("AutoRollbackConfiguration", {}).get("Alarms", [])
    assert endpoint["alarms"] == (", ".join(alarm["AlarmName"] for alarm in alarms) or "none")


CANDIDATE = {
    "outcome": "rejected",
    "reason": "older_than_serving",
    "run": {"id": "churn-20240102T0000-g0", "pipeline": "churn", "data_date": "2024-01-01", "deploy_policy": "newest"},
    "metrics": {"validation:auc": 0.8},
    "evaluation": {"uri": "s3://b/e/", "champion_status": "compared", "champion_metrics": {"auc": 0.7}, "reasons": []},
    "training_job_name": "job",
    "model_artifacts": "s3://b/model.tar.gz",
    "image_uri": "1.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.5-1",
}


def _promote(**changes: Any) -> dict[str, Any]:
    candidate = Outcome.of({key: value for key, value in (CANDIDATE | changes).items() if value is not None})
    return promotion_input(pipeline_of(), ACCOUNT, candidate, deployment_id="churn-p1", images=IMAGES)


def test_a_promotion_takes_the_candidates_own_report() -> None:
    document = _promote()
    assert document["entry"] == "promote"
    assert document["run"] == CANDIDATE["run"]
    assert document["training"]["image_uri"] == CANDIDATE["image_uri"], "what trained it, not what trains now"
    assert document["training"]["job_name_prefix"] == "brewtrain-churn-p1"
    assert document["verdict"]["metrics"]["auc"] == 0.8
    assert document["verdict"]["metrics"]["brier"] is None
    assert {"Key": "brewtrain:data-date", "Value": "2024-01-01"} in document["tags"]
    assert document["endpoint"] == _build()["endpoint"]
    assert json.dumps(document) == json.dumps(_promote())


def test_a_promotion_hands_on_what_the_candidates_run_found() -> None:
    document = _promote(
        training_metrics=[{"MetricName": "validation:auc", "Value": 0.81}, {"MetricName": "train:auc", "Value": 0.9}],
        evaluation={
            "uri": "s3://b/e/",
            "champion_status": "compared",
            "champion_metrics": {"auc": 0.7},
            "champion_uri": "s3://b/champion.tar.gz",
            "reasons": ["older"],
        },
        split={"train_rows": 70, "validation_rows": 30, "features": 5, "more": 1},
    )
    assert document["training"]["role_arn"] == "arn:aws:iam::123456789012:role/brewtrain-sagemaker"
    assert document["training_job"] == {"name": "job", "model_artifacts": "s3://b/model.tar.gz"}
    assert document["training_results"] == {
        "metrics": [{"MetricName": "train:auc", "Value": 0.9}, {"MetricName": "validation:auc", "Value": 0.81}]
    }
    assert document["evaluation"] == {"output_uri": "s3://b/e/"}
    assert document["champion"] == {"uri": "s3://b/champion.tar.gz"}
    assert document["verdict"] == {
        "metrics": {
            "auc": 0.8,
            "aucpr": None,
            "error": None,
            "logloss": None,
            "brier": None,
            "ece": None,
            "lift_top_decile": None,
        },
        "champion_status": "compared",
        "champion_metrics": {"auc": 0.7},
        "reasons": ["older"],
    }
    assert document["split_summary"] == {
        "document": {
            "train_rows": 70,
            "validation_rows": 30,
            "train_positives": None,
            "validation_positives": None,
            "majority_class_error": None,
            "features": 5,
        }
    }
    assert document["tags"] == RUN_TAGS


def test_a_promotion_of_a_candidate_without_an_evaluation_names_none() -> None:
    document = _promote(evaluation={})
    assert document["evaluation"] == {"output_uri": None}
    assert document["champion"] == {"uri": None}
    assert (document["verdict"]["champion_metrics"], document["verdict"]["reasons"]) == ({}, [])
    assert document["verdict"]["champion_status"] is None


def test_a_promotion_that_must_deploy_says_so() -> None:
    candidate = Outcome.of(CANDIDATE)
    for policy in ("newest", "always"):
        made = promotion_input(
            pipeline_of(), ACCOUNT, candidate, deployment_id="churn-p1", images=IMAGES, deploy_policy=policy
        )
        assert made["run"]["deploy_policy"] == policy


def test_a_promotion_of_an_old_report_uses_the_pipelines_image() -> None:
    assert _promote(image_uri=None)["training"]["image_uri"].endswith("/sagemaker-xgboost:1.7-1")


@pytest.mark.parametrize(
    ("changes", "run"),
    [
        pytest.param({"model_artifacts": None}, "churn-20240102T0000-g0", id="no model"),
        pytest.param({"run": {}}, "(none)", id="no run"),
        pytest.param({"run": {"data_date": "2024-01-01"}}, "(none)", id="no run id"),
        pytest.param({"run": {"id": "r"}}, "r", id="no data date"),
    ],
)
def test_a_report_without_a_model_is_not_promoted(changes: dict[str, Any], run: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        _promote(**changes)
    assert str(caught.value) == (
        f"the report of run {run} lacks its run, its data date or its model archive, so there is nothing to promote; "
        "choose another run, or train that interval again"
    )


def test_a_rollback_names_the_target_and_its_date() -> None:
    document = rollback_input(
        pipeline_of(), endpoint_config_name="c", model_name="m", run_id="churn-20240102T0000-g0", data_date="2024-01-01"
    )
    assert document == {
        "entry": "rollback",
        "run": {
            "id": "churn-20240102T0000-g0",
            "pipeline": "churn",
            "data_date": "2024-01-01",
            "deploy_policy": "always",
        },
        "model": {"name": "m"},
        "endpoint_config": {"name": "c"},
        "endpoint": _build()["endpoint"],
        "tags": RUN_TAGS,
    }


def test_a_rollback_to_a_config_of_somebody_elses_claims_no_date() -> None:
    document = rollback_input(pipeline_of(), endpoint_config_name="c", model_name=None, run_id=None, data_date=None)
    assert document["tags"] == [
        {"Key": "brewtrain:pipeline", "Value": "churn"},
        {"Key": "brewtrain:run-id", "Value": "unknown"},
        {"Key": "brewtrain:data-date", "Value": "unknown"},
    ]
    assert document["run"]["id"] is None
    assert document["model"] == {"name": None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"images": ImageTable({"1.5-1": {}, "1.3-1": {}})},
            "training.image_version '1.7-1' is not known; write one of 1.3-1, 1.5-1",
        ),
        (
            {"account": Account("1", "xx-east-1")},
            "region 'xx-east-1' has no built-in XGBoost image 1.7-1; use another region or image_version",
        ),
    ],
)
def test_an_image_that_is_not_there_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeploymentError, match=f"^{re.escape(sentence)}$"):
        _build(**changes)
