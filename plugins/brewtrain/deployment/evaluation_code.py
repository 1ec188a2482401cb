"""The evaluation's files, under a prefix made of their content: no running job sees a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brewtrain.domain import names
from brewtrain.domain.deployment.plan import Change, change
from brewtrain.domain.evaluation.job import Code

if TYPE_CHECKING:
    from brewtrain.hooks.s3_deployment import S3DeploymentHook


class EvaluationCode:
    """The files that "Evaluate Model" runs.

    :param pipeline: Name of the pipeline.
    :param bucket: Bucket that holds them.
    :param code: The files, uploaded in order: where the last one exists, so do all the others.
    """

    def __init__(self, pipeline: str, bucket: str, code: Code, s3: S3DeploymentHook) -> None:
        self._bucket = bucket
        self._code = code
        self._s3 = s3
        self._prefix = names.evaluation_code_prefix(pipeline, code.sha256)
        self.uri = f"s3://{bucket}/{self._prefix}"

    def plan(self) -> Change:
        """Say which files are missing or have other content than their prefix says."""
        found = {name: self._s3.get_object(self._bucket, self._prefix + name) for name in self._code.files}
        differences = [
            f"{name} is missing" if found[name] is None else f"the content of {name} does not match its prefix"
            for name, content in self._code.files.items()
            if found[name] != content
        ]
        exists = any(content is not None for content in found.values())
        return change("evaluation code", self.uri, exists=exists, differences=differences)

    def apply(self) -> None:
        """Upload what is missing, in order."""
        for name, content in self._code.files.items():
            key = self._prefix + name
            if self._s3.get_object(self._bucket, key) != content:
                self._s3.put_object(self._bucket, key, content, content_type="text/x-python")
