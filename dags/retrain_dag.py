"""One `<pipeline>__retrain` DAG for each pipeline file: the scheduled run, stage by stage."""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable, Param
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert

from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.deadlines import RunAfterDeadline
from brewtrain.domain.quality.validation_job import has_job
from brewtrain.domain.run.active_runs import max_active_runs
from brewtrain.domain.run.limits import late_after
from brewtrain.domain.run.stages import Stage
from brewtrain.domain.serving.promotion import BACKFILL_PATTERN
from brewtrain.notifiers.on_call import OnCallNotifier, tell_model_is_late
from brewtrain.operators.partition import CheckPartitionOperator
from brewtrain.operators.prepare_run import PrepareRunOperator
from brewtrain.operators.record_result import RecordResultOperator
from brewtrain.operators.release_run import ReleaseRunOperator
from brewtrain.operators.request_approval import RequestApprovalOperator
from brewtrain.operators.start_execution import StartRetrainingOperator
from brewtrain.operators.validate_data import ValidateDataOperator
from brewtrain.operators.wait_for_stage import WaitForStageOperator
from brewtrain.parsing import pipelines_to_parse
from brewtrain.priority import SCHEDULED_BEFORE_BACKFILL
from brewtrain.run_context import REASON_PATTERN

DOC_MD = """
### Purpose

Retrains the model of pipeline **{name}** on the {days} days of data up to the run's newest day, and deploys it to
endpoint `{endpoint}` if it is good enough and no older than what serves. Deploy the pipeline with `{name}__deploy`
first.

### Schedule and inputs

`{schedule}` ({timezone}), one run per data interval. The run's newest day is the newest one that has ended by then
(docs/schedules.md); `{source}` must hold its data (of a week or month: of some day in it). A run triggered without a
logical date takes the newest interval that had ended when it was triggered. Backfills train, evaluate and record; they
deploy only if nothing newer serves. Params: `rerun_mode` (`auto`; `redrive`: a cleared run goes on with the execution
that it had; `fresh`: the run gets its own execution even if another run of the interval has one), `deploy_policy`
(`newest`; `always`: even if something newer serves; `never`) and `accept_quality` (why this run may train on data that
the quality rules block). `only_if_stale`: the run is skipped, green, unless data of its window has changed since the
interval's last run read it (`make stale` names such intervals).

### Idempotency

A run is pipeline + data interval + generation, and everything on AWS is named after it. A retry after a killed worker
finds its execution again. Clearing a failed stage goes on from the state that failed, and finished stages do not run
again. Clearing the whole run, or `start_execution`, starts a fresh execution. Killing, failing or clearing a waiting
stage stops the execution; marking it success leaves it alone.

### On failure

The failed task's log ends with a card: what failed, why, until when it can be redriven, and what to do. Its line
`runbook` names the page of docs/runbooks/ that says more. A model that the gate refuses is no failure: the run is green
and `deploy` is skipped. Data that a quality rule blocks leaves the last good model in place: deliver it again and clear
the red task, or accept it: docs/runbooks/data-quality.md. `record_result` red with "training/serving skew" means that
the endpoint gives wrong scores: docs/runbooks/serving-skew.md.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        **dag_defaults(pipeline, "retrain"),
        description=pipeline.description or f"Retrain pipeline {pipeline.name}",
        doc_md=DOC_MD.format(
            name=pipeline.name,
            days=pipeline.window_days,
            endpoint=pipeline.endpoint_name,
            schedule=pipeline.schedule,
            timezone=pipeline.timezone,
            source=pipeline.source.path,
        ),
        schedule=CronDataIntervalTimetable(pipeline.cron, timezone=pipeline.timezone),
        start_date=pipeline.data_days.begins(pipeline.start_date),
        max_active_runs=max_active_runs(pipeline),
        params={
            "rerun_mode": Param(
                "auto", enum=["auto", "redrive", "fresh"], description="What a cleared run goes on with."
            ),
            "deploy_policy": Param("newest", enum=["newest", "always", "never"], description="When to deploy."),
            "only_if_stale": Param(
                False,
                type="boolean",
                description="Retrain only if the data has changed since the interval's last run read it.",
            ),
            "accept_quality": Param(
                None,
                type=["null", "string"],
                pattern=REASON_PATTERN,
                description="Why this run alone may train on data that the quality rules block.",
            ),
            "backfill": Param(
                None,
                type=["null", "string"],
                pattern=BACKFILL_PATTERN,
                description="Label of the run's backfill, by which its best model is found and promoted.",
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
        default_args=task_defaults(
            pipeline,
            on_failure_callback=OnCallNotifier(),
            # By name: an object among the defaults would be serialized with its address, and every
            # parse would make a new version of the DAG.
            weight_rule=SCHEDULED_BEFORE_BACKFILL,
        ),
    ):
        check_input = CheckPartitionOperator(task_id="check_input", pipeline=pipeline)
        prepare_run = PrepareRunOperator(task_id="prepare_run", pipeline=pipeline).as_setup()
        # Stages begin in the triggerer without waiting for a slot, but hold one while they wait:
        # start_execution waits for it.
        start_execution = StartRetrainingOperator(task_id="start_execution", pipeline=pipeline, pool=pipeline.pool)
        transform, split, train, evaluate, gate, deploy = (
            WaitForStageOperator(task_id=stage.value, pipeline=pipeline, stage=stage, pool=pipeline.pool)
            for stage in Stage
        )
        if has_job(pipeline):
            validate = ValidateDataOperator(task_id="validate", pipeline=pipeline, pool=pipeline.pool)
            prepare_run >> validate >> start_execution
        # Decides the run's state.
        record_result = RecordResultOperator(
            task_id="record_result", pipeline=pipeline, stages=list(Stage)
        ).as_teardown(setups=prepare_run, on_failure_fail_dagrun=True)
        release_run = ReleaseRunOperator(task_id="release_run", pipeline=pipeline, stages=list(Stage)).as_teardown(
            setups=prepare_run
        )

        check_input >> prepare_run >> start_execution
        start_execution >> transform >> split >> train >> evaluate >> gate >> deploy >> record_result >> release_run
        if pipeline.approval == "required":
            request_approval = RequestApprovalOperator(task_id="request_approval", pipeline=pipeline)
            record_result >> request_approval
