"""The end of a promotion or rollback: what was deployed is tested, noted, written down and told.

Imported while DAG files are parsed: hooks, and what calls them, are imported when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain import run_context
from brewtrain.airflow_names import DeploymentTasks
from brewtrain.approval import Answer
from brewtrain.assets import emit_model_event, model_alias
from brewtrain.domain.evaluation.job import EVALUATION_FILE
from brewtrain.domain.serving.model_package import Decision
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from brewtrain.domain.pipeline.file import Pipeline
    from brewtrain.domain.run.ladder import Execution
    from brewtrain.domain.run.outcome import Outcome
    from brewtrain.hooks.s3_run import S3RunHook
    from brewtrain.serving.smoke_test import SmokeTestResult


class RecordDeploymentOperator(BrewtrainOperator):
    """Ends a deployment: smoke test, approval status, record, asset event, in this order.

    Subclasses set :attr:`tasks`.

    :param asks: Whether the DAG asks a person.
    """

    tasks: ClassVar[DeploymentTasks]
    """Tasks of the DAG, this one among them."""

    def __init__(self, *, pipeline: Pipeline, asks: bool, **kwargs: Any) -> None:
        # What was not deployed is recorded too, what failed is not.
        kwargs.setdefault("trigger_rule", "none_failed")
        super().__init__(pipeline=pipeline, outlets=[model_alias(pipeline.name)], **kwargs)
        self.asks = asks

    def execute(self, context: Context) -> dict[str, Any]:
        """Record the deployment.

        :returns: ``outcome``, ``reason``, ``message``, ``run_id`` and ``record``.
        :raises AirflowSkipException: If nothing was deployed: nothing was chosen, or a person said
            no.
        :raises ServingSkewError: If the endpoint scores rows differently from the evaluated model.
        :raises DeploymentError: If there is no execution, or it did not succeed.
        :raises TransientError: If AWS was not available.
        """
        chosen = run_context.pull(context, self.tasks.choose_task)
        if chosen is None:
            raise AirflowSkipException(f"{self.tasks.choose_task} has chosen nothing: nothing to record")
        answer = Answer.of(run_context.pull(context, self.tasks.ask_task)) if self.asks else None
        started = run_context.pull(context, self.tasks.start_task)
        if started is None:
            if answer is None:
                raise AirflowSkipException(f"{self.tasks.start_task} has started nothing: nothing to record")
            self.note_refusal(chosen, answer)
            raise AirflowSkipException(f"nothing was deployed: {answer.user or 'nobody in time'} did not approve")
        from brewtrain.hooks.s3_run import S3RunHook
        from brewtrain.hooks.stepfunctions import StepFunctionsHook
        from brewtrain.recording.ended_execution import ended_well
        from brewtrain.serving.smoke_test import check_deployed

        states = StepFunctionsHook(self.aws_conn_id)
        execution, outcome = ended_well(states, started["execution_arn"], start_task=self.tasks.start_task)
        s3 = S3RunHook(self.aws_conn_id, beside=states)
        tested = check_deployed(
            outcome, pipeline=self.pipeline.name, evaluation_uri=chosen.get("evaluation_uri"), beside=s3
        )
        approved = f" Approved by {answer.user or 'nobody in time'}." if answer else ""
        self.note(chosen, Decision(outcome.outcome, outcome.reason, f"{outcome.message}{approved}", execution.arn))
        path = self._write(context, s3, execution, outcome, chosen, answer=answer, smoke_test=tested)
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

    def note_refusal(self, chosen: Mapping[str, Any], answer: Answer) -> None:
        """Note that what was chosen was not approved; by default nowhere.

        :param chosen: What the choosing task returned.
        :param answer: The answer; without a user if nobody answered in time.
        """

    def note(self, chosen: Mapping[str, Any], decision: Decision) -> None:
        """Write into the model registry what became of what was chosen.

        :param chosen: What the choosing task returned.
        :param decision: What became of it.
        """
        from brewtrain.recording.registration import note_decision

        note_decision(chosen.get("model_package_arn"), decision, aws_conn_id=self.aws_conn_id)

    def _write(
        self,
        context: Context,
        s3: S3RunHook,
        execution: Execution,
        outcome: Outcome,
        chosen: Mapping[str, Any],
        *,
        answer: Answer | None,
        smoke_test: SmokeTestResult | None,
    ) -> str:
        from brewtrain.recording.deployments import write_deployment_record

        return write_deployment_record(
            s3,
            self.pipeline,
            execution,
            outcome,
            kind=self.tasks.kind,
            run_id=str(chosen.get("run_id") or ""),
            data_date=str(chosen.get("data_date") or ""),
            dag_run_id=run_context.dag_run_of(context).run_id,
            from_endpoint_config_name=chosen.get("serving"),
            approved_by=answer.user if answer else None,
            smoke_test=smoke_test.as_dict() if smoke_test else None,
            model_package_arn=chosen.get("model_package_arn"),
            recorded_at=datetime.now(UTC).isoformat(),
        )

    def _emit(self, context: Context, outcome: Outcome, chosen: Mapping[str, Any], path: str) -> None:
        evaluation_uri = chosen.get("evaluation_uri")
        emit_model_event(
            context,
            self.pipeline.name,
            outcome,
            run_id=chosen.get("run_id"),
            data_date=chosen.get("data_date"),
            # An execution that has not evaluated reports none.
            metrics=outcome.metrics or chosen.get("metrics") or {},
            model_package_arn=chosen.get("model_package_arn"),
            result=path,
            evaluation=f"{evaluation_uri}{EVALUATION_FILE}" if evaluation_uri else None,
            reason=outcome.reason,
        )
