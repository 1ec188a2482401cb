"""SageMaker endpoints: Creating → InService or Failed; Updating → InService on the new
configuration, or rolled back to the old one.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html,
API_UpdateEndpoint.html, API_DescribeEndpoint.html; roll-back:
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html. Each variant is served
by a process of its own.
"""

from __future__ import annotations

import json
import logging
import math
import random
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from local_aws.jobs import knobs
from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import RawAnswer, Request
from local_aws.jobs.runs import Outcome, Run, RunPlan, start_run
from local_aws.jobs.store import Partition, Record, now, public

from . import images
from .models import deployable, get_endpoint_config
from .records import STORE, invalid, listing, partition_of, tags_from

logger = logging.getLogger(__name__)

LOG_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"
MAX_BODY_BYTES = 6 * 1024 * 1024
_START_SECONDS = 120.0
_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
_POLL_SECONDS = 0.02
_draw = random.Random(0)  # noqa: S311  which variant answers; not a secret


class VariantServer:
    """The process that serves one variant of an endpoint."""

    def __init__(self, endpoint: Record, variant: Record) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="local-aws-serve-"))
        self.socket_path = self._folder / "socket"
        self._ready = self._folder / "ready"
        self._outcome: Outcome | None = None
        self.log_stream = f"{variant['VariantName']}/i-{abs(hash((endpoint['EndpointName'], time.time()))):017x}"[:200]
        image = variant["_image"]
        plan = RunPlan(
            service="serving",
            worker_kind="xgboost",
            entry="local_aws.sagemaker.serving_worker:serve",
            payload={
                "model_uri": variant["_model_uri"],
                "image_problem": "" if images.is_xgboost(image) else images.unsupported(image),
                "socket_path": str(self.socket_path),
                "ready_path": str(self._ready),
            },
            role_arn=variant["_role_arn"],
            session_name="SageMaker",
            endpoint_url=endpoint["_endpoint_url"],
            region=endpoint["_region"],
            timeout_seconds=None,
            stdout_log=(LOG_GROUP_PREFIX + endpoint["EndpointName"], self.log_stream),
            environment={key: value for key, value in variant["_environment"].items() if not key.startswith("AWS_")},
            source_arn=endpoint["EndpointArn"],
            image=variant["_image"],
        )
        self._run: Run = start_run(plan, lambda: None, self._on_end)

    @property
    def alive(self) -> bool:
        """Whether the process answers or is about to."""
        return self._outcome is None

    def failure(self, timeout_seconds: float) -> tuple[str, str] | None:
        """Wait until the process answers.

        Returns
        -------
        None when it does; otherwise the kind of failure and its message.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._ready.exists():
            if self._outcome is not None:
                return str(self._outcome.result.get("kind", "")), self._outcome.message
            if time.monotonic() > deadline:
                return "", "the container did not start in time"
            time.sleep(_POLL_SECONDS)
        return None

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[int, str, bytes]:
        """One invocation: HTTP status, content type and body of the container's answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(str(self.socket_path))
            with connection.makefile("rwb") as stream:
                stream.write(
                    json.dumps({"content_type": content_type, "accept": accept, "length": len(body)}).encode()
                    + b"\n"
                    + body
                )
                stream.flush()
                head = json.loads(stream.readline())
                return head["status"], head["content_type"], stream.read(head["length"])

    def stop(self) -> None:
        """End the process; returns at once."""
        self._run.stop()

    def _on_end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        shutil.rmtree(self._folder, ignore_errors=True)


_servers: dict[str, dict[str, VariantServer]] = {}


def create_endpoint(request: Request) -> dict[str, Any]:
    """CreateEndpoint."""
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
        _deploy_in_background(record, config["EndpointConfigName"], variants, created=True)
    return {"EndpointArn": arn}


def update_endpoint(request: Request) -> dict[str, Any]:
    """UpdateEndpoint."""
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
        _start_update(record, config["EndpointConfigName"], variants)
        _copy_capture(record, config)
    return {"EndpointArn": record["EndpointArn"]}


def update_endpoint_weights_and_capacities(request: Request) -> dict[str, Any]:
    """UpdateEndpointWeightsAndCapacities."""
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
        record["EndpointStatus"] = "Updating"
        record["LastModifiedTime"] = now()
        record["_generation"] += 1
        generation = record["_generation"]

    def finish() -> None:
        _pause(record, generation, knobs.delay_seconds("endpoint"))
        with STORE.lock:
            if record["_generation"] == generation:
                record["EndpointStatus"] = "InService"
                record["LastModifiedTime"] = now()

    threading.Thread(target=finish, name="endpoint-capacity", daemon=True).start()
    return {"EndpointArn": record["EndpointArn"]}


