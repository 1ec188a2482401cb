"""The look at the endpoint: where its status leads, and the proof that it serves our config."""

from __future__ import annotations

from typing import Any

from parts.endpoint_conditions import (
    IN_SERVICE,
    LOOKED_TWICE,
    NO_ENDPOINT,
    ON_PREVIOUS,
    SERVES_OURS,
    TRANSIENT,
    WRITTEN,
)
from parts.endpoint_failures import Failures
from parts.outcomes import outcome_with_model
from parts.retries import SAGEMAKER_CALL_RETRY, SAGEMAKER_LOOKUP_RETRY
from parts.sdk import ChoiceRule, all_of, any_of, call, choice, one_of, steps


def query_endpoint() -> Any:
    """Build the call that looks at the endpoint.

    What follows it is connected in parts/deployment.py, since the waits lead back to it.
    """
    return call(
        "Query Endpoint",
        "aws-sdk:sagemaker:describeEndpoint",
        {"EndpointName.$": "$.endpoint.name"},
        retry=SAGEMAKER_LOOKUP_RETRY,
        result_path="$.serving",
        comment="The whole answer is kept: some of its fields are absent while an endpoint is being created.",
    )


def query_failed(create: Any, wait: Any, failures: Failures) -> Any:
    """Build the Choice behind a failed look.

    :param create: First state of the creation, for an endpoint that does not exist yet.
    :param wait: First state of the wait after which the endpoint is looked at again.
    :param failures: The states that end a deployment.
    """
    return choice(
        "Endpoint Lookup Failed",
        [
            (all_of(NO_ENDPOINT, WRITTEN, LOOKED_TWICE), failures.deleted),
            (all_of(NO_ENDPOINT, WRITTEN), wait),
            (NO_ENDPOINT, create),
            (TRANSIENT, wait),
        ],
        failures.as_caught,
    )


def endpoint_status(replace: Any, wait: Any, failures: Failures) -> Any:
    """Build the Choice by the endpoint's status and config.

    :param replace: Where an endpoint leads that serves another config.
    :param wait: First state of the wait after which the endpoint is looked at again.
    :param failures: The states that end a deployment.
    """
    in_motion = one_of(
        "$.serving.EndpointStatus", ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
    )
    incomplete = any_of(
        ChoiceRule.IsPresent("$.serving.EndpointConfigName", False),
        ChoiceRule.IsPresent("$.serving.ProductionVariants[0]", False),
    )
    return choice(
        "Endpoint Status",
        [
            (in_motion, wait),
            (
                all_of(ChoiceRule.Not(IN_SERVICE), ChoiceRule.IsPresent("$.serving.FailureReason", True)),
                failures.failed_with_reason,
            ),
            (ChoiceRule.Not(IN_SERVICE), failures.failed_without_reason),
            (incomplete, wait),
            (SERVES_OURS, _prove_that_it_serves(wait)),
            (all_of(WRITTEN, LOOKED_TWICE, ON_PREVIOUS), failures.rolled_back),
            (all_of(WRITTEN, ON_PREVIOUS), wait),
        ],
        replace,
        comment="SageMaker shows a rolled-back update as InService on the old config: only the config's name tells.",
    )


def _prove_that_it_serves(wait: Any) -> Any:
    count_variants = steps.Pass(
        "Count Serving Variants",
        parameters={
            "all.$": "States.ArrayLength($.serving.ProductionVariants)",
            "serving.$": "States.ArrayLength($.serving.ProductionVariants[?(@.CurrentInstanceCount>0)])",
        },
        result_path="$.serving_variants",
    )
    tag = call(
        "Tag Endpoint",
        "aws-sdk:sagemaker:addTags",
        {"ResourceArn.$": "$.serving.EndpointArn", "Tags.$": "$.tags"},
        retry=SAGEMAKER_CALL_RETRY,
        result_path=None,
        comment="For people, and in case somebody deletes the config. The config's own tag is what counts.",
    )
    tag.next(_record())
    count_variants.next(
        choice(
            "Every Variant Serves",
            [(ChoiceRule.NumericEqualsPath("$.serving_variants.serving", "$.serving_variants.all"), tag)],
            wait,
        )
    )
    return count_variants


def _record() -> Any:
    promoted = outcome_with_model(
        "Record Promotion",
        "promoted",
        "promoted",
        "States.Format('Endpoint {} serves model {}, trained on data up to {}.',"
        " $.endpoint.name, $.model.name, $.run.data_date)",
        comment="InService, on the endpoint config asked for, every variant with instances.",
    )
    rolled_back_to = outcome_with_model(
        "Record Rollback",
        "promoted",
        "rolled_back_to",
        "States.Format('Endpoint {} is back on endpoint config {}, whose model was trained on data up to {}.',"
        " $.endpoint.name, $.endpoint_config.name, $.run.data_date)",
        comment="A person asked for this config; the same proof as for a promotion.",
    )
    return choice("Deployed What", [(ChoiceRule.StringEquals("$.entry", "rollback"), rolled_back_to)], promoted)
