"""What SageMaker hosts for a pipeline: its endpoint, its endpoint configs and its models.

Reads, and deletes what nothing serves; endpoints are created and updated by the state machine
alone. Must not be imported while DAG files are parsed.

Source: DescribeEndpoint, ListEndpoints, DescribeEndpointConfig, ListEndpointConfigs,
DeleteEndpointConfig, DescribeModel, ListModels, DeleteModel and ListTags in the Amazon SageMaker
API Reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from brewtrain.domain.deployment.cleanup import Endpoint, EndpointConfig, Model
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.names import PIPELINE_TAG, PREFIX, RUN_TAG, run_of_job, slug
from brewtrain.hooks.aws_errors import ACCESS_DENIED_CODES, error_code, is_not_found
from brewtrain.hooks.connection import AwsClientHook

_PAGE = 100


class SageMakerHostingHook(AwsClientHook):
    """Endpoints, endpoint configs and models."""

    service = "sagemaker"

    # -- one resource ------------------------------------------------------------------------------

    def describe_endpoint(self, name: str) -> dict[str, Any] | None:
        """Return what DescribeEndpoint says; ``None`` if there is no such endpoint."""
        with self.errors(f"SageMaker endpoint {name!r}"):
            try:
                found: dict[str, Any] = self.conn.describe_endpoint(EndpointName=name)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return found

    def describe_config(self, name: str) -> dict[str, Any] | None:
        """Return what DescribeEndpointConfig says; ``None`` if there is no such config."""
        with self.errors(f"SageMaker endpoint config {name!r}"):
            try:
                found: dict[str, Any] = self.conn.describe_endpoint_config(EndpointConfigName=name)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return found

    def describe_model(self, name: str) -> dict[str, Any] | None:
        """Return what DescribeModel says; ``None`` if there is no such model."""
        with self.errors(f"SageMaker model {name!r}"):
            try:
                found: dict[str, Any] = self.conn.describe_model(ModelName=name)
            except ClientError as error:
                if is_not_found(error):
                    return None
                raise
        return found

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource."""
        with self.errors(f"tags of {arn}"):
            pages = self.conn.get_paginator("list_tags").paginate(ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def serving_config(self, endpoint: str) -> tuple[str, dict[str, str]] | None:
        """Return the config that an endpoint serves, with its tags.

        :returns: ``None`` if there is no such endpoint, or it serves nothing yet; no tags if the
            config was deleted.
        """
        found = self.describe_endpoint(endpoint)
        if found is None or not found.get("EndpointConfigName"):
            return None
        config = self.describe_config(found["EndpointConfigName"])
        return found["EndpointConfigName"], {} if config is None else self.tags(config["EndpointConfigArn"])

    # -- the inventory -----------------------------------------------------------------------------

    def endpoints(self, own: str) -> tuple[list[Endpoint], list[str]]:
        """Return the account's endpoints with what they serve.

        :param own: Name of the pipeline's endpoint, which must be readable.
        :returns: The endpoints, and a sentence for each that AWS does not let be read.
        :raises DeploymentError: If AWS denies reading the pipeline's own.
        """
        found: list[Endpoint] = []
        problems: list[str] = []
        models: dict[str, tuple[str, ...]] = {}
        for name in self._endpoint_names():
            try:
                endpoint = self._endpoint(name, models)
            except DeploymentError as error:
                cause = error.__cause__
                denied = isinstance(cause, ClientError) and error_code(cause) in ACCESS_DENIED_CODES
                if name == own or not denied:
                    raise
                problems.append(f"endpoint {name} may not be read; it is assumed to use nothing of this pipeline")
                continue
            if endpoint is not None:
                found.append(endpoint)
        return found, problems

    def _endpoint_names(self) -> list[str]:
        with self.errors("SageMaker endpoints"):
            pages = self.conn.get_paginator("list_endpoints").paginate(PaginationConfig={"PageSize": _PAGE})
            return [item["EndpointName"] for page in pages for item in page["Endpoints"]]

    def _endpoint(self, name: str, artifacts: dict[str, tuple[str, ...]]) -> Endpoint | None:
        found = self.describe_endpoint(name)
        if found is None:
            return None
        configs = self.configs_of(found)
        models: set[str] = set()
        for config in configs:
            models.update(models_of(self.describe_config(config) or {}))
        for model in models:
            if model not in artifacts:
                artifacts[model] = artifacts_of(self.describe_model(model) or {})
        return Endpoint(
            name=name,
            status=found["EndpointStatus"],
            configs=configs,
            models=frozenset(models),
            artifacts=frozenset(address for model in models for address in artifacts[model]),
        )

    @staticmethod
    def configs_of(endpoint: Mapping[str, Any]) -> frozenset[str]:
        """Return the configs that an endpoint uses: the serving one, and the one it is updated to.

        :param endpoint: What DescribeEndpoint says.
        """
        pending = endpoint.get("PendingDeploymentSummary") or {}
        return frozenset(
            name for name in (endpoint.get("EndpointConfigName"), pending.get("EndpointConfigName")) if name
        )

    def configs(self, pipeline: str) -> list[EndpointConfig]:
        """Return the endpoint configs that carry the pipeline's tag."""
        found: list[EndpointConfig] = []
        for item in self._named("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", pipeline):
            config = self.describe_config(item["EndpointConfigName"])
            if config is None:
                continue
            tags = self.tags(config["EndpointConfigArn"])
            if tags.get(PIPELINE_TAG) == pipeline:
                found.append(
                    EndpointConfig(
                        name=config["EndpointConfigName"],
                        created_at=config["CreationTime"],
                        models=models_of(config),
                        run_id=tags.get(RUN_TAG),
                    )
                )
        return found

    def models(self, pipeline: str) -> list[Model]:
        """Return the models that carry the pipeline's tag."""
        found: list[Model] = []
        for item in self._named("list_models", "Models", "ModelName", pipeline):
            model = self.describe_model(item["ModelName"])
            if model is None:
                continue
            tags = self.tags(model["ModelArn"])
            if tags.get(PIPELINE_TAG) == pipeline:
                found.append(
                    Model(
                        name=model["ModelName"],
                        created_at=model["CreationTime"],
                        artifacts=artifacts_of(model),
                        run_id=tags.get(RUN_TAG),
                    )
                )
        return found

    def _named(self, operation: str, key: str, name: str, pipeline: str) -> Iterator[dict[str, Any]]:
        with self.errors(f"{key} of pipeline {pipeline!r}"):
            pages = self.conn.get_paginator(operation).paginate(
                NameContains=f"{PREFIX}-{slug(pipeline)}-", PaginationConfig={"PageSize": _PAGE}
            )
            listed = [item for page in pages for item in page[key]]
        # NameContains finds those of a pipeline whose name begins with this one's, too.
        return (item for item in listed if run_of_job(pipeline, item[name]) is not None)

    # -- deleting ----------------------------------------------------------------------------------

    def delete_config(self, name: str) -> bool:
        """Delete an endpoint config.

        :returns: ``False`` if it was gone already.
        """
        with self.errors(f"SageMaker endpoint config {name!r}"):
            try:
                self.conn.delete_endpoint_config(EndpointConfigName=name)
            except ClientError as error:
                if is_not_found(error):
                    return False
                raise
        return True

    def delete_model(self, name: str) -> bool:
        """Delete a model; its files in S3 stay.

        :returns: ``False`` if it was gone already.
        """
        with self.errors(f"SageMaker model {name!r}"):
            try:
                self.conn.delete_model(ModelName=name)
            except ClientError as error:
                if is_not_found(error):
                    return False
                raise
        return True


def models_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the models of all variants of a config.

    :param config: What DescribeEndpointConfig says.
    """
    variants = [*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ())]
    return tuple(dict.fromkeys(variant["ModelName"] for variant in variants if variant.get("ModelName")))


def artifacts_of(model: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the S3 addresses of the model data of all containers of a model.

    :param model: What DescribeModel says.
    """
    containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else list(model.get("Containers", ()))
    addresses = []
    for container in containers:
        source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
        addresses.append(container.get("ModelDataUrl") or source.get("S3Uri"))
    return tuple(dict.fromkeys(address for address in addresses if address))
