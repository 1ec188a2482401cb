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
    """Checks that the interval has a partition, the newest with rows and the right header."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the partition.

        :returns: ``path``, ``files``, ``bytes`` and ``newest`` of the newest partition.
        :raises InputError: If the data cannot be trained on; says where and what to do.
        :raises DeploymentError: If another pipeline file names the same endpoint: neither may touch
            it.
        """
        from brewtrain import resources
        from brewtrain.hooks.s3_run import S3RunHook

        resources.check_endpoint_claim(self.pipeline)

        run = run_context.read(context, self.pipeline)
        hook = S3RunHook(self.aws_conn_id)
        found = hook.check_partition(self.pipeline, run.interval, bucket=self.pipeline.bucket_name(hook.account))
        self.log.info(
            "%(path)s: %(files)s file(s), %(bytes)s bytes; %(newest)s has the columns that the pipeline file names",
            found,
        )
        return found
