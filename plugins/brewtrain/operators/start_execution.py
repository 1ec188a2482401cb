"""The start of an execution, which every retry of the task finds again.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from brewtrain import resources, run_context
from brewtrain.airflow_names import PREPARE_RUN
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.failure import error_names
from brewtrain.domain.failure.diagnosis import advise
from brewtrain.domain.links import execution_link
from brewtrain.domain.run.execution_input import execution_input
from brewtrain.domain.run.identity import identity_of_run
from brewtrain.domain.run.ladder import Action, Attempt, Execution, decide, redrive_token, stop_cause, stopped_before
from brewtrain.domain.run.stages import FAILED_STATUSES
from brewtrain.links.retraining import EXECUTION, StepFunctionsExecutionLink
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from brewtrain.domain.run.ladder import RerunMode
    from brewtrain.hooks.stepfunctions import StepFunctionsHook

_START_LOOKS = 3
_PAST = {
    Action.START: "started",
    Action.REDRIVE: "redrove",
    Action.ATTACH: "attached to running",
    Action.FINISH: "found succeeded",
    Action.REPORT: "attached to ended",
    Action.UNKNOWN: "could not settle on",
}


class StartExecutionOperator(BrewtrainOperator):
    """Makes sure that an execution exists: starts it, attaches to it, or redrives it.

    The execution's name is derived from the run, so that a retry after a killed worker finds what
    that worker started. Subclasses build name and input, and call :meth:`settle`.
    """

    operator_extra_links = (StepFunctionsExecutionLink(),)
    other_way: ClassVar[str] = ""
    """What else to do where the execution cannot be redriven, as a sentence."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._execution_arn: str | None = None
        self._attempt = 1

    def settle(
        self,
        context: Context,
        hook: StepFunctionsHook,
        name: str,
        document: Mapping[str, Any],
        *,
        rerun_mode: RerunMode,
    ) -> tuple[str, Action]:
        """Climb the ladder until the execution runs or has ended.

        :param name: Name of the execution.
        :param document: Its input.
        :returns: Its ARN, and what was done.
        :raises RetrainingFailedError: If an execution of this name failed earlier and cannot be
            redriven.
        :raises DeploymentError: If the state machine is not deployed.
        """
        arn = hook.account.execution_arn(self.pipeline.name, name)
        self._execution_arn = arn
        self.links = {EXECUTION: execution_link(arn)}
        self._attempt = context["ti"].try_number
        action = Action.UNKNOWN
        for _ in range(_START_LOOKS):
            execution = hook.describe(arn)
            known = self._failed_before(context, execution)
            action = decide(execution, Attempt(known, may_start=True, rerun_mode=rerun_mode))
            if action is Action.START:
                self.check_before_start(context, hook)
                if hook.start(hook.account.alias_arn(self.pipeline.name), name, document):
                    break
            elif action is Action.REDRIVE and execution is not None:
                if hook.redrive(arn, redrive_token(execution)):
                    break
            elif action in (Action.ATTACH, Action.FINISH, Action.REPORT):
                break
            else:
                self._refuse(action, execution)
        self.log.info("%s execution %s", _PAST[action], name)
        self.log.info("%s", execution_link(arn))
        return arn, action

    def check_before_start(self, context: Context, hook: StepFunctionsHook) -> None:
        """Check what must hold before an execution is started; by default nothing is checked.

        :param hook: A hook of this task.
        :raises DeploymentError: If it does not hold.
        """

    def _failed_before(self, context: Context, execution: Execution | None) -> bool:
        """Whether the execution failed before this DAG run was last started or cleared."""
        if execution is None or execution.status not in FAILED_STATUSES:
            return False
        begun_at = run_context.dag_run_of(context).start_date
        assert begun_at is not None
        if stopped_before(execution, self.task_id, self._attempt, begun_at):
            return True
        return execution.stopped_at is not None and execution.stopped_at < begun_at

    def _refuse(self, action: Action, execution: Execution | None) -> NoReturn:
        assert execution is not None
        advice = advise(action, execution, None, start_task=self.task_id)
        raise RetrainingFailedError(
            f"execution {execution.name} is {execution.status} ({execution.error}). {advice}{self.other_way}",
            retryable=False,
        )

    def on_kill(self) -> None:
        """Stop the execution that this try may have started."""
        if self._execution_arn is None:
            return
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        cause = stop_cause(self.task_id, self._attempt)
        StepFunctionsHook(self.aws_conn_id).stop(self._execution_arn, error=error_names.STOPPED, cause=cause)


class StartRetrainingOperator(StartExecutionOperator):
    """Makes sure that the execution exists which retrains on the run's data interval."""

    other_way = " To retrain in another DAG run, trigger one with rerun_mode=fresh."

    def execute(self, context: Context) -> dict[str, Any]:
        """Start, attach to or redrive the run's execution.

        :returns: ``run_id``, ``execution_arn``, ``data_date``, ``recipe_version`` and ``action``.
        :raises RetrainingFailedError: If an earlier run's execution of this interval failed and
            cannot be redriven.
        :raises DeploymentError: If the state machine or the evaluation's code is not deployed.
        """
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        run = run_context.read(context, self.pipeline)
        prepared = run_context.pull(context, PREPARE_RUN)
        if prepared is None:
            raise DeploymentError(f"{PREPARE_RUN} has prepared nothing; clear it and everything downstream")
        identity = identity_of_run(self.pipeline, run.interval, prepared["run_id"])
        hook = StepFunctionsHook(self.aws_conn_id)
        document = execution_input(
            self.pipeline,
            identity,
            hook.account,
            images=resources.images(),
            recipe_version=prepared["recipe_version"],
            code=resources.evaluation_code(),
            deploy_policy=run.deploy_policy,
        )
        # The generation has made a fresh execution of it: from here on it is one like any other.
        rerun_mode: RerunMode = "auto" if run.rerun_mode == "fresh" else run.rerun_mode
        arn, action = self.settle(context, hook, identity.run_id, document, rerun_mode=rerun_mode)
        return {
            "run_id": identity.run_id,
            "execution_arn": arn,
            "data_date": identity.data_date,
            "recipe_version": prepared["recipe_version"],
            "action": action.value,
        }

    def check_before_start(self, context: Context, hook: StepFunctionsHook) -> None:
        """Check that the code and the DataBrew job exist which the execution's input names.

        :raises DeploymentError: If it does not.
        """
        from brewtrain.hooks.databrew_run import DataBrewRunHook
        from brewtrain.hooks.s3_run import S3RunHook

        s3 = S3RunHook(self.aws_conn_id, beside=hook)
        bucket = self.pipeline.bucket_name(hook.account)
        s3.check_evaluation_code(self.pipeline, resources.evaluation_code(), bucket=bucket)
        prepared = run_context.pull(context, PREPARE_RUN) or {}
        DataBrewRunHook(self.aws_conn_id, beside=hook).check_job(str(prepared.get("job_name")))
