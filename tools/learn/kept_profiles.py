"""The data profiles that good runs have left in the pipeline's bucket.

A run's validation writes ``brewtrain/<pipeline>/runs/<run id>/quality.json``: its ``outcome``, the
``data_date``, the ``days`` that DataBrew looked at (``first`` and ``last``), and the address of the
data profile (``reports.profile``).
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.quality.learning import GoodWindow

RESULT = "quality.json"
# What a person has accepted although rules fail teaches nothing.
_GOOD = frozenset({"passed", "warned"})
# botocore keeps ten connections a client.
_READERS = 8


def kept_profiles(s3: Any, bucket: str, pipeline: str, most: int) -> list[GoodWindow]:
    """Return the profiles of the newest good windows, oldest first: one a data interval.

    :param s3: boto3's client.
    :param bucket: The pipeline's bucket.
    :param pipeline: Name of the pipeline.
    :param most: Windows to return.
    """
    newest = _runs(s3, bucket, f"{names.PREFIX}/{pipeline}/runs/")
    windows: list[GoodWindow] = []
    with ThreadPoolExecutor(max_workers=_READERS) as readers:
        for start in range(0, len(newest), _READERS):
            part = newest[start : start + _READERS]
            windows += [one for one in readers.map(lambda prefix: _window(s3, bucket, prefix), part) if one]
            if len(windows) >= most:
                break
    return sorted(windows[:most], key=lambda one: one.newest_day)


def _runs(s3: Any, bucket: str, prefix: str) -> list[str]:
    """Return the prefix of the last generation of each run, newest run first."""
    last: dict[str, str] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    for page in pages:
        for item in page.get("CommonPrefixes", ()):
            # A run id is <slug>-<interval end>-g<generation>.
            interval = str(item["Prefix"]).rpartition("-g")[0]
            last[interval] = max(last.get(interval, ""), item["Prefix"], key=_generation)
    return [last[interval] for interval in sorted(last, reverse=True)]


def _generation(prefix: str) -> tuple[int, str]:
    generation = prefix.rpartition("-g")[2]
    return len(generation), generation


def _window(s3: Any, bucket: str, prefix: str) -> GoodWindow | None:
    result = _document(s3, bucket, f"{prefix}{RESULT}")
    address = _members(result, "reports").get("profile")
    if result.get("outcome") not in _GOOD or not isinstance(address, str):
        return None
    days = _members(result, "days")
    first, last = (date.fromisoformat(str(days.get(name) or result["data_date"])) for name in ("first", "last"))
    where, _, key = address.removeprefix("s3://").partition("/")
    return GoodWindow(last, _document(s3, where, key), (last - first).days + 1 if days else None)


def _members(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _document(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    """Return a JSON document; empty if there is none."""
    from botocore.exceptions import ClientError

    try:
        document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return {}
    return document if isinstance(document, dict) else {}
