"""The start of an execution that deploys without training: of a promotion or a rollback.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from brewtrain import run_context
from brewtrain.airflow_names import DeploymentTasks
from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.operators.start_execution import StartExecutionOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.hooks.stepfunctions import StepFunctionsHook


class StartDeploymentOperator(StartExecutionOperator):
    """Makes sure that the execution exists which deploys what was chosen.

    Subclasses set :attr:`tasks`, and build the input in :meth:`document`.
    """

    tasks: ClassVar[DeploymentTasks]
    """Tasks of the DAG, this one among them."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Start, attach to or redrive the execution.

        :returns: ``run_id``, ``execution_arn``, ``data_date`` and ``action``.
        :raises RetrainingFailedError: If the execution failed earlier and cannot be redriven.
        :raises DeploymentError: If nothing was chosen, or what was chosen cannot be deployed any
            more.
        """
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        chosen = self.chosen(context)
        name = self._execution_name(context)
        hook = StepFunctionsHook(self.aws_conn_id)
        arn, action = self.settle(context, hook, name, self.document(hook, chosen, name), rerun_mode="auto")
        return {
            "run_id": chosen.get("run_id"),
            "execution_arn": arn,
            "data_date": chosen.get("data_date"),
            "action": action.value,
        }

    def chosen(self, context: Context) -> dict[str, Any]:
        """Return what the choosing task returned.

        :raises DeploymentError: If it has chosen nothing.
        """
        found = run_context.pull(context, self.tasks.choose_task)
        if found is None:
            raise DeploymentError(f"{self.tasks.choose_task} has chosen nothing; clear it and everything downstream")
        return found

    def _execution_name(self, context: Context) -> str:
        dag_run = run_context.dag_run_of(context)
        try:
            return names.deployment_id(
                self.pipeline.name,
                self.tasks.kind,
                dag_run.run_after,
                dag_run_id=dag_run.run_id,
                clear_number=dag_run.clear_number or 0,
            )
        except ValueError as error:
            raise InputError(str(error)) from error

    @abstractmethod
    def document(self, hook: StepFunctionsHook, chosen: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Build the execution's input.

        :param hook: A hook of this task.
        :param chosen: What the choosing task returned.
        :param name: Name of the execution.
        :raises DeploymentError: If what was chosen is gone.
        """
