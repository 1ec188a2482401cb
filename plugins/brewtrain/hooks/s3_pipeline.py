"""A pipeline's part of its bucket: JSON documents to read, and files to list and delete.

Must not be imported while DAG files are parsed.

Source: ListObjectsV2, GetObject, HeadObject and DeleteObjects in the Amazon S3 API Reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.deployment.cleanup import Files
from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.hooks.aws_errors import THROTTLING_CODES, UNAVAILABLE_CODES, error_code
from brewtrain.hooks.connection import AwsClientHook

# DeleteObjects' limit.
DELETE_BATCH = 1000
# botocore keeps ten connections a client.
_READERS = 8


class S3PipelineHook(AwsClientHook):
    """A pipeline's documents and files."""

    service = "s3"

    def read_document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """Return a JSON document; ``None`` if it is not there.

        :raises DeploymentError: If it is not a JSON object.
        """
        path = f"s3://{bucket}/{key}"
        with self.errors(path):
            try:
                body = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey"):
                    return None
                raise
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise DeploymentError(f"{path} is not a JSON object; delete it, or restore its earlier version")
        return document

    def read_documents(self, bucket: str, keys: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the documents that exist and can be read, in the order of the keys.

        The log names the others.
        """
        if not keys:
            return
        client = self.conn  # made before the threads, which must not make it at once

        def read(key: str) -> dict[str, Any] | None:
            assert client is self.conn
            try:
                return self.read_document(bucket, key)
            except TransientError:
                raise
            except DeploymentError as error:
                if error.__cause__ is not None:
                    raise
                self.log.warning("%s", error)
                return None

        with ThreadPoolExecutor(max_workers=min(_READERS, len(keys))) as readers:
            for key, document in zip(keys, readers.map(read, keys), strict=True):
                if document is not None:
                    yield key, document

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        return [item["Key"] for item in self._objects(bucket, prefix)]

    def folders(self, bucket: str, prefix: str) -> list[str]:
        """Return the prefixes right below a prefix, with their slashes."""
        with self.errors(f"s3://{bucket}/{prefix}"):
            pages = self.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            return [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]

    def files(self, bucket: str, prefix: str) -> list[Files]:
        """Return what is below a prefix, by folder; an object right there is one of its own."""
        found: dict[str, tuple[datetime, dict[str, int]]] = {}
        for item in self._objects(bucket, prefix):
            rest = item["Key"].removeprefix(prefix)
            folder, slash, path = rest.partition("/")
            name = f"{prefix}{folder}{slash}"
            newest, objects = found.get(name, (item["LastModified"], {}))
            objects[path] = item["Size"]
            found[name] = (max(newest, item["LastModified"]), objects)
        return [Files(name, newest, objects) for name, (newest, objects) in sorted(found.items())]

    def _objects(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        with self.errors(f"s3://{bucket}/{prefix}"):
            for page in self.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                yield from page.get("Contents", ())

    def exists(self, address: str) -> bool:
        """Whether there is an object at ``s3://bucket/key``."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        with self.errors(address):
            try:
                self.conn.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey", "NotFound", "NoSuchBucket"):
                    return False
                raise
        return True

    def delete(self, bucket: str, keys: Sequence[str]) -> None:
        """Delete objects; those that are gone already are fine.

        :raises TransientError: If S3 was too busy for some of them; trying again helps.
        :raises DeploymentError: If S3 refuses.
        """
        for start in range(0, len(keys), DELETE_BATCH):
            batch = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
            with self.errors(f"s3://{bucket}/{keys[start]}"):
                answer = self.conn.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            errors = answer.get("Errors") or []
            if errors:
                self._report(bucket, errors)

    @staticmethod
    def _report(bucket: str, errors: Sequence[dict[str, Any]]) -> None:
        first = next((one for one in errors if one.get("Code") not in THROTTLING_CODES | UNAVAILABLE_CODES), errors[0])
        code = first.get("Code", "")
        sentence = (
            f"{len(errors)} object(s) in s3://{bucket}/ were not deleted, {first.get('Key')} among them "
            f"({code}: {first.get('Message', 'no message')})"
        )
        if code in THROTTLING_CODES | UNAVAILABLE_CODES:
            raise TransientError(f"{sentence}; trying again may help")
        raise DeploymentError(
            f"{sentence}; allow s3:DeleteObject in include/cloudformation/roles.yaml, or the bucket's policy"
        )
