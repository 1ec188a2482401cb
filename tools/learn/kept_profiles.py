"""The data profiles that good runs have left in the pipeline's bucket.

A run's validation writes below ``brewtrain/<pipeline>/runs/<run id>/quality/`` what DataBrew's
profile job wrote, and ``quality.json`` beside it, with its ``outcome`` and, if it is there, the
``first_day`` and ``last_day`` that were looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.quality.learning import GoodWindow

RESULT = "quality.json"
_VALIDATION = "_dq-validation-report.json"
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
    prefix = f"{names.PREFIX}/{pipeline}/runs/"
    found: dict[str, tuple[str, list[str]]] = {}
    for run_id, keys in _runs(s3, bucket, prefix):
        # A run id is <slug>-<interval end>-g<generation>: later generations replace earlier ones.
        interval = run_id.rpartition("-g")[0]
        found[interval] = max(found.get(interval, (run_id, keys)), (run_id, keys))
    windows: list[GoodWindow] = []
    newest = [found[interval] for interval in sorted(found, reverse=True)]
    with ThreadPoolExecutor(max_workers=_READERS) as readers:
        for start in range(0, len(newest), _READERS):
            part = newest[start : start + _READERS]
            windows += [one for one in readers.map(lambda run: _window(s3, bucket, prefix, *run), part) if one]
            if len(windows) >= most:
                break
    return sorted(windows[:most], key=lambda one: one.newest_day)


def _runs(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Iterate over the runs that have a quality result, with the keys of their profiles."""
    results: set[str] = set()
    profiles: dict[str, list[str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            run_id, _, path = str(item["Key"]).removeprefix(prefix).partition("/")
            if path == RESULT:
                results.add(run_id)
            elif path.startswith("quality/") and path.endswith(".json") and not path.endswith(_VALIDATION):
                profiles.setdefault(run_id, []).append(item["Key"])
    return ((run_id, profiles[run_id]) for run_id in results if run_id in profiles)


def _window(s3: Any, bucket: str, prefix: str, run_id: str, keys: list[str]) -> GoodWindow | None:
    result = _document(s3, bucket, f"{prefix}{run_id}/{RESULT}")
    if result.get("outcome") not in _GOOD:
        return None
    profiles = [_document(s3, bucket, key) for key in keys]
    # A validation that was cleared has looked again: the last profile is that of the result.
    profile = max(profiles, key=lambda one: str(one.get("writtenOn")))
    days = [_day(result.get(member)) for member in ("first_day", "last_day")]
    first, last = days
    newest = last or _interval_day(run_id)
    return GoodWindow(newest, profile, (last - first).days + 1 if first and last else None)


def _document(s3: Any, bucket: str, key: str) -> dict[str, Any]:
    document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return document if isinstance(document, dict) else {}


def _day(value: object) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None


def _interval_day(run_id: str) -> date:
    return date.fromisoformat(run_id.rpartition("-g")[0].rpartition("-")[2].partition("T")[0])
