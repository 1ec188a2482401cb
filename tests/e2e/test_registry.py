"""Runs that really trained, evaluated and deployed, as the registry sees them in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from brewtrain.domain import names
from tests.fixtures.airflow_connection import VARIABLE, connection_to
from tests.fixtures.installation import Installation
from tests.fixtures.recorded_run import RecordedRun

pytestmark = [
    pytest.mark.slow,
    # The bucket's policy is in the template; moto's CloudFormation leaves that one resource out.
    pytest.mark.filterwarnings("ignore:Tried to parse AWS..S3..BucketPolicy:UserWarning"),
]
ENDPOINT = "registry-e2e"


@pytest.fixture(scope="module")
def group(installation: Installation, local_aws: str) -> Iterator[str]:
    """Return the name of the pipeline's model package group, with the Airflow connection set."""
    name = names.model_package_group("bank_marketing")
    sagemaker = installation.clients("sagemaker")
    listed = sagemaker.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"]
    if not listed:
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, connection_to(local_aws))
        yield name


def end(installation: Installation, document: dict[str, Any]) -> RecordedRun:
    """Run an execution to its end, which must be a good one."""
    seen = installation.run(document)
    assert seen["status"] == "SUCCEEDED", (seen.get("error"), seen.get("cause"))
    run = document["run"]
    identity = names.RunIdentity(
        run["pipeline"],
        datetime.fromisoformat(run["interval_start"]),
        datetime.fromisoformat(run["interval_end"]),
        run["generation"],
    )
    return RecordedRun(installation.pipeline(), identity, seen["executionArn"])


def versions(installation: Installation, group: str) -> list[dict[str, Any]]:
    sagemaker = installation.clients("sagemaker")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group, MaxResults=100)["ModelPackageSummaryList"]
    return [sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]) for one in listed]


def test_promoted_runs_are_approved_and_refused_ones_rejected(installation: Installation, group: str) -> None:
    known = len(versions(installation, group))
    runs = [
        end(installation, installation.input("2010-11-26", ENDPOINT)),
        end(
            installation,
            installation.input("2010-11-27", ENDPOINT, gate={"metrics": {"validation:auc": {"min": 0.999}}}),
        ),
    ]
    recorded = [run.record() for run in runs]
    newer = end(installation, installation.input("2010-11-28", ENDPOINT, gate={"champion": {}}))
    runs.append(newer)
    recorded.append(newer.record())
    assert [one["outcome"] for one in recorded] == ["promoted", "rejected", "promoted"]
    found = versions(installation, group)[known:]
    assert [one["ModelApprovalStatus"] for one in found] == ["Approved", "Rejected", "Approved"]
    assert [one["ModelPackageArn"] for one in found] == [one["model_package_arn"] for one in recorded]
    assert [len(run.extras) for run in runs] == [1, 0, 1]
    # Recorded again, now that the first run's endpoint serves the newer model.
    assert [run.record()["model_package_arn"] for run in runs] == [one["model_package_arn"] for one in recorded]
    assert len(versions(installation, group)) == known + 3
    s3 = installation.clients("s3")
    tests = []
    for one in recorded:
        bucket, _, key = one["result"].removeprefix("s3://").partition("/")
        result = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        tests.append((result["smoke_test"] or {}).get("status"))
    assert tests == ["moved_on", None, "passed"]
    properties = found[2]["CustomerMetadataProperties"]
    assert (properties["data_date"], properties["outcome"]) == ("2010-11-28", "promoted")
    assert {f"validation:{name}" for name in ("auc", "aucpr", "logloss", "error", "brier", "ece")} < set(properties)
    assert properties["champion:auc"]
    uri = found[2]["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    assert json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["run"]["id"] == properties["run_id"]
