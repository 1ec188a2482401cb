"""SageMaker's model registry: package groups, versioned and unversioned packages, approval.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html. moto's
numbers versions by counting, accepts duplicates and deletes nothing. Nothing here starts a process.

A version has the tags of its group and none of its own, which is what CreateModelPackage documents
of ``Tags``; AWS's wording of that refusal is not documented, ours is.
"""

from __future__ import annotations

import copy
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, refuse_unsupported
from local_aws.jobs.store import Partition, Record, now, public

from .records import STORE, invalid, listing, partition_of, tags_from

_COPIED = (
    "ModelPackageDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceAlgorithmSpecification",
    "ValidationSpecification",
    "CertifyForMarketplace",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "AdditionalInferenceSpecifications",
    "SkipModelValidation",
    "SourceUri",
    "SecurityConfig",
    "ModelCard",
    "ModelLifeCycle",
    "ManagedStorageType",
)
_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)


def create_model_package_group(request: Request) -> dict[str, Any]:
    """Create a model package group."""
    params = request.params
    refuse_unsupported(request, ("ManagedConfiguration",))
    name = params["ModelPackageGroupName"]
    arn = request.arn("sagemaker", f"model-package-group/{name}")
    with STORE.lock:
        table = partition_of(request).table("model_package_groups")
        if name in table:
            raise invalid(f"Model Package Group already exists: {arn}")
        table[name] = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupDescription": params.get("ModelPackageGroupDescription"),
            "CreationTime": now(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
            "_arn": arn,
            "_tags": tags_from(params),
            "_last_version": 0,
        }
    return {"ModelPackageGroupArn": arn}


def describe_model_package_group(request: Request) -> dict[str, Any]:
    """Return a model package group."""
    with STORE.lock:
        return public(_get_group(request, request.params["ModelPackageGroupName"]))


def list_model_package_groups(request: Request) -> dict[str, Any]:
    """List the model package groups, filtered and in pages."""
    members = (
        "ModelPackageGroupName",
        "ModelPackageGroupArn",
        "ModelPackageGroupDescription",
        "CreationTime",
        "ModelPackageGroupStatus",
    )
    with STORE.lock:
        records = list(partition_of(request).table("model_package_groups").values())
        if request.params.get("CrossAccountFilterOption") == "CrossAccount":
            records = []  # no account shares its groups here
        return listing(
            request,
            records,
            key="ModelPackageGroupSummaryList",
            name_member="ModelPackageGroupName",
            status_member=None,
            summary=lambda record: {member: record[member] for member in members if record.get(member) is not None},
            default_order="Ascending",
        )


def delete_model_package_group(request: Request) -> dict[str, Any]:
    """Delete a model package group that has no packages."""
    with STORE.lock:
        group = _get_group(request, request.params["ModelPackageGroupName"])
        partition = partition_of(request)
        count = len(_packages_of(partition, group["ModelPackageGroupName"]))
        if count:
            raise AwsError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} has {count} model packages and cannot be"
                f" deleted.",
            )
        del partition.table("model_package_groups")[group["ModelPackageGroupName"]]
    return {}


def create_model_package(request: Request) -> dict[str, Any]:
    """Create a version of a group, or a package with its own name."""
    params = request.params
    name, group_name = params.get("ModelPackageName"), params.get("ModelPackageGroupName")
    if name and group_name:
        raise invalid(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to"
            " use."
        )
    if not name and not group_name:
        raise invalid("Missing ARN.")
    if group_name and params.get("Tags"):
        raise invalid("Tags cannot be given for a version of a model package group; tag the group.")
    token = params.get("ClientToken")
    with STORE.lock:
        partition = partition_of(request)
        table = partition.table("model_packages")
        for known in table.values():
            if token and known["_token"] == token:
                return {"ModelPackageArn": known["ModelPackageArn"]}
        moment = now()
        record: Record = {
            **{key: copy.deepcopy(params[key]) for key in _COPIED if params.get(key) is not None},
            "CreationTime": moment,
            "CreatedBy": {},
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "_tags": tags_from(params),
            "_token": token,
        }
        if group_name:
            group = _get_group(request, group_name.rsplit("/", 1)[-1])
            group["_last_version"] += 1
            version = group["_last_version"]
            short = group["ModelPackageGroupName"]
            arn = request.arn("sagemaker", f"model-package/{short}/{version}")
            record["ModelPackageGroupName"] = record["ModelPackageName"] = short
            record["ModelPackageVersion"] = version
            record["ModelApprovalStatus"] = params.get("ModelApprovalStatus") or "PendingManualApproval"
        else:
            arn = request.arn("sagemaker", f"model-package/{name}")
            if arn in table:
                raise AwsError("ConflictException", f"Model Package already exists: {arn}")
            record["ModelPackageName"] = name
            if params.get("ModelApprovalStatus"):
                raise invalid("ModelApprovalStatus can only be given for a version of a model package group.")
        record["ModelPackageArn"] = record["_arn"] = arn
        table[arn] = record
    return {"ModelPackageArn": arn}


