"""What promotion and rollback have in common: the check before, the start of the execution, and the record after.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from brewtrain.domain import names
from brewtrain.domain.errors import DeploymentError, InputError
from brewtrain.domain.evaluation.job import EVALUATION_FILE
from brewtrain.domain.run.outcome import Outcome
from brewtrain.domain.serving.model_package import Decision
from brewtrain.domain.serving.serving_history import deployment_record
from brewtrain.operators import run_context
from brewtrain.operators.s3 import model_alias, model_asset
from brewtrain.operators.stepfunctions import StartExecutionOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.ladder import Execution
    from brewtrain.hooks.s3_pipeline import S3PipelineHook

CHECK_ENDPOINT = "check_endpoint"
APPROVED = "Approve"
Entry = Literal["promote", "rollback"]


class CheckEndpointOperator(BaseOperator):
    """Checks the params, that this pipeline alone may change its endpoint, and that its state machine is deployed.

    It is the run's setup, so that it runs again with every clear: that is how the wait for the
    execution tells a clear from a move to another triggerer.

    Returns ``{"try_number", "version"}``.

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

        :raises InputError: If a param is not what it may be; nothing has been asked of AWS by then.
        :raises DeploymentError: If another pipeline file names the same endpoint, or nothing is
            deployed.
        """
        self.check_params(context["params"])
        from brewtrain import resources
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        resources.check_endpoint_claim(self.pipeline)
        hook = StepFunctionsHook(self.aws_conn_id)
        version = hook.version_of_alias(hook.account.alias_arn(self.pipeline.name))
        self.log.info("endpoint %s is this pipeline's; executions start on %s", self.pipeline.endpoint_name, version)
        return {"try_number": context["ti"].try_number, "version": version}

    def check_params(self, params: Mapping[str, Any]) -> None:
        """Check the DAG run's params.

        :raises InputError: If one is not what it may be.
        """
        raise NotImplementedError


class StartDeploymentOperator(StartExecutionOperator):
    """Makes sure that the execution exists which deploys what was chosen.

    Returns ``{"run_id", "execution_arn", "data_date", "action"}``.

    :param choose_task: Task that chose, and returned at least ``run_id`` and ``data_date``.
    """

    entry: ClassVar[Entry]

    def __init__(self, *, choose_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choose_task = choose_task

    def execute(self, context: Context) -> dict[str, Any]:
        """Start, attach or redrive.

        :raises RetrainingFailedError: If the execution failed earlier and cannot be redriven.
        :raises DeploymentError: If nothing was chosen, or what was chosen cannot be deployed any
            more.
        """
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        chosen = run_context.pull(context, self.choose_task)
        if chosen is None:
            raise DeploymentError(f"{self.choose_task} has chosen nothing; clear it with everything downstream")
        dag_run = context["dag_run"]
        assert dag_run is not None
        try:
            name = names.deployment_id(
                self.pipeline.name,
                self.entry,
                dag_run.run_after,
                dag_run_id=dag_run.run_id,
                clear_number=dag_run.clear_number or 0,
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        hook = StepFunctionsHook(self.aws_conn_id)
        exists = hook.describe(hook.account.execution_arn(self.pipeline.name, name)) is not None
        document = self._document(hook, chosen, name, started=exists)
        arn, action = self.settle(context, hook, name, document, rerun_mode="auto")
        return {
            "run_id": chosen.get("run_id"),
            "execution_arn": arn,
            "data_date": chosen.get("data_date"),
            "action": action.value,
        }

    def _document(self, hook: Any, chosen: Mapping[str, Any], name: str, *, started: bool) -> dict[str, Any]:
        """Build the execution's input.

        :param chosen: What the choosing task returned.
        :param name: Name of the execution.
        :param started: Whether the execution exists already, so that what it may have changed must
            not be checked.
        """
        raise NotImplementedError


class RecordDeploymentOperator(BaseOperator):
    """Ends a promotion or rollback: smoke test, approval status, deployment record, asset event, in this order.

    Returns ``{"outcome", "reason", "message", "run_id", "record"}``.

    :param pipeline: The pipeline file.
    :param choose_task: Task that chose.
    :param start_task: Task that started the execution.
    :param approve_task: Task that asked a person; ``None`` if nobody is asked.
    :param aws_conn_id: Airflow connection of type ``aws``.
    """

    template_fields = ()
    entry: ClassVar[Entry]

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        choose_task: str,
        start_task: str,
        approve_task: str | None,
        aws_conn_id: str = run_context.CONNECTION_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[model_alias(pipeline.name)], **kwargs)
        self.pipeline = pipeline
        self.choose_task = choose_task
        self.start_task = start_task
        self.approve_task = approve_task
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Record.

        :raises AirflowSkipException: If nothing was deployed: nothing was chosen, or a person said
            no.
        :raises ServingSkewError: If the endpoint answers otherwise than the evaluated model.
        :raises DeploymentError: If there is no execution, or it did not succeed.
        :raises TransientError: If AWS was not available.
        """
        chosen = run_context.pull(context, self.choose_task)
        if chosen is None:
            raise AirflowSkipException(f"{self.choose_task} has chosen nothing: nothing to record")
        approval = run_context.pull(context, self.approve_task) if self.approve_task else None
        started = run_context.pull(context, self.start_task)
        if started is None:
            self._refused(chosen, approval)
            raise AirflowSkipException(f"nothing was deployed: {_who(approval)} did not approve")
        from brewtrain.hooks.stepfunctions import StepFunctionsHook

        execution = StepFunctionsHook(self.aws_conn_id).describe(started["execution_arn"])
        outcome = self._outcome(execution, started["execution_arn"])
        assert execution is not None
        tested = self._smoke_test(outcome, chosen)
        self._decide(chosen, outcome, execution, approval)
        path = self._write(context, execution, outcome, chosen, approval=approval, smoke_test=tested)
        self.log.info("%s (%s): %s", outcome.outcome, outcome.reason, outcome.message)
        if outcome.promoted:
            self._emit(context, outcome, chosen, path)
        return {
            "outcome": outcome.outcome,
            "reason": outcome.reason,
            "message": outcome.message,
            "run_id": chosen.get("run_id"),
            "record": path,
        }

    def _outcome(self, execution: Execution | None, arn: str) -> Outcome:
        if execution is None:
            raise DeploymentError(
                f"execution {arn} does not exist any more; clear {self.start_task} with everything downstream"
            )
        if execution.active:
            raise AirflowSkipException(
                f"execution {execution.name} still runs because its task was marked success: nothing to record yet; "
                "clear this task when it has ended"
            )
        if execution.status != "SUCCEEDED":
            raise DeploymentError(
                f"execution {execution.name} is {execution.status} ({execution.error}) although deploy is success or "
                "skipped: clear deploy"
            )
        return Outcome.of(execution.output)

    def _smoke_test(self, outcome: Outcome, chosen: Mapping[str, Any]) -> dict[str, str] | None:
        if not outcome.promoted or not outcome.endpoint_name or not outcome.endpoint_config_name:
            return None
        from brewtrain.operators.smoke_test import check_serving

        tested = check_serving(
            self.aws_conn_id,
            pipeline=self.pipeline.name,
            endpoint=outcome.endpoint_name,
            endpoint_config=outcome.endpoint_config_name,
            evaluation_uri=chosen.get("evaluation_uri"),
        )
        self.log.info("smoke test: %s (%s)", tested.status, tested.message)
        return tested.as_dict()

    def _decide(
        self, chosen: Mapping[str, Any], outcome: Outcome, execution: Execution, approval: Mapping[str, Any] | None
    ) -> None:
        """Write into the model registry what became of the candidate."""
        who = f" Approved by {_who(approval)}." if approval else ""
        self._note(chosen, Decision(outcome.outcome, outcome.reason, f"{outcome.message}{who}", execution.arn))

    def _refused(self, chosen: Mapping[str, Any], approval: Mapping[str, Any] | None) -> None:
        """Note that a person refused the candidate."""

    def _note(self, chosen: Mapping[str, Any], decision: Decision) -> None:
        arn = chosen.get("model_package_arn")
        if not arn:
            self.log.info("the run was never registered as a model package: no approval status to change")
            return
        from brewtrain.hooks.model_registry import ModelRegistryHook

        hook = ModelRegistryHook(self.aws_conn_id)
        if hook.describe_package(arn) is None:
            self.log.warning("model package %s does not exist any more: no approval status to change", arn)
            return
        hook.decide(arn, decision)
        self.log.info("model package %s is %s", arn, decision.status)

    def _write(
        self,
        context: Context,
        execution: Execution,
        outcome: Outcome,
        chosen: Mapping[str, Any],
        *,
        approval: Mapping[str, Any] | None,
        smoke_test: dict[str, str] | None,
    ) -> str:
        from brewtrain.hooks.s3_run import S3RunHook

        dag_run = context["dag_run"]
        assert dag_run is not None
        ended_at = execution.stopped_at or datetime.now(UTC)
        record = deployment_record(
            outcome,
            kind=self.entry,
            pipeline=self.pipeline.name,
            run_id=str(chosen.get("run_id") or ""),
            data_date=str(chosen.get("data_date") or ""),
            execution_arn=execution.arn,
            ended_at=ended_at,
            dag_run_id=dag_run.run_id,
            from_endpoint_config_name=chosen.get("serving"),
            approved_by=_user(approval),
            smoke_test=smoke_test,
            model_package_arn=chosen.get("model_package_arn"),
            recorded_at=datetime.now(UTC).isoformat(),
        )
        hook = S3RunHook(self.aws_conn_id)
        key = names.deployment_key(self.pipeline.name, ended_at, execution.name)
        return hook.put_document(self.pipeline.bucket_name(hook.account), key, record)

    def _emit(self, context: Context, outcome: Outcome, chosen: Mapping[str, Any], path: str) -> None:
        context["outlet_events"][model_alias(self.pipeline.name)].add(
            model_asset(self.pipeline.name),
            extra={
                "metrics": dict(outcome.metrics) or dict(chosen.get("metrics") or {}),
                "data_date": chosen.get("data_date"),
                "run_id": chosen.get("run_id"),
                "endpoint": outcome.endpoint_name,
                "endpoint_config": outcome.endpoint_config_name,
                "model": outcome.model_name,
                "model_package_arn": chosen.get("model_package_arn"),
                "reason": outcome.reason,
                "result": path,
                "evaluation": f"{uri}{EVALUATION_FILE}" if (uri := chosen.get("evaluation_uri")) else None,
            },
        )


