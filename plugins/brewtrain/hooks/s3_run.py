"""What a run reads from and writes to S3 itself: the check of its input, and its result document.

The data is read by DataBrew; only the newest file's head is looked at here, so that a wrong file
costs seconds rather than a transform. Must not be imported while DAG files are parsed.

Source: ListObjectsV2, GetObject (Range) and PutObject in the Amazon S3 API Reference.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.evaluation.job import ENTRY_FILE, Code
from brewtrain.domain.input.file_head import no_rows, read_head
from brewtrain.domain.input.promised_columns import check_columns
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.interval import DataInterval
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class S3RunHook(AwsClientHook):
    """S3 as one run uses it."""

    service = "s3"

    def check_partition(self, pipeline: Pipeline, interval: DataInterval, *, bucket: str) -> dict[str, Any]:
        """Check that an interval has data of the promised shape.

        The newest partition of the interval counts: a week's or month's last day may be one without
        business, which has no partition, or one with a header and no row.

        :param bucket: The pipeline's bucket.
        :returns: ``{path, files, bytes, newest}`` of that partition.
        :raises InputError: If no day of the interval has a partition, if the newest one has only
            empty files, if its newest file's header is not what the pipeline file says, or if none
            has a row.
        """
        source_bucket, layout = pipeline.source.bucket(bucket), pipeline.source.layout
        without_rows: InputError | None = None
        days = pipeline.data_days.of_interval(interval)
        if days[0] < pipeline.start_date:
            raise InputError(
                f"the newest day of this run is {days[0]}, before start_date {pipeline.start_date} of pipeline "
                f"{pipeline.name}; run a later interval, or change start_date in the pipeline file"
            )
        for day in days:
            prefix = layout.prefix(day)
            path = f"s3://{source_bucket}/{prefix}"
            files = [file for file in self._files(source_bucket, prefix, path) if layout.day_of(file["Key"]) == day]
            if not files:
                continue
            filled = [file for file in files if file["Size"] > 0]
            if not filled:
                raise InputError(
                    f"{path} has {len(files)} file(s), all of them empty; deliver the data of {day} again, then clear "
                    "check_input"
                )
            newest = max(filled, key=lambda file: (file["LastModified"], file["Key"]))
            has_row = self._check_head(pipeline, source_bucket, newest)
            if len(filled) > 1 or has_row:
                return {
                    "path": path,
                    "files": len(filled),
                    "bytes": sum(file["Size"] for file in filled),
                    "newest": f"s3://{source_bucket}/{newest['Key']}",
                }
            without_rows = without_rows or InputError(
                f"s3://{source_bucket}/{newest['Key']} {no_rows(pipeline.source)}{_nor_others(days)}; deliver the data "
                f"of {day} again, then clear check_input"
            )
        raise without_rows or InputError(_not_delivered(pipeline, source_bucket, days))

    def check_evaluation_code(self, pipeline: Pipeline, code: Code, *, bucket: str) -> None:
        """Check that this release of the evaluation is deployed: without it a run fails late.

        :param bucket: The pipeline's bucket.
        :raises DeploymentError: If it is not.
        """
        # The last one to be uploaded.
        key = f"{names.evaluation_code_prefix(pipeline.name, code.sha256)}{ENTRY_FILE}"
        path = f"s3://{bucket}/{key}"
        if not self._files(bucket, key, path):
            raise DeploymentError(
                f"{path} does not exist: the deployment and these DAGs are of different releases; run "
                f"{pipeline.name}__deploy, then clear start_execution"
            )

    def check_bucket(self, bucket: str) -> None:
        """Check that a bucket exists and may be listed.

        :raises DeploymentError: If not.
        """
        self._files(bucket, "brewtrain/preflight/", f"s3://{bucket}/")

    def _files(self, bucket: str, prefix: str, path: str) -> list[dict[str, Any]]:
        with self.errors(path):
            try:
                pages = self.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
                return [item for page in pages for item in page.get("Contents", ()) if not item["Key"].endswith("/")]
            except ClientError as error:
                if error_code(error) == "NoSuchBucket":
                    raise DeploymentError(
                        f"bucket {bucket!r} does not exist; deploy include/cloudformation/storage.yaml, or name the "
                        "right bucket in the pipeline file"
                    ) from error
                raise

    def _check_head(self, pipeline: Pipeline, bucket: str, file: dict[str, Any]) -> bool:
        """Check what a file's head says of its columns.

        :returns: Whether the file has a row.
        """
        uri = f"s3://{bucket}/{file['Key']}"

        def read(range_: str) -> bytes:
            with self.errors(uri):
                content: bytes = self.conn.get_object(Bucket=bucket, Key=file["Key"], Range=range_)["Body"].read()
                return content

        head = read_head(pipeline.source, uri, file["Size"], read)
        check_columns(pipeline, head, uri)
        return head.has_row

    def read_text(self, uri: str) -> str | None:
        """Return an object's content as text, or ``None`` if it is not there.

        :param uri: ``s3://bucket/key``.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        with self.errors(uri):
            try:
                content: bytes = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey"):
                    return None
                raise
        return content.decode("utf-8", errors="replace")

    def read_document(self, uri: str) -> dict[str, Any] | None:
        """Return a JSON document, or ``None`` if it is not there or is none.

        :param uri: ``s3://bucket/key``.
        """
        text = self.read_text(uri)
        try:
            document = json.loads(text or "null")
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def put_document(self, bucket: str, key: str, document: dict[str, Any]) -> str:
        """Write a JSON document in one PutObject, so that it is complete or absent.

        :returns: Its address.
        """
        path = f"s3://{bucket}/{key}"
        body = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        with self.errors(path):
            self.conn.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")
        return path


def _not_delivered(pipeline: Pipeline, bucket: str, days: list[date]) -> str:
    newest = days[0].isoformat()
    path = f"s3://{bucket}/{pipeline.source.layout.prefix(days[0])}"
    if len(days) == 1:
        return f"{path} has no files: the partition of {newest} was not delivered; deliver it, then clear check_input"
    return (
        f"{path} has no files, and neither has any partition since {days[-1]}: no day of the interval was "
        "delivered; deliver one, then clear check_input"
    )


def _nor_others(days: list[date]) -> str:
    return "" if len(days) == 1 else f", and neither has any other partition from {days[-1]} to {days[0]}"
