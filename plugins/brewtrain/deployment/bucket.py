"""The bucket: made by the storage stack, only looked for here.

A bucket outlives every pipeline that writes to it, and holds the data; a DAG that could make one could also make it
wrong (public, unencrypted, in the wrong region).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brewtrain.domain.deployment_plan import Change, change
from brewtrain.domain.errors import DeploymentError

if TYPE_CHECKING:
    from brewtrain.hooks.s3_deployment import S3DeploymentHook

_RESOURCE = "S3 bucket"
_DEPLOY_STORAGE = (
    "aws cloudformation deploy --stack-name brewtrain-storage --template-file include/cloudformation/storage.yaml"
)


class Bucket:
    """A bucket that has to be there.

    :param name: Name of the bucket.
    :param own: Whether it is the one the storage stack makes, rather than one the pipeline file names.
    """

    def __init__(self, name: str, s3: S3DeploymentHook, *, own: bool) -> None:
        self._name = name
        self._s3 = s3
        self._own = own

    def plan(self) -> Change:
        """Look for the bucket.

        :raises DeploymentError: If it does not exist; names the command that makes it.
        """
        if not self._s3.bucket_exists(self._name):
            advice = (
                f"create it: {_DEPLOY_STORAGE}"
                if self._own
                else "create it, or name another in the pipeline file (bucket, source.path)"
            )
            raise DeploymentError(f"S3 bucket {self._name!r} does not exist; {advice}")
        return change(_RESOURCE, self._name, exists=True)

    def apply(self) -> None:
        """Look for the bucket again; see :meth:`plan`."""
        self.plan()
