"""One `<pipeline>__example_consumer` DAG for each pipeline file: an example, reacts to new models.

Nothing refers to this file. Delete it when you have a consumer of your own, or leave its DAGs
paused, as they come.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from brewtrain.assets import model_asset
from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.operators.model_event import ReadModelEventOperator, ScoreRowsOperator
from brewtrain.parsing import pipelines_to_parse

DOC_MD = """
### Purpose

An example of a consumer: runs whenever endpoint `{endpoint}` begins to serve a model of pipeline **{name}**, by a
retraining, a promotion or a rollback. It logs the metrics and the data date that the event carries, and asks the
endpoint to score a few rows. Copy it and put your own batch scoring, report or cache refresh in place of the rows.
Do not use it to decide whether a model may serve: that is the gate in `{name}__retrain`.

### Schedule and inputs

Scheduled on the asset `{name}_model`. The event's `extra` has `metrics`, `data_date`, `run_id`, `endpoint`,
`endpoint_config`, `model`, `model_package_arn`, `result` and `evaluation`. It comes paused: unpause it to try it, or
delete `dags/example_consumer_dag.py`, to which nothing refers. No params.

### Idempotency

Reads, and asks the endpoint; changes nothing. If several models were deployed since its last run, the newest counts.

### On failure

Clear the task, or ignore it: nothing depends on it. docs/runbooks/endpoint-failed.md says what may be wrong with the
endpoint.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        **dag_defaults(pipeline, "example_consumer"),
        description=f"Example: use each new model of pipeline {pipeline.name}",
        doc_md=DOC_MD.format(name=pipeline.name, endpoint=pipeline.endpoint_name),
        schedule=[model_asset(pipeline.name)],
        max_active_runs=1,
        is_paused_upon_creation=True,
        default_args=task_defaults(pipeline, retry_delay=timedelta(seconds=30)),
    ):
        read_event = ReadModelEventOperator(task_id="read_event", pipeline=pipeline)
        score_rows = ScoreRowsOperator(task_id="score_rows", pipeline=pipeline)

        read_event >> score_rows
