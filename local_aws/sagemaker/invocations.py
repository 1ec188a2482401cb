"""InvokeEndpoint of SageMaker Runtime: the answer of a variant's container.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import random

from local_aws.jobs.errors import AwsError
from local_aws.jobs.modelled import RawAnswer, Request, refuse_unsupported
from local_aws.jobs.store import Record

from .records import STORE, partition_of
from .variant_server import FLEETS, LOG_GROUP_PREFIX, START_SECONDS, VariantServer

#: What needs another container, several models a container, or an explainer.
_UNSUPPORTED = ("EnableExplanations", "InferenceComponentName", "SessionId", "TargetContainerHostname", "TargetModel")
MAX_BODY_BYTES = 6 * 1024 * 1024
_draw = random.Random(0)  # noqa: S311  which variant answers; not a secret


def invoke_endpoint(request: Request) -> RawAnswer:
    """Answer an invocation with what the variant's container says.

    :raises AwsError: ``ValidationError`` for an endpoint that does not serve, ``ModelError`` for a
        payload that the model refuses.
    """
    name = request.params["EndpointName"]
    refuse_unsupported(request, _UNSUPPORTED, "ValidationError")
    if len(request.body) > MAX_BODY_BYTES:
        raise AwsError("ValidationError", f"Request body is larger than {MAX_BODY_BYTES} bytes.", 413)
    with STORE.lock:
        record = partition_of(request).table("endpoints").get(name)
        if record is None or record["EndpointStatus"] in ("Creating", "Failed") or not record["_variants"]:
            raise AwsError("ValidationError", f"Endpoint {name} of account {request.account_id} not found.")
        variant = _choose(record, request.params.get("TargetVariant"))
        server = FLEETS.get(record["EndpointArn"], {}).get(variant["VariantName"])
        if server is None or not server.alive:
            record["_endpoint_url"] = request.endpoint_url
            server = FLEETS.setdefault(record["EndpointArn"], {})[variant["VariantName"]] = VariantServer(
                record, variant
            )
    problem = server.failure(START_SECONDS)
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
            "ServiceUnavailable", f"The container of variant {variant['VariantName']} did not answer: {error}", 503
        ) from error
    if status >= 400:
        raise _model_error(request, record, server, status, body.decode(errors="replace"))
    return RawAnswer(200, {"Content-Type": kind, "x-Amzn-Invoked-Production-Variant": variant["VariantName"]}, body)


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
