"""The setup of a promotion or rollback: checks everything that can be checked before a choice.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CheckEndpointOperator(BrewtrainOperator):
    """Checks params, the claim to the endpoint, and that the state machine is deployed.

    It is the run's setup, so that it runs again with every clear: by that the wait for the
    execution tells a clear from a move to another triggerer.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the params, then the files, then AWS.

        :returns: ``try_number`` and ``version`` (of the state machine).
        :raises InputError: If a param has no valid value; AWS has not been called yet.
        :raises DeploymentError: If another pipeline file names the same endpoint, or nothing is
            deployed.
        """
        self.check_params(context["params"])
        from brewtrain import resources
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        resources.check_endpoint_claim(self.pipeline)
        hook = StepFunctionsHook(self.aws_conn_id)
        version = hook.version_of_alias(hook.account.alias_arn(self.pipeline.name))
        self.log.info(
            "endpoint %s belongs to this pipeline; executions start on %s", self.pipeline.endpoint_name, version
        )
        return {"try_number": context["ti"].try_number, "version": version}

    @abstractmethod
    def check_params(self, params: Mapping[str, Any]) -> None:
        """Check the DAG run's params; subclasses know which there are.

        :raises InputError: If one has no valid value.
        """
