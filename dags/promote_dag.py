"""One `<pipeline>__promote` DAG for each pipeline file: deploys a model that an earlier run trained."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from brewtrain.domain.evaluation.metrics import METRICS
from brewtrain.domain.run.stages import Stage
from brewtrain.domain.serving.promotion import (
    BACKFILL_PATTERN,
    BEST_OF_BACKFILL,
    DATE_PATTERN,
    POLICIES,
    candidate_pattern,
)
from brewtrain.notifiers.approval import ApprovalNotifier
from brewtrain.notifiers.on_call import OnCallNotifier
from brewtrain.operators.endpoint_deployment import CHECK_ENDPOINT
from brewtrain.operators.promotion import (
    APPROVE_CANDIDATE,
    CHOOSE_CANDIDATE,
    START_DEPLOYMENT,
    CheckPromotionOperator,
    ChooseCandidateOperator,
    RecordPromotionOperator,
    StartPromotionOperator,
)
from brewtrain.operators.stepfunctions import StepFunctionsStageOperator
from brewtrain.parsing import pipelines_to_parse
from brewtrain.retry_policy import RetryTransientErrors

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

The execution is named after the DAG run. A killed worker finds it again; clearing `deploy` redrives it; clearing
`start_deployment` starts a fresh one. A candidate that serves already leaves the run green with everything skipped.

### On failure

`choose_candidate` says which param or candidate will not do; nothing was touched. `deploy` ends its log with a card, as
in `{name}__retrain`. docs/runbooks/promote.md says more.
"""
_ASKS = "A person approves it first (`approve_candidate`, to be answered in the UI within seven days)."
_ASKS_NOBODY = "Nobody is asked: the pipeline file says `approval: none`."

for pipeline in pipelines_to_parse():
    asks = pipeline.approval == "required"
    with DAG(
        dag_id=f"{pipeline.name}__promote",
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
        catchup=False,
        max_active_runs=16,
        tags=["brewtrain", "promote", pipeline.name],
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

        check_endpoint = CheckPromotionOperator(task_id="check_endpoint", pipeline=pipeline, **on_worker).as_setup()
        choose_candidate = ChooseCandidateOperator(task_id="choose_candidate", pipeline=pipeline, **on_worker)
        start_deployment = StartPromotionOperator(
            task_id="start_deployment", pipeline=pipeline, choose_task=CHOOSE_CANDIDATE, **on_worker
        )
        deploy = StepFunctionsStageOperator(
            task_id="deploy",
            pipeline=pipeline,
            stage=Stage.DEPLOY,
            start_task=START_DEPLOYMENT,
            setup_task=CHECK_ENDPOINT,
            rerun_mode="auto",
        )
        record_promotion = RecordPromotionOperator(
            task_id="record_promotion",
            pipeline=pipeline,
            choose_task=CHOOSE_CANDIDATE,
            start_task=START_DEPLOYMENT,
            approve_task=APPROVE_CANDIDATE if asks else None,
            trigger_rule="none_failed",
            **on_worker,
        )

        check_endpoint >> choose_candidate
        if asks:
            question = f"(ti.xcom_pull(task_ids='{CHOOSE_CANDIDATE}', map_indexes=-1) or {{}})"
            approve_candidate = ApprovalOperator(
                task_id="approve_candidate",
                subject=f"{{{{ {question}.get('subject') }}}}",
                body=f"{{{{ {question}.get('body') }}}}",
                defaults=ApprovalOperator.REJECT,
                response_timeout=timedelta(days=7),
                notifiers=ApprovalNotifier(),
                **on_worker,
            )
            choose_candidate >> approve_candidate >> start_deployment
        else:
            choose_candidate >> start_deployment
        start_deployment >> deploy >> record_promotion
