"""Finds out what failed in a stage, and writes the on-call card about it.

Called by tasks when they run: must not be imported while DAG files are parsed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from brewtrain.domain.failure import error_names
from brewtrain.domain.failure.card import Card, JobReport
from brewtrain.domain.failure.diagnosis import RUNBOOKS, Diagnosis, advise, diagnose
from brewtrain.domain.links import execution_link, job_link, log_link
from brewtrain.domain.run.execution_history import Failure, JobReference, read_failure
from brewtrain.domain.run.ladder import Action, Execution
from brewtrain.domain.run.stages import FAILED_STATUSES, Stage, stage_of
from brewtrain.hooks.job_diagnostics import JobDiagnosticsHook
from brewtrain.hooks.stepfunctions import StepFunctionsHook
from brewtrain.links.retraining import EXECUTION, JOB, LOG

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailureReport:
    """A failure as its task reports it.

    :param card: The on-call card.
    :param execution: The execution; ``None`` if it does not exist.
    :param retryable: Whether another try of the task may help without a person.
    """

    card: Card
    execution: Execution | None
    retryable: bool


@dataclass(frozen=True)
class FailedStage:
    """A stage that has failed.

    :param pipeline: Name of the pipeline.
    :param stage: The stage.
    :param task_id: Its task.
    :param start_task: The DAG's task that starts executions, for the advice.
    :param execution_arn: The execution that the stage belongs to.
    :param action: The ladder's decision.
    :param overdue: Whether the stage was stopped because it took too long.
    """

    pipeline: str
    stage: Stage
    task_id: str
    start_task: str
    execution_arn: str
    action: Action
    overdue: bool = False

    def report(self, aws_conn_id: str) -> FailureReport:
        """Ask AWS what failed, and write the card.

        What cannot be asked leaves the card incomplete, with a warning in the log.

        :param aws_conn_id: Airflow connection of type ``aws``.
        :raises DeploymentError: If AWS refuses to describe the execution.
        :raises TransientError: If AWS was not available.
        """
        hook = StepFunctionsHook(aws_conn_id)
        execution = hook.describe(self.execution_arn)
        if execution is None or execution.status not in FAILED_STATUSES:
            return FailureReport(self._card_without_failure(execution), execution, retryable=False)
        failure = read_failure(hook.events_of_failure(self.execution_arn), status=execution.status)
        job = None if failure.job is None else _ask(failure.job, aws_conn_id)
        diagnosis = self._diagnose(execution, failure, job)
        card = Card(
            pipeline=self.pipeline,
            stage=self.task_id,
            run_id=execution.name,
            status=execution.status,
            state=failure.state,
            error=execution.error or failure.error,
            cause=execution.cause or failure.cause,
            job=job,
            advice=advise(self.action, execution, diagnosis, start_task=self.start_task),
            runbook=diagnosis.runbook,
            redrivable_until=execution.redrivable_until,
            links=self._links(failure.job),
        )
        return FailureReport(card, execution, diagnosis.retryable and self.action is Action.REPORT)

    def _card_without_failure(self, execution: Execution | None) -> Card:
        return Card(
            pipeline=self.pipeline,
            stage=self.task_id,
            run_id=self.execution_arn.rsplit(":", 1)[-1],
            status="does not exist" if execution is None else execution.status,
            advice=advise(self.action, execution, None, start_task=self.start_task),
            runbook=f"{RUNBOOKS}execution-failed.md",
            links=self._links(None),
        )

    def _diagnose(self, execution: Execution, failure: Failure, job: JobReport | None) -> Diagnosis:
        error = execution.error or failure.error
        cause = execution.cause or failure.cause
        stage = stage_of(failure.state) if failure.state else self.stage
        if self.overdue:
            error = error_names.TIMEOUT
        found = diagnose(error, cause, status=execution.status, stage=stage, start_task=self.start_task)
        if self.overdue or found.retryable or job is None or not job.reason:
            return found
        # The job's own reason may tell what the execution's error and cause do not.
        cause = f"{cause} {job.reason}"
        return diagnose(error, cause, status=execution.status, stage=stage, start_task=self.start_task)

    def _links(self, job: JobReference | None) -> dict[str, str]:
        if not self.execution_arn.startswith("arn:"):
            return {}
        links = {EXECUTION: execution_link(self.execution_arn)}
        if job is not None:
            _, partition, _, region, *_ = self.execution_arn.split(":")
            links[JOB] = job_link(job, partition=partition, region=region)
            links[LOG] = log_link(job, partition=partition, region=region)
        return links


def _ask(job: JobReference, aws_conn_id: str) -> JobReport:
    report, problems = JobDiagnosticsHook(aws_conn_id).report(job)
    for problem in problems:
        log.warning("The failure card is incomplete: %s", problem)
    return report
