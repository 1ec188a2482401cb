"""One `<pipeline>__promote` DAG for each pipeline file: deploys a model trained earlier."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from brewtrain.approval import ask_approval
from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.domain.evaluation.metrics import METRICS
from brewtrain.domain.serving.promotion import (
    BACKFILL_PATTERN,
    BEST_OF_BACKFILL,
    DATE_PATTERN,
    POLICIES,
    candidate_pattern,
)
from brewtrain.notifiers.on_call import OnCallNotifier
from brewtrain.operators.promotion import (
    CheckPromotionOperator,
    ChooseCandidateOperator,
    RecordPromotionOperator,
    StartPromotionOperator,
)
from brewtrain.operators.wait_for_stage import wait_for_deployment
from brewtrain.parsing import pipelines_to_parse

DOC_MD = """
### Purpose

Deploys to endpoint `{endpoint}` a model of pipeline **{name}** that an earlier run trained: the run of a day, a version
of the model registry, or the best of a backfill. {approval} Do not use it to go back to what
served before: `{name}__rollback` does that at once, without making a new endpoint config.

### Schedule and inputs

Runs when triggered{by_retrain}. Params: `candidate` (a run's id; the number of a model package version;
`best_of_backfill`), for the latter `metric`, `from_date`, `to_date` (data dates) and `backfill` (the label that the
backfill was given; default: that of the newest backfilled run), `deploy_policy` (`newest`: unless something newer
serves; `always`), `even_if_refused`.

### Idempotency

The execution is named after the DAG run. A retry after a killed worker finds it again, clearing `deploy` redrives it,
clearing `start_deployment` starts a fresh one. If the candidate serves already, the run is green and all is skipped.

### On failure

`choose_candidate` says which param or candidate is wrong; nothing was touched. The log of `deploy` ends with a card, as
in `{name}__retrain`. docs/runbooks/promote.md says more.
"""
_ASKS = "A person approves it first: `approve_candidate` waits seven days for an answer in the UI."
_ASKS_NOBODY = "Nobody is asked: the pipeline file says `approval: none`."

for pipeline in pipelines_to_parse():
    asks = pipeline.approval == "required"
    with DAG(
        **dag_defaults(pipeline, "promote"),
        description=f"Deploy a model that pipeline {pipeline.name} trained earlier",
        doc_md=DOC_MD.format(
            name=pipeline.name,
            endpoint=pipeline.endpoint_name,
            approval=_ASKS if asks else _ASKS_NOBODY,
            by_retrain=f", by a person or by `{pipeline.name}__retrain` for a candidate that awaits approval"
            if asks
            else "",
        ),
        schedule=None,
        max_active_runs=16,
        params={
            "candidate": Param(
                BEST_OF_BACKFILL,
                type=["string", "integer"],
                pattern=candidate_pattern(pipeline.name),
                minimum=1,
                description="A run's id, the number of a model package version, or best_of_backfill.",
            ),
            "deploy_policy": Param("newest", enum=list(POLICIES), description="When to deploy."),
            "metric": Param("validation:auc", enum=list(METRICS), description="By which the best is chosen."),
            "from_date": Param(
                None, type=["null", "string"], pattern=DATE_PATTERN, description="First data date of the backfill."
            ),
            "to_date": Param(
                None, type=["null", "string"], pattern=DATE_PATTERN, description="Last data date of the backfill."
            ),
            "backfill": Param(
                None, type=["null", "string"], pattern=BACKFILL_PATTERN, description="Label of the backfill."
            ),
            "even_if_refused": Param(
                False, type="boolean", description="Also a candidate that the gate or a person refused."
            ),
        },
        default_args=task_defaults(pipeline, on_failure_callback=OnCallNotifier()),
    ):
        check_endpoint = CheckPromotionOperator(task_id="check_endpoint", pipeline=pipeline).as_setup()
        choose_candidate = ChooseCandidateOperator(task_id="choose_candidate", pipeline=pipeline)
        start_deployment = StartPromotionOperator(task_id="start_deployment", pipeline=pipeline)
        deploy = wait_for_deployment(task_id="deploy", pipeline=pipeline, start_task="start_deployment")
        record_promotion = RecordPromotionOperator(task_id="record_promotion", pipeline=pipeline, asks=asks)

        check_endpoint >> choose_candidate
        if asks:
            approve_candidate = ask_approval(
                task_id="approve_candidate", choose_task="choose_candidate", response_timeout=timedelta(days=7)
            )
            choose_candidate >> approve_candidate >> start_deployment
        else:
            choose_candidate >> start_deployment
        start_deployment >> deploy >> record_promotion
