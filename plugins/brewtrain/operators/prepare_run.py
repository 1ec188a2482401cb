"""The run's setup: decides which execution it has, and makes the DataBrew dataset and job for it.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brewtrain import run_context
from brewtrain.airflow_names import START_EXECUTION
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.failure import error_names
from brewtrain.domain.run.identity import earlier_generations, identity_for_start, identity_of_run
from brewtrain.domain.run.ladder import Execution, stop_cause
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.names import Account, RunIdentity
    from brewtrain.hooks.databrew_run import DataBrewRunHook
    from brewtrain.hooks.stepfunctions import StepFunctionsHook


class PrepareRunOperator(BrewtrainOperator):
    """Decides which execution the DAG run has, and makes the dataset and job that it needs.

    Runs again whenever a stage is cleared, since Airflow clears a task's setup with it. Whether
    ``start_execution`` will run again too decides the generation: if it has succeeded and was not
    cleared, the run keeps its execution.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Prepare the run.

        :returns: ``run_id``, ``execution_arn``, ``recipe_version``, ``job_name`` and
            ``try_number``.
        :raises DeploymentError: If the recipe was never published, or ``start_execution`` was
            marked success without an execution.
        """
        from brewtrain.hooks.databrew_run import DataBrewRunHook
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        run = run_context.read(context, self.pipeline)
        databrew = DataBrewRunHook(self.aws_conn_id)
        states = StepFunctionsHook(self.aws_conn_id)
        account = databrew.account
        identity = self._identity(context, run, states, account)
        execution_arn = account.execution_arn(self.pipeline.name, identity.run_id)
        execution = states.describe(execution_arn)
        if execution is not None:
            recipe_version = _recipe_version_of(execution)
            self.log.info(
                "run %s has an execution (%s): it keeps recipe %s", identity.run_id, execution.status, recipe_version
            )
        else:
            recipe_version = databrew.newest_recipe_version(self.pipeline)
            self.log.info("run %s is new: recipe %s", identity.run_id, recipe_version)
        self._abandon_earlier(context, run, identity, states, databrew)
        if execution is not None and execution.status == "SUCCEEDED":
            self.log.info("the execution has succeeded and needs no dataset and no job")
        else:
            bucket = self.pipeline.bucket_name(account)
            for line in databrew.prepare(self.pipeline, identity, bucket=bucket, recipe_version=recipe_version):
                self.log.info("%s", line)
        return {
            "run_id": identity.run_id,
            "execution_arn": execution_arn,
            "recipe_version": recipe_version,
            "job_name": identity.job_name_prefix,
            "try_number": context["ti"].try_number,
        }

    def _identity(
        self, context: Context, run: run_context.RunContext, states: StepFunctionsHook, account: Account
    ) -> RunIdentity:
        if run_context.task_states(context, [START_EXECUTION])[START_EXECUTION] == "success":
            started = run_context.pull(context, START_EXECUTION)
            if started is None:
                raise DeploymentError(
                    f"{START_EXECUTION} is success but has returned no execution: somebody marked it success; clear "
                    "it and everything downstream"
                )
            return identity_of_run(self.pipeline, run.interval, started["run_id"])
        identity = identity_for_start(
            self.pipeline,
            run.interval,
            clear_number=run.clear_number,
            rerun_mode=run.rerun_mode,
            dag_run_id=run.dag_run_id,
        )
        if run.rerun_mode == "redrive":
            for candidate in (identity, *earlier_generations(identity, clear_number=run.clear_number)):
                if states.describe(account.execution_arn(self.pipeline.name, candidate.run_id)) is not None:
                    return candidate
        return identity

    def _abandon_earlier(
        self,
        context: Context,
        run: run_context.RunContext,
        identity: RunIdentity,
        states: StepFunctionsHook,
        databrew: DataBrewRunHook,
    ) -> None:
        """Give up the execution that this DAG run had before it was cleared, if it gets another."""
        before = run_context.pull(context, START_EXECUTION)
        if before is None or before["run_id"] == identity.run_id:
            return
        earlier = identity_of_run(self.pipeline, run.interval, before["run_id"])
        execution = states.describe(before["execution_arn"])
        if execution is not None and execution.active:
            self.log.warning(
                "stopping %s: the DAG run was cleared and goes on as %s", before["run_id"], identity.run_id
            )
            states.stop(
                before["execution_arn"],
                error=error_names.STOPPED,
                cause=stop_cause(START_EXECUTION, run.clear_number),
            )
        databrew.stop_job_runs(earlier)
        for line in databrew.release(earlier):
            self.log.info("%s", line)


def _recipe_version_of(execution: Execution) -> str:
    try:
        return str((execution.input or {})["run"]["recipe_version"])
    except (KeyError, TypeError):
        raise DeploymentError(
            f"execution {execution.name} was not started by this package: its input has no run.recipe_version; trigger "
            "the DAG with rerun_mode=fresh"
        ) from None
