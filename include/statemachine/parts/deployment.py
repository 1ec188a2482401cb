"""Deployment: create or update the endpoint, and wait until it serves the config asked for.

This module has the order of the deployment; the steps on the endpoint are in the endpoint_*
modules beside it. A model never replaces one that was trained on newer data, unless a person asks
for it.
"""

from __future__ import annotations

from typing import Any

from parts.endpoint_failures import failures
from parts.endpoint_replacement import replace_if_not_newer
from parts.endpoint_status import endpoint_status, query_endpoint, query_failed
from parts.endpoint_waits import wait_and_look_again
from parts.endpoint_writes import create_endpoint, update_endpoint, write_refused
from parts.names import ATTEMPT_NAME
from parts.outcomes import outcome_without_model
from parts.retries import SAGEMAKER_CALL_RETRY
from parts.sdk import ChoiceRule, call, catch_all, choice, steps


def deploy() -> tuple[Any, Any]:
    """Build the deployment.

    :returns: Where a trained model comes in, and where an endpoint config that exists does.
    """
    prepare = steps.Pass(
        "Prepare Deployment",
        parameters={
            "written": False,
            "previous_config_name": "",
            "redrive_count.$": "$$.Execution.RedriveCount",
        },
        result_path="$.deployment",
    )
    start_counting = steps.Pass("Start Counting Waits", result={"count": 0}, result_path="$.waits")
    query = query_endpoint()
    save_model = _save_model()
    steps.Chain([save_model, _create_config(), prepare, start_counting, query])

    failed = failures(prepare)
    wait = wait_and_look_again(query, failed.stuck)
    refused = write_refused(wait, failed.as_caught)
    update = update_endpoint(start_counting, refused)
    query.next(endpoint_status(replace_if_not_newer(update, wait, failed), wait, failed))
    catch_all(query, query_failed(create_endpoint(start_counting, refused), wait, failed))
    return _policy(save_model), prepare


def _policy(save_model: Any) -> Any:
    deploy_never = outcome_without_model(
        "Record Deploy Never",
        "rejected",
        "deploy_never",
        "States.Format('The model passed the gate and is recorded; deploy_policy of run {} is never.', $.run.id)",
        comment="For runs that only train and evaluate.",
    )
    awaiting_approval = outcome_without_model(
        "Record Awaiting Approval",
        "pending",
        "awaiting_approval",
        "States.Format('The model of run {} passed the gate and waits for approval by a person.', $.run.id)",
        comment="The promotion that follows an approval is an execution of its own (entry promote).",
    )
    return choice(
        "Deploy Policy",
        [
            (ChoiceRule.StringEquals("$.run.deploy_policy", "never"), deploy_never),
            (ChoiceRule.StringEquals("$.run.deploy_policy", "approval"), awaiting_approval),
        ],
        save_model,
    )


def _save_model() -> Any:
    return call(
        "Save Model",
        "sagemaker:createModel",
        {
            "ModelName.$": ATTEMPT_NAME,
            "ExecutionRoleArn.$": "$.training.role_arn",
            "PrimaryContainer": {
                "Image.$": "$.training.image_uri",
                "ModelDataUrl.$": "$.training_job.model_artifacts",
            },
            "Tags.$": "$.tags",
        },
        retry=SAGEMAKER_CALL_RETRY,
        selector={"name.$": ATTEMPT_NAME},
        result_path="$.model",
        comment="After the gate, so that refused models do not pile up.",
    )


def _create_config() -> Any:
    return call(
        "Create Model Endpoint Config",
        "sagemaker:createEndpointConfig",
        {
            "EndpointConfigName.$": ATTEMPT_NAME,
            "ProductionVariants": [
                {
                    "VariantName.$": "$.endpoint.variant_name",
                    "ModelName.$": "$.model.name",
                    "InstanceType.$": "$.endpoint.instance_type",
                    "InitialInstanceCount.$": "$.endpoint.instance_count",
                    "InitialVariantWeight": 1,
                }
            ],
            "Tags.$": "$.tags",
        },
        retry=SAGEMAKER_CALL_RETRY,
        selector={"name.$": ATTEMPT_NAME},
        result_path="$.endpoint_config",
        comment="Its tag brewtrain:data-date says how new the data is that the model learned from.",
    )
