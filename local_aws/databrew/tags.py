"""Tags of DataBrew's resources, as the API changes them and as IAM policies read them.

API: https://docs.aws.amazon.com/databrew/latest/dg/API_TagResource.html
"""

from __future__ import annotations

from typing import Any

from local_aws.jobs.modelled import Request
from local_aws.jobs.store import Partition, Record

from .records import STORE, invalid, not_found, partition_of

_TAGGED_TABLES = ("datasets", "recipes", "rulesets", "jobs")


def tag_resource(request: Request) -> dict[str, Any]:
    """Add tags to a resource, or replace their values."""
    with STORE.lock:
        tags = _tagged(request)["Tags"]
        if len({**tags, **request.params["Tags"]}) > 200:
            raise invalid("A resource can have at most 200 tags.")
        tags.update(request.params["Tags"])
    return {}


def untag_resource(request: Request) -> dict[str, Any]:
    """Remove tags from a resource."""
    with STORE.lock:
        tags = _tagged(request)["Tags"]
        for key in request.params["TagKeys"]:
            tags.pop(key, None)
    return {}


def list_tags_for_resource(request: Request) -> dict[str, Any]:
    """Return the tags of a resource."""
    with STORE.lock:
        return {"Tags": dict(_tagged(request)["Tags"])}


def tags_of(arn: str) -> dict[str, str]:
    """Return the tags of a resource for IAM policies; none if the resource does not exist."""
    _, _, _, region, account, _ = arn.split(":", 5)
    with STORE.lock:
        record = _find(STORE.partition(account, region), arn)
        return dict(record["Tags"]) if record is not None else {}


def _tagged(request: Request) -> Record:
    arn = request.params["ResourceArn"]
    record = _find(partition_of(request), arn)
    if record is None:
        raise not_found("The resource", arn)
    return record


def _find(partition: Partition, arn: str) -> Record | None:
    tables = (partition.table(name) for name in _TAGGED_TABLES)
    return next((record for table in tables for record in table.values() if record["ResourceArn"] == arn), None)
