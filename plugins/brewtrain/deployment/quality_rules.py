"""The quality rules that runs are judged by, kept in S3 so that a deployment can show what changes.

Runs read the pipeline file, not this object: a ruleset belongs to a run's own dataset.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from brewtrain.domain import names
from brewtrain.domain.deployment import quality_rules
from brewtrain.domain.deployment.plan import Change, change
from brewtrain.domain.pipeline.file import Pipeline

if TYPE_CHECKING:
    from brewtrain.hooks.s3_deployment import S3DeploymentHook


class QualityRules:
    """The rules of a pipeline.

    :param pipeline: The pipeline file.
    :param bucket: Bucket that holds the object.
    """

    def __init__(self, pipeline: Pipeline, bucket: str, s3: S3DeploymentHook) -> None:
        self._pipeline = pipeline
        self._bucket = bucket
        self._key = names.quality_rules_key(pipeline.name)
        self._s3 = s3

    def plan(self) -> Change:
        """Say which rules are new, gone or different. A pipeline without rules needs no object."""
        found = self._s3.get_object(self._bucket, self._key)
        differences = quality_rules.differences(self._pipeline, _parsed(found))
        exists = found is not None or not quality_rules.described(self._pipeline)
        return change("quality rules", self._pipeline.name, exists=exists, differences=differences)

    def apply(self) -> None:
        """Write the rules, if they differ."""
        found = self._s3.get_object(self._bucket, self._key)
        if quality_rules.differences(self._pipeline, _parsed(found)):
            text = json.dumps(quality_rules.document(self._pipeline), indent=2, ensure_ascii=False) + "\n"
            self._s3.put_object(self._bucket, self._key, text.encode(), content_type="application/json")


def _parsed(content: bytes | None) -> object:
    try:
        return json.loads(content or b"null")
    except ValueError:
        return None
