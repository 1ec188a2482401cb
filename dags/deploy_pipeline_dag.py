"""One `<pipeline>__deploy` DAG for each pipeline file: plan → validate → apply."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.operators.deploy_pipeline import (
    PLAN_ONLY,
    ApplyDeploymentOperator,
    PlanDeploymentOperator,
    ValidateDeploymentOperator,
)
from brewtrain.parsing import pipelines_to_parse

DOC_MD = """
### Purpose

Brings what pipeline **{name}** needs on AWS to what the repository says: the Glue script, the DataBrew recipe and its
published version, the Glue job, the model package group, the state machine, its published version and the alias `live`
that runs are started on. Do not use it to retrain: that is `{name}__retrain`. It makes no bucket and no roles: those
are the CloudFormation stacks in `include/cloudformation/`.

### Schedule and inputs

Runs when triggered: after a change in `include/`, and after the roles or the bucket were made. Inputs are
`include/pipelines/{name}.yaml` and the files that it names. With the param `plan_only` the plan is logged and nothing
is changed.

### Idempotency

Every task looks at AWS first. A second run changes nothing and says so line by line (`=`). A run after a failed one
goes on where that one ended. What somebody edited by hand is put back, and named in the plan (`~`).

### On failure

The failed task's log says what, where and what to do; docs/runbooks/deploy-failed.md says more. Clearing the failed
task, or triggering the DAG again, is always safe.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        **dag_defaults(pipeline, "deploy"),
        description=f"Deploy what pipeline {pipeline.name} needs on AWS",
        doc_md=DOC_MD.format(name=pipeline.name),
        schedule=None,
        max_active_runs=1,
        params={
            PLAN_ONLY: Param(False, type="boolean", title="Plan only", description="Log the plan and change nothing.")
        },
        default_args=task_defaults(
            pipeline, retry_delay=timedelta(seconds=20), execution_timeout=timedelta(minutes=15)
        ),
    ):
        plan_deployment = PlanDeploymentOperator(task_id="plan_deployment", pipeline=pipeline)
        validate_deployment = ValidateDeploymentOperator(task_id="validate_deployment", pipeline=pipeline)
        apply_deployment = ApplyDeploymentOperator(task_id="apply_deployment", pipeline=pipeline)

        plan_deployment >> validate_deployment >> apply_deployment
