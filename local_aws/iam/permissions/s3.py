"""Permissions of S3 calls, whose actions often have another name than the operation.

See https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html. Must
not import moto.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from typing import Protocol

from local_aws.core.call_identity import Call
from local_aws.iam.permissions.model import Permission

#: Operation → action, where the action of `call_identity` is not what S3 checks.
_ACTIONS = {
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "SelectObjectContent": "GetObject",
}
_VERSIONED = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging",
              "GetObjectAcl", "PutObjectAcl", "GetObjectAttributes"}  # fmt: skip
_LISTINGS = {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}


class StoredObjects(Protocol):
    """What the permissions of a call depend on, apart from the request."""

    def exists(self, bucket: str, key: str, version_id: str | None) -> bool:
        """Whether the object exists."""

    def key_of_object(self, bucket: str, key: str, version_id: str | None) -> str | None:
        """Return the ARN of the KMS key of an object, None if it has none."""

    def key_of_bucket(self, bucket: str) -> str | None:
        """Return the ARN of the KMS key that a bucket uses by default, None if it has none."""

    def key_arn(self, key_id: str, bucket: str) -> str:
        """Return the ARN of a KMS key that a request names by id, alias or ARN."""


def permissions(call: Call, stored: StoredObjects) -> Iterator[Permission]:
    """Yield everything that an S3 call needs, the main permission first."""
    bucket, key = str(call.params.get("Bucket") or ""), call.params.get("Key")
    version = call.params.get("versionId")
    action = f"s3:{_ACTIONS.get(call.operation, call.action.removeprefix('s3:'))}"
    if not bucket:
        yield Permission(action)
        return
    bucket_arn = f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        for entry in call.params.get("Objects") or ():
            name = "s3:DeleteObjectVersion" if entry.get("VersionId") else "s3:DeleteObject"
            yield Permission(name, f"{bucket_arn}/{entry.get('Key', '')}")
        return
    if key is None:
        yield Permission(action, bucket_arn, _listing_context(call) if call.operation in _LISTINGS else {})
        return
    resource = f"{bucket_arn}/{key}"
    if version and action.removeprefix("s3:") in _VERSIONED:
        yield Permission(_versioned(action), resource, {"s3:versionid": (str(version),)})
    else:
        yield Permission(action, resource, _object_context(call))
    yield from _further(call, stored, bucket, str(key), action, resource)


def _further(
    call: Call, stored: StoredObjects, bucket: str, key: str, action: str, resource: str
) -> Iterator[Permission]:
    version = str(call.params["versionId"]) if call.params.get("versionId") else None
    if action == "s3:GetObject":
        if not stored.exists(bucket, key, version):
            # Only who may list is told that a key is missing; others get 403, not 404.
            yield Permission("s3:ListBucket", f"arn:aws:s3:::{bucket}")
        elif encryption_key := stored.key_of_object(bucket, key, version):
            yield _kms("kms:Decrypt", encryption_key, call, bucket, key)
    if call.operation in ("CopyObject", "UploadPartCopy"):
        yield from _copy_source(call, stored)
    if action == "s3:PutObject":
        if call.headers.get("x-amz-tagging"):
            yield Permission("s3:PutObjectTagging", resource)
        if any(name in call.headers for name in ("x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control")):
            yield Permission("s3:PutObjectAcl", resource)
        if encryption_key := _key_of_write(call, stored, bucket):
            yield _kms("kms:GenerateDataKey", encryption_key, call, bucket, key)
            if call.operation in ("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"):
                yield _kms("kms:Decrypt", encryption_key, call, bucket, key)


def _copy_source(call: Call, stored: StoredObjects) -> Iterator[Permission]:
    source, _, query = call.headers.get("x-amz-copy-source", "").partition("?versionId=")
    bucket, _, key = urllib.parse.unquote(source).lstrip("/").partition("/")
    action = "s3:GetObjectVersion" if query else "s3:GetObject"
    yield Permission(action, f"arn:aws:s3:::{bucket}/{key}")
    if not stored.exists(bucket, key, query or None):
        yield Permission("s3:ListBucket", f"arn:aws:s3:::{bucket}")
    elif encryption_key := stored.key_of_object(bucket, key, query or None):
        yield _kms("kms:Decrypt", encryption_key, call, bucket, key)


def _versioned(action: str) -> str:
    # s3:GetObjectTagging → s3:GetObjectVersionTagging, s3:DeleteObject → s3:DeleteObjectVersion
    head, _, tail = action.partition("Object")
    return f"{head}ObjectVersion{tail}"


def _listing_context(call: Call) -> dict[str, tuple[str, ...]]:
    named = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
    return {key: (str(call.params[name]),) for name, key in named.items() if name in call.params}


def _object_context(call: Call) -> dict[str, tuple[str, ...]]:
    names = ("x-amz-acl", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
             "x-amz-storage-class", "x-amz-copy-source", "x-amz-metadata-directive", "if-none-match",
             "if-match")  # fmt: skip
    return {f"s3:{name}": (call.headers[name],) for name in names if name in call.headers}


def _key_of_write(call: Call, stored: StoredObjects, bucket: str) -> str | None:
    asked = call.headers.get("x-amz-server-side-encryption")
    if asked is None:
        return stored.key_of_bucket(bucket)
    if not asked.startswith("aws:kms"):
        return None
    named = call.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    return stored.key_arn(named, bucket) if named else stored.key_of_bucket(bucket)


def _kms(action: str, key_arn: str, call: Call, bucket: str, key: str) -> Permission:
    return Permission(
        action,
        key_arn,
        {
            "kms:viaservice": (f"s3.{call.region}.amazonaws.com",),
            "kms:calleraccount": (call.principal.account_id,),
            "kms:encryptioncontext:aws:s3:arn": (f"arn:aws:s3:::{bucket}/{key}",),
            "kms:encryptioncontextkeys": ("aws:s3:arn",),
        },
    )