def describe_endpoint(request: Request) -> dict[str, Any]:
    """DescribeEndpoint."""
    with STORE.lock:
        record = _get(request)
        answer = public(record)
        if record["_variants"]:
            answer["ProductionVariants"] = [_variant_summary(variant) for variant in record["_variants"]]
        return answer


def list_endpoints(request: Request) -> dict[str, Any]:
    """ListEndpoints."""
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
    """DeleteEndpoint; refused while the endpoint is being created or updated."""
    with STORE.lock:
        record = _get(request)
        if record["EndpointStatus"] in _BUSY and knobs.endpoint_behaviour(record["EndpointName"]).behaviour != "stuck":
            raise invalid(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')
        record["_generation"] += 1
        del partition_of(request).table("endpoints")[record["EndpointName"]]
        for server in _servers.pop(record["EndpointArn"], {}).values():
            server.stop()
    return {}


def invoke_endpoint(request: Request) -> RawAnswer:
    """InvokeEndpoint of sagemaker-runtime: the answer of the variant's container.

    Raises
    ------
    AwsError
        ``ValidationError`` for an endpoint that does not serve, ``ModelError`` for a payload that the model refuses.
    """
    name = request.params["EndpointName"]
    if len(request.body) > MAX_BODY_BYTES:
        raise AwsError("ValidationError", f"Request body is larger than {MAX_BODY_BYTES} bytes.", 413)
    with STORE.lock:
        record = partition_of(request).table("endpoints").get(name)
        if record is None or record["EndpointStatus"] in ("Creating", "Failed") or not record["_variants"]:
            raise AwsError("ValidationError", f"Endpoint {name} of account {request.account_id} not found.")
        variant = _choose(record, request.params.get("TargetVariant"))
        server = _servers.get(record["EndpointArn"], {}).get(variant["VariantName"])
        if server is None or not server.alive:
            record["_endpoint_url"] = request.endpoint_url
            server = _servers.setdefault(record["EndpointArn"], {})[variant["VariantName"]] = VariantServer(
                record, variant
            )
    problem = server.failure(_START_SECONDS)
    if problem is not None:
        raise AwsError(
            "ServiceUnavailable",
            f"The container of variant {variant['VariantName']} is not available: {problem[1]}",
            503,
        )
    content_type = request.headers.get("Content-Type") or "application/octet-stream"
    accept = request.headers.get("Accept") or "*/*"
    try:
        status, kind, body = server.invoke(request.body, content_type, accept)
    except (OSError, ValueError) as error:
        raise AwsError(
            "ServiceUnavailable", f"The container of variant {variant['VariantName']} gave no answer: {error}", 503
        ) from error
    if status >= 400:
        raise _model_error(request, record, server, status, body.decode(errors="replace"))
    return RawAnswer(200, {"Content-Type": kind, "x-Amzn-Invoked-Production-Variant": variant["VariantName"]}, body)


def mend_after_restart(partition: Partition) -> None:
    """Processes died with the server: they come back with the first invocation; an unfinished operation has failed."""
    for record in partition.table("endpoints").values():
        if record["EndpointStatus"] == "Creating":
            record["EndpointStatus"] = "Failed"
            record["FailureReason"] = (
                "The service was restarted while the endpoint was being created; delete it and create it again."
            )
        elif record["EndpointStatus"] in _BUSY:
            record["EndpointStatus"] = "InService"
        record.pop("PendingDeploymentSummary", None)


def _start_update(record: Record, config_name: str, variants: list[Record]) -> None:
    record["EndpointStatus"] = "Updating"
    record["LastModifiedTime"] = now()
    record["PendingDeploymentSummary"] = {
        "EndpointConfigName": config_name,
        "ProductionVariants": [
            {"VariantName": variant["VariantName"], "DeployedImages": _images(variant)} for variant in variants
        ],
        "StartTime": now(),
    }
    _deploy_in_background(record, config_name, variants, created=False)


def _deploy_in_background(record: Record, config_name: str, variants: list[Record], *, created: bool) -> None:
    record["_generation"] += 1
    arguments = (record, config_name, variants, record["_generation"], created)
    threading.Thread(target=_deploy, args=arguments, name="endpoint-deployment", daemon=True).start()


def _deploy(record: Record, config_name: str, variants: list[Record], generation: int, created: bool) -> None:
    servers: dict[str, VariantServer] = {}
    try:
        reason = _bring_up(record, variants, generation, servers, created)
    except Exception as error:
        logger.exception("deployment of %s failed", record["EndpointName"])
        reason = f"InternalError: {type(error).__name__}: {error}"
    if reason is not None and not created:
        with STORE.lock:
            if record["_generation"] == generation:
                record["EndpointStatus"] = "RollingBack"
                record["LastModifiedTime"] = now()
        _pause(record, generation, knobs.delay_seconds("endpoint"))
    with STORE.lock:
        superseded = record["_generation"] != generation
        if reason is not None or superseded:
            for server in servers.values():
                server.stop()
        if superseded:
            return
        record.pop("PendingDeploymentSummary", None)
        if reason is None:
            for server in _servers.pop(record["EndpointArn"], {}).values():
                server.stop()
            _servers[record["EndpointArn"]] = servers
            record["_variants"] = variants
            record["EndpointConfigName"] = config_name
            record["EndpointStatus"] = "InService"
        elif created:
            record["EndpointStatus"] = "Failed"
            record["FailureReason"] = reason
        else:
            # As on AWS: the old fleet still serves, and nothing but the configuration's name tells
            # of the failure.
            record["EndpointStatus"] = "InService"
        record["LastModifiedTime"] = now()


def _bring_up(
    record: Record, variants: list[Record], generation: int, servers: dict[str, VariantServer], created: bool
) -> str | None:
    name = record["EndpointName"]
    _pause(record, generation, knobs.delay_seconds("endpoint"))
    knob = knobs.take_endpoint_behaviour(name)
    while knobs.endpoint_behaviour(name).behaviour == "stuck" and record["_generation"] == generation:
        time.sleep(_POLL_SECONDS)
    if knob.behaviour == "stuck":
        knob = knobs.take_endpoint_behaviour(name)
    if knob.behaviour == "fail" or (knob.behaviour == "rollback" and not created):
        return knob.reason or _ping_failure(variants[0])
    for variant in variants:
        servers[variant["VariantName"]] = VariantServer(record, variant)
    for variant in variants:
        problem = servers[variant["VariantName"]].failure(_START_SECONDS)
        if problem is not None:
            kind, message = problem
            if kind == "download":
                return (
                    f'Failed to download model data for container "container_1" from URL:'
                    f' "{variant["_model_uri"]}". Please ensure that there is an'
                    f" object located at the URL and that the role passed to CreateModel has permissions to"
                    f" download the model. ({message})"
                )
            if kind == "image":
                return message
            return f"{_ping_failure(variant)} ({message})"
    return None if created else _alarm_problem(record)


def _ping_failure(variant: Record) -> str:
    return (
        f"The primary container for production variant {variant['VariantName']} did not pass the ping health"
        f" check. Please check CloudWatch logs for this"
        " endpoint."
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
        "DeployedImages": _images(variant),
        "CurrentWeight": variant["InitialVariantWeight"],
        "DesiredWeight": variant["InitialVariantWeight"],
    }
    if variant.get("ServerlessConfig"):
        summary["CurrentServerlessConfig"] = summary["DesiredServerlessConfig"] = variant["ServerlessConfig"]
        summary["CurrentInstanceCount"] = 0
    else:
        summary["CurrentInstanceCount"] = summary["DesiredInstanceCount"] = variant["InitialInstanceCount"]
    return summary


def _images(variant: Record) -> list[dict[str, Any]]:
    return [{"SpecifiedImage": variant["_image"], "ResolvedImage": variant["_image"], "ResolutionTime": now()}]


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


def _choose(record: Record, target: str | None) -> Record:
    variants: list[Record] = record["_variants"]
    if target is not None:
        for variant in variants:
            if variant["VariantName"] == target:
                return variant
        raise AwsError("ValidationError", f"Variant {target} is not found for endpoint {record['EndpointName']}.")
    weights = [variant["InitialVariantWeight"] for variant in variants]
    return _draw.choices(variants, weights)[0] if sum(weights) > 0 else variants[0]


def _model_error(request: Request, record: Record, server: VariantServer, status: int, text: str) -> AwsError:
    group = LOG_GROUP_PREFIX + record["EndpointName"]
    party = "client" if status < 500 else "server"
    console = f"https://{request.region}.console.aws.amazon.com/cloudwatch/home?region={request.region}#logEventViewer:group={group}"
    return AwsError(
        "ModelError",
        f'Received {party} error ({status}) from primary with message "{text}". See {console} in account'
        f" {request.account_id} for more information.",
        424,
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=request.arn("logs", f"log-group:{group}"),
        ErrorCode=f"{party.upper()}_ERROR_FROM_MODEL",
    )


def _refuse_busy(record: Record) -> None:
    if record["EndpointStatus"] in _BUSY:
        raise invalid(f'Cannot update in-progress endpoint "{record["EndpointArn"]}".')
    if record["EndpointStatus"] == "Failed":
        raise invalid(
            f'Cannot update failed endpoint "{record["EndpointArn"]}"; a failed endpoint can only be deleted.'
        )


def _check_first_shift(deployment: dict[str, Any], variants: list[Record]) -> None:
    """Refuse a canary or linear step of more than half of a variant's instances (TrafficRoutingConfig)."""
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
