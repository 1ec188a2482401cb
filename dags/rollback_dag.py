"""One `<pipeline>__rollback` DAG for each pipeline file: points the endpoint back at an earlier endpoint config."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from brewtrain.domain.run.stages import Stage
from brewtrain.domain.serving.rollback import PREVIOUS, TARGET_PATTERN
from brewtrain.notifiers.approval import ApprovalNotifier
from brewtrain.notifiers.on_call import OnCallNotifier
from brewtrain.operators.endpoint_deployment import CHECK_ENDPOINT
from brewtrain.operators.rollback import (
    CHOOSE_VERSION,
    CONFIRM_ROLLBACK,
    START_ROLLBACK,
    CheckRollbackOperator,
    ChooseVersionOperator,
    RecordRollbackOperator,
    StartRollbackOperator,
)
from brewtrain.operators.stepfunctions import StepFunctionsStageOperator
from brewtrain.parsing import pipelines_to_parse
from brewtrain.retry_policy import RetryTransientErrors

DOC_MD = """
### Purpose

Points endpoint `{endpoint}` of pipeline **{name}** back at an endpoint config that served before, when the model that
serves turns out to be bad. Nothing is trained, and nothing new is made. Do not use it to deploy a model that never
served: that is `{name}__promote`.

### Schedule and inputs

Runs when triggered. Param `target`: `previous` (what served before the present endpoint config first did), or the name
of an endpoint config of this pipeline. A person confirms it within a day (`confirm_rollback`, in the UI). The next
retraining with newer data deploys over it: pause `{name}__retrain` if that must not happen.

### Idempotency

The execution is named after the DAG run. A killed worker finds it again; clearing `deploy` redrives it; clearing
`start_rollback` starts a fresh one. If something else was deployed between the question and the answer, nothing is
rolled back.

### On failure

`choose_version` says why there is nothing to go back to; the endpoint is untouched. `deploy` ends its log with a card.
docs/runbooks/rollback.md says more.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        dag_id=f"{pipeline.name}__rollback",
        description=f"Roll the endpoint of pipeline {pipeline.name} back",
        doc_md=DOC_MD.format(name=pipeline.name, endpoint=pipeline.endpoint_name),
        schedule=None,
        catchup=False,
        max_active_runs=4,
        tags=["brewtrain", "rollback", pipeline.name],
        params={
            "target": Param(
                PREVIOUS,
                type="string",
                pattern=TARGET_PATTERN,
                description="previous, or the name of an endpoint config of this pipeline.",
            )
        },
        default_args={
            "owner": pipeline.owner,
            "on_failure_callback": OnCallNotifier(),
            "retries": 3,
            "retry_delay": timedelta(seconds=15),
            "retry_exponential_backoff": 2.0,
            "retry_policy": RetryTransientErrors(),
        },
    ):
        on_worker = {"execution_timeout": timedelta(minutes=10)}
        question = f"(ti.xcom_pull(task_ids='{CHOOSE_VERSION}', map_indexes=-1) or {{}})"

        check_endpoint = CheckRollbackOperator(task_id="check_endpoint", pipeline=pipeline, **on_worker).as_setup()
        choose_version = ChooseVersionOperator(task_id="choose_version", pipeline=pipeline, **on_worker)
        confirm_rollback = ApprovalOperator(
            task_id="confirm_rollback",
            subject=f"{{{{ {question}.get('subject') }}}}",
            body=f"{{{{ {question}.get('body') }}}}",
            defaults=ApprovalOperator.REJECT,
            response_timeout=timedelta(days=1),
            notifiers=ApprovalNotifier(),
            **on_worker,
        )
        start_rollback = StartRollbackOperator(
            task_id="start_rollback", pipeline=pipeline, choose_task=CHOOSE_VERSION, **on_worker
        )
        deploy = StepFunctionsStageOperator(
            task_id="deploy",
            pipeline=pipeline,
            stage=Stage.DEPLOY,
            start_task=START_ROLLBACK,
            setup_task=CHECK_ENDPOINT,
            rerun_mode="auto",
        )
        record_rollback = RecordRollbackOperator(
            task_id="record_rollback",
            pipeline=pipeline,
            choose_task=CHOOSE_VERSION,
            start_task=START_ROLLBACK,
            approve_task=CONFIRM_ROLLBACK,
            trigger_rule="none_failed",
            **on_worker,
        )

        check_endpoint >> choose_version >> confirm_rollback >> start_rollback >> deploy >> record_rollback
