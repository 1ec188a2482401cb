"""The check of the input, before anything is started.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain import run_context
from brewtrain.domain import names
from brewtrain.domain.input.changes import InputRecord
from brewtrain.domain.run.identity import identity_for_start
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.hooks.s3_source import CheckedWindow, S3SourceHook


class CheckPartitionOperator(BrewtrainOperator):
    """Checks the data of the run's window: the newest day has rows, and all files are alike."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the window.

        :returns: What :attr:`brewtrain.hooks.s3_source.CheckedWindow.summary` says; ``input``, the
            address of the record of what was found; and ``changed_since``, what has changed since
            the last recorded run (:attr:`brewtrain.domain.input.changes.Changes.document`).
        :raises AirflowSkipException: If the run was asked for only if its data is stale, and it is
            not.
        :raises InputError: If the data cannot be trained on; says where and what to do.
        :raises DeploymentError: If another pipeline file names the same endpoint: neither may touch
            it.
        """
        from brewtrain import resources
        from brewtrain.hooks.s3_source import S3SourceHook

        resources.check_endpoint_claim(self.pipeline)

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
        return {**summary, **self._record(run, hook, checked)}

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
        identity = identity_for_start(
            self.pipeline,
            run.interval,
            clear_number=run.clear_number,
            rerun_mode=run.rerun_mode,
            dag_run_id=run.dag_run_id,
        )
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