def describe_model_package(request: Request) -> dict[str, Any]:
    """Return a model package, by name or ARN."""
    with STORE.lock:
        return public(get_model_package(request, request.params["ModelPackageName"]))


def list_model_packages(request: Request) -> dict[str, Any]:
    """List the versions of a group, or the packages of a type (default: unversioned)."""
    params = request.params
    group = (params.get("ModelPackageGroupName") or "").rsplit("/", 1)[-1]
    kind = params.get("ModelPackageType") or "Unversioned"
    with STORE.lock:
        partition = partition_of(request)
        if group:
            _get_group(request, group)
            records = _packages_of(partition, group)
        else:
            records = [
                record
                for record in partition.table("model_packages").values()
                if kind == "Both" or (kind == "Versioned") == ("ModelPackageVersion" in record)
            ]
        status = params.get("ModelApprovalStatus")
        return listing(
            request,
            [record for record in records if status in (None, record.get("ModelApprovalStatus"))],
            key="ModelPackageSummaryList",
            name_member="ModelPackageName",
            status_member=None,
            summary=lambda record: {member: record[member] for member in _SUMMARY if record.get(member) is not None},
            default_order="Ascending",
        )


def update_model_package(request: Request) -> dict[str, Any]:
    """Change a package's approval, life cycle or customer metadata."""
    params = request.params
    with STORE.lock:
        record = get_model_package(request, params["ModelPackageArn"])
        if params.get("ModelApprovalStatus") and "ModelPackageVersion" not in record:
            raise invalid("ModelApprovalStatus can only be set for a version of a model package group.")
        metadata = dict(record.get("CustomerMetadataProperties") or {})
        for key in params.get("CustomerMetadataPropertiesToRemove") or []:
            metadata.pop(key, None)
        metadata.update(params.get("CustomerMetadataProperties") or {})
        if len(metadata) > 50:
            raise invalid("CustomerMetadataProperties can have at most 50 entries.")
        record["CustomerMetadataProperties"] = metadata or None
        for key in (
            "ModelApprovalStatus",
            "ApprovalDescription",
            "InferenceSpecification",
            "SourceUri",
            "ModelCard",
            "ModelLifeCycle",
            "ModelPackageRegistrationType",
        ):
            if params.get(key) is not None:
                record[key] = params[key]
        if params.get("AdditionalInferenceSpecificationsToAdd"):
            record.setdefault("AdditionalInferenceSpecifications", []).extend(
                params["AdditionalInferenceSpecificationsToAdd"]
            )
        record["LastModifiedTime"] = now()
        record["LastModifiedBy"] = {}
    return {"ModelPackageArn": record["ModelPackageArn"]}


def delete_model_package(request: Request) -> dict[str, Any]:
    """Delete a package; a version's number is not used again."""
    with STORE.lock:
        record = get_model_package(request, request.params["ModelPackageName"])
        del partition_of(request).table("model_packages")[record["ModelPackageArn"]]
    return {}


def get_model_package(request: Request, name: str) -> Record:
    """Return a package's record by name or ARN, or raise AWS's ValidationException."""
    arn = name if name.startswith("arn:") else request.arn("sagemaker", f"model-package/{name}")
    record = partition_of(request).table("model_packages").get(arn)
    if record is None:
        raise invalid(f"ModelPackage {arn} does not exist.")
    return record


def holder_of_tags(request: Request, record: Record, *, writing: bool) -> Record:
    """Return the record that holds a resource's tags: for a version, its group.

    :raises AwsError: when a version's own tags are to be changed.
    """
    if "ModelPackageVersion" not in record:
        return record
    if writing:
        raise invalid("Tags cannot be changed for a version of a model package group; tag the group.")
    return _get_group(request, record["ModelPackageGroupName"])


def _packages_of(partition: Partition, group: str) -> list[Record]:
    return [
        record for record in partition.table("model_packages").values() if record.get("ModelPackageGroupName") == group
    ]


def _get_group(request: Request, name: str) -> Record:
    short = name.rsplit("/", 1)[-1]
    record = partition_of(request).table("model_package_groups").get(short)
    if record is None:
        raise invalid(f"ModelPackageGroup {request.arn('sagemaker', f'model-package-group/{short}')} does not exist.")
    return record
