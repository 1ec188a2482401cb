"""SageMaker endpoints: create, update, describe, list, delete. `deployments` brings them up.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html,
API_UpdateEndpoint.html, API_DescribeEndpoint.html
"""

from __future__ import annotations

import math
from typing import Any

from local_aws.jobs import knobs
from local_aws.jobs.modelled import Request
from local_aws.jobs.store import Partition, Record, now, public

from . import deployments
from .endpoint_configs import deployable, get_endpoint_config
from .records import STORE, invalid, listing, partition_of, tags_from
from .variant_server import stop_fleet

_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


def create_endpoint(request: Request) -> dict[str, Any]:
    """Create an endpoint; `deployments` brings it up in the background."""
    params = request.params
    name = params["EndpointName"]
    arn = request.arn("sagemaker", f"endpoint/{name}")
    with STORE.lock:
        table = partition_of(request).table("endpoints")
        if name in table:
            raise invalid(f'Cannot create already existing endpoint "{arn}".')
        config = get_endpoint_config(request, params["EndpointConfigName"])
        variants = deployable(request, config)
        moment = now()
        record: Record = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "_arn": arn,
            "_tags": tags_from(params),
            "_endpoint_url": request.endpoint_url,
            "_region": request.region,
            "_account": request.account_id,
            "_variants": [],
            "_generation": 0,
        }
        if params.get("DeploymentConfig"):
            record["LastDeploymentConfig"] = params["DeploymentConfig"]
        _copy_capture(record, config)
        table[name] = record
        deployments.start_creation(record, config["EndpointConfigName"], variants)
    return {"EndpointArn": arn}


def update_endpoint(request: Request) -> dict[str, Any]:
    """Put an endpoint on another configuration, in the background."""
    params = request.params
    with STORE.lock:
        record = _get(request)
        _refuse_busy(record)
        config = get_endpoint_config(request, params["EndpointConfigName"])
        variants = deployable(request, config)
        if params.get("RetainAllVariantProperties"):
            excluded = {entry["VariantPropertyType"] for entry in params.get("ExcludeRetainedVariantProperties") or []}
            _retain(record["_variants"], variants, excluded)
        _check_first_shift(params.get("DeploymentConfig") or {}, variants)
        if params.get("DeploymentConfig"):
            record["LastDeploymentConfig"] = params["DeploymentConfig"]
        elif not params.get("RetainDeploymentConfig"):
            record.pop("LastDeploymentConfig", None)
        record["_endpoint_url"] = request.endpoint_url
        deployments.start_update(record, config["EndpointConfigName"], variants)
        _copy_capture(record, config)
    return {"EndpointArn": record["EndpointArn"]}


def update_endpoint_weights_and_capacities(request: Request) -> dict[str, Any]:
    """Change weights and instance counts of an endpoint's variants."""
    wanted = {entry["VariantName"]: entry for entry in request.params["DesiredWeightsAndCapacities"]}
    with STORE.lock:
        record = _get(request)
        _refuse_busy(record)
        by_name = {variant["VariantName"]: variant for variant in record["_variants"]}
        unknown = [name for name in wanted if name not in by_name]
        if unknown:
            raise invalid(f"The endpoint {record['EndpointName']} has no production variant {unknown[0]}.")
        for name, entry in wanted.items():
            if entry.get("DesiredWeight") is not None:
                by_name[name]["InitialVariantWeight"] = entry["DesiredWeight"]
            if entry.get("DesiredInstanceCount") is not None:
                by_name[name]["InitialInstanceCount"] = entry["DesiredInstanceCount"]
        deployments.start_capacity_change(record)
    return {"EndpointArn": record["EndpointArn"]}


def describe_endpoint(request: Request) -> dict[str, Any]:
    """Return an endpoint's state and what its variants run."""
    with STORE.lock:
        record = _get(request)
        answer = public(record)
        if record["_variants"]:
            answer["ProductionVariants"] = [_variant_summary(variant) for variant in record["_variants"]]
        return answer


