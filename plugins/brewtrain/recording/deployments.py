"""Records of what was deployed when, which rollback and cleanup read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from brewtrain.domain import names
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.ladder import Execution
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving.serving_history import Kind, deployment_record
from brewtrain.hooks.s3_run import S3RunHook


def write_deployment_record(
    s3: S3RunHook,
    pipeline: Pipeline,
    execution: Execution,
    outcome: Outcome,
    *,
    kind: Kind,
    run_id: str,
    data_date: str,
    dag_run_id: str,
    **more: Any,
) -> str:
    """Write the record of one deployment; see :func:`deployment_record` for what it holds.

    :returns: Its address.
    """
    ended_at = execution.stopped_at or datetime.now(UTC)
    record = deployment_record(
        outcome,
        kind=kind,
        pipeline=pipeline.name,
        run_id=run_id,
        data_date=data_date,
        execution_arn=execution.arn,
        ended_at=ended_at,
        dag_run_id=dag_run_id,
        **more,
    )
    key = names.deployment_key(pipeline.name, ended_at, execution.name)
    return s3.put_document(pipeline.bucket_name(s3.account), key, record)
