"""One `<pipeline>__retrain` DAG for each pipeline file: the scheduled run, one task per stage of its execution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import (
    DAG,
    AsyncCallback,
    CronDataIntervalTimetable,
    DeadlineAlert,
    Param,
)

from brewtrain.deadlines import RunAfterDeadline
from brewtrain.domain.run.limits import late_after
from brewtrain.domain.run.stages import Stage
from brewtrain.domain.serving.promotion import BACKFILL_PATTERN
from brewtrain.notifiers.on_call import OnCallNotifier, tell_model_is_late
from brewtrain.operators.databrew import DataBrewPrepareRunOperator, DataBrewReleaseRunOperator
from brewtrain.operators.promotion import RequestApprovalOperator
from brewtrain.operators.s3 import S3CheckPartitionOperator, S3RecordResultOperator
from brewtrain.operators.stepfunctions import (
    StepFunctionsStageOperator,
    StepFunctionsStartRetrainingOperator,
)
from brewtrain.parsing import pipelines_to_parse
from brewtrain.priority import SCHEDULED_BEFORE_BACKFILL
from brewtrain.retry_policy import RetryTransientErrors

DOC_MD = """
### Purpose

Retrains the model of pipeline **{name}** on the {days} days of data that end with the run's data interval, and deploys
it to endpoint `{endpoint}` if it is good enough and no older than what serves. Deploy the pipeline with
`{name}__deploy` first.

### Schedule and inputs

`{schedule}` in UTC, one run per data interval; `{source}` must hold data of the interval (of a week or month: of some
day in it). A run triggered without a logical date stands for the newest interval that had ended by then. Backfills
train, evaluate and record; they deploy only if nothing newer serves. Params: `rerun_mode` (`auto`; `redrive`: a cleared
run goes on with the execution that it had; `fresh`: an execution of its own even where another run of the interval has
one) and `deploy_policy` (`newest`; `always`: even if something newer serves; `never`).

### Idempotency

A run is pipeline + data interval + generation, and everything on AWS is named after it. A killed worker finds its
execution again; clearing a failed stage goes on from the state that failed, and finished stages do not run again;
clearing the whole run, or `start_execution`, starts a fresh execution. Killing, failing or clearing a waiting stage
stops the execution; marking it success leaves it alone.

### On failure

The failed task's log ends with a card: what failed, why, until when it can be redriven, and what to do. Its last line
but one names the page of docs/runbooks/ that says more. A model that the gate refuses is no failure: the run is green
and `deploy` is skipped. `record_result` red with "training/serving skew" means that wrong answers are being served:
docs/runbooks/serving-skew.md.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        dag_id=f"{pipeline.name}__retrain",
        description=pipeline.description or f"Retrain pipeline {pipeline.name}",
        doc_md=DOC_MD.format(
            name=pipeline.name,
            days=pipeline.window_days,
            endpoint=pipeline.endpoint_name,
            schedule=pipeline.schedule,
            source=pipeline.source.path,
        ),
        schedule=CronDataIntervalTimetable(pipeline.cron, timezone="UTC"),
        start_date=datetime.combine(pipeline.start_date, datetime.min.time(), tzinfo=UTC),
        catchup=False,
        max_active_runs=4,
        tags=["brewtrain", "retrain", pipeline.name],
        params={
            "rerun_mode": Param("auto", enum=["auto", "redrive", "fresh"], description="What a rerun goes on with."),
            "deploy_policy": Param("newest", enum=["newest", "always", "never"], description="When to deploy."),
            "backfill": Param(
                None,
                type=["null", "string"],
                pattern=BACKFILL_PATTERN,
                description="Label of the backfill that the run is of, by which its best is found and promoted.",
            ),
        },
        deadline=DeadlineAlert(
            reference=RunAfterDeadline(),
            interval=late_after(pipeline),
            callback=AsyncCallback(
                tell_model_is_late,
                kwargs={"pipeline": pipeline.name, "hours": late_after(pipeline).total_seconds() / 3600},
            ),
            name="model is late",
        ),
        default_args={
            "owner": pipeline.owner,
            "on_failure_callback": OnCallNotifier(),
            "retries": 3,
            "retry_delay": timedelta(seconds=15),
            "retry_exponential_backoff": 2.0,
            "retry_policy": RetryTransientErrors(),
            # By name: an object among the defaults is serialized with its address, and every parse
            # makes a new version.
            "weight_rule": SCHEDULED_BEFORE_BACKFILL,
        },
    ):
        on_worker = {"execution_timeout": timedelta(minutes=10)}

        check_input = S3CheckPartitionOperator(task_id="check_input", pipeline=pipeline, **on_worker)
        prepare_run = DataBrewPrepareRunOperator(task_id="prepare_run", pipeline=pipeline, **on_worker).as_setup()
        # Stages begin in the triggerer without asking for a slot, but hold one while they wait:
        # start_execution asks.
        start_execution = StepFunctionsStartRetrainingOperator(
            task_id="start_execution", pipeline=pipeline, pool=pipeline.pool, **on_worker
        )
        transform, split, train, evaluate, gate, deploy = (
            StepFunctionsStageOperator(task_id=stage.value, pipeline=pipeline, stage=stage, pool=pipeline.pool)
            for stage in Stage
        )
        # Decides the run's state.
        record_result = S3RecordResultOperator(
            task_id="record_result", pipeline=pipeline, stages=list(Stage), **on_worker
        ).as_teardown(setups=prepare_run, on_failure_fail_dagrun=True)
        release_run = DataBrewReleaseRunOperator(
            task_id="release_run", pipeline=pipeline, stages=list(Stage), **on_worker
        ).as_teardown(setups=prepare_run)

        check_input >> prepare_run >> start_execution
        start_execution >> transform >> split >> train >> evaluate >> gate >> deploy >> record_result >> release_run
        if pipeline.approval == "required":
            request_approval = RequestApprovalOperator(task_id="request_approval", pipeline=pipeline, **on_worker)
            record_result >> request_approval
