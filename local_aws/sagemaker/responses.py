"""Routes of the SageMaker and SageMaker Runtime APIs to their handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from moto.sagemaker import urls
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime import urls as runtime_urls
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local_aws.jobs.modelled import Handler, ModelledResponse, Request
from local_aws.jobs.store import Record

from . import endpoint_configs, endpoints, invocations, models, processing, records, registry, training

_TAG_OPERATIONS: dict[str, Callable[[Request, Record], dict[str, Any]]] = {
    "AddTags": records.add_tags,
    "ListTags": records.list_tags,
    "DeleteTags": records.delete_tags,
}


class SageMakerJobsResponse(ModelledResponse, SageMakerResponse):  # type: ignore[misc]
    """moto's SageMaker with this package's handlers in front."""

    handlers: ClassVar[dict[str, Handler]] = {
        "CreateTrainingJob": training.create_training_job,
        "DescribeTrainingJob": training.describe_training_job,
        "ListTrainingJobs": training.list_training_jobs,
        "StopTrainingJob": training.stop_training_job,
        "DeleteTrainingJob": training.delete_training_job,
        "CreateProcessingJob": processing.create_processing_job,
        "DescribeProcessingJob": processing.describe_processing_job,
        "ListProcessingJobs": processing.list_processing_jobs,
        "StopProcessingJob": processing.stop_processing_job,
        "CreateModel": models.create_model,
        "DescribeModel": models.describe_model,
        "ListModels": models.list_models,
        "DeleteModel": models.delete_model,
        "CreateEndpointConfig": endpoint_configs.create_endpoint_config,
        "DescribeEndpointConfig": endpoint_configs.describe_endpoint_config,
        "ListEndpointConfigs": endpoint_configs.list_endpoint_configs,
        "DeleteEndpointConfig": endpoint_configs.delete_endpoint_config,
        "CreateEndpoint": endpoints.create_endpoint,
        "UpdateEndpoint": endpoints.update_endpoint,
        "UpdateEndpointWeightsAndCapacities": endpoints.update_endpoint_weights_and_capacities,
        "DescribeEndpoint": endpoints.describe_endpoint,
        "ListEndpoints": endpoints.list_endpoints,
        "DeleteEndpoint": endpoints.delete_endpoint,
        "CreateModelPackageGroup": registry.create_model_package_group,
        "DescribeModelPackageGroup": registry.describe_model_package_group,
        "ListModelPackageGroups": registry.list_model_package_groups,
        "DeleteModelPackageGroup": registry.delete_model_package_group,
        "CreateModelPackage": registry.create_model_package,
        "DescribeModelPackage": registry.describe_model_package,
        "ListModelPackages": registry.list_model_packages,
        "UpdateModelPackage": registry.update_model_package,
        "DeleteModelPackage": registry.delete_model_package,
    }

    def call_action(self) -> Any:
        """Serve tags of this package's resources here; moto serves those of its own."""
        operation = self._get_action()
        if operation in _TAG_OPERATIONS:
            request = self.parsed_request(operation)
            record = records.find_by_arn(records.partition_of(request), request.params.get("ResourceArn", ""))
            if record is not None:
                return self.respond(operation, lambda given: _answer_tags(operation, given, record))
            if not self._is_of_moto(request.params.get("ResourceArn", "")):
                return self.respond(operation, _refuse_absent)
        return super().call_action()

    def _is_of_moto(self, arn: str) -> bool:
        # moto 5.2.5 raises AttributeError for a resource that does not exist.
        try:
            return self.sagemaker_backend._get_resource_from_arn(arn) is not None
        except (AttributeError, ValueError):
            return False


def _answer_tags(operation: str, request: Request, record: Record) -> dict[str, Any]:
    with records.STORE.lock:
        holder = registry.holder_of_tags(request, record, writing=operation != "ListTags")
    return _TAG_OPERATIONS[operation](request, holder)


def _refuse_absent(_request: Request) -> dict[str, Any]:
    raise records.invalid("Resource does not exist.")


class SageMakerRuntimeJobsResponse(ModelledResponse, SageMakerRuntimeResponse):  # type: ignore[misc]
    """moto's SageMaker Runtime with real invocations in front."""

    handlers: ClassVar[dict[str, Handler]] = {"InvokeEndpoint": invocations.invoke_endpoint}

    def setup_class(
        self, request: Any, full_url: str | None = None, headers: Any = None, use_raw_body: bool | None = None
    ) -> None:
        """Read the payload as bytes: it need not be text."""
        super().setup_class(request, full_url, headers, use_raw_body=True)


def register_urls() -> None:
    """Route both APIs here; called before moto builds its routes."""
    for path in urls.url_paths:
        urls.url_paths[path] = SageMakerJobsResponse.dispatch
    for path in runtime_urls.url_paths:
        runtime_urls.url_paths[path] = SageMakerRuntimeJobsResponse.dispatch
