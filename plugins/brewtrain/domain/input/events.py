"""What S3 tells in an event: which objects were written.

Must not import Airflow or boto3.

Source: "Event message structure" in the Amazon S3 User Guide: keys are URL-encoded, with ``+`` for
a blank, and a bucket whose notifications were just set sends an ``s3:TestEvent`` without records.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_plus


def keys_of(body: str, *, bucket: str) -> set[str]:
    """Return the keys of a bucket that a message names.

    :param body: The message, whoever sent it: anything else than S3's events names no key.
    :param bucket: The bucket.
    """
    try:
        document = json.loads(body)
    except ValueError:
        return set()
    records = document.get("Records") if isinstance(document, dict) else None
    found = (_key(record, bucket) for record in (records if isinstance(records, list) else ()))
    return {key for key in found if key is not None}


def _key(record: Any, bucket: str) -> str | None:
    match record:
        case {"eventName": str(name), "s3": {"bucket": {"name": str(where)}, "object": {"key": str(key)}}}:
            return unquote_plus(key) if where == bucket and name.startswith("ObjectCreated:") else None
        case _:
            return None
