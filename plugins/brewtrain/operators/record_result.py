"""The end of a run: what became of its model is tested, registered, written down and told.

Imported while DAG files are parsed: hooks, and what calls them, are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brewtrain import run_context
from brewtrain.airflow_names import CHECK_INPUT, START_EXECUTION, VALIDATE
from brewtrain.assets import emit_model_event, model_alias
from brewtrain.domain.errors import AlreadyToldError, BrewtrainError, DeploymentError
from brewtrain.domain.evaluation.job import PAGE_FILE
from brewtrain.domain.failure import error_names
from brewtrain.domain.failure.gate_refusal import refused_outcome
from brewtrain.domain.links import object_link
from brewtrain.domain.quality import verdict
from brewtrain.domain.quality.validation_job import has_job
from brewtrain.domain.run import result_summary
from brewtrain.domain.run.identity import identity_of_run
from brewtrain.domain.run.stages import Stage
from brewtrain.domain.serving.model_package import Decision
from brewtrain.links.retraining import REPORT, EvaluationReportLink
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.ladder import Execution
    from brewtrain.domain.run.outcome import Outcome
    from brewtrain.hooks.s3_run import S3RunHook
    from brewtrain.recording.run_record import RunRecord
    from brewtrain.serving.smoke_test import SmokeTestResult


class RecordResultOperator(BrewtrainOperator):
    """Ends a run: smoke test, registry, result document, asset event, in this order.

    It is red at the first that fails: a model that scores differently from its evaluation gets
    neither a result document nor an asset event. Repeating the task makes no second version.

    It decides the DAG run's state, and therefore runs whatever happened: when a person fails a run,
    Airflow marks what has not run yet as skipped, and a run whose last task is skipped would turn
    green once its teardown has ended.

    :param stages: Task ids of the stages.
    """

    operator_extra_links = (EvaluationReportLink(),)

    def __init__(self, *, pipeline: Pipeline, stages: Sequence[str], **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, outlets=[model_alias(pipeline.name)], **kwargs)
        self.stages = tuple(stages)

    def execute(self, context: Context) -> dict[str, Any]:
        """Record the run.

        :returns: ``outcome``, ``reason``, ``message``, ``metrics``, ``run_id``, ``result``,
            ``evaluation`` and ``model_package_arn``.
        :raises AirflowSkipException: If the execution still runs: somebody marked its stages
            success.
        :raises RetrainingFailedError: If a task before this one failed: nothing but a refusal of
            the gate is recorded.
        :raises ServingSkewError: If the endpoint scores rows differently from the evaluated model.
        :raises DeploymentError: If there is no execution, it did not succeed, or AWS refuses what
            has to be written.
        :raises TransientError: If AWS was not available.
        """
        before = [VALIDATE] if has_job(self.pipeline) else []
        broken = run_context.first_not_passed(context, [*before, START_EXECUTION, *self.stages])
        if broken is not None:
            task_id, state = broken
            refused = self._record_refusal(context) if task_id == Stage.GATE else None
            raise AlreadyToldError(
                f"broken: {task_id} is {state or 'not run'}, so there is nothing to record"
                f"{f' but the refusal ({refused})' if refused else ''}; its log says what to do"
            )
        from brewtrain.hooks.s3_run import S3RunHook
        from brewtrain.hooks.stepfunctions import StepFunctionsHook
        from brewtrain.recording.ended_execution import ended_well
        from brewtrain.serving.smoke_test import ServingSkewError

        started = run_context.pull(context, START_EXECUTION)
        if started is None:
            raise DeploymentError(f"{START_EXECUTION} returned no execution; clear it and everything downstream")
        states = StepFunctionsHook(self.aws_conn_id)
        execution, outcome = ended_well(states, started["execution_arn"], start_task=START_EXECUTION)
        s3 = S3RunHook(self.aws_conn_id, beside=states)
        record = self._record_of(context, s3, execution, outcome, started["run_id"])
        try:
            tested = self._smoke_test(s3, record)
        except ServingSkewError as skew:
            self._register_skew(s3, record, skew)
            raise
        return self._write(context, s3, record, tested)

    def _record_of(
        self, context: Context, s3: S3RunHook, execution: Execution, outcome: Outcome, run_id: str
    ) -> RunRecord:
        from brewtrain.recording.run_record import RunRecord
        from brewtrain.revision import revision_of

        run = run_context.read(context, self.pipeline)
        return RunRecord(
            pipeline=self.pipeline,
            execution=execution,
            outcome=outcome,
            run=run,
            identity=identity_of_run(self.pipeline, run.interval, run_id),
            bucket=self.pipeline.bucket_name(s3.account),
            revision=revision_of(context),
            read=run_context.pull(context, CHECK_INPUT),
            quality=self._quality(context),
        )

    def _quality(self, context: Context) -> dict[str, Any] | None:
        """Return what became of the quality rules; ``None`` if the pipeline file has none."""
        if self.pipeline.quality is None:
            return None
        judged = [(run_context.pull(context, CHECK_INPUT) or {}).get("quality")]
        if has_job(self.pipeline):
            judged.append(run_context.pull(context, VALIDATE) or verdict.MARKED_SUCCESS)
        return verdict.merged([one for one in judged if one is not None])

    def _smoke_test(self, s3: S3RunHook, record: RunRecord) -> SmokeTestResult | None:
        from brewtrain.serving.smoke_test import check_deployed

        return check_deployed(
            record.outcome, pipeline=self.pipeline.name, evaluation_uri=record.evaluation_prefix, beside=s3
        )

    def _register_skew(self, s3: S3RunHook, record: RunRecord, skew: Exception) -> None:
        from brewtrain.recording.registration import register

        decision = Decision("rejected", "serving_skew", str(skew), record.execution.arn)
        try:
            register(record.candidate, decision, known_arn=None, beside=s3)
        except BrewtrainError as error:
            # The skew is what somebody has to act upon now; the next attempt registers the version.
            self.log.warning("the model could not be registered: %s", error)

    def _record_refusal(self, context: Context) -> str | None:
        """Record the model of an execution that the gate ended red.

        :returns: The model's version; ``None`` if the execution failed for another reason.
        """
        from brewtrain.hooks.s3_run import S3RunHook
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        started = run_context.pull(context, START_EXECUTION)
        if started is None:
            return None
        states = StepFunctionsHook(self.aws_conn_id)
        execution = states.describe(started["execution_arn"])
        if execution is None or execution.status != "FAILED" or execution.error != error_names.QUALITY_GATE_FAILED:
            return None
        outcome = refused_outcome(states.events_of_failure(execution.arn), message=execution.cause or "")
        if outcome is None:
            self.log.warning("the history of %s does not tell which model was refused", execution.name)
            return None
        s3 = S3RunHook(self.aws_conn_id, beside=states)
        record = self._record_of(context, s3, execution, outcome, started["run_id"])
        written = self._write(context, s3, record, None)
        return f"model package {written['model_package_arn']}"

    def _write(
        self, context: Context, s3: S3RunHook, record: RunRecord, tested: SmokeTestResult | None
    ) -> dict[str, Any]:
        """Register the model, write the result document, then emit the event."""
        from brewtrain.recording.registration import register

        outcome = record.outcome
        before = s3.read_document(record.uri) or {}
        registered = register(record.candidate, record.decision, known_arn=before.get("model_package_arn"), beside=s3)
        model_package_arn = registered.arn if registered else None
        path = s3.put_document(record.bucket, record.key, record.document(model_package_arn, tested))
        if outcome.promoted:
            self._record_deployment(s3, record, model_package_arn)
        self._log_summary(s3, record, path)
        if outcome.promoted:
            emit_model_event(
                context,
                self.pipeline.name,
                outcome,
                run_id=record.identity.run_id,
                data_date=record.identity.data_date,
                metrics=outcome.metrics,
                model_package_arn=model_package_arn,
                result=path,
                evaluation=record.evaluation_uri,
            )
        return {
            "outcome": outcome.outcome,
            "reason": outcome.reason,
            "message": outcome.message,
            "metrics": outcome.metrics,
            "run_id": record.identity.run_id,
            "result": path,
            "evaluation": record.evaluation_uri,
            "model_package_arn": model_package_arn,
        }

    def _record_deployment(self, s3: S3RunHook, record: RunRecord, model_package_arn: str | None) -> None:
        from brewtrain.recording.deployments import write_deployment_record

        write_deployment_record(
            s3,
            self.pipeline,
            record.execution,
            record.outcome,
            kind="retrain",
            run_id=record.identity.run_id,
            data_date=record.identity.data_date,
            dag_run_id=record.run.dag_run_id,
            model_package_arn=model_package_arn,
        )

    def _log_summary(self, s3: S3RunHook, record: RunRecord, path: str) -> None:
        outcome = record.outcome
        evaluation = s3.read_document(record.evaluation_uri) if record.evaluation_uri else None
        self.log.info("%s (%s): %s", outcome.outcome, outcome.reason, outcome.message)
        rows = result_summary.metric_rows(outcome.metrics, record.champion_metrics, evaluation)
        for line in result_summary.table(rows):
            self.log.info("  %s", line)
        for sentence in result_summary.gate_warnings(evaluation):
            self.log.warning("the gate warns: %s", sentence)
        if record.quality is not None:
            self.log.info("%s", verdict.summary_line(record.quality))
        self.log.info("result: %s", path)
        if record.evaluation_prefix:
            self.links[REPORT] = object_link(f"{record.evaluation_prefix}{PAGE_FILE}", region=s3.account.region)
            self.log.info("evaluation: %s", self.links[REPORT])
