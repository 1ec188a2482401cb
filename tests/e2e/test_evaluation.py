"""The evaluation in the state machine: what it compares with, what it decides, how it fails.

The cases run a machine that starts after the training, with the results of one real training in its
input; every other state is the committed one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.contract import asl
from tests.fixtures.account import BUCKET, role_arn
from tests.fixtures.executions import StateMachine
from tests.fixtures.installation import Installation
from tests.fixtures.local_aws_control import LocalAwsControl
from tests.fixtures.model_archives import archive_of
from tests.fixtures.places import STATE_MACHINE

pytestmark = [
    pytest.mark.slow,
    # moto's CloudFormation skips bucket policies and says so in this process.
    pytest.mark.filterwarnings("ignore:Tried to parse AWS.*BucketPolicy:UserWarning"),
]

# Only the comparison with the champion decides.
AGAINST_CHAMPION = {
    "metrics": {"validation:auc": {"min": 0.0}},
    "better_than_majority": False,
    "champion": {"validation:auc": {"max_drop": 0.03, "evidence": "point"}},
}


@dataclass
class Evaluation(StateMachine):
    """Evaluates a model that is already trained."""

    installation: Installation
    trained: dict[str, Any]

    @property
    def s3(self) -> Any:
        return self.clients("s3")

    @property
    def sagemaker(self) -> Any:
        return self.clients("sagemaker")

    def input(self, endpoint: str, **changes: Any) -> dict[str, Any]:
        """Build the input of a run that has trained its model and will deploy nothing."""
        document = self.installation.input("2010-11-20", endpoint, run={"deploy_policy": "never"}, **changes)
        prefix = f"brewtrain/bank_marketing/runs/{self.trained['run']['id']}/"
        document["split"]["summary_key"] = f"{prefix}split.json"
        for part, name in (("train", "train/"), ("validation", "validation/"), ("summary", "split.json")):
            document["evaluation"][f"{part}_uri"] = f"s3://{BUCKET}/{prefix}{name}"
        document["training_job"] = {
            "name": self.trained["training_job_name"],
            "model_artifacts": self.trained["model_artifacts"],
        }
        return document

    def serve(self, endpoint: str) -> str:
        """Make an endpoint that serves a copy of the trained model; return the copy's key."""
        key = f"elsewhere/{endpoint}/model.tar.gz"
        source = self.trained["model_artifacts"].removeprefix(f"s3://{BUCKET}/")
        self.s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})
        sagemaker = self.sagemaker
        sagemaker.create_model(
            ModelName=endpoint,
            ExecutionRoleArn=role_arn("sagemaker"),
            PrimaryContainer={"Image": self.trained["image_uri"], "ModelDataUrl": f"s3://{BUCKET}/{key}"},
        )
        variant = {"VariantName": "AllTraffic", "ModelName": endpoint, "InstanceType": "ml.m5.large",
                   "InitialInstanceCount": 1, "InitialVariantWeight": 1}  # fmt: skip
        sagemaker.create_endpoint_config(EndpointConfigName=endpoint, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=endpoint, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        return key

    def poor_model(self) -> str:
        """Store an archive of a model that has learned nothing; return its URI."""
        features = len(self.trained["split"]["features"])
        content = archive_of(trained_on_noise(features))
        self.s3.put_object(Bucket=BUCKET, Key="elsewhere/poor/model.tar.gz", Body=content)
        return f"s3://{BUCKET}/elsewhere/poor/model.tar.gz"


def trained_on_noise(features: int) -> bytes:
    import xgboost

    random_source = np.random.default_rng(7)
    rows = random_source.normal(size=(200, features)).astype(np.float32)
    labels = random_source.random(200) < 0.5
    settings = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}
    return bytes(xgboost.train(settings, xgboost.DMatrix(rows, labels), 5).save_raw("ubj"))


@pytest.fixture(scope="module")
def evaluation(installation: Installation) -> Evaluation:
    trained = installation.succeed(installation.input("2010-11-01", "evaluated"))
    assert trained["reason"] == "promoted"
    definition = json.loads(STATE_MACHINE.read_text("utf-8"))
    machine = installation.states.create_state_machine(
        name="brewtrain-evaluation-only",
        definition=json.dumps(asl.reachable(definition, "Query Training Results")),
        roleArn=role_arn("states"),
    )
    return Evaluation(installation.clients, machine["stateMachineArn"], installation, trained)


