"""S3 as the source of a run's data: one listing of its window, and the heads of its new files.

Must not be imported while DAG files are parsed.

Source: ListObjectsV2 (keys come in UTF-8 order, up to 1,000 a call; ``StartAfter`` may be any
text), GetObject (``Range``, ``If-Match``) and PutObject in the Amazon S3 API Reference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError, TransientError
from brewtrain.domain.input.delivered import Delivered, StoredObject, delivered
from brewtrain.domain.input.file_head import read_head
from brewtrain.domain.input.file_tail import TAIL_RANGE, has_tail, tail_problem
from brewtrain.domain.input.memory import Memory, packed, rules_of, unpacked
from brewtrain.domain.input.observed import Observed
from brewtrain.domain.input.window_check import WindowCheck, check
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.layout import Layout
from brewtrain.domain.run.days import Window
from brewtrain.domain.run.interval import DataInterval
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook
from brewtrain.hooks.s3_listing import objects_of, read_fast

# botocore keeps ten connections a client.
_READERS = 10
PROGRESS_SECONDS = 3.0
# Sorts behind the names that are usual below a prefix; what sorts behind it is sorted out later.
_BEHIND = "~"


@dataclass(frozen=True)
class CheckedWindow:
    """What the check of a window has found.

    :param found: What it has found.
    :param bucket: The source's bucket.
    :param layout: How the source writes the days of its files.
    :param calls: Calls to S3 that it took.
    """

    found: WindowCheck
    bucket: str
    layout: Layout
    calls: int

    @property
    def summary(self) -> dict[str, Any]:
        """The result in a few numbers.

        ``path``, ``files``, ``bytes`` and ``newest`` (the file that was written last) are those of
        the newest day; ``partitions`` counts the window's days with data, ``new_partitions`` those
        that were looked at now, ``missing_days`` those without data.

        :raises ValueError: If there is no newest day.
        """
        if self.found.newest is None:
            raise ValueError("the window has no newest day")
        day = self.found.delivered.of(self.found.newest)
        newest = max(day.filled, key=lambda one: (one.modified_at, one.key))
        return {
            "path": f"s3://{self.bucket}/{self.layout.prefix(day.day)}",
            "files": len(day.filled),
            "bytes": sum(one.size for one in day.filled),
            "newest": f"s3://{self.bucket}/{newest.key}",
            "partitions": len(self.found.delivered.filled_days),
            "new_partitions": len(self.found.looked_at),
            "missing_days": len(self.found.missing),
            "calls": self.calls,
        }


class _ArchivedError(InputError):
    """An object is in a storage class from which it must be restored first."""


class S3SourceHook(AwsClientHook):
    """The data of a pipeline's source."""

    service = "s3"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._calls = 0
        self._counting = Lock()

    def check_window(self, pipeline: Pipeline, interval: DataInterval, *, bucket: str) -> CheckedWindow:
        """Check all data that the run of an interval reads, and remember what was seen.

        :param pipeline: The pipeline file.
        :param interval: The run's data interval.
        :param bucket: The pipeline's bucket.
        :raises InputError: If the window's data cannot be trained on: all that is wrong with it.
        :raises DeploymentError: If a bucket does not exist, or AWS refuses.
        :raises TransientError: If AWS was not available, or a file was changed meanwhile.
        """
        days = pipeline.data_days.of_interval(interval)
        if days[0] < pipeline.start_date:
            raise InputError(
                f"the newest day of this run is {days[0]}, before start_date {pipeline.start_date} of pipeline "
                f"{pipeline.name}; run a later interval, or change start_date in the pipeline file"
            )
        self._calls = 0
        window = pipeline.data_days.window(days[0])
        found = self.delivered(pipeline, window, bucket=bucket)
        memory, stored = self._remembered(pipeline, bucket)
        source_bucket = pipeline.source.bucket(bucket)

        def look(files: Mapping[date, Sequence[StoredObject]]) -> dict[str, Observed]:
            return self._look(pipeline, source_bucket, files)

        checked = check(pipeline, days, bucket=source_bucket, found=found, memory=memory, look=look)
        content = packed(checked.memory)
        if content != stored:
            self._put(bucket, names.checked_key(pipeline.name), content)
        if checked.problem is not None:
            raise InputError(checked.problem)
        return CheckedWindow(checked, source_bucket, pipeline.source.layout, self._calls)

    def delivered(self, pipeline: Pipeline, window: Window, *, bucket: str) -> Delivered:
        """Return the data of a window's days.

        :param pipeline: The pipeline file.
        :param window: The days.
        :param bucket: The pipeline's bucket.
        :raises DeploymentError: If the source's bucket does not exist, or AWS refuses.
        :raises TransientError: If AWS was not available.
        """
        layout = pipeline.source.layout
        return delivered(self._listed(pipeline.source.bucket(bucket), layout, window), layout, window)

    def _listed(self, bucket: str, layout: Layout, window: Window) -> Iterator[StoredObject]:
        """List the objects of a window, and few others, in as few calls as possible."""
        if layout.sorts_by_day:
            yield from self._listed_in_order(bucket, layout, window)
            return
        # Days lie in any order: everything is listed, unless that takes more calls than the days.
        seen: list[StoredObject] = []
        for number, page in enumerate(self._pages(bucket, layout.literal_prefix)):
            if number >= len(window.days):
                break
            seen += page
        else:
            yield from seen
            return
        for day in window.days:
            for page in self._pages(bucket, layout.prefix(day)):
                yield from page

    def _listed_in_order(self, bucket: str, layout: Layout, window: Window) -> Iterator[StoredObject]:
        before = layout.prefix(window.first - timedelta(days=1)) + _BEHIND
        last = layout.prefix(window.last)
        for page in self._pages(bucket, layout.literal_prefix, after=before):
            yield from page
            if page and page[-1].key > last and not page[-1].key.startswith(last):
                return

    def _pages(self, bucket: str, prefix: str, *, after: str = "") -> Iterator[list[StoredObject]]:
        start = {"StartAfter": after} if after else {}
        read_fast(self.conn)
        with self.errors(f"s3://{bucket}/{prefix}"):
            try:
                for page in self.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start):
                    self._count()
                    yield objects_of(page)
            except ClientError as error:
                if error_code(error) == "NoSuchBucket":
                    raise DeploymentError(
                        f"bucket {bucket!r} does not exist; deploy include/cloudformation/storage.yaml, or name the "
                        "right bucket in the pipeline file"
                    ) from error
                raise

    def _look(
        self, pipeline: Pipeline, bucket: str, files: Mapping[date, Sequence[StoredObject]]
    ) -> dict[str, Observed]:
        """Look into the heads of files, a few at once, and say how far it has come."""
        client = self.conn  # made before the threads, which must not make it at once
        objects = [one for day in files.values() for one in day]
        said = time.monotonic()

        def look(one: StoredObject) -> Observed:
            assert client is self.conn
            return self._observe(pipeline, bucket, one)

        found: dict[str, Observed] = {}
        with ThreadPoolExecutor(max_workers=min(_READERS, len(objects))) as readers:
            for one, observed in zip(objects, readers.map(look, objects), strict=True):
                found[one.key] = observed
                if time.monotonic() - said >= PROGRESS_SECONDS:
                    said = time.monotonic()
                    self.log.info("looked into %s of %s files, of %s day(s)", len(found), len(objects), len(files))
        return found

    def _observe(self, pipeline: Pipeline, bucket: str, one: StoredObject) -> Observed:
        try:
            return self._content(pipeline, bucket, one)
        except _ArchivedError as error:
            # It can be restored, and is the same object then.
            return Observed(one.key, fault=str(error), lasting=False)

    def _content(self, pipeline: Pipeline, bucket: str, one: StoredObject) -> Observed:
        uri = f"s3://{bucket}/{one.key}"
        try:
            head = read_head(pipeline.source, uri, one.size, lambda wanted: self._bytes(bucket, one, wanted))
        except _ArchivedError:
            raise
        except InputError as error:
            return Observed(one.key, fault=str(error))
        if has_tail(pipeline.source, one.key, one.size):
            problem = tail_problem(self._bytes(bucket, one, TAIL_RANGE), pipeline.source, head)
            if problem is not None:
                return Observed(one.key, fault=f"{uri} {problem}")
        return Observed(one.key, head)

    def _bytes(self, bucket: str, one: StoredObject, wanted: str) -> bytes:
        """Return a part of the very object that was listed.

        :param wanted: Value of the header ``Range``.
        """
        uri = f"s3://{bucket}/{one.key}"
        self._count()
        with self.errors(uri):
            try:
                answer = self.conn.get_object(Bucket=bucket, Key=one.key, Range=wanted, IfMatch=one.etag)
                content: bytes = answer["Body"].read()
            except ClientError as error:
                code = error_code(error)
                if code in ("404", "412", "NoSuchKey", "PreconditionFailed"):
                    raise TransientError(
                        f"{uri} was changed or removed while it was looked at; trying again helps once its delivery is "
                        "over"
                    ) from error
                if code == "InvalidObjectState":
                    raise _ArchivedError(
                        f"{uri} is archived and cannot be read; restore it, or set start_date after its day, then "
                        "clear check_input"
                    ) from error
                raise
        return content

    def _remembered(self, pipeline: Pipeline, bucket: str) -> tuple[Memory, bytes | None]:
        """Return what earlier checks have seen, and as it is stored."""
        key, rules = names.checked_key(pipeline.name), rules_of(pipeline.source)
        uri = f"s3://{bucket}/{key}"
        self._count()
        stored: bytes | None = None
        with self.errors(uri):
            try:
                stored = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) not in ("404", "NoSuchKey"):
                    raise
        try:
            return unpacked(stored, rules), stored
        except ValueError as error:
            self.log.warning("%s is not used: %s; every day is looked at again", uri, error)
            return Memory(rules), stored

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        self._count()
        with self.errors(f"s3://{bucket}/{key}"):
            self.conn.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/gzip")

    def _count(self) -> None:
        with self._counting:
            self._calls += 1
