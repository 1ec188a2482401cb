"""One `<pipeline>__cleanup` DAG for each pipeline file: deletes once a week what nothing needs any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from brewtrain.notifiers.on_call import OnCallNotifier
from brewtrain.operators.cleanup import DRY_RUN, ApplyCleanupOperator, PlanCleanupOperator
from brewtrain.parsing import pipelines_to_parse
from brewtrain.retry_policy import RetryTransientErrors

DOC_MD = """
### Purpose

Deletes what retrainings of pipeline **{name}** left and nothing needs any more: endpoint configs and models beyond the
last {targets} rollback targets, the files of runs after {days} days, DataBrew jobs and datasets of runs that are over,
recipe versions and code that nothing is pinned to. It never touches what endpoint `{endpoint}` serves, nor the
rollback targets with their models, nor what a running execution, or a failed one that may still be redriven, needs;
what it does not know to be dead stays. Do not use it to take a pipeline away: the endpoint, the state machine and the
source data are left alone.

### Schedule and inputs

Sundays at 03:17 UTC, and when triggered. How much is kept is `retention` in `include/pipelines/{name}.yaml`. With the
param `dry_run` the table of what may go and what stays, each with its reason, is logged and nothing is deleted.

### Idempotency

Looks at AWS first, deletes only what both the logged plan and a second look name, and asks the endpoint again before
each endpoint config and model. What is gone already is fine; a run after a failed one goes on from there.

### On failure

Nothing waits for this DAG: clear the failed task, or leave it for next week. docs/runbooks/cleanup.md says more.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        dag_id=f"{pipeline.name}__cleanup",
        description=f"Delete what pipeline {pipeline.name} needs no more",
        doc_md=DOC_MD.format(
            name=pipeline.name,
            endpoint=pipeline.endpoint_name,
            targets=pipeline.retention.rollback_targets,
            days=pipeline.retention.run_days,
        ),
        schedule=CronTriggerTimetable("17 3 * * 0", timezone="UTC"),
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["brewtrain", "cleanup", pipeline.name],
        params={DRY_RUN: Param(False, type="boolean", title="Dry run", description="Log the plan and delete nothing.")},
        default_args={
            "owner": pipeline.owner,
            "on_failure_callback": OnCallNotifier(),
            "retries": 3,
            "retry_delay": timedelta(minutes=1),
            "retry_exponential_backoff": 2.0,
            "retry_policy": RetryTransientErrors(),
            "execution_timeout": timedelta(hours=2),
        },
    ):
        plan_cleanup = PlanCleanupOperator(task_id="plan_cleanup", pipeline=pipeline)
        apply_cleanup = ApplyCleanupOperator(task_id="apply_cleanup", pipeline=pipeline)

        plan_cleanup >> apply_cleanup
