"""What the states of the deployment ask of the endpoint's description and of caught errors."""

from __future__ import annotations

from parts.endpoint_failures import CAUSE, ERROR
from parts.retries import SAGEMAKER_TRANSIENT
from parts.sdk import ChoiceRule, any_of, one_of, text_has

IN_SERVICE = ChoiceRule.StringEquals("$.serving.EndpointStatus", "InService")
SERVES_OURS = ChoiceRule.StringEqualsPath("$.serving.EndpointConfigName", "$.endpoint_config.name")
WRITTEN = ChoiceRule.BooleanEquals("$.deployment.written", True)
ON_PREVIOUS = ChoiceRule.StringEqualsPath("$.serving.EndpointConfigName", "$.deployment.previous_config_name")
# The first description after the write may still show the state before it.
LOOKED_TWICE = ChoiceRule.NumericGreaterThanEquals("$.waits.count", 2)
TRANSIENT = any_of(
    one_of(ERROR, (*SAGEMAKER_TRANSIENT, "States.Timeout")),
    text_has(CAUSE, "Rate exceeded", "Throttling", "Status Code: 5"),
)
NO_ENDPOINT = text_has(CAUSE, "Could not find endpoint")
NO_CONFIG = text_has(CAUSE, "Could not find endpoint configuration")
