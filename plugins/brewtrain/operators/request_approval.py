"""The retrain DAG's request that a person approves its candidate.

Imported while DAG files are parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from brewtrain import run_context
from brewtrain.airflow_names import RECORD_RESULT
from brewtrain.domain.errors import DeploymentError
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class RequestApprovalOperator(BrewtrainOperator):
    """Asks a person to approve the run's candidate, by triggering the promote DAG for it."""

    def execute(self, context: Context) -> NoReturn:
        """Trigger the promote DAG.

        :raises AirflowSkipException: If there is nothing to approve, or the run belongs to a
            backfill: nobody is asked for each of its models.
        :raises DeploymentError: If the promote DAG is paused: nobody would see the question.
        """
        recorded = run_context.pull(context, RECORD_RESULT) or {}
        run_id = str(recorded.get("run_id"))
        promote = f"{self.pipeline.name}__promote"
        if recorded.get("outcome") != "pending":
            raise AirflowSkipException(f"{recorded.get('outcome') or 'nothing recorded'}: nothing to approve")
        if run_context.run_type_of(context) == "backfill":
            raise AirflowSkipException(
                f"nobody is asked for the models of a backfill; {promote} with candidate=best_of_backfill deploys its "
                "best"
            )
        if context["ti"].get_dag(promote).is_paused:
            raise DeploymentError(
                f"{promote} is paused, so nobody would be asked to approve run {run_id}; unpause it, then clear this "
                "task"
            )
        policy = "always" if context["params"].get("deploy_policy") == "always" else "newest"
        raise DagRunTriggerException(
            trigger_dag_id=promote,
            dag_run_id=f"approval__{run_id}",
            conf={"candidate": run_id, "deploy_policy": policy},
            logical_date=None,
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=["success"],
            failed_states=["failed"],
            poke_interval=60,
            deferrable=False,
        )
