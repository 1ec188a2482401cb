"""SageMaker endpoint configurations, and what an endpoint needs to know of one to serve it.

API: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
"""

from __future__ import annotations

import copy
from typing import Any

from local_aws.jobs.modelled import Request, refuse_unsupported
from local_aws.jobs.store import Record, now, public

from .models import get_model
from .records import STORE, invalid, listing, partition_of, tags_from
from .registry import get_model_package

#: Members with effects that local AWS does not have: second fleets, other regions.
_UNSUPPORTED = ("ShadowProductionVariants", "CrossRegionTrafficConfig")


def create_endpoint_config(request: Request) -> dict[str, Any]:
    """Create an endpoint configuration from models that exist."""
    params = request.params
    name = params["EndpointConfigName"]
    arn = request.arn("sagemaker", f"endpoint-config/{name}")
    refuse_unsupported(request, _UNSUPPORTED)
    with STORE.lock:
        table = partition_of(request).table("endpoint_configs")
        if name in table:
            raise invalid(f'Cannot create already existing endpoint configuration "{arn}".')
        variants = [_variant(request, variant) for variant in params["ProductionVariants"]]
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) != len(names):
            raise invalid("Production variant names must be unique.")
        keys = (
            "DataCaptureConfig",
            "KmsKeyId",
            "AsyncInferenceConfig",
            "ExplainerConfig",
            "MetricsConfig",
            "ExecutionRoleArn",
            "VpcConfig",
        )
        table[name] = {
            "EndpointConfigName": name,
            "EndpointConfigArn": arn,
            "ProductionVariants": variants,
            **{key: params[key] for key in keys if params.get(key) is not None},
            "CreationTime": now(),
            "EnableNetworkIsolation": bool(params.get("EnableNetworkIsolation")),
            "_arn": arn,
            "_tags": tags_from(params),
        }
    return {"EndpointConfigArn": arn}


def describe_endpoint_config(request: Request) -> dict[str, Any]:
    """Return an endpoint configuration."""
    with STORE.lock:
        return public(get_endpoint_config(request, request.params["EndpointConfigName"]))


def list_endpoint_configs(request: Request) -> dict[str, Any]:
    """List the endpoint configurations, filtered and in pages."""
    with STORE.lock:
        return listing(
            request,
            partition_of(request).table("endpoint_configs").values(),
            key="EndpointConfigs",
            name_member="EndpointConfigName",
            status_member=None,
            summary=lambda record: {
                key: record[key] for key in ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
            },
        )


def delete_endpoint_config(request: Request) -> dict[str, Any]:
    """Delete an endpoint configuration; as on AWS, even one that an endpoint uses."""
    with STORE.lock:
        get_endpoint_config(request, request.params["EndpointConfigName"])
        del partition_of(request).table("endpoint_configs")[request.params["EndpointConfigName"]]
    return {}


def get_endpoint_config(request: Request, name: str) -> Record:
    """Return an endpoint configuration's record, or raise AWS's ValidationException."""
    record = partition_of(request).table("endpoint_configs").get(name)
    if record is None:
        raise invalid(f'Could not find endpoint configuration "{request.arn("sagemaker", f"endpoint-config/{name}")}".')
    return record


def deployable(request: Request, config: Record) -> list[Record]:
    """Return what each variant of a configuration needs to be served, as of now.

    :returns: per variant its settings, and ``_image``, ``_model_uri``, ``_role_arn``,
        ``_environment`` of its (first) container.
    """
    variants = []
    for variant in config["ProductionVariants"]:
        model = get_model(request, variant["ModelName"])
        container = model.get("PrimaryContainer") or model["Containers"][0]
        if container.get("ModelPackageName"):
            container = {
                **_packaged_container(request, container["ModelPackageName"]),
                **container,
            }
        variants.append(
            {
                **copy.deepcopy(variant),
                "_image": container.get("Image", ""),
                "_model_uri": container.get("ModelDataUrl")
                or ((container.get("ModelDataSource") or {}).get("S3DataSource") or {}).get("S3Uri", ""),
                "_role_arn": model.get("ExecutionRoleArn", ""),
                "_environment": dict(container.get("Environment") or {}),
            }
        )
    return variants


def _variant(request: Request, variant: dict[str, Any]) -> Record:
    record = {"InitialVariantWeight": 1.0, **{key: value for key, value in variant.items() if value is not None}}
    if not record.get("ModelName"):
        raise invalid(f"The production variant {record['VariantName']} has no ModelName.")
    get_model(request, record["ModelName"])
    serverless = record.get("ServerlessConfig")
    if not serverless and not (record.get("InstanceType") and record.get("InitialInstanceCount")):
        raise invalid(
            f"The production variant {record['VariantName']} needs InstanceType and InitialInstanceCount, or a"
            f" ServerlessConfig."
        )
    if serverless and (record.get("InstanceType") or record.get("InitialInstanceCount")):
        raise invalid(
            f"The production variant {record['VariantName']} has a ServerlessConfig and must not have"
            f" InstanceType or InitialInstanceCount."
        )
    return record


def _packaged_container(request: Request, name: str) -> dict[str, Any]:
    package = get_model_package(request, name)
    # "For versioned models, the value of this parameter must be set to Approved to deploy the
    # model" (CreateModelPackage, ModelApprovalStatus).
    if package.get("ModelApprovalStatus", "Approved") != "Approved":
        raise invalid(
            f"Model Package {package['ModelPackageArn']} cannot be deployed: its approval status is"
            f" {package['ModelApprovalStatus']}, not Approved."
        )
    specification = package.get("InferenceSpecification") or {}
    containers = specification.get("Containers") or [{}]
    kept = ("Image", "ModelDataUrl", "Environment", "ModelDataSource")
    return {key: value for key, value in containers[0].items() if key in kept}
