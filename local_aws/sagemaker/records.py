"""What all SageMaker resources share: the store, AWS's wording of errors, tags, listings.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/ and botocore's model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, paginate
from local_aws.jobs.roles import role_problem
from local_aws.jobs.store import Partition, Record, ServiceStore

STORE = ServiceStore("sagemaker")

_TAGGED_TABLES = (
    "training_jobs",
    "processing_jobs",
    "models",
    "endpoint_configs",
    "endpoints",
    "model_package_groups",
    "model_packages",
)


def partition_of(request: Request) -> Partition:
    """The tables of the request's account and region."""
    return STORE.partition(request.account_id, request.region)


def invalid(message: str) -> AwsError:
    """AWS's answer for a request that cannot be done."""
    return AwsError("ValidationException", message)


def check_role(role_arn: str, source_arn: str) -> None:
    """Refuse a role that SageMaker cannot assume for a job or model."""
    problem = role_problem(role_arn, "sagemaker.amazonaws.com", source_arn)
    if problem is not None:
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal"
            f" 'sagemaker.amazonaws.com' to assume the role."
        )


def tags_from(params: dict[str, Any]) -> dict[str, str]:
    """Tags of a creation request as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a resource, for policies that ask for them; ARNs in policies are in lower case."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or not parts[3] or not parts[4]:
        return {}
    partition = STORE.partition(parts[4], parts[3])
    with STORE.lock:
        for table in _TAGGED_TABLES:
            for record in partition.table(table).values():
                if record["_arn"].lower() == arn.lower():
                    return dict(record["_tags"])
    return {}


def find_by_arn(partition: Partition, arn: str) -> Record | None:
    """The record of this package with that ARN, or None when moto has it."""
    for table in _TAGGED_TABLES:
        for record in partition.table(table).values():
            if record["_arn"] == arn:
                return record
    return None


def add_tags(request: Request, record: Record) -> dict[str, Any]:
    """AddTags."""
    with STORE.lock:
        merged = {**record["_tags"], **tags_from(request.params)}
        if len(merged) > 50:
            raise invalid("A resource can have at most 50 tags.")
        record["_tags"] = merged
        return {"Tags": _as_list(merged)}


def list_tags(request: Request, record: Record) -> dict[str, Any]:
    """ListTags."""
    page, token = paginate(_as_list(record["_tags"]), request.params, default_limit=50)
    return {"Tags": page, "NextToken": token} if token else {"Tags": page}


def delete_tags(request: Request, record: Record) -> dict[str, Any]:
    """DeleteTags."""
    with STORE.lock:
        for key in request.params["TagKeys"]:
            record["_tags"].pop(key, None)
    return {}


def listing(
    request: Request,
    records: Iterable[Record],
    *,
    key: str,
    name_member: str,
    status_member: str | None,
    summary: Callable[[Record], dict[str, Any]],
    default_order: str | None = None,
) -> dict[str, Any]:
    """Answer a List operation with its filters, order and pages.

    Parameters
    ----------
    records:
        All records of the table.
    key:
        Member of the answer.
    name_member, status_member:
        Members that NameContains and StatusEquals look at.
    summary:
        Record to list entry.
    default_order:
        SortOrder when the request gives none; None: newest first, or names from A.
    """
    params = request.params
    wanted = []
    for record in records:
        created: Any
        modified: Any
        created, modified = record["CreationTime"], record.get("LastModifiedTime", record["CreationTime"])
        if params.get("NameContains") and params["NameContains"].lower() not in record[name_member].lower():
            continue
        if status_member and params.get("StatusEquals") not in (None, record[status_member]):
            continue
        bounds = (
            ("CreationTimeAfter", created, 1),
            ("CreationTimeBefore", created, -1),
            ("LastModifiedTimeAfter", modified, 1),
            ("LastModifiedTimeBefore", modified, -1),
        )
        if any(
            (value.timestamp() - params[name].timestamp()) * sign < 0
            for name, value, sign in bounds
            if params.get(name) is not None
        ):
            continue
        wanted.append(record)
    order = params.get("SortBy") or "CreationTime"
    keys: dict[str, Callable[[Record], Any]] = {
        "Name": lambda record: record[name_member],
        "Status": lambda record: record[status_member or name_member],
    }
    default_key = keys.get(order, lambda record: record["CreationTime"])
    usual = default_order or ("Descending" if order != "Name" else "Ascending")
    descending = (params.get("SortOrder") or usual) == "Descending"
    wanted.sort(key=default_key, reverse=descending)
    page, token = paginate([summary(record) for record in wanted], params)
    return {key: page, "NextToken": token} if token else {key: page}


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
