"""The bucket: made by the storage stack, only looked for here.

A bucket outlives every pipeline that writes to it, and holds the data; a DAG that could make one
could also make it wrong (public, unencrypted, in the wrong region).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brewtrain.domain.deployment.plan import Change, change
from brewtrain.domain.errors import DeploymentError

if TYPE_CHECKING:
    from brewtrain.hooks.s3_deployment import S3DeploymentHook

_RESOURCE = "S3 bucket"
_TEMPLATE = "--template-file include/cloudformation/storage.yaml"


class Bucket:
    """A bucket that has to be there.

    :param name: Name of the bucket.
    :param advice: What to do if it is not, e.g. the command that makes it.
    """

    def __init__(self, name: str, s3: S3DeploymentHook, *, advice: str) -> None:
        self._name = name
        self._s3 = s3
        self._advice = advice

    @classmethod
    def of_pipeline(cls, name: str, s3: S3DeploymentHook, *, is_default: bool) -> Bucket:
        """Return the bucket that a pipeline writes to.

        :param is_default: Whether it has the name that the storage stack gives its bucket without
            parameters.
        """
        stack = "brewtrain-storage" if is_default else f"brewtrain-storage-{name.replace('.', '-')}"
        named = "" if is_default else f" --parameter-overrides BucketName={name}"
        return cls(name, s3, advice=f"create it: aws cloudformation deploy --stack-name {stack} {_TEMPLATE}{named}")

    @classmethod
    def of_source(cls, name: str, s3: S3DeploymentHook) -> Bucket:
        """Return the bucket that a pipeline reads from where that is another one."""
        return cls(name, s3, advice="correct source.path in the pipeline file, or have the data's owner create it")

    def plan(self) -> Change:
        """Look for the bucket.

        :raises DeploymentError: If it does not exist; names the command that makes it.
        """
        if not self._s3.bucket_exists(self._name):
            raise DeploymentError(f"S3 bucket {self._name!r} does not exist; {self._advice}")
        return change(_RESOURCE, self._name, exists=True)

    def apply(self) -> None:
        """Look for the bucket again; see :meth:`plan`."""
        self.plan()
