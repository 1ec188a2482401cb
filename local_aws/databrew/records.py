"""What all DataBrew resources share: the store, AWS's errors, names, who made what, pages.

API: https://docs.aws.amazon.com/databrew/latest/dg/api-reference.html
"""

from __future__ import annotations

import re

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import Request
from local_aws.jobs.store import Partition, Record, ServiceStore, now

STORE = ServiceStore()
#: States of a run that has not ended.
ACTIVE_STATES = frozenset({"STARTING", "RUNNING", "STOPPING"})


def partition_of(request: Request) -> Partition:
    """Return the tables of the request's account and region."""
    return STORE.partition(request.account_id, request.region)


def not_found(kind: str, name: str) -> AwsError:
    """Return AWS's error for a name that does not exist."""
    return AwsError("ResourceNotFoundException", f"{kind} {name} does not exist.", 404)


def conflict(message: str) -> AwsError:
    """Return AWS's error for a request that conflicts with what exists."""
    return AwsError("ConflictException", message, 409)


def invalid(message: str) -> AwsError:
    """Return AWS's error for an invalid request."""
    return AwsError("ValidationException", message)


# "Valid characters are alphanumeric (A-Z, a-z, 0-9), hyphen (-), period (.), and space", says every
# Create call's page. Whether AWS refuses an underscore is not known, so it is accepted here. Names
# become file names of a job's output.
_NAME = re.compile(r"[A-Za-z0-9_. -]+")


def check_name(name: str) -> None:
    """Refuse a name with other characters than AWS's pages list.

    :raises AwsError: the name has another character.
    """
    if not _NAME.fullmatch(name) or not name.strip(". "):
        raise invalid(
            f"The name {name!r} is not valid: write alphanumeric characters (A-Z, a-z, 0-9), hyphen (-), period (.) "
            "and space."
        )


def stamp_created(request: Request, record: Record) -> None:
    """Give a new resource its account, tags, and the time and person of its creation."""
    record["AccountId"] = request.account_id
    record["Tags"] = dict(request.params.get("Tags") or {})
    record["CreateDate"] = now()
    record["CreatedBy"] = caller(request)


def stamp_modified(request: Request, record: Record) -> None:
    """Note the time and person of a change."""
    record["LastModifiedDate"] = now()
    record["LastModifiedBy"] = caller(request)


def caller(request: Request) -> str:
    """Return the ARN that resources name as their creator: always the account's root here."""
    return f"arn:{request.partition}:iam::{request.account_id}:root"