def test_a_second_run_is_compared_with_what_serves(evaluation: Evaluation) -> None:
    output = evaluation.succeed(evaluation.input("evaluated", gate=AGAINST_CHAMPION))
    assert output["reason"] == "deploy_never", "the very model that serves is not worse than it"
    assert output["evaluation"]["champion_status"] == "compared"
    assert output["evaluation"]["champion_uri"] == evaluation.trained["model_artifacts"]
    assert output["evaluation"]["champion_metrics"] == {
        name.removeprefix("validation:"): value for name, value in output["metrics"].items()
    }
    prefix = output["evaluation"]["uri"].removeprefix(f"s3://{BUCKET}/")
    kept = {item["Key"].removeprefix(prefix)
            for item in evaluation.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]}  # fmt: skip
    assert {"evaluation.json", "verdict.json", "smoke.json", "report.html", "roc.png", "drift.png"} <= kept


def test_the_smoke_rows_score_the_same_on_the_endpoint(evaluation: Evaluation) -> None:
    prefix = evaluation.trained["evaluation"]["uri"].removeprefix(f"s3://{BUCKET}/")
    smoke = json.loads(evaluation.s3.get_object(Bucket=BUCKET, Key=f"{prefix}smoke.json")["Body"].read())
    assert (smoke["layout"], smoke["content_type"]) == (1, "text/csv")
    assert len(smoke["rows"]) == len(smoke["scores"]) == 20
    assert max(smoke["scores"]) - min(smoke["scores"]) > 0.1, "they cover the range of scores"
    answer = evaluation.clients("sagemaker-runtime").invoke_endpoint(
        EndpointName="evaluated", ContentType=smoke["content_type"], Body="\n".join(smoke["rows"])
    )
    served = [float(score) for score in answer["Body"].read().decode().split()]
    assert served == pytest.approx(smoke["scores"], abs=1e-6)


def test_a_worse_candidate_is_rejected_and_the_run_is_green(evaluation: Evaluation) -> None:
    document = evaluation.input("evaluated", gate=AGAINST_CHAMPION)
    document["run"]["deploy_policy"] = "newest"
    document["training_job"]["model_artifacts"] = evaluation.poor_model()
    before = evaluation.installation.endpoint("evaluated")["EndpointConfigName"]
    output = evaluation.succeed(document)
    assert (output["outcome"], output["reason"]) == ("rejected", "quality_gate")
    assert "auc is worse than the champion's by more than 0.0300" in output["message"]
    assert evaluation.installation.endpoint("evaluated")["EndpointConfigName"] == before


def test_too_few_rows_are_a_refusal(evaluation: Evaluation) -> None:
    document = evaluation.input("evaluated", gate={"minimum_rows": 10**6, "on_reject": "fail"})
    seen = evaluation.run(document)
    assert (seen["status"], seen["error"]) == ("FAILED", "Brewtrain.QualityGateFailed")
    assert "are fewer than the 1000000 that the gate asks for" in seen["cause"]


def delete_config(evaluation: Evaluation, endpoint: str, key: str) -> None:
    evaluation.sagemaker.delete_endpoint_config(EndpointConfigName=endpoint)


def delete_model(evaluation: Evaluation, endpoint: str, key: str) -> None:
    evaluation.sagemaker.delete_model(ModelName=endpoint)


def delete_archive(evaluation: Evaluation, endpoint: str, key: str) -> None:
    evaluation.s3.delete_object(Bucket=BUCKET, Key=key)


def train_on_other_features(evaluation: Evaluation, endpoint: str, key: str) -> None:
    evaluation.s3.put_object(Bucket=BUCKET, Key=key, Body=archive_of(trained_on_noise(3)))


@pytest.mark.parametrize(
    ("endpoint", "damage", "reason"),
    [
        pytest.param(
            "deleted-config",
            delete_config,
            "the serving endpoint config deleted-config was deleted by hand",
            id="config",
        ),
        pytest.param("deleted-model", delete_model, "the serving model deleted-model was deleted by hand", id="model"),
        pytest.param(
            "deleted-archive",
            delete_archive,
            "elsewhere/deleted-archive/model.tar.gz no longer exists",
            id="archive",
        ),
        pytest.param(
            "other-features", train_on_other_features, "the champion was trained on 3 features", id="other features"
        ),
    ],
)
def test_a_champion_that_cannot_be_compared_is_not_taken_for_none(
    evaluation: Evaluation, endpoint: str, damage: Callable[[Evaluation, str, str], None], reason: str
) -> None:
    damage(evaluation, endpoint, evaluation.serve(endpoint))
    output = evaluation.succeed(evaluation.input(endpoint, gate=AGAINST_CHAMPION))
    assert (output["reason"], output["evaluation"]["champion_status"]) == ("quality_gate", "not_comparable")
    assert reason in output["message"]


