"""The run's setup: decides which execution it has, and makes what it needs in DataBrew.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from brewtrain import run_context
from brewtrain.airflow_names import PASSED_STATES, START_EXECUTION, VALIDATE
from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, TransientError
from brewtrain.domain.failure import error_names
from brewtrain.domain.quality.memory import digest_of, rules_digest
from brewtrain.domain.quality.validation_job import has_job, validated_days
from brewtrain.domain.run.identity import earlier_generations, identity_for_start, identity_of_run
from brewtrain.domain.run.ladder import Execution, stop_cause
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.names import Account, RunIdentity
    from brewtrain.hooks.databrew_quality import DataBrewQualityHook
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
            ``try_number``; where the data is validated, ``quality_job`` and ``quality_days``, the
            first and the last one, or an empty list if good runs have validated all of them.
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
            **(self._prepare_validation(context, run, identity, databrew) if has_job(self.pipeline) else {}),
        }

    def _prepare_validation(
        self,
        context: Context,
        run: run_context.RunContext,
        identity: RunIdentity,
        beside: DataBrewRunHook,
    ) -> dict[str, Any]:
        """Make what validates the run's new days, unless the run has passed its validation."""
        from brewtrain.hooks.databrew_quality import DataBrewQualityHook
        from brewtrain.hooks.s3_quality import S3QualityHook

        hook = DataBrewQualityHook(self.aws_conn_id, beside=beside)
        job = names.quality_job(identity, run.dag_run_id)
        if run_context.task_states(context, [VALIDATE])[VALIDATE] in PASSED_STATES:
            self.log.info("the data of the run is validated, which needs no profile job")
            return {"quality_job": job, "quality_days": None}
        # A wait that somebody cleared has left them: release_run did not run.
        for earlier in earlier_generations(identity, clear_number=run.clear_number):
            if earlier != identity:
                self._release_validation(hook, names.quality_job(earlier, run.dag_run_id))
        # Nothing waits for such a run now: it read the data before somebody cleared its task.
        hook.stop_runs(job)
        s3 = S3QualityHook(self.aws_conn_id, beside=beside)
        bucket = self.pipeline.bucket_name(beside.account)
        window = self.pipeline.data_days.window(date.fromisoformat(identity.data_date))
        files = s3.files(self.pipeline, window, bucket=bucket)
        digests = {day: digest_of(some) for day, some in files.items()}
        known = s3.memory(self.pipeline.name, bucket=bucket).validated(digests, rules_digest(self.pipeline))
        if files and (run.clear_number or run.run_type == "manual"):
            known.discard(max(files))  # somebody wants the data to be read again
        without_data = set(window.days) - files.keys()
        days = validated_days(self.pipeline, window, known | without_data)
        if days is None:
            self.log.info("all days up to %s are validated already, which needs no profile job", window.last)
            return {"quality_job": job, "quality_days": []}
        self.log.info("%s to %s are validated", days.first, days.last)
        for line in hook.prepare(self.pipeline, identity, days, name=job, bucket=bucket):
            self.log.info("%s", line)
        return {"quality_job": job, "quality_days": [days.first.isoformat(), days.last.isoformat()]}

    def _release_validation(self, hook: DataBrewQualityHook, job: str) -> None:
        hook.stop_runs(job)
        try:
            hook.release(job)
        except TransientError as error:
            self.log.warning("left for the cleanup DAG: %s", error)

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
