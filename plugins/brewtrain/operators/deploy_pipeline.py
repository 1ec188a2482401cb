"""The tasks of the deploy DAG: plan, validate, apply.

Imported while DAG files are parsed, so what a task needs when it runs (hooks, which pull in
botocore, and the deployment itself) is imported then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain import resources, run_context
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.deployment.stack import Content, Stack
    from brewtrain.domain.deployment.plan import Change
    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.hooks.connection import AwsClientHook

PLAN_ONLY = "plan_only"
"""Param of the DAG."""


class DeployPipelineOperator(BrewtrainOperator):
    """What plan, validation and deployment have in common: what is deployed, and where.

    The pipeline's file is read again when the task runs.
    """

    def _read(self) -> tuple[Pipeline, Content]:
        from brewtrain.deployment.stack import Content
        from brewtrain.domain.pipeline.recipe_inputs import check_second_inputs

        pipeline = resources.find_pipeline(self.pipeline.name)
        steps = resources.recipe_steps(pipeline.recipe)
        check_second_inputs(steps, pipeline, source=f"include/recipes/{pipeline.recipe}")
        content = Content(
            recipe_steps=steps,
            split_script=resources.split_script(),
            evaluation_code=resources.evaluation_code(),
            definition=resources.state_machine_definition(),
        )
        return pipeline, content

    def _connect(self) -> AwsClientHook:
        from brewtrain.hooks.connection import AwsClientHook

        connection = AwsClientHook(self.aws_conn_id)
        account = connection.account
        self.log.info("Pipeline %s in account %s, %s", self.pipeline.name, account.account_id, account.region)
        return connection

    def _stack(self) -> Stack:
        from brewtrain.deployment.stack import Hooks, Stack
        from brewtrain.hooks.databrew_recipe import DataBrewRecipeHook
        from brewtrain.hooks.glue_job import GlueJobHook
        from brewtrain.hooks.model_registry import ModelRegistryHook
        from brewtrain.hooks.s3_deployment import S3DeploymentHook
        from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

        pipeline, content = self._read()
        connection = self._connect()
        hooks = Hooks(
            s3=S3DeploymentHook(self.aws_conn_id, beside=connection),
            databrew=DataBrewRecipeHook(self.aws_conn_id, beside=connection),
            glue=GlueJobHook(self.aws_conn_id, beside=connection),
            states=StepFunctionsStateMachineHook(self.aws_conn_id, beside=connection),
            registry=ModelRegistryHook(self.aws_conn_id, beside=connection),
        )
        return Stack(pipeline, content, connection.account, hooks)

    def _log_change(self, change: Change) -> None:
        self.log.info("%s", change.line)


class PlanDeploymentOperator(DeployPipelineOperator):
    """Says what a deployment would change, with a line for each resource, and changes nothing."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Log and return the plan.

        :returns: ``action``, ``resource``, ``name`` and ``differences`` of each change.
        :raises InputError: If the param ``plan_only`` is neither true nor false.
        :raises BrewtrainError: If a file, the connection or the bucket is not usable; says what to
            do.
        """
        from brewtrain.domain.deployment.plan import summary

        run_context.flag(context, PLAN_ONLY)
        changes = self._stack().plan()
        for change in changes:
            self._log_change(change)
        self.log.info("%s", summary(changes, done=False))
        return [change.as_dict() for change in changes]


class ValidateDeploymentOperator(DeployPipelineOperator):
    """Checks what the deployment needs and what would make it fail later; changes nothing."""

    def execute(self, context: Context) -> None:
        """Run every check and log one line for each.

        :raises DeploymentError: With one sentence for each problem.
        """
        from brewtrain.deployment.validation import Validation
        from brewtrain.hooks.iam_role import IamRoleHook
        from brewtrain.hooks.sagemaker_endpoint import SageMakerEndpointHook
        from brewtrain.hooks.stepfunctions_state_machine import StepFunctionsStateMachineHook

        pipeline, content = self._read()
        connection = self._connect()
        Validation(
            pipeline=pipeline,
            content=content,
            account=connection.account,
            images=resources.images(),
            claim=resources.check_endpoint_claim,
            iam=IamRoleHook(self.aws_conn_id, beside=connection),
            sagemaker=SageMakerEndpointHook(self.aws_conn_id, beside=connection),
            states=StepFunctionsStateMachineHook(self.aws_conn_id, beside=connection),
        ).run(lambda line: self.log.info("%s", line))


class ApplyDeploymentOperator(DeployPipelineOperator):
    """Brings every resource to what the repository says, the alias last.

    Looks at AWS again instead of trusting the plan: the account may have changed since.
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Make the changes, log one line for each, and check that they took effect.

        :returns: The changes made, as :meth:`PlanDeploymentOperator.execute` returns them.
        :raises DeploymentError: If AWS refuses something; what was done so far stays and the next
            run goes on from it.
        :raises TransientError: If AWS was not available, or somebody else deployed at the same
            time.
        :raises AirflowSkipException: If the run was asked for a plan only.
        """
        from brewtrain.domain.deployment.plan import summary

        if run_context.flag(context, PLAN_ONLY):
            raise AirflowSkipException("plan_only: nothing was changed")
        changes = self._stack().apply(self._log_change)
        self.log.info("%s", summary(changes, done=True))
        return [change.as_dict() for change in changes]
