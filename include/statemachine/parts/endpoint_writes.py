"""The two writes to the endpoint, create and update, and what follows if SageMaker refuses one."""

from __future__ import annotations

from typing import Any

from parts.endpoint_conditions import NO_CONFIG, TRANSIENT
from parts.endpoint_failures import CAUSE
from parts.sdk import any_of, call, catch_all, choice, steps, text_has

NOT_RETRIED = (
    "No Retry: a newer model may serve by the time of a second try. Errors that may pass lead back to Query Endpoint."
)


def create_endpoint(start_counting: Any, refused: Any) -> Any:
    """Build the states that create the endpoint.

    :param start_counting: Where the deployment goes on to watch the endpoint.
    :param refused: Where it goes on when SageMaker refuses the call.
    :returns: The first state.
    """
    create = call(
        "Create Model Endpoint",
        "sagemaker:createEndpoint",
        {
            "EndpointName.$": "$.endpoint.name",
            "EndpointConfigName.$": "$.endpoint_config.name",
            "Tags.$": "$.tags",
        },
        retry=None,
        result_path=None,
        comment=NOT_RETRIED,
    )
    catch_all(create, refused)
    watch = _watch("Watch New Endpoint", {"previous_config_name": ""})
    steps.Chain([create, watch, start_counting])
    return create


def update_endpoint(start_counting: Any, refused: Any) -> Any:
    """Build the states that update the endpoint.

    :param start_counting: Where the deployment goes on to watch the endpoint.
    :param refused: Where it goes on when SageMaker refuses the call.
    :returns: The first state.
    """
    # Not the SDK's EndpointStep: an optimized integration refuses definitions with fields it does
    # not know, and that of updateEndpoint may know the two names only. The SDK integration takes
    # the whole API.
    update = call(
        "Update Model Endpoint",
        "aws-sdk:sagemaker:updateEndpoint",
        {
            "EndpointName.$": "$.endpoint.name",
            "EndpointConfigName.$": "$.endpoint_config.name",
            "RetainAllVariantProperties.$": "$.capacity.retain",
            # Whole, because some of its members are optional.
            "DeploymentConfig.$": "$.endpoint.deployment_config",
        },
        retry=None,
        result_path=None,
        comment=NOT_RETRIED,
    )
    catch_all(update, refused)
    watch = _watch("Watch Updated Endpoint", {"previous_config_name.$": "$.serving.EndpointConfigName"})
    steps.Chain([update, watch, start_counting])
    return update


def _watch(name: str, previous: dict[str, str]) -> Any:
    return steps.Pass(
        name,
        parameters={"written": True, **previous, "redrive_count.$": "$.deployment.redrive_count"},
        result_path="$.deployment",
    )


def write_refused(wait: Any, failed: Any) -> Any:
    """Build the Choice behind a refused write.

    :param wait: First state of the wait after which the endpoint is looked at again.
    :param failed: Where an error leads that waiting cannot help.
    """
    busy = text_has(
        CAUSE,
        "Cannot update in-progress endpoint",
        "Cannot create already existing endpoint",
        "Could not find endpoint",
    )
    return choice(
        "Endpoint Busy",
        [(NO_CONFIG, failed), (any_of(TRANSIENT, busy), wait)],
        failed,
        comment=(
            "Another deployment is under way, or the endpoint was created or deleted meanwhile: wait and look again."
        ),
    )
