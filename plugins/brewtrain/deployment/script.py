"""The Glue script, under a key made of its content: a running job keeps its script."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from brewtrain.domain import names
from brewtrain.domain.deployment.plan import Change, change

if TYPE_CHECKING:
    from brewtrain.hooks.s3_deployment import S3DeploymentHook


class SplitScript:
    """The script of the split job.

    :param pipeline: Name of the pipeline.
    :param bucket: Bucket that holds it.
    :param content: The script.
    """

    def __init__(self, pipeline: str, bucket: str, content: bytes, s3: S3DeploymentHook) -> None:
        self._bucket = bucket
        self._content = content
        self._s3 = s3
        self._key = names.split_script_key(pipeline, hashlib.sha256(content).hexdigest())
        self.uri = f"s3://{bucket}/{self._key}"

    def plan(self) -> Change:
        """Say whether the script exists with exactly this content."""
        found = self._s3.get_object(self._bucket, self._key)
        differences = ["its content does not match its key"] if found is not None and found != self._content else []
        return change("Glue script", self.uri, exists=found is not None, differences=differences)

    def apply(self) -> None:
        """Upload the script unless it exists."""
        if self._s3.get_object(self._bucket, self._key) != self._content:
            self._s3.put_object(self._bucket, self._key, self._content, content_type="text/x-python")
