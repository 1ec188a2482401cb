"""Deployments of endpoints: a new fleet is brought up, takes over, or is rolled back.

Creating → InService or Failed; Updating → InService on the new configuration, or RollingBack →
InService on the old one: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html.
A deployment runs in a thread and gives way when a later operation has raised the endpoint's
``_generation``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from local_aws.jobs import knobs
from local_aws.jobs.store import Record, now

from .records import STORE
from .variant_server import FLEETS, START_SECONDS, VariantServer, stop_fleet

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.02
_Fleet = dict[str, VariantServer]


def start_creation(record: Record, config_name: str, variants: list[Record]) -> None:
    """Bring up a new endpoint in the background.

    :param record: the endpoint, in state Creating.
    :param config_name: its endpoint configuration.
    :param variants: what to serve, see `endpoint_configs.deployable`.
    """
    _in_background(_create, record, config_name, variants)


def start_update(record: Record, config_name: str, variants: list[Record]) -> None:
    """Put an endpoint on another configuration in the background.

    :param record: the endpoint, in service.
    :param config_name: the new endpoint configuration.
    :param variants: what to serve, see `endpoint_configs.deployable`.
    """
    record["EndpointStatus"] = "Updating"
    record["LastModifiedTime"] = now()
    record["PendingDeploymentSummary"] = {
        "EndpointConfigName": config_name,
        "ProductionVariants": [
            {"VariantName": variant["VariantName"], "DeployedImages": deployed_images(variant)} for variant in variants
        ],
        "StartTime": now(),
    }
    _in_background(_update, record, config_name, variants)


def start_capacity_change(record: Record) -> None:
    """Show an endpoint as Updating while changed weights and instance counts take effect.

    :param record: the endpoint, in service; its variants have the new values.
    """
    record["EndpointStatus"] = "Updating"
    record["LastModifiedTime"] = now()
    _in_background(_change_capacity, record)


def deployed_images(variant: Record) -> list[dict[str, Any]]:
    """Return what ``DeployedImages`` shows of a variant."""
    return [{"SpecifiedImage": variant["_image"], "ResolvedImage": variant["_image"], "ResolutionTime": now()}]


def _in_background(work: Callable[..., None], record: Record, *arguments: Any) -> None:
    record["_generation"] += 1
    given = (record, record["_generation"], *arguments)
    threading.Thread(target=work, args=given, name="endpoint-deployment", daemon=True).start()


def _create(record: Record, generation: int, config_name: str, variants: list[Record]) -> None:
    fleet: _Fleet = {}
    problem = _attempt(
        record, lambda: _prevented(record, generation, variants, ("fail",)) or _start(record, variants, fleet)
    )
    with STORE.lock:
        if problem is not None or record["_generation"] != generation:
            _stop(fleet)
        if record["_generation"] != generation:
            return
        if problem is None:
            _take_over(record, config_name, variants, fleet)
        else:
            record["EndpointStatus"] = "Failed"
            record["FailureReason"] = problem
        record["LastModifiedTime"] = now()


def _update(record: Record, generation: int, config_name: str, variants: list[Record]) -> None:
    fleet: _Fleet = {}
    problem = _attempt(
        record,
        lambda: (
            _prevented(record, generation, variants, ("fail", "rollback"))
            or _start(record, variants, fleet)
            or _alarm_problem(record)
        ),
    )
    if problem is not None:
        with STORE.lock:
            if record["_generation"] == generation:
                record["EndpointStatus"] = "RollingBack"
                record["LastModifiedTime"] = now()
        _pause(record, generation, knobs.delay_seconds("endpoint"))
    with STORE.lock:
        if problem is not None or record["_generation"] != generation:
            _stop(fleet)
        if record["_generation"] != generation:
            return
        record.pop("PendingDeploymentSummary", None)
        if problem is None:
            _take_over(record, config_name, variants, fleet)
        else:
            # As on AWS: the old fleet still serves, and only the configuration's name shows the
            # failure.
            record["EndpointStatus"] = "InService"
        record["LastModifiedTime"] = now()


def _change_capacity(record: Record, generation: int) -> None:
    _pause(record, generation, knobs.delay_seconds("endpoint"))
    with STORE.lock:
        if record["_generation"] == generation:
            record["EndpointStatus"] = "InService"
            record["LastModifiedTime"] = now()


def _take_over(record: Record, config_name: str, variants: list[Record], fleet: _Fleet) -> None:
    stop_fleet(record["EndpointArn"])
    FLEETS[record["EndpointArn"]] = fleet
    record["_variants"] = variants
    record["EndpointConfigName"] = config_name
    record["EndpointStatus"] = "InService"


def _stop(fleet: _Fleet) -> None:
    for server in fleet.values():
        server.stop()


def _attempt(record: Record, work: Callable[[], str | None]) -> str | None:
    """Return why a deployment failed, ``None`` if it did not."""
    try:
        return work()
    except Exception as error:
        logger.exception("deployment of %s failed", record["EndpointName"])
        return f"InternalError: {type(error).__name__}: {error}"


def _prevented(record: Record, generation: int, variants: list[Record], failing: tuple[str, ...]) -> str | None:
    """Wait as the endpoint's knobs say; return a reason if its behaviour is among ``failing``."""
    name = record["EndpointName"]
    _pause(record, generation, knobs.delay_seconds("endpoint"))
    knob = knobs.take_endpoint_behaviour(name)
    while knobs.endpoint_behaviour(name).behaviour == "stuck" and record["_generation"] == generation:
        time.sleep(_POLL_SECONDS)
    if knob.behaviour == "stuck":
        knob = knobs.take_endpoint_behaviour(name)
    return (knob.reason or _ping_failure(variants[0])) if knob.behaviour in failing else None


def _start(record: Record, variants: list[Record], fleet: _Fleet) -> str | None:
    """Start a process per variant into ``fleet``; return why one does not answer, if so."""
    for variant in variants:
        fleet[variant["VariantName"]] = VariantServer(record, variant)
    for variant in variants:
        problem = fleet[variant["VariantName"]].failure(START_SECONDS)
        if problem is not None:
            return _failure_reason(variant, *problem)
    return None


def _failure_reason(variant: Record, kind: str, message: str) -> str:
    if kind == "download":
        return (
            f'Failed to download model data for container "container_1" from URL: "{variant["_model_uri"]}". Please'
            " ensure that there is an object located at the URL and that the role passed to CreateModel has"
            f" permissions to download the model. ({message})"
        )
    return message if kind == "image" else f"{_ping_failure(variant)} ({message})"


def _ping_failure(variant: Record) -> str:
    return (
        f"The primary container for production variant {variant['VariantName']} did not pass the ping health check."
        " Please check CloudWatch logs for this endpoint."
    )


def _alarm_problem(record: Record) -> str | None:
    from moto.cloudwatch.models import cloudwatch_backends

    configuration = (record.get("LastDeploymentConfig") or {}).get("AutoRollbackConfiguration") or {}
    names = [alarm["AlarmName"] for alarm in configuration.get("Alarms") or []]
    alarms = cloudwatch_backends[record["_account"]][record["_region"]].alarms
    firing = [name for name in names if name in alarms and alarms[name].state_value == "ALARM"]
    return f"The alarms {', '.join(firing)} went into ALARM during the deployment." if firing else None


def _pause(record: Record, generation: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and record["_generation"] == generation:
        time.sleep(min(_POLL_SECONDS, seconds))
