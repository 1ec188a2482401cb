"""Whether our endpoint config may replace the one that serves, and whose instance count is kept."""

from __future__ import annotations

from typing import Any

from parts.endpoint_conditions import NO_CONFIG, TRANSIENT, WRITTEN
from parts.endpoint_failures import Failures
from parts.outcomes import outcome_with_model
from parts.retries import SAGEMAKER_CALL_RETRY, SAGEMAKER_LOOKUP_RETRY
from parts.sdk import ChoiceRule, all_of, any_of, call, catch_all, choice, steps


def replace_if_not_newer(update: Any, wait: Any, failures: Failures) -> Any:
    """Build the states between the look at the endpoint and its update.

    :param update: First state of the update.
    :param wait: First state of the wait after which the endpoint is looked at again.
    :param failures: The states that end a deployment.
    :returns: The first state.
    """
    read_date = call(
        "Read Serving Data Date",
        "aws-sdk:sagemaker:listTags",
        {"ResourceArn.$": "$.serving_config.arn"},
        retry=SAGEMAKER_CALL_RETRY,
        selector={
            "data_dates.$": "$.Tags[?(@.Key=='brewtrain:data-date')].Value",
            "count.$": "States.ArrayLength($.Tags[?(@.Key=='brewtrain:data-date')].Value)",
        },
        result_path="$.serving_tags",
    )
    read_date.next(_newer_than_serving(_choose_capacity(update), failures.rolled_back))
    return _look_up_serving_config(read_date, wait, failures.as_caught)


def _look_up_serving_config(read_date: Any, wait: Any, failed: Any) -> Any:
    config_gone = steps.Pass(
        "Serving Config Deleted",
        parameters={"known": False, "arn.$": "$.serving.EndpointArn", "variants": []},
        result_path="$.serving_config",
        comment="Deleted by hand while it serves: the endpoint's own tag has the date too.",
    )
    config_gone.next(read_date)
    lookup_failed = choice("Serving Config Lookup Failed", [(NO_CONFIG, config_gone), (TRANSIENT, wait)], failed)
    look_up = call(
        "Look Up Serving Config",
        "aws-sdk:sagemaker:describeEndpointConfig",
        {"EndpointConfigName.$": "$.serving.EndpointConfigName"},
        retry=SAGEMAKER_LOOKUP_RETRY,
        selector={"known": True, "arn.$": "$.EndpointConfigArn", "variants.$": "$.ProductionVariants"},
        result_path="$.serving_config",
    )
    catch_all(look_up, lookup_failed)
    look_up.next(read_date)
    return look_up


def _newer_than_serving(capacity: Any, rolled_back: Any) -> Any:
    older_than_serving = outcome_with_model(
        "Record Older Than Serving",
        "rejected",
        "older_than_serving",
        "States.Format('Endpoint {} serves a model trained on data up to {}, newer than {}: the candidate is recorded"
        " as endpoint config {} and not deployed.', $.endpoint.name,"
        " States.ArrayGetItem($.serving_tags.data_dates, 0), $.run.data_date, $.endpoint_config.name)",
        comment="An older model never replaces a newer one, unless a person asks for it with deploy_policy always.",
    )
    newer_serves = all_of(
        # A config made by hand, which a rollback may go back to, has no date, and null is no string
        # to compare with.
        ChoiceRule.IsString("$.run.data_date", True),
        ChoiceRule.NumericGreaterThan("$.serving_tags.count", 0),
        ChoiceRule.StringMatches("$.serving_tags.data_dates[0]", "*-*-*"),
        ChoiceRule.StringGreaterThanPath("$.serving_tags.data_dates[0]", "$.run.data_date"),
    )
    return choice(
        "Newer Than Serving",
        [
            (
                all_of(newer_serves, any_of(WRITTEN, ChoiceRule.StringEquals("$.run.deploy_policy", "newest"))),
                older_than_serving,
            ),
            (WRITTEN, rolled_back),
        ],
        capacity,
        comment="Without a tag that is a date, somebody else's model serves, and any of ours may replace it.",
    )


def _choose_capacity(update: Any) -> Any:
    read_shape = steps.Pass(
        "Read Serving Variants",
        parameters={
            "variants.$": "States.ArrayLength($.serving.ProductionVariants)",
            "variant_name.$": "States.ArrayGetItem($.serving.ProductionVariants[*].VariantName, 0)",
        },
        result_path="$.serving_shape",
    )
    keep = steps.Pass("Keep Serving Capacity", result={"retain": True}, result_path="$.capacity")
    take_new = steps.Pass("Take Capacity Of Config", result={"retain": False}, result_path="$.capacity")
    for state in (keep, take_new):
        state.next(update)
    our_variant = (
        ChoiceRule.NumericEquals("$.serving_shape.variants", 1),
        ChoiceRule.StringEqualsPath("$.serving_shape.variant_name", "$.endpoint.variant_name"),
    )
    same_request = (
        ChoiceRule.IsPresent("$.serving_config.variants[0].InstanceType", True),
        ChoiceRule.IsPresent("$.serving_config.variants[0].InitialInstanceCount", True),
        ChoiceRule.StringEqualsPath("$.serving_config.variants[0].InstanceType", "$.endpoint.instance_type"),
        ChoiceRule.NumericEqualsPath("$.serving_config.variants[0].InitialInstanceCount", "$.endpoint.instance_count"),
    )
    whose_capacity = choice(
        "Whose Capacity",
        [
            (all_of(*our_variant, ChoiceRule.BooleanEquals("$.serving_config.known", False)), keep),
            (all_of(*our_variant, ChoiceRule.BooleanEquals("$.serving_config.known", True), *same_request), keep),
        ],
        take_new,
        comment=(
            "If the pipeline still asks for what it asked for last time, autoscaling set any other count, and it is "
            "kept; if the pipeline asks for something new, the new config decides."
        ),
    )
    read_shape.next(whose_capacity)
    return read_shape
