"""One `<pipeline>__preflight` DAG for each pipeline file: is everything there that a run needs?"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from brewtrain.operators.preflight import CheckAccountOperator
from brewtrain.parsing import pipelines_to_parse
from brewtrain.retry_policy import RetryTransientErrors

DOC_MD = """
### Purpose

Looks, without changing or starting anything, whether pipeline **{name}** could run: credentials, bucket, roles and who
may assume and pass them, the training image, the published recipe, the state machine's alias, the calls that a run and
an on-call person make (describe, redrive, stop …), the quotas for its instances. One line a check; what fails says what
to do. It does not look at the data: `{name}__retrain` does that first thing.

### Schedule and inputs

Runs when triggered: after `{name}__deploy`, after a change of roles, or when a run was denied something. No params.

### Idempotency

Changes nothing. Permissions are probed by asking about executions and jobs that do not exist.

### On failure

Mend what each FAIL line says and clear the task. `?` means that the account does not let the check be made.
docs/runbooks/access-denied.md says where permissions are written.
"""

for pipeline in pipelines_to_parse():
    with DAG(
        dag_id=f"{pipeline.name}__preflight",
        description=f"Could pipeline {pipeline.name} run?",
        doc_md=DOC_MD.format(name=pipeline.name),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=["brewtrain", "preflight", pipeline.name],
        default_args={
            "owner": pipeline.owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=15),
            "retry_exponential_backoff": 2.0,
            "retry_policy": RetryTransientErrors(),
            "execution_timeout": timedelta(minutes=10),
        },
    ):
        check_account = CheckAccountOperator(task_id="check_account", pipeline=pipeline)
