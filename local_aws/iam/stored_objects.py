"""What permissions depend on in S3: whether a key exists, and which KMS keys encrypt."""

from __future__ import annotations

from typing import Any

from local_aws.iam.resource_policies import find_bucket

_KMS = ("aws:kms", "aws:kms:dsse")


class MotoObjects:
    """Reads from moto what ``permissions.s3.StoredObjects`` asks for."""

    def exists(self, bucket: str, key: str, version_id: str | None) -> bool:
        """Whether the object exists.

        In a bucket that does not exist every key does, so that the caller gets the bucket's 404.
        """
        found = find_bucket(bucket)
        if found is None:
            return True
        if version_id is not None:
            return True
        stored = found.keys.get(key)
        return stored is not None and type(stored).__name__ != "FakeDeleteMarker"

    def key_of_object(self, bucket: str, key: str, version_id: str | None) -> str | None:
        """Return the ARN of the KMS key of an object, None if it has none."""
        found = find_bucket(bucket)
        if found is None:
            return None
        versions = found.keys.getlist(key, [])
        stored: Any = found.keys.get(key)
        if version_id is not None:
            stored = next((one for one in versions if str(one.version_id) == version_id), None)
        if stored is None or getattr(stored, "encryption", None) not in _KMS:
            return None
        return self.key_arn(stored.kms_key_id, bucket) if stored.kms_key_id else self.key_of_bucket(bucket)

    def key_of_bucket(self, bucket: str) -> str | None:
        """Return the ARN of the KMS key that a bucket uses by default, None if it has none."""
        found = find_bucket(bucket)
        rule = ((found.encryption if found is not None else None) or {}).get("Rule") or {}
        rule = rule[0] if isinstance(rule, list) else rule
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if default.get("SSEAlgorithm") not in _KMS or not default.get("KMSMasterKeyID"):
            # Without a customer's key, AWS's own key for S3 encrypts, and it needs no permission.
            return None
        return self.key_arn(default["KMSMasterKeyID"], bucket)

    def key_arn(self, key_id: str, bucket: str) -> str:
        """Return the ARN of a KMS key that is named by id, alias or ARN."""
        found = find_bucket(bucket)
        account, region = (found.account_id, found.region_name) if found is not None else ("123456789012", "us-east-1")
        if key_id.startswith("arn:") and ":alias/" not in key_id:
            return key_id
        if "alias/" in key_id:
            from moto.kms.models import kms_backends

            alias = "alias/" + key_id.split("alias/", 1)[1]
            key_id = kms_backends[account][region].get_key_id_from_alias(alias) or key_id
        return f"arn:aws:kms:{region}:{account}:key/{key_id}"
