"""What all SageMaker resources share: the store, AWS's wording of errors, tags, listings.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/ and botocore's model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request, page
from local_aws.jobs.roles import role_problem
from local_aws.jobs.store import Partition, Record, ServiceStore

STORE = ServiceStore()

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
    """Return the tables of the request's account and region."""
    return STORE.partition(request.account_id, request.region)


def invalid(message: str) -> AwsError:
    """Return AWS's error for a request that cannot be fulfilled."""
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
    """Return the tags of a creating request as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}


def tags_of(arn: str) -> dict[str, str]:
    """Return the tags of a resource for IAM policies, where ARNs are in lower case."""
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
    """Return the record with that ARN, None if moto has the resource."""
    for table in _TAGGED_TABLES:
        for record in partition.table(table).values():
            if record["_arn"] == arn:
                return record
    return None


def add_tags(request: Request, record: Record) -> dict[str, Any]:
    """Add tags to a resource, or replace their values."""
    with STORE.lock:
        merged = {**record["_tags"], **tags_from(request.params)}
        if len(merged) > 50:
            raise invalid("A resource can have at most 50 tags.")
        record["_tags"] = merged
        return {"Tags": _as_list(merged)}


def list_tags(request: Request, record: Record) -> dict[str, Any]:
    """List the tags of a resource."""
    return page("Tags", _as_list(record["_tags"]), request.params, default_limit=50)


def delete_tags(request: Request, record: Record) -> dict[str, Any]:
    """Remove tags from a resource."""
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

    :param records: all records of the table.
    :param key: member of the answer.
    :param name_member: member that NameContains looks at.
    :param status_member: member that StatusEquals looks at; None if there is none.
    :param summary: record to list entry.
    :param default_order: ``SortOrder`` when the request gives none; None: newest first, or names in
        alphabetical order.
    """
    params = request.params
    wanted = [record for record in records if _is_listed(record, params, name_member, status_member)]
    order = params.get("SortBy") or "CreationTime"
    keys: dict[str, Callable[[Record], Any]] = {
        "Name": lambda record: record[name_member],
        "Status": lambda record: record[status_member or name_member],
    }
    usual = default_order or ("Descending" if order != "Name" else "Ascending")
    descending = (params.get("SortOrder") or usual) == "Descending"
    wanted.sort(key=keys.get(order, lambda record: record["CreationTime"]), reverse=descending)
    return page(key, [summary(record) for record in wanted], params)


def _is_listed(record: Record, params: dict[str, Any], name_member: str, status_member: str | None) -> bool:
    if params.get("NameContains") and params["NameContains"].lower() not in record[name_member].lower():
        return False
    if status_member and params.get("StatusEquals") not in (None, record[status_member]):
        return False
    created = record["CreationTime"].timestamp()
    modified = (record.get("LastModifiedTime") or record["CreationTime"]).timestamp()
    bounds = (
        ("CreationTimeAfter", created, 1),
        ("CreationTimeBefore", created, -1),
        ("LastModifiedTimeAfter", modified, 1),
        ("LastModifiedTimeBefore", modified, -1),
    )
    given: list[tuple[Any, float, int]] = [
        (params[name], value, sign) for name, value, sign in bounds if params.get(name) is not None
    ]
    return all((value - bound.timestamp()) * sign >= 0 for bound, value, sign in given)


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
