"""What a pipeline's endpoint has served since when, read from the records in S3."""

from __future__ import annotations

from collections.abc import Iterable

from brewtrain.domain import names
from brewtrain.domain.deployment.cleanup import EndpointConfig
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.serving.serving_history import Serving, read_serving_history
from brewtrain.hooks.s3_pipeline import S3PipelineHook


def serving_history_of(
    pipeline: Pipeline, s3: S3PipelineHook, *, bucket: str, configs: Iterable[EndpointConfig] = ()
) -> list[Serving]:
    """Return what the pipeline's endpoint has served, oldest first.

    :param configs: The endpoint configs that exist. One that no deployment record names may be from
        before there were records; then the result document of its run tells.
    """
    keys = s3.keys(bucket, names.deployments_prefix(pipeline.name))
    records = [document for _, document in s3.read_documents(bucket, keys)]
    recorded = {record.get("endpoint_config_name") for record in records}
    runs = {config.run_id for config in configs if config.name not in recorded and config.run_id}
    results = [
        f"{names.run_folder(pipeline.name, run_id)}{names.RESULT_FILE}"
        for run_id in sorted(runs)
        if names.is_run_id(pipeline.name, run_id)
    ]
    return read_serving_history(
        [*records, *(document for _, document in s3.read_documents(bucket, results))], endpoint=pipeline.endpoint_name
    )
