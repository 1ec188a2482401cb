"""The check of the input, before anything is started.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain import run_context
from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError, RetrainingFailedError
from brewtrain.domain.input.changes import InputRecord
from brewtrain.domain.quality.verdict import INPUT
from brewtrain.domain.run.identity import identity_for_start
from brewtrain.domain.run.limits import data_wait
from brewtrain.operators.base import BrewtrainOperator
from brewtrain.triggers.arrival_outcome import DataLate, WaitImpossible, deserialize
from brewtrain.triggers.data_arrival import DataArrivalTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.hooks.s3_source import CheckedWindow, S3SourceHook
    from brewtrain.partition_wait import PartitionWait


class CheckPartitionOperator(BrewtrainOperator):
    """Checks the data of the run's window: the newest day has rows, and all files are alike.

    Where the pipeline file says so, it waits until the newest day's partition is complete: in the
    triggerer, and in no slot of the pipeline's pool.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the window, or wait for its newest day.

        :returns: What :attr:`brewtrain.hooks.s3_source.CheckedWindow.summary` says; ``input``, the
            address of the record of what was found; and ``changed_since``, what has changed since
            the last recorded run (:attr:`brewtrain.domain.input.changes.Changes.document`); where
            the newest day is judged by the days before, ``quality``.
        :raises AirflowSkipException: If the run was asked for only if its data is stale, and it is
            not.
        :raises InputError: If the data cannot be trained on; says where and what to do.
        :raises RetrainingFailedError: If the newest day has too few rows, or is not new, with the
            on-call card in the log.
        :raises DeploymentError: If another pipeline file names the same endpoint: neither may touch
            it.
        """
        from brewtrain import resources
        from brewtrain.partition_wait import PartitionWait

        resources.check_endpoint_claim(self.pipeline)
        wait = PartitionWait.of(self.pipeline, run_context.read(context, self.pipeline), self.aws_conn_id)
        if wait is not None and not wait.look().complete:
            since = run_context.due_at(context)
            until = since + data_wait(self.pipeline)
            if datetime.now(UTC) >= until:
                raise self._too_late(context, wait, since)
            shown = f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            self.log.info("%s is not complete yet: waiting until %s", wait.path, shown)
            self.defer(
                trigger=DataArrivalTrigger.of(
                    wait.partition, aws_conn_id=self.aws_conn_id, bucket=wait.bucket, until=until
                ),
                method_name="resume",
                kwargs={"since": since.isoformat()},
            )
        return self._check(context)

    def resume(self, context: Context, event: dict[str, Any] | None = None, since: str = "") -> dict[str, Any]:
        """Go on when the partition is complete, or when the wait is over.

        :param event: How the wait ended; see :mod:`brewtrain.triggers.arrival_outcome`.
        :param since: When it began, ISO 8601.
        :returns: See :meth:`execute`.
        :raises InputError: If the partition is still not complete; the log ends with the card.
        :raises DeploymentError: If AWS refuses to be asked.
        """
        from brewtrain.partition_wait import PartitionWait

        try:
            outcome = deserialize(event)
        except ValueError as error:
            raise DeploymentError(f"task {self.task_id!r} was resumed by another trigger: {error}") from None
        if isinstance(outcome, WaitImpossible):
            raise DeploymentError(outcome.problem)
        wait = PartitionWait.of(self.pipeline, run_context.read(context, self.pipeline), self.aws_conn_id)
        # The last object may have come between the last look and the end of the wait.
        if isinstance(outcome, DataLate) and wait is not None and not wait.look().complete:
            raise self._too_late(context, wait, datetime.fromisoformat(since))
        return self._check(context)

    def _too_late(self, context: Context, wait: PartitionWait, since: datetime) -> InputError:
        """Log the card and return what to raise."""
        late = wait.late(since, since + data_wait(self.pipeline))
        self.keep_card(context, late.render())
        return InputError(late.sentence)

    def _check(self, context: Context) -> dict[str, Any]:
        from brewtrain.hooks.s3_source import S3SourceHook

        run = run_context.read(context, self.pipeline)
        hook = S3SourceHook(self.aws_conn_id)
        checked = hook.check_window(self.pipeline, run.interval, bucket=self.pipeline.bucket_name(hook.account))
        for warning in checked.found.warnings:
            self.log.warning("%s", warning)
        summary = checked.summary
        self.log.info(
            "%(partitions)s day(s) have data, %(new_partitions)s of them looked at now, with %(calls)s calls; newest: "
            "%(path)s, %(files)s file(s), %(bytes)s bytes, written last: %(newest)s",
            summary,
        )
        # Before the record: a run that is stopped has not read the data.
        judged = {} if self.pipeline.quality is None else {"quality": self._judge(context, run, hook)}
        return {**summary, **self._record(run, hook, checked), **judged}

    def _judge(self, context: Context, run: run_context.RunContext, beside: S3SourceHook) -> dict[str, Any] | None:
        """Judge the newest day by the days before, where the pipeline file says so.

        :returns: What came of it in short; ``None`` if there are no such rules.
        :raises RetrainingFailedError: If a rule fails that blocks.
        """
        from brewtrain.hooks.s3_quality import S3QualityHook
        from brewtrain.quality_report import JudgedRun

        quality = self.pipeline.quality
        if quality is None or (quality.row_count is None and quality.freshness is None):
            return None
        s3 = S3QualityHook(self.aws_conn_id, beside=beside)
        judged = JudgedRun(self.pipeline, run, self._identity(run), s3)
        verdict = judged.judge_newest_day()
        result = judged.keep({INPUT: verdict})
        if verdict.stops:
            raise RetrainingFailedError(self.report(context, judged.card(self.task_id, verdict, {})), retryable=False)
        return result

    def _identity(self, run: run_context.RunContext) -> names.RunIdentity:
        """Return the identity under which the run will look for its execution, or start one."""
        return identity_for_start(
            self.pipeline,
            run.interval,
            clear_number=run.clear_number,
            rerun_mode=run.rerun_mode,
            dag_run_id=run.dag_run_id,
        )

    def _record(self, run: run_context.RunContext, hook: S3SourceHook, checked: CheckedWindow) -> dict[str, Any]:
        """Record what the run will read, and say what has changed since another run read it.

        :returns: ``input``, the record's address, and ``changed_since``.
        :raises AirflowSkipException: If the run was asked for only if its data is stale, and it is
            not.
        """
        from brewtrain.hooks.s3_pipeline import S3PipelineHook
        from brewtrain.hooks.s3_run import S3RunHook
        from brewtrain.recording.inputs import changed_since, up_to_date

        bucket = self.pipeline.bucket_name(hook.account)
        identity = self._identity(run)
        now = InputRecord(identity.run_id, checked.found.delivered.window, checked.found.delivered.digests)
        s3 = S3PipelineHook(self.aws_conn_id, beside=hook)
        if run.only_if_stale:
            same = up_to_date(s3, self.pipeline, bucket, now, interval_end=run.interval.end)
            if same is not None:
                # Airflow skips what follows, and teardowns whose setup was skipped.
                raise AirflowSkipException(f"run {same} has read the same data: there is nothing to retrain")
        changed = changed_since(s3, self.pipeline, bucket, now, interval_end=run.interval.end)
        if changed:
            self.log.warning(
                "data has changed since run %s read it (%s): models of earlier runs are stale; "
                "make stale PIPELINE=%s names them",
                changed.run_id,
                changed.text,
                self.pipeline.name,
            )
        uri = S3RunHook(self.aws_conn_id, beside=hook).put_document(
            bucket, f"{names.run_prefix(identity)}{names.INPUT_FILE}", now.document
        )
        return {"input": uri, "changed_since": changed.document if changed else None}
