"""The run's tasks on S3: the check of the input before anything starts, and the result document at the end.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, RetrainingFailedError
from brewtrain.domain.identity import identity_of_run
from brewtrain.domain.outcome import Outcome
from brewtrain.operators import run_context

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.ladder import Execution
    from brewtrain.domain.pipeline import Pipeline


def model_asset(pipeline: str) -> Asset:
    """Return the asset that stands for a pipeline's model in service."""
    return Asset(name=f"{pipeline}_model", uri=f"brewtrain://{pipeline}/model")


def model_alias(pipeline: str) -> AssetAlias:
    """Return the alias through which a run says that it promoted a model."""
    return AssetAlias(name=f"{pipeline}_model", group="model")


class S3CheckPartitionOperator(BaseOperator):
    """Checks that the interval has a partition, and that the newest is not empty and has the promised header.

    Returns ``{"path", "files", "bytes", "newest"}``.

    :param pipeline: The pipeline file.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()

    def __init__(self, *, pipeline: Pipeline, aws_conn_id: str = run_context.CONNECTION_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Check.

        :raises InputError: If the data cannot be trained on; says where and what to do.
        :raises DeploymentError: If another pipeline file names the same endpoint: neither may touch it.
        """
        from brewtrain import resources
        from brewtrain.hooks.s3_run import S3RunHook

        resources.check_endpoint_claim(self.pipeline)

        run = run_context.read(context, self.pipeline)
        hook = S3RunHook(self.aws_conn_id)
        found = hook.check_partition(self.pipeline, run.interval, bucket=self.pipeline.bucket_name(hook.account))
        self.log.info("%(path)s: %(files)s file(s), %(bytes)s bytes; header of %(newest)s is as promised", found)
        return found


class S3RecordResultOperator(BaseOperator):
    """Writes the run's result document and, if a model was promoted, the asset event; red if the run is broken.

    It decides the DAG run's state, which is why it runs whatever happened: when a person fails a run, Airflow marks
    what has not run yet as skipped, and a run whose last task is skipped would turn green once its teardown is through.

    Returns ``{"outcome", "reason", "message", "metrics", "run_id", "result"}``.

    :param pipeline: The pipeline file.
    :param stages: Task ids of the stages.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        stages: Sequence[str],
        aws_conn_id: str = run_context.CONNECTION_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[model_alias(pipeline.name)], **kwargs)
        self.pipeline = pipeline
        self.stages = tuple(stages)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Record.

        :raises AirflowSkipException: If the execution still runs: somebody marked its stages success.
        :raises RetrainingFailedError: If a task before this one failed: there is nothing to record.
        :raises DeploymentError: If there is no execution, or it did not succeed.
        """
        self._check_broken(context)
        from brewtrain.hooks.s3_run import S3RunHook, result_key
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        run = run_context.read(context, self.pipeline)
        started = run_context.pull(context, run_context.START_EXECUTION)
        if started is None:
            raise DeploymentError("start_execution returned no execution; clear it with everything downstream")
        execution = StepFunctionsHook(self.aws_conn_id).describe(started["execution_arn"])
        outcome = self._outcome(execution, started["execution_arn"])
        assert execution is not None
        identity = identity_of_run(self.pipeline.name, run.interval, started["run_id"])
        hook = S3RunHook(self.aws_conn_id)
        bucket = self.pipeline.bucket_name(hook.account)
        document = self._document(execution, outcome, run, identity)
        path = hook.put_document(bucket, result_key(identity), document)
        self.log.info("%s (%s): %s", outcome.outcome, outcome.reason, outcome.message)
        for name, value in sorted(outcome.metrics.items()):
            self.log.info("  %s = %.5f", name, value)
        if outcome.promoted:
            self._emit(context, outcome, identity, path)
        return {
            "outcome": outcome.outcome,
            "reason": outcome.reason,
            "message": outcome.message,
            "metrics": outcome.metrics,
            "run_id": identity.run_id,
            "result": path,
        }

    def _check_broken(self, context: Context) -> None:
        states = run_context.task_states(context, [run_context.START_EXECUTION, *self.stages])
        broken = [task_id for task_id, state in states.items() if state not in ("success", "skipped")]
        if broken:
            raise RetrainingFailedError(
                f"broken: {broken[0]} is {states[broken[0]] or 'not run'}, so there is nothing to record; its log says "
                "what to do",
                retryable=False,
            )

    def _outcome(self, execution: Execution | None, arn: str) -> Outcome:
        if execution is None:
            raise DeploymentError(
                f"execution {arn} does not exist any more; clear start_execution with everything downstream"
            )
        if execution.active:
            raise AirflowSkipException(
                f"execution {execution.name} still runs because its stages were marked success: nothing to record yet; "
                "clear this task when it has ended"
            )
        if execution.status != "SUCCEEDED":
            raise DeploymentError(
                f"execution {execution.name} is {execution.status} ({execution.error}) although its stages are "
                "success: clear the stage that failed"
            )
        return Outcome.of(execution.output)

    def _document(
        self,
        execution: Execution,
        outcome: Outcome,
        run: run_context.RunContext,
        identity: names.RunIdentity,
    ) -> dict[str, Any]:
        return {
            **outcome.model_dump(mode="json"),
            "pipeline": self.pipeline.name,
            "run_id": identity.run_id,
            "interval_start": identity.interval_start.isoformat(),
            "interval_end": identity.interval_end.isoformat(),
            "data_date": identity.data_date,
            "dag_run_id": run.dag_run_id,
            "run_type": run.run_type,
            "execution_arn": execution.arn,
            "redrives": execution.redrive_count,
            "started_at": execution.started_at.isoformat(),
            "stopped_at": execution.stopped_at.isoformat() if execution.stopped_at else None,
            "recorded_at": datetime.now(UTC).isoformat(),
        }

    def _emit(self, context: Context, outcome: Outcome, identity: names.RunIdentity, path: str) -> None:
        context["outlet_events"][model_alias(self.pipeline.name)].add(
            model_asset(self.pipeline.name),
            extra={
                "metrics": dict(outcome.metrics),
                "data_date": identity.data_date,
                "run_id": identity.run_id,
                "endpoint": outcome.endpoint_name,
                "endpoint_config": outcome.endpoint_config_name,
                "model": outcome.model_name,
                "result": path,
            },
        )
