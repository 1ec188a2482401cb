"""The run's tasks on S3: the check of the input before anything starts, and the result document at the end.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from brewtrain.domain import names
from brewtrain.domain.errors import AlreadyToldError, BrewtrainError, DeploymentError, RetrainingFailedError
from brewtrain.domain.evaluation.job import EVALUATION_FILE, PAGE_FILE
from brewtrain.domain.failure.gate_refusal import ERROR as REFUSED
from brewtrain.domain.failure.gate_refusal import refused_outcome
from brewtrain.domain.links import object_link
from brewtrain.domain.run import result_summary
from brewtrain.domain.run.identity import identity_of_run
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.run.stages import Stage
from brewtrain.domain.serving.model_package import Candidate, Decision, Registration
from brewtrain.domain.serving.serving_history import deployment_record
from brewtrain.links.retraining import REPORT, EvaluationReportLink
from brewtrain.operators import run_context

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.ladder import Execution
    from brewtrain.hooks.connection import AwsClientHook
    from brewtrain.hooks.s3_run import S3RunHook
    from brewtrain.operators.smoke_test import SmokeTestResult


def model_asset(pipeline: str) -> Asset:
    """Return the asset that stands for a pipeline's model in service."""
    # With x- Airflow asks no provider how to read the address, and imports none while a DAG file is
    # parsed.
    return Asset(name=f"{pipeline}_model", uri=f"x-brewtrain://{pipeline}/model")


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
        :raises DeploymentError: If another pipeline file names the same endpoint: neither may touch
            it.
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
    """Ends a run: smoke test of what was deployed, version in the model registry, result document, asset event.

    In this order, and red at the first that fails: a model that answers otherwise than it was
    evaluated gets neither a result document nor an asset event. Repeating it makes no second
    version.

    It decides the DAG run's state, which is why it runs whatever happened: when a person fails a
    run, Airflow marks what has not run yet as skipped, and a run whose last task is skipped would
    turn green once its teardown is through.

    Returns ``{"outcome", "reason", "message", "metrics", "run_id", "result", "evaluation",
    "model_package_arn"}``.

    :param pipeline: The pipeline file.
    :param stages: Task ids of the stages.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()
    operator_extra_links = (EvaluationReportLink(),)

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
        self.links: dict[str, str] = {}

    def execute(self, context: Context) -> dict[str, Any]:
        """Record.

        :raises AirflowSkipException: If the execution still runs: somebody marked its stages
            success.
        :raises RetrainingFailedError: If a task before this one failed: there is nothing to record
            but a refusal.
        :raises ServingSkewError: If the endpoint answers otherwise than the evaluated model.
        :raises DeploymentError: If there is no execution, it did not succeed, or AWS refuses what
            has to be written.
        :raises TransientError: If AWS was not available.
        """
        broken = self._broken(context)
        if broken is not None:
            task_id, state = broken
            refused = self._record_refusal(context) if task_id == Stage.GATE else None
            raise AlreadyToldError(
                f"broken: {task_id} is {state or 'not run'}, so there is nothing to record"
                f"{f' but the refusal ({refused})' if refused else ''}; its log says what to do"
            )
        from brewtrain.hooks.stepfunctions import StepFunctionsHook
        from brewtrain.operators.smoke_test import ServingSkewError

        started = run_context.pull(context, run_context.START_EXECUTION)
        if started is None:
            raise DeploymentError("start_execution returned no execution; clear it with everything downstream")
        states = StepFunctionsHook(self.aws_conn_id)
        execution = states.describe(started["execution_arn"])
        outcome = self._outcome(execution, started["execution_arn"])
        assert execution is not None
        record = self._record_of(context, states, execution, outcome, started["run_id"])
        try:
            tested = self._smoke_test(record)
        except ServingSkewError as skew:
            self._register_skew(record, skew)
            raise
        return self._write(context, record, tested)

    def _broken(self, context: Context) -> tuple[str, str | None] | None:
        states = run_context.task_states(context, [run_context.START_EXECUTION, *self.stages])
        return next(((one, state) for one, state in states.items() if state not in ("success", "skipped")), None)

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

    def _record_of(
        self, context: Context, states: AwsClientHook, execution: Execution, outcome: Outcome, run_id: str
    ) -> _Record:
        from brewtrain.hooks.s3_run import S3RunHook, result_key
        from brewtrain.revision import revision_of

        run = run_context.read(context, self.pipeline)
        identity = identity_of_run(self.pipeline.name, run.interval, run_id)
        s3 = S3RunHook(self.aws_conn_id, beside=states)
        bucket = self.pipeline.bucket_name(s3.account)
        return _Record(
            s3=s3,
            execution=execution,
            outcome=outcome,
            run=run,
            identity=identity,
            bucket=bucket,
            key=result_key(identity),
            region=s3.account.region,
            revision=revision_of(context),
        )

    def _smoke_test(self, record: _Record) -> SmokeTestResult | None:
        outcome = record.outcome
        if not outcome.promoted or outcome.endpoint_name is None or outcome.endpoint_config_name is None:
            return None
        from brewtrain.operators.smoke_test import check_serving

        tested = check_serving(
            self.aws_conn_id,
            beside=record.s3,
            pipeline=self.pipeline.name,
            endpoint=outcome.endpoint_name,
            endpoint_config=outcome.endpoint_config_name,
            evaluation_uri=record.evaluation_prefix,
        )
        self.log.info("smoke test: %s (%s)", tested.status, tested.message)
        return tested

    def _register(self, record: _Record, decision: Decision, *, known_arn: str | None = None) -> Registration | None:
        candidate = record.candidate(self.pipeline)
        if candidate is None:
            self.log.info("no training job or image is known of this run: nothing to register")
            return None
        from brewtrain.hooks.model_registry import ModelRegistryHook

        group = names.model_package_group(self.pipeline.name)
        registered = ModelRegistryHook(self.aws_conn_id, beside=record.s3).register(
            group, candidate, decision, known_arn=known_arn
        )
        self.log.info(
            "model registry: version %s of %s is %s%s",
            registered.version,
            group,
            registered.status,
            " (new)" if registered.created else "",
        )
        return registered

    def _register_skew(self, record: _Record, skew: RetrainingFailedError) -> None:
        decision = Decision("rejected", "serving_skew", str(skew), record.execution.arn)
        try:
            self._register(record, decision)
        except BrewtrainError as error:
            # The skew is what somebody has to act upon now; the next attempt registers the version.
            self.log.warning("the model could not be registered: %s", error)

    def _record_refusal(self, context: Context) -> str | None:
        """Record the model of an execution that the gate ended red; ``None`` if it failed for another reason."""
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        started = run_context.pull(context, run_context.START_EXECUTION)
        if started is None:
            return None
        states = StepFunctionsHook(self.aws_conn_id)
        execution = states.describe(started["execution_arn"])
        if execution is None or execution.status != "FAILED" or execution.error != REFUSED:
            return None
        outcome = refused_outcome(states.events_of_failure(execution.arn), message=execution.cause or "")
        if outcome is None:
            self.log.warning("the history of %s does not tell which model was refused", execution.name)
            return None
        record = self._record_of(context, states, execution, outcome, started["run_id"])
        written = self._write(context, record, None)
        return f"model package {written['model_package_arn']}"

    def _write(self, context: Context, record: _Record, tested: SmokeTestResult | None) -> dict[str, Any]:
        """Register, then write the result document, then emit the event."""
        outcome = record.outcome
        before = record.s3.read_document(record.uri) or {}
        decision = Decision(outcome.outcome, outcome.reason, outcome.message, record.execution.arn)
        registered = self._register(record, decision, known_arn=before.get("model_package_arn"))
        document = record.document(self.pipeline, registered, tested)
        path = record.s3.put_document(record.bucket, record.key, document)
        self._record_deployment(record, registered)
        self._tell(record, path)
        if outcome.promoted:
            self._emit(context, record, registered, path)
        return {
            "outcome": outcome.outcome,
            "reason": outcome.reason,
            "message": outcome.message,
            "metrics": outcome.metrics,
            "run_id": record.identity.run_id,
            "result": path,
            "evaluation": record.evaluation_uri,
            "model_package_arn": registered.arn if registered else None,
        }

    def _record_deployment(self, record: _Record, registered: Registration | None) -> None:
        """Leave what rollback and cleanup read: that this endpoint config served, and since when."""
        execution, outcome = record.execution, record.outcome
        if not outcome.promoted:
            return
        ended_at = execution.stopped_at or datetime.now(UTC)
        document = deployment_record(
            outcome,
            kind="retrain",
            pipeline=self.pipeline.name,
            run_id=record.identity.run_id,
            data_date=record.identity.data_date,
            execution_arn=execution.arn,
            ended_at=ended_at,
            dag_run_id=record.run.dag_run_id,
            model_package_arn=registered.arn if registered else None,
        )
        key = names.deployment_key(self.pipeline.name, ended_at, execution.name)
        record.s3.put_document(record.bucket, key, document)

    def _tell(self, record: _Record, path: str) -> None:
        outcome = record.outcome
        evaluation = record.s3.read_document(record.evaluation_uri) if record.evaluation_uri else None
        self.log.info("%s (%s): %s", outcome.outcome, outcome.reason, outcome.message)
        rows = result_summary.metric_rows(outcome.metrics, record.champion_metrics, evaluation)
        for line in result_summary.table(rows):
            self.log.info("  %s", line)
        self.log.info("result: %s", path)
        if record.evaluation_prefix:
            self.links[REPORT] = object_link(f"{record.evaluation_prefix}{PAGE_FILE}", region=record.region)
            self.log.info("evaluation: %s", self.links[REPORT])

    def _emit(self, context: Context, record: _Record, registered: Registration | None, path: str) -> None:
        outcome = record.outcome
        context["outlet_events"][model_alias(self.pipeline.name)].add(
            model_asset(self.pipeline.name),
            extra={
                "metrics": dict(outcome.metrics),
                "data_date": record.identity.data_date,
                "run_id": record.identity.run_id,
                "endpoint": outcome.endpoint_name,
                "endpoint_config": outcome.endpoint_config_name,
                "model": outcome.model_name,
                "model_package_arn": registered.arn if registered else None,
                "result": path,
                "evaluation": record.evaluation_uri,
            },
        )


@dataclass(frozen=True)
class _Record:
    """What is recorded of a run.

    :param s3: The hook that writes it, and whose session the others use.
    :param bucket: Bucket of the result document.
    :param key: Its key.
    :param revision: Revision of the DAGs.
    """

    s3: S3RunHook
    execution: Execution
    outcome: Outcome
    run: run_context.RunContext
    identity: names.RunIdentity
    bucket: str
    key: str
    region: str
    revision: str

    @property
    def uri(self) -> str:
        """Address of the result document."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def evaluation(self) -> Mapping[str, Any]:
        """The outcome's section on the evaluation; empty where there was none."""
        return self.outcome.evaluation

    @property
    def evaluation_prefix(self) -> str | None:
        """Address of the evaluation's files, with a trailing slash."""
        uri = self.evaluation.get("uri")
        return f"{str(uri).rstrip('/')}/" if uri else None

    @property
    def evaluation_uri(self) -> str | None:
        """Address of evaluation.json."""
        return f"{self.evaluation_prefix}{EVALUATION_FILE}" if self.evaluation_prefix else None

    @property
    def champion_metrics(self) -> dict[str, float]:
        """The champion's metrics on the same rows; empty unless compared."""
        found = self.evaluation.get("champion_metrics") or {}
        return {name: value for name, value in found.items() if value is not None}

    def candidate(self, pipeline: Pipeline) -> Candidate | None:
        """Return the candidate as the registry takes it; ``None`` if the execution tells of none."""
        given = self.execution.input or {}
        image = self.outcome.image_uri or (given.get("training") or {}).get("image_uri")
        if not (self.outcome.training_job_name and self.outcome.model_artifacts and image):
            return None
        window_start = pipeline.window_start(self.identity.interval_end)
        return Candidate(
            pipeline=pipeline.name,
            run_id=self.identity.run_id,
            data_date=self.identity.data_date,
            execution_arn=self.execution.arn,
            started_at=self.execution.started_at,
            training_job=self.outcome.training_job_name,
            model_artifacts=self.outcome.model_artifacts,
            image_uri=image,
            instance_type=(given.get("endpoint") or {}).get("instance_type") or pipeline.endpoint.instance_type,
            evaluation_uri=self.evaluation_uri,
            metrics=self.outcome.metrics,
            champion_metrics=self.champion_metrics,
            facts={
                "window_start": window_start.isoformat(),
                "window_end": self.identity.interval_end.isoformat(),
                "recipe": names.recipe(pipeline.name),
                "recipe_version": _text((given.get("run") or {}).get("recipe_version")),
                "git_revision": self.revision,
                "dag_run_id": self.run.dag_run_id,
                "run_type": self.run.run_type,
                "result": self.uri,
                "champion_status": _text(self.evaluation.get("champion_status")),
                "champion": _text(self.evaluation.get("champion_uri")),
                **{
                    name: _text(self.outcome.split.get(name))
                    for name in ("train_rows", "validation_rows", "validation_positives")
                },
            },
        )

    def document(
        self, pipeline: Pipeline, registered: Registration | None, tested: SmokeTestResult | None
    ) -> dict[str, Any]:
        """Return the result document."""
        execution, identity = self.execution, self.identity
        return {
            **self.outcome.model_dump(mode="json"),
            "pipeline": pipeline.name,
            "run_id": identity.run_id,
            "interval_start": identity.interval_start.isoformat(),
            "interval_end": identity.interval_end.isoformat(),
            "data_date": identity.data_date,
            "dag_run_id": self.run.dag_run_id,
            "run_type": self.run.run_type,
            "backfill": self.run.backfill,
            "execution_arn": execution.arn,
            "redrives": execution.redrive_count,
            "started_at": execution.started_at.isoformat(),
            "stopped_at": execution.stopped_at.isoformat() if execution.stopped_at else None,
            "recorded_at": datetime.now(UTC).isoformat(),
            "git_revision": self.revision,
            "model_package_arn": registered.arn if registered else None,
            "smoke_test": tested.as_dict() if tested else None,
        }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
