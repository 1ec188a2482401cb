"""Which pipelines a DAG file makes DAGs of.

Imported while DAG files are parsed, so it must stay cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import get_parsing_context

from brewtrain.resources import valid_pipelines

if TYPE_CHECKING:
    from brewtrain.domain.pipeline.file import Pipeline


def pipelines_to_parse() -> list[Pipeline]:
    """Return all valid pipelines or, where Airflow parses the file to run a task, the task's alone.

    Every task parses its DAG file again in its own process; with a hundred pipelines it would make
    a hundred DAGs to use one
    (https://airflow.apache.org/docs/apache-airflow/stable/howto/dynamic-dag-generation.html,
    "Optimizing DAG parsing delays during execution").
    """
    dag_id = get_parsing_context().dag_id
    return valid_pipelines(only=dag_id.rpartition("__")[0] if dag_id else None)
