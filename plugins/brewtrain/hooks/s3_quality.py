"""S3 as the quality rules need it: the files of days, their first rows, reports, small documents.

Must not be imported while DAG files are parsed.

Source: ListObjectsV2, GetObject (Range), PutObject (If-Match, If-None-Match: "Conditional writes")
in the Amazon S3 API Reference and User Guide.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import InputError, TransientError
from brewtrain.domain.input.head import HeadTooShortError
from brewtrain.domain.input.parquet_footer import parquet_rows
from brewtrain.domain.input.rows import count_rows, first_rows
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.pipeline.source import Source
from brewtrain.domain.quality.memory import DayMemory, StoredFile
from brewtrain.domain.run.days import Window
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.s3_run import S3RunHook

# Up to so many days are listed one by one; a longer window by what all its keys begin with.
DAYS_ONE_BY_ONE = 31
HEAD_BYTES = 512 * 1024
_PIECE_BYTES = 1 << 20
_WRITES = 5
# The last: another has deleted what If-Match names.
_CHANGED_BY_OTHERS = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404")


@dataclass(frozen=True)
class Reports:
    """What a run of the profile job wrote.

    :param validation: The validation report; ``None`` if there is none that can be read.
    :param profile: The data profile, likewise.
    :param addresses: Address of each that exists: ``validation``, ``profile``.
    """

    validation: dict[str, Any] | None
    profile: dict[str, Any] | None
    addresses: dict[str, str]


class S3QualityHook(S3RunHook):
    """S3 as the quality rules need it."""

    def files(self, pipeline: Pipeline, days: Window, *, bucket: str) -> dict[date, list[StoredFile]]:
        """Return the files of days, in the order of their keys; a day without files is not in it.

        :param days: The days.
        :param bucket: The pipeline's bucket.
        """
        layout, source_bucket = pipeline.source.layout, pipeline.source.bucket(bucket)
        wanted = days.days
        prefixes = [layout.prefix(day) for day in wanted] if len(wanted) <= DAYS_ONE_BY_ONE else [layout.literal_prefix]
        found: defaultdict[date, list[StoredFile]] = defaultdict(list)
        for prefix in prefixes:
            for item in self._listed(source_bucket, prefix):
                day = layout.day_of(item["Key"])
                if day is not None and days.first <= day <= days.last:
                    found[day].append(StoredFile(item["Key"], item["ETag"], item["Size"], item["LastModified"]))
        return dict(found)

    def _listed(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        with self.errors(f"s3://{bucket}/{prefix}"):
            for page in self.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                yield from page.get("Contents", ())

    def count_rows(self, pipeline: Pipeline, files: Iterable[StoredFile], *, bucket: str) -> int:
        """Return how many rows files have. Text is read once, of Parquet the footer alone.

        :param files: The files.
        :param bucket: The pipeline's bucket.
        :raises InputError: If the rows of one cannot be counted.
        """
        source_bucket = pipeline.source.bucket(bucket)
        count = self._parquet_rows if pipeline.source.format == "parquet" else self._text_rows
        rows = 0
        for file in files:
            path = f"s3://{source_bucket}/{file.key}"
            if not file.size:
                continue
            try:
                with self.errors(path):
                    rows += count(pipeline.source, source_bucket, file)
            except (HeadTooShortError, ValueError) as error:
                raise InputError(
                    f"the rows of {path} cannot be counted ({error}); deliver it again, then clear check_input"
                ) from error
        return rows

    def _text_rows(self, source: Source, bucket: str, file: StoredFile) -> int:
        body = self._body(bucket, file)
        return count_rows(source, file.key, io.BufferedReader(_ByLine(body), buffer_size=_PIECE_BYTES))

    def _body(self, bucket: str, file: StoredFile, **options: Any) -> Any:
        """Return the content of a file as it was listed.

        :raises TransientError: If it has changed since.
        """
        try:
            return self.conn.get_object(Bucket=bucket, Key=file.key, IfMatch=file.etag, **options)["Body"]
        except ClientError as error:
            if error_code(error) in ("412", *_CHANGED_BY_OTHERS):
                raise TransientError(
                    f"s3://{bucket}/{file.key} was changed or removed while its rows were counted; trying again helps "
                    "once its delivery is over"
                ) from error
            raise

    def _parquet_rows(self, source: Source, bucket: str, file: StoredFile) -> int:
        wanted = HEAD_BYTES
        while True:
            body = self._body(bucket, file, Range=f"bytes=-{wanted}")
            try:
                return parquet_rows(body.read(), whole=wanted >= file.size)
            except HeadTooShortError as error:
                if wanted >= file.size:
                    raise
                wanted = max(2 * wanted, error.wanted)

    def first_rows(self, pipeline: Pipeline, file: StoredFile, *, bucket: str) -> list[dict[str, str]]:
        """Return the rows in the first 512 KiB of a file, by column; none if it is no text.

        :param file: The file.
        :param bucket: The pipeline's bucket.
        """
        if pipeline.source.format == "parquet":
            return []
        source_bucket = pipeline.source.bucket(bucket)
        with self.errors(f"s3://{source_bucket}/{file.key}"):
            answer = self.conn.get_object(Bucket=source_bucket, Key=file.key, Range=f"bytes=0-{HEAD_BYTES - 1}")
            head: bytes = answer["Body"].read()
        return first_rows(pipeline.source, file.key, head, whole=file.size <= HEAD_BYTES)

    def reports(self, bucket: str, prefix: str, run_id: str) -> Reports:
        """Return what a run of the profile job wrote.

        The guide names the objects by example only, so they are found by the run's id.

        :param prefix: Key prefix of the job's output.
        :param run_id: Id of the job run.
        """
        stem = run_id.removeprefix("db_")
        keys = [item["Key"] for item in self._listed(bucket, prefix) if stem in item["Key"]]
        found = {
            "validation": next((key for key in keys if key.endswith("dq-validation-report.json")), None),
            "profile": next(
                (key for key in keys if key.endswith(".json") and not key.endswith("dq-validation-report.json")), None
            ),
        }
        addresses = {name: f"s3://{bucket}/{key}" for name, key in found.items() if key is not None}
        documents = {name: self.read_document(address) for name, address in addresses.items()}
        return Reports(documents.get("validation"), documents.get("profile"), addresses)

    def memory(self, pipeline: str, *, bucket: str) -> DayMemory:
        """Return what is known of a pipeline's days.

        :param pipeline: Name of the pipeline.
        """
        return DayMemory.of(self.read_document(f"s3://{bucket}/{names.quality_memory_key(pipeline)}"))

    def update_memory(self, pipeline: str, change: Callable[[DayMemory], DayMemory], *, bucket: str) -> None:
        """Change what is known of a pipeline's days.

        :param pipeline: Name of the pipeline.
        :param change: Returns the memory as it should be. It may be called more than once.
        """
        key = names.quality_memory_key(pipeline)
        self.update_document(bucket, key, lambda document: change(DayMemory.of(document)).document())

    def update_document(self, bucket: str, key: str, change: Callable[[object], dict[str, Any]]) -> None:
        """Change a JSON document that other runs may change at the same time.

        :param change: Returns the document as it should be, of what it is; ``None`` where there is
            none that can be read. It may be called more than once.
        :raises TransientError: If others were faster each time.
        """
        path = f"s3://{bucket}/{key}"
        for _ in range(_WRITES):
            document, condition = self._read_for_change(bucket, key)
            body = json.dumps(change(document), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            with self.errors(path):
                try:
                    self.conn.put_object(
                        Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json", **condition
                    )
                except ClientError as error:
                    if error_code(error) in _CHANGED_BY_OTHERS:
                        continue
                    raise
                return
        raise TransientError(f"{path} was changed by others {_WRITES} times in a row; trying again helps")

    def _read_for_change(self, bucket: str, key: str) -> tuple[object, dict[str, str]]:
        with self.errors(f"s3://{bucket}/{key}"):
            try:
                answer = self.conn.get_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey"):
                    return None, {"IfNoneMatch": "*"}
                raise
            content: bytes = answer["Body"].read()
        try:
            return json.loads(content), {"IfMatch": answer["ETag"]}
        except ValueError:
            self.log.warning("s3://%s/%s cannot be read and is begun anew", bucket, key)
            return None, {"IfMatch": answer["ETag"]}


class _ByLine(io.RawIOBase):
    """botocore's stream of an object, as Python's files are built on."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # Some of botocore's errors are OSErrors, as damaged archives are to those who unpack.
        try:
            return self._body.read() if size < 0 else self._body.read(size)
        except BotoCoreError as error:
            raise TransientError(f"S3 stopped sending an object ({error}); trying again helps") from error

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
