"""S3 as a deployment needs it: is the bucket there, and small objects such as scripts.

Source: Amazon S3 API reference.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from brewtrain.hooks.aws_errors import error_code
from brewtrain.hooks.connection import AwsClientHook


class S3DeploymentHook(AwsClientHook):
    """Buckets and scripts."""

    service = "s3"

    def bucket_exists(self, bucket: str) -> bool:
        """Return whether the bucket exists and may be used.

        :raises DeploymentError: If access is denied, which is also what AWS says of other people's
            buckets.
        """
        with self.errors(f"S3 bucket {bucket!r}"):
            try:
                self.conn.head_bucket(Bucket=bucket)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchBucket", "NotFound"):
                    return False
                raise
        return True

    def get_object(self, bucket: str, key: str) -> bytes | None:
        """Return a small object's content, or ``None`` if it is not there."""
        with self.errors(f"s3://{bucket}/{key}"):
            try:
                content: bytes = self.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey"):
                    return None
                raise
        return content

    def put_object(self, bucket: str, key: str, content: bytes, *, content_type: str) -> None:
        """Write a small object: complete or, on any error, not at all."""
        with self.errors(f"s3://{bucket}/{key}"):
            self.conn.put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)
