"""The run's teardown: removes what it has in DataBrew, and stops an orphaned execution.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brewtrain import run_context
from brewtrain.airflow_names import PREPARE_RUN, START_EXECUTION
from brewtrain.domain.failure import error_names
from brewtrain.domain.run.identity import identity_of_run
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReleaseRunOperator(BrewtrainOperator):
    """Removes the run's dataset and job; stops its execution if the run failed while it still runs.

    :param stages: Task ids of the stages.
    """

    def __init__(self, *, stages: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stages = tuple(stages)

    def execute(self, context: Context) -> None:
        """Release what the run no longer needs.

        :raises TransientError: If a job run is still stopping; the next try removes the job.
        """
        from brewtrain.hooks.databrew_run import DataBrewRunHook
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        run = run_context.read(context, self.pipeline)
        prepared = run_context.pull(context, PREPARE_RUN)
        if prepared is None:
            self.log.info("%s has prepared nothing: nothing to release", PREPARE_RUN)
            return
        identity = identity_of_run(self.pipeline, run.interval, prepared["run_id"])
        states = StepFunctionsHook(self.aws_conn_id)
        databrew = DataBrewRunHook(self.aws_conn_id)
        if prepared.get("quality_job"):
            self._release_validation(prepared["quality_job"])
        execution = states.describe(prepared["execution_arn"])
        if execution is not None and execution.active:
            if run_context.first_not_passed(context, [START_EXECUTION, *self.stages]) is None:
                self.log.warning(
                    "execution %s still runs because its stages were marked success; it is left alone, and so are its "
                    "dataset and job; clear this task when it has ended",
                    execution.name,
                )
                return
            cause = f"release_run attempt {context['ti'].try_number}: the DAG run failed while the execution ran"
            states.stop(execution.arn, error=error_names.STOPPED, cause=cause)
            self.log.warning("stopped orphaned execution %s", execution.name)
            databrew.stop_job_runs(identity)
        for line in databrew.release(identity):
            self.log.info("%s", line)

    def _release_validation(self, job: str) -> None:
        from brewtrain.hooks.databrew_quality import DataBrewQualityHook

        hook = DataBrewQualityHook(self.aws_conn_id)
        if stopped := hook.stop_runs(job):
            self.log.warning("stopped %s run(s) of %s, whose report nobody will read", stopped, job)
        for line in hook.release(job):
            self.log.info("%s", line)
