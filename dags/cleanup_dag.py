"""One `<pipeline>__cleanup` DAG for each pipeline file: deletes weekly what nothing needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.notifiers.on_call import OnCallNotifier
from brewtrain.operators.cleanup import DRY_RUN, ApplyCleanupOperator, PlanCleanupOperator
from brewtrain.parsing import pipelines_to_parse

DOC_MD = """
### Purpose

Deletes what retrainings of pipeline **{name}** have left and nothing needs any more: endpoint configs and models
beyond the last {targets} rollback targets, the files of runs after {days} days, DataBrew jobs and datasets of runs that
have ended, recipe versions and code that nothing is pinned to. It never touches what endpoint `{endpoint}` serves, nor
the rollback targets with their models, nor what a running execution needs, or a failed one that may still be redriven.
In doubt it keeps a resource. Do not use it to remove a pipeline: the endpoint, the state machine and the source data
are left alone.

### Schedule and inputs

Sundays at 03:17 UTC, and when triggered. `retention` in `include/pipelines/{name}.yaml` says how much is kept. With the
param `dry_run` it logs what may go and what stays, each with its reason, and deletes nothing.

### Idempotency

Looks at AWS first, deletes only what both the logged plan and a second look name, and asks the endpoint again before
each endpoint config and model. What is gone already is fine. A run after a failed one goes on where that one ended.

### On failure

Nothing waits for this DAG: clear the failed task, or leave it for next week. docs/runbooks/cleanup.md says more.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        **dag_defaults(pipeline, "cleanup"),
        description=f"Delete what pipeline {pipeline.name} no longer needs",
        doc_md=DOC_MD.format(
            name=pipeline.name,
            endpoint=pipeline.endpoint_name,
            targets=pipeline.retention.rollback_targets,
            days=pipeline.retention.run_days,
        ),
        schedule=CronTriggerTimetable("17 3 * * 0", timezone="UTC"),
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        params={DRY_RUN: Param(False, type="boolean", title="Dry run", description="Log the plan and delete nothing.")},
        default_args=task_defaults(
            pipeline,
            on_failure_callback=OnCallNotifier(),
            retry_delay=timedelta(minutes=1),
            execution_timeout=timedelta(hours=2),
        ),
    ):
        plan_cleanup = PlanCleanupOperator(task_id="plan_cleanup", pipeline=pipeline)
        apply_cleanup = ApplyCleanupOperator(task_id="apply_cleanup", pipeline=pipeline)

        plan_cleanup >> apply_cleanup
