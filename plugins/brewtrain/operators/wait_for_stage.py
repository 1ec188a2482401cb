"""The wait for one stage of an execution.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, assert_never

from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from brewtrain import run_context
from brewtrain.airflow_names import CHECK_ENDPOINT, PREPARE_RUN, REPORTED_FAILURE, START_EXECUTION
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.failure import error_names
from brewtrain.domain.failure.diagnosis import TransientRetrainingError
from brewtrain.domain.run.ladder import Action
from brewtrain.domain.run.limits import DEADLINE_MARGIN, stage_limit
from brewtrain.domain.run.stages import Stage
from brewtrain.links.retraining import STAGE_LINKS
from brewtrain.operators.base import BrewtrainOperator
from brewtrain.triggers.execution_stage import ExecutionStageTrigger
from brewtrain.triggers.stage_events import (
    StageFailed,
    StageOver,
    StageOverdue,
    StageSkipped,
    WaitProblem,
    deserialize,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline


class WaitForStageOperator(BrewtrainOperator):
    """Waits, in the triggerer and without a worker, until the execution has left a stage.

    Only a failure resumes the task on a worker, which prints the on-call card and raises.

    :param stage: The stage; also the task's id.
    :param start_task: Task that returned the execution's ARN.
    :param setup_task: The run's setup, which returns its try number.
    :param rerun_mode: What a rerun goes on with; templated.
    """

    template_fields = ("execution_arn", "rerun_mode", "prepared_try")
    operator_extra_links = STAGE_LINKS
    start_from_trigger = True

    def __init__(
        self,
        *,
        stage: Stage,
        start_task: str = START_EXECUTION,
        setup_task: str = PREPARE_RUN,
        rerun_mode: str = "{{ params.rerun_mode }}",
        **kwargs: Any,
    ) -> None:
        # None whatever the DAG's default is: Airflow would fail the wait without stopping the
        # execution. The stage's own limit bounds it.
        super().__init__(execution_timeout=None, **kwargs)
        self.stage = stage
        self.start_task = start_task
        self.setup_task = setup_task
        self.execution_arn = run_context.pulled(start_task, "execution_arn")
        self.rerun_mode = rerun_mode
        self.prepared_try = run_context.pulled(setup_task, "try_number")
        self.limit = stage_limit(self.pipeline, stage)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{ExecutionStageTrigger.__module__}.{ExecutionStageTrigger.__qualname__}",
            trigger_kwargs=self._trigger_arguments(),
            next_method="resume",
            timeout=self._timeout,
        )

    @property
    def _timeout(self) -> timedelta:
        return self.limit + DEADLINE_MARGIN

    def _trigger_arguments(self) -> dict[str, Any]:
        return {
            "execution_arn": self.execution_arn,
            "stage": self.stage.value,
            "aws_conn_id": self.aws_conn_id,
            "rerun_mode": self.rerun_mode,
            "prepared_try": self.prepared_try,
            "limit_seconds": self.limit.total_seconds(),
            "start_task": self.start_task,
            "setup_task": self.setup_task,
        }

    def execute(self, context: Context) -> NoReturn:
        """Wait where nothing starts the task in the triggerer.

        So it is in ``dag.test()``, which begins every task on a worker.
        """
        self.defer(
            trigger=ExecutionStageTrigger(
                **self._trigger_arguments(), attempt=context["ti"].try_number, ends_task=False
            ),
            method_name="resume",
            timeout=self._timeout,
        )
        raise AssertionError("defer raises")

    def resume(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Finish on a worker what the trigger could not end.

        :param event: What the trigger saw; see :mod:`brewtrain.triggers.stage_events`.
        :returns: What the trigger found out, if the stage is over.
        :raises AirflowSkipException: If the execution ended without deploying.
        :raises TransientRetrainingError: If the execution failed for a reason that may be gone when
            it is redriven.
        :raises RetrainingFailedError: If it failed for good, with the on-call card in the log.
        :raises DeploymentError: If AWS refuses to be asked.
        """
        try:
            seen = deserialize(event)
        except ValueError as error:
            raise DeploymentError(f"task {self.task_id!r} was resumed by another trigger: {error}") from None
        match seen:
            case StageOver(result):
                return result
            case StageSkipped(message):
                raise AirflowSkipException(message)
            case WaitProblem(problem):
                raise DeploymentError(problem)
            case StageFailed(action):
                raise self._failure(context, action)
            case StageOverdue():
                self._stop(context)
                raise self._failure(context, Action.REPORT, overdue=True)
            case _:
                assert_never(seen)

    def _execution_arn(self, context: Context) -> str:
        started = run_context.pull(context, self.start_task) or {}
        return str(started.get("execution_arn"))

    def _stop(self, context: Context) -> None:
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        cause = f"{self.task_id} took longer than {self.limit}"
        StepFunctionsHook(self.aws_conn_id).stop(self._execution_arn(context), error=error_names.STOPPED, cause=cause)

    def _failure(self, context: Context, action: Action, *, overdue: bool = False) -> RetrainingFailedError:
        """Print the card, note that this failure is reported, and return what to raise."""
        from brewtrain.failure_report import FailedStage

        report = FailedStage(
            pipeline=self.pipeline.name,
            stage=self.stage,
            task_id=self.task_id,
            start_task=self.start_task,
            execution_arn=self._execution_arn(context),
            action=action,
            overdue=overdue,
        ).report(self.aws_conn_id)
        if report.execution is not None:
            context["ti"].xcom_push(
                key=REPORTED_FAILURE,
                value={"execution_arn": report.execution.arn, "redrive_count": report.execution.redrive_count},
            )
        message = self.report(context, report.card)
        if report.retryable:
            return TransientRetrainingError(message)
        return RetrainingFailedError(message, retryable=False)


def wait_for_deployment(*, task_id: str, pipeline: Pipeline, start_task: str) -> WaitForStageOperator:
    """Make the wait of promote and rollback, between the start and the record of a deployment.

    :param task_id: Id of the task.
    :param pipeline: The pipeline file.
    :param start_task: Task that starts the execution.
    """
    return WaitForStageOperator(
        task_id=task_id,
        pipeline=pipeline,
        stage=Stage.DEPLOY,
        start_task=start_task,
        setup_task=CHECK_ENDPOINT,
        rerun_mode="auto",
    )
