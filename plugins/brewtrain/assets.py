"""The asset of a pipeline's model in service, and the event that tells of a new one.

Imported while DAG files are parsed: must not import a hook or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.run.outcome import Outcome


def model_asset(pipeline: str) -> Asset:
    """Return the asset of a pipeline's model in service."""
    # With x- Airflow asks no provider how to read the address, and imports none while a DAG file is
    # parsed.
    return Asset(name=f"{pipeline}_model", uri=f"x-brewtrain://{pipeline}/model")


def model_alias(pipeline: str) -> AssetAlias:
    """Return the alias through which a task says that a model of the pipeline serves now."""
    return AssetAlias(name=f"{pipeline}_model", group="model")


def emit_model_event(
    context: Context,
    pipeline: str,
    outcome: Outcome,
    *,
    run_id: str | None,
    data_date: str | None,
    metrics: Mapping[str, float],
    model_package_arn: str | None,
    result: str,
    evaluation: str | None,
    **more: Any,
) -> None:
    """Tell the consumers of the asset that the endpoint serves another model.

    :param context: Context of the task that tells, which has :func:`model_alias` as an outlet.
    :param pipeline: Name of the pipeline.
    :param outcome: Outcome of the execution that deployed the model.
    :param run_id: Id of the run that trained the model.
    :param data_date: Date of the newest row that the model has seen.
    :param metrics: The model's evaluation.
    :param model_package_arn: Its version in the registry.
    :param result: Address of the document that records the deployment.
    :param evaluation: Address of the model's evaluation.json.
    :param more: What else the event's ``extra`` gets.
    """
    context["outlet_events"][model_alias(pipeline)].add(
        model_asset(pipeline),
        extra={
            "metrics": dict(metrics),
            "data_date": data_date,
            "run_id": run_id,
            "endpoint": outcome.endpoint_name,
            "endpoint_config": outcome.endpoint_config_name,
            "model": outcome.model_name,
            "model_package_arn": model_package_arn,
            "result": result,
            "evaluation": evaluation,
            **more,
        },
    )