def test_an_endpoint_deleted_by_hand_has_no_champion(evaluation: Evaluation) -> None:
    evaluation.serve("deleted-endpoint")
    evaluation.sagemaker.delete_endpoint(EndpointName="deleted-endpoint")
    output = evaluation.succeed(evaluation.input("deleted-endpoint", gate=AGAINST_CHAMPION))
    assert (output["reason"], output["evaluation"]["champion_status"]) == ("deploy_never", "absent")


def test_throttled_lookups_are_asked_again(evaluation: Evaluation, faults: LocalAwsControl) -> None:
    for operation in ("DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel"):
        faults.add_fault(service="sagemaker", operation=operation, effect="throttle", times=1)
    output = evaluation.succeed(evaluation.input("evaluated", gate=AGAINST_CHAMPION))
    assert output["evaluation"]["champion_status"] == "compared"


def test_a_throttled_lookup_of_no_endpoint_still_finds_that_there_is_none(
    evaluation: Evaluation, faults: LocalAwsControl
) -> None:
    faults.add_fault(service="sagemaker", operation="DescribeEndpoint", effect="throttle", times=1)
    output = evaluation.succeed(evaluation.input("never-made", gate=AGAINST_CHAMPION))
    assert (output["reason"], output["evaluation"]["champion_status"]) == ("deploy_never", "absent")


def test_a_lookup_that_is_denied_is_red_and_redriven(evaluation: Evaluation, faults: LocalAwsControl) -> None:
    faults.add_fault(
        service="sagemaker", operation="DescribeModel", effect="error", code="AccessDeniedException", status=400,
        message="not authorized to perform: sagemaker:DescribeModel", times=5,
    )  # fmt: skip
    seen = evaluation.run(evaluation.input("evaluated", gate=AGAINST_CHAMPION))
    assert seen["status"] == "FAILED"
    assert "not authorized" in seen["cause"]
    assert evaluation.trace(seen["executionArn"])[-1] == "Look Up Champion Model Again"
    faults.remove_faults()
    assert evaluation.redrive(seen["executionArn"])["status"] == "SUCCEEDED"


def test_a_failed_evaluation_says_why_and_a_redrive_has_a_job_of_its_own(
    evaluation: Evaluation, faults: LocalAwsControl
) -> None:
    document = evaluation.input("evaluated")
    prefix = f"elsewhere/{document['run']['id']}/validation/"
    width = len(evaluation.trained["split"]["features"])
    one_class = "\n".join(",".join(["0", *["1"] * width]) for _ in range(30))
    evaluation.s3.put_object(Bucket=BUCKET, Key=f"{prefix}part-0.csv", Body=one_class.encode())
    rows = document["evaluation"]["validation_uri"]
    document["evaluation"]["validation_uri"] = f"s3://{BUCKET}/{prefix}"
    # The answer to the first call is lost although the job was made: the retry must ask for another
    # name.
    faults.add_fault(
        service="sagemaker", operation="CreateProcessingJob", effect="error", code="InternalFailure", status=500,
        message="lost", when="after", times=1,
    )  # fmt: skip
    seen = evaluation.run(document)
    assert (seen["status"], seen["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(seen["cause"])
    assert cause["ProcessingJobStatus"] == "Failed"
    assert cause["ExitMessage"].startswith("OneClassError: all 30 validation rows have the label 0")
    assert cause["ProcessingJobName"] == f"brewtrain-{document['run']['id']}-0-1"
    assert evaluation.s3.list_objects_v2(Bucket=BUCKET, Prefix=document["evaluation"]["verdict_key"])["KeyCount"] == 0
    evaluation.s3.delete_object(Bucket=BUCKET, Key=f"{prefix}part-0.csv")
    good = rows.removeprefix(f"s3://{BUCKET}/")
    for item in evaluation.s3.list_objects_v2(Bucket=BUCKET, Prefix=good)["Contents"]:
        key = prefix + item["Key"].removeprefix(good)
        evaluation.s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": item["Key"]})
    assert evaluation.redrive(seen["executionArn"])["status"] == "SUCCEEDED"
    sagemaker = evaluation.sagemaker
    jobs = sagemaker.list_processing_jobs(NameContains=document["run"]["id"], MaxResults=100)["ProcessingJobSummaries"]
    assert sorted(job["ProcessingJobName"].rpartition("-g")[2].split("-", 1)[1] for job in jobs) == [
        "0-0",
        "0-1",
        "1-0",
    ]
