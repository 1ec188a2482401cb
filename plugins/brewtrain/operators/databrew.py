"""The run's setup and teardown: its DataBrew dataset and job, made before the execution and removed after it.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.run.identity import earlier_generations, identity_for_start, identity_of_run
from brewtrain.domain.run.ladder import STOPPED_ERROR, Execution, stop_cause
from brewtrain.operators import run_context

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.hooks.stepfunctions import StepFunctionsHook


class DataBrewPrepareRunOperator(BaseOperator):
    """Decides which execution the DAG run stands for, and makes the dataset and job that it needs.

    Runs again whenever a stage is cleared, since Airflow clears a task's setup with it. Whether
    ``start_execution`` will run again too decides the generation: if it has succeeded and was not
    cleared, its execution stays the run's.

    Returns ``{"run_id", "execution_arn", "recipe_version", "job_name", "try_number"}``.

    :param pipeline: The pipeline file.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()

    def __init__(self, *, pipeline: Pipeline, aws_conn_id: str = run_context.CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Prepare.

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
        execution = states.describe(account.execution_arn(self.pipeline.name, identity.run_id))
        if execution is not None:
            recipe_version = _recipe_version_of(execution)
            self.log.info(
                "run %s has an execution (%s): its recipe %s stays", identity.run_id, execution.status, recipe_version
            )
        else:
            recipe_version = databrew.newest_recipe_version(self.pipeline)
            self.log.info("run %s is new: recipe %s", identity.run_id, recipe_version)
        self._abandon(context, run, identity, states, databrew)
        if execution is not None and execution.status == "SUCCEEDED":
            self.log.info("the execution has succeeded: it needs no dataset and no job any more")
        else:
            bucket = self.pipeline.bucket_name(account)
            for line in databrew.prepare(self.pipeline, identity, bucket=bucket, recipe_version=recipe_version):
                self.log.info("%s", line)
        return {
            "run_id": identity.run_id,
            "execution_arn": account.execution_arn(self.pipeline.name, identity.run_id),
            "recipe_version": recipe_version,
            "job_name": identity.job_name_prefix,
            "try_number": context["ti"].try_number,
        }

    def _identity(
        self, context: Context, run: run_context.RunContext, states: StepFunctionsHook, account: names.Account
    ) -> names.RunIdentity:
        start_state = run_context.task_states(context, [run_context.START_EXECUTION])[run_context.START_EXECUTION]
        if start_state == "success":
            started = run_context.pull(context, run_context.START_EXECUTION)
            if started is None:
                raise DeploymentError(
                    "start_execution is success but returned no execution, so it was marked success by hand; clear it "
                    "with everything downstream"
                )
            return identity_of_run(self.pipeline.name, run.interval, started["run_id"])
        identity = identity_for_start(
            self.pipeline.name,
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

    def _abandon(
        self,
        context: Context,
        run: run_context.RunContext,
        identity: names.RunIdentity,
        states: StepFunctionsHook,
        databrew: Any,
    ) -> None:
        """Give up the execution that this DAG run had before it was cleared, if it has a new one now."""
        before = run_context.pull(context, run_context.START_EXECUTION)
        if before is None or before["run_id"] == identity.run_id:
            return
        earlier = identity_of_run(self.pipeline.name, run.interval, before["run_id"])
        execution = states.describe(before["execution_arn"])
        if execution is not None and execution.active:
            self.log.warning(
                "stopping %s: the DAG run was cleared and goes on as %s", before["run_id"], identity.run_id
            )
            states.stop(
                before["execution_arn"],
                error=STOPPED_ERROR,
                cause=stop_cause(run_context.START_EXECUTION, run.clear_number),
            )
        databrew.stop_job_runs(earlier)
        for line in databrew.release(earlier):
            self.log.info("%s", line)


class DataBrewReleaseRunOperator(BaseOperator):
    """Removes the run's dataset and job; stops the execution if the run has failed while it still runs.

    :param pipeline: The pipeline file.
    :param stages: Task ids of the stages.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        stages: Sequence[str],
        aws_conn_id: str = run_context.CONNECTION_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.stages = tuple(stages)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        """Release.

        :raises TransientError: If a job run is still stopping; the next try removes the job.
        """
        from brewtrain.hooks.databrew_run import DataBrewRunHook
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        run = run_context.read(context, self.pipeline)
        prepared = run_context.pull(context, run_context.PREPARE_RUN)
        if prepared is None:
            self.log.info("prepare_run made nothing: nothing to release")
            return
        identity = identity_of_run(self.pipeline.name, run.interval, prepared["run_id"])
        states = StepFunctionsHook(self.aws_conn_id)
        databrew = DataBrewRunHook(self.aws_conn_id)
        execution = states.describe(prepared["execution_arn"])
        if execution is not None and execution.active:
            if not self._orphaned(context):
                self.log.warning(
                    "execution %s still runs because stages were marked success: it is left alone, and so are its "
                    "dataset and job; clear this task when it has ended",
                    execution.name,
                )
                return
            cause = f"release_run attempt {context['ti'].try_number}: the DAG run failed while the execution ran"
            states.stop(execution.arn, error=STOPPED_ERROR, cause=cause)
            self.log.warning("stopped orphaned execution %s", execution.name)
            databrew.stop_job_runs(identity)
        for line in databrew.release(identity):
            self.log.info("%s", line)

    def _orphaned(self, context: Context) -> bool:
        """Whether nothing of the run waits for the execution any more, and not by a person's wish."""
        found = run_context.task_states(context, [run_context.START_EXECUTION, *self.stages])
        return any(state not in ("success", "skipped") for state in found.values())


def _recipe_version_of(execution: Execution) -> str:
    try:
        return str((execution.input or {})["run"]["recipe_version"])
    except (KeyError, TypeError):
        raise DeploymentError(
            f"execution {execution.name} was not started by this package: its input has no run.recipe_version; trigger "
            "the DAG with rerun_mode=fresh"
        ) from None
