"""The Glue job that divides the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brewtrain.domain import names
from brewtrain.domain.deployment import glue_job
from brewtrain.domain.deployment.plan import Change, change
from brewtrain.domain.pipeline.file import Pipeline

if TYPE_CHECKING:
    from brewtrain.hooks.glue_job import GlueJobHook


class SplitJob:
    """The Glue job of a pipeline.

    :param script_uri: ``s3://`` URI of its script.
    """

    def __init__(self, pipeline: Pipeline, account: names.Account, script_uri: str, glue: GlueJobHook) -> None:
        self._name = names.split_job(pipeline.name)
        self._tags = {names.PIPELINE_TAG: pipeline.name}
        self._definition = glue_job.definition(pipeline, account, script_uri=script_uri)
        self._glue = glue

    def plan(self) -> Change:
        """Say in which members the deployed job differs, those edited by hand included."""
        job = self._glue.get_job(self._name)
        differences = [] if job is None else glue_job.differences(self._definition, job)
        return change("Glue job", self._name, exists=job is not None, differences=differences)

    def apply(self) -> None:
        """Create or update the job, if needed."""
        job = self._glue.get_job(self._name)
        if job is None:
            if self._glue.create_job(self._name, self._definition, tags=self._tags):
                return
            job = self._glue.get_job(self._name) or {}
        if glue_job.differences(self._definition, job):
            self._glue.update_job(self._name, self._definition)
