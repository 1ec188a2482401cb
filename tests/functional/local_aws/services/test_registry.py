"""SageMaker's model registry: versions, approval, metadata, deletion, and deploying a package."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.job_services import XGBOOST_IMAGE, error_of, wait_for

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
SPECIFICATION = {
    "Containers": [{"Image": XGBOOST_IMAGE, "ModelDataUrl": "s3://models/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def client(aws_client: Callable[..., Any]) -> Any:
    return aws_client("sagemaker")


@pytest.fixture
def group(client: Any, unique: Callable[[str], str]) -> str:
    name = unique("group")
    client.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "pipeline", "Value": "x"}])
    return name


def add(client: Any, group: str, **options: Any) -> str:
    wanted = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION}
    return client.create_model_package(**{**wanted, **options})["ModelPackageArn"]


def test_versions_are_numbered_and_never_given_again(client: Any, group: str) -> None:
    arns = [add(client, group) for _ in range(3)]
    assert arns == [f"{ARN}:model-package/{group}/{number}" for number in (1, 2, 3)]
    client.delete_model_package(ModelPackageName=arns[2])
    assert add(client, group) == f"{ARN}:model-package/{group}/4"
    newest = client.list_model_packages(ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending")
    assert [entry["ModelPackageVersion"] for entry in newest["ModelPackageSummaryList"]] == [4, 2, 1]
    oldest = client.list_model_packages(ModelPackageGroupName=f"{ARN}:model-package-group/{group}", MaxResults=2)
    assert [entry["ModelPackageVersion"] for entry in oldest["ModelPackageSummaryList"]] == [1, 2]
    rest = client.list_model_packages(ModelPackageGroupName=group, MaxResults=2, NextToken=oldest["NextToken"])
    assert [entry["ModelPackageVersion"] for entry in rest["ModelPackageSummaryList"]] == [4]
    assert "NextToken" not in rest
    later = rest["ModelPackageSummaryList"][0]["CreationTime"] + timedelta(seconds=2)
    assert not client.list_model_packages(ModelPackageGroupName=group, CreationTimeAfter=later)[
        "ModelPackageSummaryList"
    ]


def test_a_version_has_the_tags_of_its_group(client: Any, group: str) -> None:
    arn = add(client, group)
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "pipeline", "Value": "x"}]
    tags = [{"Key": "a", "Value": "b"}]
    for call in (lambda: client.add_tags(ResourceArn=arn, Tags=tags), lambda: add(client, group, Tags=tags)):
        code, message = error_of(call)
        assert (code, message[:4]) == ("ValidationException", "Tags")
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "pipeline", "Value": "x"}]


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        pytest.param({"message": "AUC 0.7, too low"}, "AUC 0.7, too low", id="comma in a value"),
        pytest.param({"key,": "x"}, "key,", id="comma in a key"),
        pytest.param({"key": "x" * 257}, "length less than or equal to 256", id="long value"),
        pytest.param(
            {f"key{number}": "x" for number in range(51)}, "length less than or equal to 50", id="many entries"
        ),
    ],
)
def test_metadata_that_the_service_refuses(client: Any, group: str, properties: dict[str, str], problem: str) -> None:
    code, message = error_of(lambda: add(client, group, CustomerMetadataProperties=properties))
    assert code == "ValidationException"
    assert problem in message
    add(client, group, CustomerMetadataProperties={"validation:auc": "0.7", "Übung =+-@/": "größer 一"})


def test_approval_and_metadata(client: Any, group: str) -> None:
    arn = add(client, group, CustomerMetadataProperties={"data_date": "2010-11-30", "recipe": "1.0"})
    described = client.describe_model_package(ModelPackageName=arn)
    assert (described["ModelApprovalStatus"], described["ModelPackageStatus"]) == ("PendingManualApproval", "Completed")
    client.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="better than the champion",
        CustomerMetadataProperties={"outcome": "promoted"},
        CustomerMetadataPropertiesToRemove=["recipe"],
    )
    described = client.describe_model_package(ModelPackageName=arn)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "better than the champion"
    assert described["CustomerMetadataProperties"] == {"data_date": "2010-11-30", "outcome": "promoted"}
    assert described["InferenceSpecification"]["Containers"][0]["Image"] == XGBOOST_IMAGE
    for status, count in (("Approved", 1), ("Rejected", 0)):
        found = client.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus=status)
        assert len(found["ModelPackageSummaryList"]) == count


@pytest.mark.slow
def test_a_package_can_be_deployed(
    client: Any, group: str, roles: dict[str, str], aws_client: Callable[..., Any]
) -> None:
    arn = add(client, group)
    client.create_model(
        ModelName=group, PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=roles["sagemaker"]
    )
    variant = {"VariantName": "v", "ModelName": group, "InstanceType": "ml.t2.medium", "InitialInstanceCount": 1}
    client.create_endpoint_config(EndpointConfigName=group, ProductionVariants=[variant])
    code, message = error_of(lambda: client.create_endpoint(EndpointName=group, EndpointConfigName=group))
    assert (code, message.rpartition(": ")[2]) == (
        "ValidationException",
        "its approval status is PendingManualApproval, not Approved.",
    )
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    client.create_endpoint(EndpointName=group, EndpointConfigName=group)
    found = wait_for(lambda: client.describe_endpoint(EndpointName=group), "EndpointStatus", {"Creating"})
    assert "s3://models/model.tar.gz" in found["FailureReason"]
    client.delete_endpoint(EndpointName=group)


def test_invalid_requests_are_refused(client: Any, group: str) -> None:
    arn = add(client, group, ClientToken="once")
    assert add(client, group, ClientToken="once") == arn
    group_arn = f"{ARN}:model-package-group/{group}"
    cases: dict[str, tuple[Callable[[], Any], str, str]] = {
        "group exists": (
            lambda: client.create_model_package_group(ModelPackageGroupName=group),
            "ValidationException",
            f"Model Package Group already exists: {group_arn}",
        ),
        "group does not exist": (
            lambda: client.describe_model_package_group(ModelPackageGroupName="nix"),
            "ValidationException",
            f"ModelPackageGroup {ARN}:model-package-group/nix does not exist.",
        ),
        "package in no group": (
            lambda: add(client, "nix"),
            "ValidationException",
            f"ModelPackageGroup {ARN}:model-package-group/nix does not exist.",
        ),
        "neither name nor group": (
            lambda: client.create_model_package(InferenceSpecification=SPECIFICATION),
            "ValidationException",
            "Missing ARN.",
        ),
        "name and group": (
            lambda: add(client, group, ModelPackageName="x"),
            "ValidationException",
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to"
            " use.",
        ),
        "package does not exist": (
            lambda: client.describe_model_package(ModelPackageName=f"{arn}0"),
            "ValidationException",
            f"ModelPackage {arn}0 does not exist.",
        ),
        "group not empty": (
            lambda: client.delete_model_package_group(ModelPackageGroupName=group),
            "ConflictException",
            f"Model Package Group {group_arn} has 1 model packages and cannot be deleted.",
        ),
    }
    for what, (call, code, message) in cases.items():
        assert error_of(call) == (code, message), what
    client.delete_model_package(ModelPackageName=arn)
    client.delete_model_package_group(ModelPackageGroupName=group)
    assert client.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"] == []
