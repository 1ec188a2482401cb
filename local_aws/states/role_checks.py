"""What Step Functions checks about a state machine's role, when IAM is enforced.

The role has to trust states.amazonaws.com, and may have to manage the EventBridge rule by which a
``.sync`` integration learns that its job has ended:
https://docs.aws.amazon.com/step-functions/latest/dg/service-integration-iam-templates.html. Must
not import moto.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from local_aws.core import authorisation
from local_aws.iam.trust import role_problem
from local_aws.states.errors import ApiError

SERVICE_PRINCIPAL = "states.amazonaws.com"
_SESSION = "StepFunctions"
#: Integration → rule that Step Functions manages in the account; it polls the other jobs.
_MANAGED_RULES = {
    "sagemaker:createTrainingJob.sync": "StepFunctionsGetEventsForSageMakerTrainingJobsRule",
    "sagemaker:createProcessingJob.sync": "StepFunctionsGetEventsForSageMakerProcessingJobsRule",
    "sagemaker:createTransformJob.sync": "StepFunctionsGetEventsForSageMakerTransformJobsRule",
    "states:startExecution.sync": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
    "states:startExecution.sync:2": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
_RULE_ACTIONS = ("events:DescribeRule", "events:PutRule", "events:PutTargets")


def assumption_problem(role_arn: str, machine_arn: str) -> str | None:
    """Say why Step Functions cannot assume the role of a state machine.

    :param role_arn: the state machine's role.
    :param machine_arn: ARN of the state machine.
    :returns: None if it can, or if IAM is not enforced.
    """
    return role_problem(role_arn, SERVICE_PRINCIPAL, machine_arn) if authorisation.is_enforced() else None


def check(role_arn: str, machine_arn: str, definition: str) -> None:
    """Check the role of a state machine that is created or changed.

    :param role_arn: the state machine's role.
    :param machine_arn: ARN of the state machine.
    :param definition: its definition, already validated.
    :raises ApiError: ``AccessDeniedException``, in the words of Step Functions.
    """
    if not authorisation.is_enforced():
        return
    if assumption_problem(role_arn, machine_arn) is not None:
        raise ApiError(
            "AccessDeniedException",
            f"Neither the global service principal {SERVICE_PRINCIPAL}, nor the regional one is authorized to assume"
            " the provided role.",
        )
    _, _, _, region, account, _ = machine_arn.split(":", 5)
    for rule in sorted(
        {_MANAGED_RULES[name] for name in _integrations(json.loads(definition)) if name in _MANAGED_RULES}
    ):
        for action in _RULE_ACTIONS:
            arn = f"arn:aws:events:{region}:{account}:rule/{rule}"
            denial = authorisation.role_may(role_arn, _SESSION, action, arn)
            if denial is not None:
                message = f"'{role_arn}' is not authorized to create managed-rule. ({denial.message})"
                raise ApiError("AccessDeniedException", message)


def _integrations(node: Any) -> Iterator[str]:
    """Yield ``service:action.pattern`` of every Task state, however deep."""
    if isinstance(node, dict):
        resource = node.get("Resource")
        if node.get("Type") == "Task" and isinstance(resource, str) and ":states:" in resource:
            yield ":".join(resource.split(":")[5:])
        for value in node.values():
            yield from _integrations(value)
    elif isinstance(node, list):
        for value in node:
            yield from _integrations(value)
