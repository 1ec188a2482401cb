"""The check of the input, before anything is started.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brewtrain import run_context
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CheckPartitionOperator(BrewtrainOperator):
    """Checks the data of the run's window: the newest day has rows, and all files are alike."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the window.

        :returns: What :attr:`brewtrain.hooks.s3_source.CheckedWindow.summary` says.
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
        return summary
