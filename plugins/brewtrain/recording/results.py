"""Result documents of earlier runs, which promotion and rollback choose by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.hooks.s3_pipeline import S3PipelineHook


def read_result(s3: S3PipelineHook, pipeline: Pipeline, bucket: str, run_id: str) -> dict[str, Any] | None:
    """Return a run's result document; ``None`` if there is none.

    :param run_id: Id of a run of the pipeline; nothing else has a result document.
    """
    if not names.is_run_id(pipeline.name, run_id):
        return None
    return s3.read_document(bucket, f"{names.run_folder(pipeline.name, run_id)}{names.RESULT_FILE}")


def evaluation_prefix(evaluation: Mapping[str, Any] | None) -> str | None:
    """Return the address of an evaluation's files, with a trailing slash; ``None`` without one.

    :param evaluation: The section ``evaluation`` of a result document or an outcome.
    """
    uri = evaluation.get("uri") if isinstance(evaluation, Mapping) else None
    return f"{str(uri).rstrip('/')}/" if uri else None
