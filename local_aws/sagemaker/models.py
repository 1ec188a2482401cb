"""SageMaker models: containers with their artifacts. Nothing here starts a process.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html
"""

from __future__ import annotations

from typing import Any

from local_aws.jobs.modelled import Request
from local_aws.jobs.store import Record, now, public

from .records import STORE, check_role, invalid, listing, partition_of, tags_from


def create_model(request: Request) -> dict[str, Any]:
    """Create a model from a container, or from several."""
    params = request.params
    arn = request.arn("sagemaker", f"model/{params['ModelName']}")
    containers = (
        [params["PrimaryContainer"]] if params.get("PrimaryContainer") else list(params.get("Containers") or [])
    )
    if bool(params.get("PrimaryContainer")) == bool(params.get("Containers")):
        raise invalid("Exactly one of PrimaryContainer and Containers must be given.")
    for container in containers:
        if not container.get("Image") and not container.get("ModelPackageName"):
            raise invalid("A container needs an Image or a ModelPackageName.")
    with STORE.lock:
        table = partition_of(request).table("models")
        if params["ModelName"] in table:
            raise invalid(f'Cannot create already existing model "{arn}".')
        if params.get("ExecutionRoleArn"):
            check_role(params["ExecutionRoleArn"], arn)
        keys = (
            "ModelName",
            "PrimaryContainer",
            "Containers",
            "InferenceExecutionConfig",
            "ExecutionRoleArn",
            "VpcConfig",
        )
        record: Record = {key: params[key] for key in keys if params.get(key) is not None}
        record |= {
            "ModelArn": arn,
            "CreationTime": now(),
            "EnableNetworkIsolation": bool(params.get("EnableNetworkIsolation")),
            "_arn": arn,
            "_tags": tags_from(params),
        }
        for container in containers:
            container.setdefault("Mode", "SingleModel")
            container.setdefault("Environment", {})
        table[params["ModelName"]] = record
    return {"ModelArn": arn}


def describe_model(request: Request) -> dict[str, Any]:
    """Return a model's definition."""
    with STORE.lock:
        return public(get_model(request, request.params["ModelName"]))


def list_models(request: Request) -> dict[str, Any]:
    """List the models, filtered and in pages."""
    with STORE.lock:
        return listing(
            request,
            partition_of(request).table("models").values(),
            key="Models",
            name_member="ModelName",
            status_member=None,
            summary=lambda record: {key: record[key] for key in ("ModelName", "ModelArn", "CreationTime")},
        )


def delete_model(request: Request) -> dict[str, Any]:
    """Delete a model; endpoints that serve it go on."""
    with STORE.lock:
        get_model(request, request.params["ModelName"])
        del partition_of(request).table("models")[request.params["ModelName"]]
    return {}


def get_model(request: Request, name: str) -> Record:
    """Return a model's record, or raise AWS's ValidationException."""
    record = partition_of(request).table("models").get(name)
    if record is None:
        raise invalid(f'Could not find model "{request.arn("sagemaker", f"model/{name}")}".')
    return record
