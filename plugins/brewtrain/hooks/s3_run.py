"""What a run reads from and writes to the pipeline's own part of S3, such as its result document.

Must not be imported while DAG files are parsed.

Source: ListObjectsV2, GetObject and PutObject in the Amazon S3 API Reference.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation.job import ENTRY_FILE, Code
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class S3RunHook(AwsClientHook):
    """S3 as one run uses it."""

    service = "s3"

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