def list_endpoints(request: Request) -> dict[str, Any]:
    """List the endpoints, filtered and in pages."""
    members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
    with STORE.lock:
        return listing(
            request,
            partition_of(request).table("endpoints").values(),
            key="Endpoints",
            name_member="EndpointName",
            status_member="EndpointStatus",
            summary=lambda record: {member: record[member] for member in members},
        )


def delete_endpoint(request: Request) -> dict[str, Any]:
    """Delete an endpoint; refused while it is being created or updated."""
    with STORE.lock:
        record = _get(request)
        if record["EndpointStatus"] in _BUSY and knobs.endpoint_behaviour(record["EndpointName"]).behaviour != "stuck":
            raise invalid(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')
        record["_generation"] += 1
        del partition_of(request).table("endpoints")[record["EndpointName"]]
        stop_fleet(record["EndpointArn"])
    return {}


def after_restart(partition: Partition) -> None:
    """End operations that the server's end interrupted: creations fail, updates are undone.

    An endpoint's processes come back with its first invocation.
    """
    for record in partition.table("endpoints").values():
        if record["EndpointStatus"] == "Creating":
            record["EndpointStatus"] = "Failed"
            record["FailureReason"] = (
                "The service was restarted while the endpoint was being created; delete it and create it again."
            )
        elif record["EndpointStatus"] in _BUSY:
            record["EndpointStatus"] = "InService"
        record.pop("PendingDeploymentSummary", None)


def _retain(current: list[Record], new: list[Record], excluded: set[str]) -> None:
    by_name = {variant["VariantName"]: variant for variant in current}
    for variant in new:
        old = by_name.get(variant["VariantName"])
        if old is None:
            continue
        if "DesiredWeight" not in excluded:
            variant["InitialVariantWeight"] = old["InitialVariantWeight"]
        if (
            "DesiredInstanceCount" not in excluded
            and "InitialInstanceCount" in old
            and "InitialInstanceCount" in variant
        ):
            variant["InitialInstanceCount"] = old["InitialInstanceCount"]


def _variant_summary(variant: Record) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "VariantName": variant["VariantName"],
        "DeployedImages": deployments.deployed_images(variant),
        "CurrentWeight": variant["InitialVariantWeight"],
        "DesiredWeight": variant["InitialVariantWeight"],
    }
    if variant.get("ServerlessConfig"):
        summary["CurrentServerlessConfig"] = summary["DesiredServerlessConfig"] = variant["ServerlessConfig"]
        summary["CurrentInstanceCount"] = 0
    else:
        summary["CurrentInstanceCount"] = summary["DesiredInstanceCount"] = variant["InitialInstanceCount"]
    return summary


def _copy_capture(record: Record, config: Record) -> None:
    capture = config.get("DataCaptureConfig")
    if capture:
        record["DataCaptureConfig"] = {
            "EnableCapture": bool(capture.get("EnableCapture")),
            "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    else:
        record.pop("DataCaptureConfig", None)


def _refuse_busy(record: Record) -> None:
    if record["EndpointStatus"] in _BUSY:
        raise invalid(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')
    if record["EndpointStatus"] == "Failed":
        raise invalid(
            f'Cannot update failed endpoint "{record["EndpointArn"]}"; a failed endpoint can only be deleted.'
        )


def _check_first_shift(deployment: dict[str, Any], variants: list[Record]) -> None:
    """Refuse a canary or linear step of more than half of a variant's instances."""
    routing = (deployment.get("BlueGreenUpdatePolicy") or {}).get("TrafficRoutingConfiguration") or {}
    member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing.get("Type", ""), "")
    size = routing.get(member)
    if not size:
        return
    for variant in variants:
        total = variant.get("InitialInstanceCount") or 0
        first = size["Value"] if size["Type"] == "INSTANCE_COUNT" else math.ceil(total * size["Value"] / 100)
        if first * 2 > total:
            raise invalid(
                f"{member} must be less than or equal to 50% of the total instance count of variant"
                f" {variant['VariantName']}, which is {total}."
            )


def _get(request: Request) -> Record:
    name = request.params["EndpointName"]
    record = partition_of(request).table("endpoints").get(name)
    if record is None:
        raise invalid(f'Could not find endpoint "{request.arn("sagemaker", f"endpoint/{name}")}".')
    return record
