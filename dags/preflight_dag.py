"""One `<pipeline>__preflight` DAG for each pipeline file: checks that a run has all it needs."""

from __future__ import annotations

from airflow.sdk import DAG

from brewtrain.dag_defaults import dag_defaults, task_defaults
from brewtrain.operators.preflight import CheckAccountOperator
from brewtrain.parsing import pipelines_to_parse

DOC_MD = """
### Purpose

Checks, without changing or starting anything, whether pipeline **{name}** could run: credentials, bucket, roles and who
may assume and pass them, the training image, the published recipe, the state machine's alias, the calls that a run and
an on-call person make (describe, redrive, stop …), the quotas for its instances. It logs a line for each check, and a
check that fails says what to do. It does not look at the data: that is the first task of `{name}__retrain`.

### Schedule and inputs

Runs when triggered: after `{name}__deploy`, after a change of roles, or when a run was denied something. No params.

### Idempotency

Changes nothing. Permissions are probed by asking about executions and jobs that do not exist.

### On failure

Fix what each FAIL line names, then clear the task. `?` means that the connection may not make the check.
docs/runbooks/access-denied.md says where permissions are written.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        **dag_defaults(pipeline, "preflight"),
        description=f"Could pipeline {pipeline.name} run?",
        doc_md=DOC_MD.format(name=pipeline.name),
        schedule=None,
        max_active_runs=1,
        default_args=task_defaults(pipeline),
    ):
        check_account = CheckAccountOperator(task_id="check_account", pipeline=pipeline)
