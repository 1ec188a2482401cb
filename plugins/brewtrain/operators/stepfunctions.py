"""The run's tasks on Step Functions: start the execution, and wait for one stage of it.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from brewtrain import resources
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.failure.card import Card, render, sentence
from brewtrain.domain.failure.diagnosis import Diagnosis, TransientRetrainingError, advise, diagnose
from brewtrain.domain.links import execution_link, job_link, log_link
from brewtrain.domain.run.execution_history import read_failure
from brewtrain.domain.run.execution_input import execution_input
from brewtrain.domain.run.identity import identity_of_run
from brewtrain.domain.run.ladder import (
    STOPPED_ERROR,
    Action,
    Attempt,
    Execution,
    decide,
    redrive_token,
    stop_cause,
    stopped_before,
)
from brewtrain.domain.run.limits import DEADLINE_MARGIN, stage_limit
from brewtrain.domain.run.stages import FAILED_STATUSES, Stage, stage_of
from brewtrain.links.retraining import EXECUTION, JOB, LOG, STAGE_LINKS, StepFunctionsExecutionLink
from brewtrain.notifiers.on_call import CARD_XCOM_KEY
from brewtrain.operators import run_context
from brewtrain.triggers.stepfunctions import REPORTED_XCOM_KEY, ExecutionStageTrigger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.ladder import RerunMode
    from brewtrain.hooks.stepfunctions import StepFunctionsHook

_START_LOOKS = 3


class StartExecutionOperator(BaseOperator):
    """What every task has in common that makes sure an execution exists: starts it, attaches to it, or redrives it.

    The execution's name is derived from the run, so a killed worker's retry finds what it started.

    :param pipeline: The pipeline file.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()
    operator_extra_links = (StepFunctionsExecutionLink(),)

    def __init__(self, *, pipeline: Pipeline, aws_conn_id: str = run_context.CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.aws_conn_id = aws_conn_id
        self.links: dict[str, str] = {}
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
        :raises RetrainingFailedError: If one of this name failed earlier and cannot be redriven.
        :raises DeploymentError: If the state machine is not deployed.
        """
        arn = hook.account.execution_arn(self.pipeline.name, name)
        self._execution_arn = arn
        self.links = {EXECUTION: execution_link(arn)}
        self._attempt = context["ti"].try_number
        action = Action.UNKNOWN
        for _ in range(_START_LOOKS):
            execution = hook.describe(arn)
            action = decide(execution, Attempt(self._known(context, execution), may_start=True, rerun_mode=rerun_mode))
            if action is Action.START:
                self.check_before_start()
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

    def check_before_start(self) -> None:
        """Check what an execution needs that is about to be started; nothing, unless a subclass knows better."""

    def _known(self, context: Context, execution: Execution | None) -> bool:
        """Whether the execution failed before this DAG run began its present life, so that its failure is known."""
        if execution is None or execution.status not in FAILED_STATUSES:
            return False
        dag_run = context["dag_run"]
        assert dag_run is not None
        assert dag_run.start_date is not None
        if stopped_before(execution, self.task_id, self._attempt, dag_run.start_date):
            return True
        return execution.stopped_at is not None and execution.stopped_at < dag_run.start_date

    def _refuse(self, action: Action, execution: Execution | None) -> NoReturn:
        assert execution is not None
        sentence = advise(action, execution, Diagnosis("redrive-refused", False, ""))
        raise RetrainingFailedError(
            f"execution {execution.name} of this interval is {execution.status} ({execution.error}): {sentence}; "
            "for a DAG run of its own trigger with rerun_mode=fresh",
            retryable=False,
        )

    def on_kill(self) -> None:
        """Stop what this try may have started."""
        if self._execution_arn is None:
            return
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        cause = stop_cause(self.task_id, self._attempt)
        StepFunctionsHook(self.aws_conn_id).stop(self._execution_arn, error=STOPPED_ERROR, cause=cause)


class StepFunctionsStartRetrainingOperator(StartExecutionOperator):
    """Makes sure that the run's execution exists; see :class:`StartExecutionOperator`.

    Returns ``{"run_id", "execution_arn", "data_date", "recipe_version", "action"}``.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Start, attach or redrive.

        :raises RetrainingFailedError: If an earlier run's execution of this interval failed and
            cannot be redriven.
        :raises DeploymentError: If the state machine or the evaluation's code is not deployed.
        """
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        run = run_context.read(context, self.pipeline)
        prepared = run_context.pull(context, run_context.PREPARE_RUN)
        if prepared is None:
            raise DeploymentError("prepare_run has prepared nothing; clear it with everything downstream")
        identity = identity_of_run(self.pipeline.name, run.interval, prepared["run_id"])
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
        arn, action = self.settle(
            context,
            hook,
            identity.run_id,
            document,
            rerun_mode="auto" if run.rerun_mode == "fresh" else run.rerun_mode,
        )
        return {
            "run_id": identity.run_id,
            "execution_arn": arn,
            "data_date": identity.data_date,
            "recipe_version": prepared["recipe_version"],
            "action": action.value,
        }

    def check_before_start(self) -> None:
        """Check that the code is there which the execution's input names."""
        from brewtrain.hooks.s3_run import S3RunHook

        hook = S3RunHook(self.aws_conn_id)
        bucket = self.pipeline.bucket_name(hook.account)
        hook.check_evaluation_code(self.pipeline, resources.evaluation_code(), bucket=bucket)


_PAST = {
    Action.START: "started",
    Action.REDRIVE: "redrove",
    Action.ATTACH: "attached to running",
    Action.FINISH: "found succeeded",
    Action.REPORT: "attached to ended",
    Action.UNKNOWN: "could not settle on",
}


class StepFunctionsStageOperator(BaseOperator):
    """Waits, in the triggerer and without a worker, until the execution has left a stage.

    Only a failure resumes on a worker, which prints the on-call card and raises.

    :param pipeline: The pipeline file.
    :param stage: The stage; also the task's id.
    :param start_task: Task that returned the execution's ARN.
    :param setup_task: The run's setup, which returns its try number.
    :param rerun_mode: What a rerun goes on with; templated.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ("execution_arn", "rerun_mode", "prepared_try")
    operator_extra_links = STAGE_LINKS
    start_from_trigger = True

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        stage: Stage,
        start_task: str = run_context.START_EXECUTION,
        setup_task: str = run_context.PREPARE_RUN,
        rerun_mode: str = "{{ params.rerun_mode }}",
        aws_conn_id: str = run_context.CONNECTION_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.stage = stage
        self.start_task = start_task
        self.setup_task = setup_task
        self.aws_conn_id = aws_conn_id
        self.links: dict[str, str] = {}
        # With map_indexes, since the triggerer cannot ask for a sequence of XComs: without it the
        # pull never returns.
        self.execution_arn = (
            f"{{{{ (ti.xcom_pull(task_ids='{start_task}', map_indexes=-1) or {{}}).get('execution_arn') }}}}"
        )
        self.rerun_mode = rerun_mode
        self.prepared_try = (
            f"{{{{ (ti.xcom_pull(task_ids='{setup_task}', map_indexes=-1) or {{}}).get('try_number') }}}}"
        )
        self.limit = stage_limit(pipeline, stage)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{ExecutionStageTrigger.__module__}.{ExecutionStageTrigger.__qualname__}",
            trigger_kwargs=self._trigger_arguments(),
            next_method="resume",
            timeout=self.limit + DEADLINE_MARGIN,
        )

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
        """Wait, where nothing starts the task in the triggerer: in ``dag.test()``, which begins every task here."""
        self.defer(
            trigger=ExecutionStageTrigger(
                **self._trigger_arguments(), attempt=context["ti"].try_number, ends_task=False
            ),
            method_name="resume",
            timeout=self.limit + DEADLINE_MARGIN,
        )
        raise AssertionError("defer raises")

    def resume(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Finish on a worker what the trigger could not end.

        :param event: What the trigger saw.
        :raises TransientRetrainingError: If the execution failed for a reason that a redrive may
            mend.
        :raises RetrainingFailedError: If it failed for good, with the on-call card in the log.
        :raises DeploymentError: If AWS refuses to be asked.
        """
        if not isinstance(event, dict) or "kind" not in event:
            raise DeploymentError(
                f"task {self.task_id!r} was resumed with {event!r}, which no trigger of this package sends"
            )
        kind = event["kind"]
        if kind == "over":
            return dict(event["result"])
        if kind == "skipped":
            raise AirflowSkipException(event["result"].get("message") or "the model was not deployed")
        if kind == "problem":
            raise DeploymentError(str(event["problem"]))
        raise self._failure(context, kind, event)

    def _failure(self, context: Context, kind: str, event: dict[str, Any]) -> RetrainingFailedError:
        """Print the card, note that this failure is reported, and return what to raise."""
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        started = run_context.pull(context, self.start_task) or {}
        arn = str(started.get("execution_arn"))
        hook = StepFunctionsHook(self.aws_conn_id)
        if kind == "late":
            hook.stop(arn, error=STOPPED_ERROR, cause=f"{self.task_id} took longer than {self.limit}")
        execution = hook.describe(arn)
        action = Action(event.get("action", Action.REPORT))
        card, diagnosis = self._card(hook, arn, execution, action, late=kind == "late")
        if execution is not None:
            context["ti"].xcom_push(
                key=REPORTED_XCOM_KEY,
                value={"execution_arn": execution.arn, "redrive_count": execution.redrive_count},
            )
        self.links = card.links
        text = render(card)
        context["ti"].xcom_push(key=CARD_XCOM_KEY, value=text)
        self.log.error("%s", text)
        message = sentence(card)
        if diagnosis is not None and diagnosis.retryable and action is Action.REPORT:
            return TransientRetrainingError(message)
        return RetrainingFailedError(message, retryable=False)

    def _card(
        self, hook: Any, arn: str, execution: Execution | None, action: Action, *, late: bool
    ) -> tuple[Card, Diagnosis | None]:
        from brewtrain.hooks.job_diagnostics import JobDiagnosticsHook

        links = {EXECUTION: execution_link(arn)} if arn.startswith("arn:") else {}
        if execution is None or execution.status not in FAILED_STATUSES:
            return (
                Card(
                    pipeline=self.pipeline.name,
                    stage=self.task_id,
                    run_id=arn.rsplit(":", 1)[-1],
                    status=execution.status if execution is not None else "does not exist",
                    advice=self._named(advise(action, execution, None)),
                    runbook="docs/runbooks/execution-failed.md",
                    links=links,
                ),
                None,
            )
        failure = read_failure(hook.events_of_failure(arn), status=execution.status)
        error = execution.error or failure.error
        cause = execution.cause or failure.cause
        diagnosis = diagnose(
            "States.Timeout" if late else error,
            cause,
            status=execution.status,
            stage=stage_of(failure.state) if failure.state else self.stage,
        )
        report = None
        if failure.job is not None:
            report, problems = JobDiagnosticsHook(self.aws_conn_id).report(failure.job)
            for problem in problems:
                self.log.warning("the card is short of something: %s", problem)
            _, partition, _, region, *_ = arn.split(":")
            links[JOB] = job_link(failure.job, partition=partition, region=region)
            links[LOG] = log_link(failure.job, partition=partition, region=region)
            if report.reason and not diagnosis.retryable and not late:
                diagnosis = diagnose(
                    error, f"{cause} {report.reason}", status=execution.status, stage=stage_of(failure.state or "")
                )
        return (
            Card(
                pipeline=self.pipeline.name,
                stage=self.task_id,
                run_id=execution.name,
                status=execution.status,
                state=failure.state,
                error=error,
                cause=cause,
                job=report,
                advice=self._named(advise(action, execution, diagnosis)),
                runbook=diagnosis.runbook,
                redrivable_until=execution.redrivable_until,
                links=links,
            ),
            diagnosis,
        )

    def _named(self, advice: str) -> str:
        """Name the task of this DAG where the advice names that of the retrain DAG."""
        return advice.replace(run_context.START_EXECUTION, self.start_task)
