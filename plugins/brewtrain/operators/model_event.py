"""The tasks of the example consumer: read the event of a new model, and score rows with it.

Imported while DAG files are parsed: hooks are imported when a task runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from brewtrain import run_context
from brewtrain.airflow_names import READ_EVENT
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation.job import SMOKE_FILE
from brewtrain.domain.serving import smoke_test
from brewtrain.operators.base import BrewtrainOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReadModelEventOperator(BrewtrainOperator):
    """Logs what the newest event of the pipeline's model says, and returns it."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the event.

        :returns: The event's ``extra``.
        :raises AirflowSkipException: If no event triggered the run: somebody triggered it by hand.
        """
        events = [event for found in context["triggering_asset_events"].values() for event in found]
        if not events:
            raise AirflowSkipException("no event triggered this run: nothing to read")
        event = max(events, key=lambda one: one.timestamp)
        extra = dict(event.extra or {})
        self.log.info("endpoint %s serves %s", extra.get("endpoint"), extra.get("endpoint_config"))
        self.log.info("trained on data up to %s by run %s", extra.get("data_date"), extra.get("run_id"))
        for name, value in sorted((extra.get("metrics") or {}).items()):
            self.log.info("  %s = %.5f", name, value)
        return extra


class ScoreRowsOperator(BrewtrainOperator):
    """Has the endpoint score the rows that the evaluation set aside, and logs the scores."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Score the rows.

        :returns: Number of ``rows``, and their ``mean_score``.
        :raises AirflowSkipException: If the model was never evaluated, so that it has no rows.
        :raises DeploymentError: If the endpoint refuses the rows.
        :raises TransientError: If the endpoint gave no answer.
        """
        from brewtrain.hooks.s3_run import S3RunHook
        from brewtrain.hooks.sagemaker_endpoint import SageMakerRuntimeHook

        event = run_context.pull(context, READ_EVENT) or {}
        endpoint, evaluation = event.get("endpoint"), event.get("evaluation")
        if not endpoint or not evaluation:
            raise AirflowSkipException("the event names no endpoint or no evaluation: no rows to score")
        folder = str(evaluation).rpartition("/")[0]
        source = f"{folder}/{SMOKE_FILE}"
        s3 = S3RunHook(self.aws_conn_id)
        text = s3.read_text(source)
        if text is None:
            raise AirflowSkipException(f"{source} does not exist, or not any more: no rows to score")
        rows = smoke_test.parse(text, source=source)
        runtime = SageMakerRuntimeHook(self.aws_conn_id, beside=s3)
        scores: list[float] = []
        for body in rows.bodies():
            answer = runtime.invoke(str(endpoint), body, content_type=rows.content_type)
            found = smoke_test.parse_scores(answer.body) if answer.refusal is None else None
            if not found:
                raise DeploymentError(
                    f"endpoint {endpoint!r} does not score the rows of {source} "
                    f"({answer.refusal or answer.body[:200]!r}); see docs/runbooks/serving-skew.md"
                )
            scores += found
        for row, score in zip(rows.rows[:10], scores, strict=False):
            self.log.info("  %.4f  %s", score, row[:120])
        mean = sum(scores) / len(scores)
        self.log.info("%s rows scored, %.4f on average", len(scores), mean)
        return {"rows": len(scores), "mean_score": mean}
