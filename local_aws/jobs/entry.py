"""The worker's side: how a run's process reads S3 and reports its result or its error.

Runs in a forked process whose environment holds the role's keys and the endpoint. Must not import
moto or anything of the server.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class JobError(Exception):
    """A failure of the job, in one sentence for its owner; it becomes the run's error message.

    :param message: what went wrong, where, what to do.
    :param kind: prefix that the service uses to sort errors, for example ``ClientError`` or
        ``AlgorithmError``.
    :param details: further members of the run's result.
    """

    def __init__(self, message: str, kind: str = "", **details: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.details = details


@dataclass(frozen=True)
class S3Object:
    """One object of a listing."""

    bucket: str
    key: str
    size: int
    last_modified: datetime


def warm_up() -> None:
    """Load boto3 and the S3 model before the fork, so that no worker has to.

    It is boto3's default session that is warmed, because scripts use it too. It finds keys and
    endpoint in the environment when it makes a client, and the environment is the run's by then.
    """
    session = _boto_session()
    session.client("s3", aws_access_key_id="warm", aws_secret_access_key="up", region_name="us-east-1")  # noqa: S106


def client(service: str) -> Any:
    """Make a boto3 client with the run's keys, region and endpoint, all from the environment."""
    from botocore.config import Config

    # Keys are passed on each call because the session was made before the fork, when the
    # environment held none.
    options: dict[str, Any] = {"retries": {"mode": "standard", "max_attempts": 4}}
    if service == "s3":
        options["s3"] = {"addressing_style": "path"}
    return _boto_session().client(
        service,
        region_name=os.environ["AWS_REGION"],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=os.environ["AWS_SESSION_TOKEN"],
        config=Config(**options),
    )


def reports_result(work: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], int]:
    """Turn a function ``payload -> result`` into a worker's entry point.

    The result, or the error in one sentence, goes to the file that the payload names, written
    complete or not at all.
    """

    @functools.wraps(work)
    def entry(payload: dict[str, Any]) -> int:
        from botocore.exceptions import BotoCoreError, ClientError

        result: dict[str, Any]
        code = 1
        try:
            result = work(payload)
            code = 0
        except JobError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            result = {**error.details, "error": str(error), "kind": error.kind}
        except (ClientError, BotoCoreError) as error:
            traceback.print_exc()
            result = {"error": f"{error}", "kind": "ClientError"}
        except MemoryError:
            result = {"error": "the job ran out of memory; use less data or fewer rows", "kind": "ClientError"}
        except OSError as error:
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}", "kind": "InternalError"}
        write_result(payload, result)
        return code

    return entry


def hide_this_repository() -> None:
    """Take this repository off the import path: a script finds only its own files."""
    root = str(Path(__file__).resolve().parents[2])
    sys.path[:] = [path for path in sys.path if path not in ("", root)]


def write_result(payload: dict[str, Any], result: dict[str, Any]) -> None:
    """Put a result where the server looks for it, in one step."""
    path = Path(payload["result_path"])
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(path)


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split an ``s3://``, ``s3a://`` or ``s3n://`` URI into bucket and key.

    :raises JobError: it is not such a URI.
    """
    parts = urlsplit(uri, allow_fragments=False)
    if parts.scheme not in ("s3", "s3a", "s3n") or not parts.netloc:
        raise JobError(f"{uri!r} is not an S3 URI; write s3://bucket/key", "ClientError")
    query = f"?{parts.query}" if parts.query else ""
    return parts.netloc, (parts.path + query).lstrip("/")


def list_objects(s3: Any, bucket: str, prefix: str) -> Iterator[S3Object]:
    """Iterate over every object below a prefix, in key order."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield S3Object(bucket, entry["Key"], entry["Size"], entry["LastModified"])


def download(s3: Any, bucket: str, key: str, target: Path) -> Path:
    """Copy an object to a file; the file is complete or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    with partial.open("wb") as file:
        shutil.copyfileobj(body, file, 1 << 20)
    partial.replace(target)
    return target


def upload(s3: Any, source: Path, bucket: str, key: str, **options: Any) -> None:
    """Copy a file to an object in one request, so that it is complete or absent."""
    with source.open("rb") as file:
        s3.put_object(Bucket=bucket, Key=key, Body=file, **options)


def _boto_session() -> Any:
    import boto3

    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    return boto3.DEFAULT_SESSION
