"""What the registry is told of a candidate: inside the API's limits, and always the same."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from brewtrain.domain.serving.model_package import Candidate, Decision, Update, update_of, version_of

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:brewtrain-x:x-20240203T0000-g0"
CANDIDATE = Candidate(
    pipeline="x",
    run_id="x-20240203T0000-g0",
    data_date="2024-02-02",
    execution_arn=EXECUTION,
    started_at=datetime(2024, 2, 3, tzinfo=UTC),
    training_job="brewtrain-x-20240203T0000-g0-0-0",
    model_artifacts="s3://b/model.tar.gz",
    image_uri="1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
    instance_type="ml.m5.large",
    evaluation_uri="s3://b/evaluation/evaluation.json",
    metrics={"validation:auc": 0.7912345678, "logloss": 1e-9},
    champion_metrics={"validation:auc": 0.78},
    facts={"git_revision": "a" * 40, "recipe_version": "3.0", "dag_run_id": "manual~1,2", "nothing": "", "none": None},
)
PROMOTED = Decision("promoted", "promoted", "Endpoint x serves\nmodel m.", EXECUTION)
REFUSED = Decision("rejected", "quality_gate", "AUC (0.6) is below 0.7.", EXECUTION)


@pytest.mark.parametrize(
    ("outcome", "reason", "status"),
    [
        ("promoted", "promoted", "Approved"),
        ("rejected", "quality_gate", "Rejected"),
        ("rejected", "serving_skew", "Rejected"),
        ("rejected", "approval_refused", "Rejected"),
        ("rejected", "older_than_serving", "PendingManualApproval"),
        ("rejected", "deploy_never", "PendingManualApproval"),
        ("pending", "awaiting_approval", "PendingManualApproval"),
    ],
)
def test_the_approval_follows_the_outcome(outcome: str, reason: str, status: str) -> None:
    assert Decision(outcome, reason, "", EXECUTION).status == status


def test_the_request() -> None:
    request = CANDIDATE.request(PROMOTED)
    (container,) = request["InferenceSpecification"]["Containers"]
    assert container == {"Image": CANDIDATE.image_uri, "ModelDataUrl": CANDIDATE.model_artifacts}
    assert request["ModelApprovalStatus"] == "Approved"
    assert request["ModelMetrics"]["ModelQuality"]["Statistics"] == {
        "ContentType": "application/json",
        "S3Uri": CANDIDATE.evaluation_uri,
    }
    assert request["MetadataProperties"] == {"GeneratedBy": EXECUTION, "CommitId": "a" * 40}
    properties = request["CustomerMetadataProperties"]
    assert properties["validation:auc"] == "0.791235"
    assert properties["validation:logloss"] == "1e-09"
    assert properties["champion:auc"] == "0.78"
    assert properties["dag_run_id"] == "manual_1_2"
    assert {"nothing", "none"}.isdisjoint(properties)
    assert (properties["outcome"], properties["decided_by"]) == ("promoted", EXECUTION)
    assert "Tags" not in request
    unknown = replace(CANDIDATE, facts={"git_revision": "unknown"}, evaluation_uri=None).request(PROMOTED)
    assert "CommitId" not in unknown["MetadataProperties"]
    assert "ModelMetrics" not in unknown


def test_the_request_says_where_the_model_comes_from_and_how_it_serves() -> None:
    request = CANDIDATE.request(PROMOTED)
    properties = request["CustomerMetadataProperties"]
    assert {name: properties[name] for name in ("run_id", "training_job", "pipeline", "data_date")} == {
        "run_id": "x-20240203T0000-g0",
        "training_job": "brewtrain-x-20240203T0000-g0-0-0",
        "pipeline": "x",
        "data_date": "2024-02-02",
    }
    assert properties["execution_arn"] == EXECUTION
    assert properties["evaluation"] == "s3://b/evaluation/evaluation.json"
    assert properties["recipe_version"] == "3.0"
    assert properties["reason"] == "promoted"
    assert request["InferenceSpecification"] == {
        "Containers": [{"Image": CANDIDATE.image_uri, "ModelDataUrl": CANDIDATE.model_artifacts}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
    }
    assert request["ClientToken"] == CANDIDATE.client_token
    assert request["ModelPackageDescription"] == (
        "Pipeline x, data up to 2024-02-02, run x-20240203T0000-g0, training job brewtrain-x-20240203T0000-g0-0-0"
    )


def test_the_request_is_one_that_sagemaker_takes() -> None:
    request = {"ModelPackageGroupName": "brewtrain-x", **CANDIDATE.request(PROMOTED)}
    shape = Session().get_service_model("sagemaker").operation_model("CreateModelPackage").input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


def test_a_decision_without_a_message_is_described_by_outcome_and_reason() -> None:
    assert Decision("rejected", "quality_gate", " \n", EXECUTION).description == "rejected: quality_gate"


def test_metadata_keep_letters_digits_spaces_and_some_punctuation() -> None:
    candidate = replace(CANDIDATE, facts={"note": "Ünï 12½ _.:/=+-@ (x)~Z"})
    assert candidate.request(PROMOTED)["CustomerMetadataProperties"]["note"] == "Ünï 12½ _.:/=+-@ _x__Z"


def test_a_package_is_the_candidates_by_run_and_training_job() -> None:
    def described(run_id: str, training_job: str) -> dict[str, Any]:
        return {"CustomerMetadataProperties": {"run_id": run_id, "training_job": training_job}}

    assert CANDIDATE.is_package(described(CANDIDATE.run_id, CANDIDATE.training_job))
    assert not CANDIDATE.is_package(described("other", CANDIDATE.training_job))
    assert not CANDIDATE.is_package(described(CANDIDATE.run_id, "other"))
    assert not CANDIDATE.is_package({}), "a package that somebody registered by hand has no metadata"


def test_a_listed_package_may_be_the_candidates_by_its_description() -> None:
    assert CANDIDATE.is_described_by(CANDIDATE.request(PROMOTED)["ModelPackageDescription"])
    assert not CANDIDATE.is_described_by(replace(CANDIDATE, run_id="other").description)


def test_whatever_it_holds_the_request_keeps_to_the_limits() -> None:
    nasty = "ü,'\"(\x00)\n" * 200
    candidate = replace(CANDIDATE, run_id=nasty, data_date=nasty, facts={nasty: nasty, "a": nasty})
    request = candidate.request(replace(REFUSED, reason=nasty, message=nasty))
    for key, value in request["CustomerMetadataProperties"].items():
        assert 1 <= len(key) <= 128
        assert 1 <= len(value) <= 256
        assert re.fullmatch(r"[\w .:/=+\-@]+", key + value)
    assert len(request["ModelPackageDescription"]) <= 1024
    assert request["ModelPackageDescription"].isprintable()
    assert replace(REFUSED, message=nasty).description.isprintable()
    assert len(replace(REFUSED, message=nasty * 9).description) <= 1024
    assert candidate.is_package(request)


def test_the_token_is_the_candidates() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,36}", CANDIDATE.client_token)
    assert replace(CANDIDATE, metrics={}).client_token == CANDIDATE.client_token
    assert replace(CANDIDATE, training_job="other").client_token != CANDIDATE.client_token
    assert replace(CANDIDATE, run_id="other").client_token != CANDIDATE.client_token


def package(decision: Decision, **more: Any) -> dict[str, Any]:
    return {
        "ModelApprovalStatus": decision.status,
        "CustomerMetadataProperties": CANDIDATE.request(decision)["CustomerMetadataProperties"],
        "ApprovalDescription": decision.description,
        **more,
    }


def test_a_decision_that_stands_is_not_taken_again() -> None:
    assert update_of(package(PROMOTED), PROMOTED) is None
    rejected_by_a_person = package(PROMOTED, ModelApprovalStatus="Rejected", ApprovalDescription="no")
    assert update_of(rejected_by_a_person, PROMOTED) is None


def test_a_description_that_is_missing_is_added_and_the_status_kept() -> None:
    update = update_of(package(PROMOTED, ApprovalDescription=None, ModelApprovalStatus="Rejected"), PROMOTED)
    assert update is not None
    assert (update.status, update.description, update.metadata) == ("Rejected", "Endpoint x serves model m.", {})


def test_another_outcome_of_the_same_execution_replaces_the_first() -> None:
    update = update_of(package(replace(REFUSED, reason="serving_skew")), PROMOTED)
    assert update is not None
    assert (update.status, update.metadata["reason"]) == ("Approved", "promoted")


def test_a_package_without_metadata_gets_the_whole_decision() -> None:
    update = update_of({"ModelApprovalStatus": "PendingManualApproval"}, PROMOTED)
    assert update == Update("Approved", "Endpoint x serves model m.", PROMOTED.metadata)
    assert PROMOTED.metadata == {"outcome": "promoted", "reason": "promoted", "decided_by": EXECUTION}


def test_a_package_without_a_status_gets_the_decisions() -> None:
    found = package(PROMOTED, ApprovalDescription=None)
    del found["ModelApprovalStatus"]
    assert update_of(found, PROMOTED) == Update("Approved", "Endpoint x serves model m.", {})


def test_the_decision_of_another_execution_stays() -> None:
    promoted_later = replace(PROMOTED, decided_by=EXECUTION + "-p")
    pending = Decision("pending", "awaiting_approval", "A person decides.", EXECUTION)
    assert update_of(package(promoted_later), pending) is None


def test_the_version_is_in_the_arn() -> None:
    assert version_of("arn:aws:sagemaker:us-east-1:1:model-package/brewtrain-x/12") == 12


def test_what_is_no_version_has_no_number() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        version_of("arn:aws:sagemaker:us-east-1:1:model-package-group/brewtrain-x")
