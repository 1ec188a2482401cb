"""One `<pipeline>__rollback` DAG for each pipeline file: back to an earlier endpoint config."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from brewtrain.approval import ask_approval
from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.domain.serving.rollback import PREVIOUS, TARGET_PATTERN
from brewtrain.notifiers.on_call import OnCallNotifier
from brewtrain.operators.rollback import (
    CheckRollbackOperator,
    ChooseVersionOperator,
    RecordRollbackOperator,
    StartRollbackOperator,
)
from brewtrain.operators.wait_for_stage import wait_for_deployment
from brewtrain.parsing import pipelines_to_parse

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

The execution is named after the DAG run. A retry after a killed worker finds it again, clearing `deploy` redrives it,
clearing `start_rollback` starts a fresh one. If something else was deployed between the question and the answer,
nothing is rolled back.

### On failure

`choose_version` says why there is nothing to go back to; the endpoint is untouched. The log of `deploy` ends with a
card.
docs/runbooks/rollback.md says more.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        **dag_defaults(pipeline, "rollback"),
        description=f"Roll the endpoint of pipeline {pipeline.name} back",
        doc_md=DOC_MD.format(name=pipeline.name, endpoint=pipeline.endpoint_name),
        schedule=None,
        max_active_runs=4,
        params={
            "target": Param(
                PREVIOUS,
                type="string",
                pattern=TARGET_PATTERN,
                description="previous, or the name of an endpoint config of this pipeline.",
            )
        },
        default_args=task_defaults(pipeline, on_failure_callback=OnCallNotifier()),
    ):
        check_endpoint = CheckRollbackOperator(task_id="check_endpoint", pipeline=pipeline).as_setup()
        choose_version = ChooseVersionOperator(task_id="choose_version", pipeline=pipeline)
        confirm_rollback = ask_approval(
            task_id="confirm_rollback", choose_task="choose_version", response_timeout=timedelta(days=1)
        )
        start_rollback = StartRollbackOperator(task_id="start_rollback", pipeline=pipeline)
        deploy = wait_for_deployment(task_id="deploy", pipeline=pipeline, start_task="start_rollback")
        record_rollback = RecordRollbackOperator(task_id="record_rollback", pipeline=pipeline, asks=True)

        check_endpoint >> choose_version >> confirm_rollback >> start_rollback >> deploy >> record_rollback