def read_result(s3: S3PipelineHook, pipeline: Pipeline, bucket: str, run_id: str) -> dict[str, Any] | None:
    """Return a run's result document; ``None`` if there is none, or it is not of this pipeline's run.

    :param run_id: Id of the run; anything else has no result document.
    """
    if not names.is_run_id(pipeline.name, run_id):
        return None
    return s3.read_document(bucket, f"{names.run_folder(pipeline.name, run_id)}{names.RESULT_FILE}")


def evaluation_uri(result: Mapping[str, Any]) -> str | None:
    """Return the S3 prefix of a run's evaluation, with a trailing slash; ``None`` where it has none.

    :param result: The run's result document.
    """
    evaluation = result.get("evaluation")
    uri = evaluation.get("uri") if isinstance(evaluation, Mapping) else None
    return f"{str(uri).rstrip('/')}/" if uri else None


def approved(approval: Mapping[str, Any] | None) -> bool:
    """Whether a person approved.

    :param approval: What Airflow's ApprovalOperator returned.
    """
    return approval is not None and APPROVED in (approval.get("chosen_options") or ())


def _user(approval: Mapping[str, Any] | None) -> str | None:
    user = (approval or {}).get("responded_by_user")
    return str(user.get("name") or user.get("id")) if isinstance(user, Mapping) else None


def _who(approval: Mapping[str, Any] | None) -> str:
    if approval is None:
        return "nobody"
    return _user(approval) or "nobody in time"
