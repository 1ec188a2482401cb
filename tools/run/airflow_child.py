"""Run DAGs in one process for `make run`, after migrating a metadata database.

Commands are JSON lines on standard input, ``{"dag_id": …, "logical_date": …}`` with optional
``conf`` and ``confirmed`` (a pattern of task ids that a person would confirm). Events are JSON
lines on the file descriptor that ``--events`` names. ``DAG.test`` runs a whole DAG without a
scheduler.
Must not import boto3 or local_aws: only the DAGs call AWS.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any, TextIO


class Events:
    """Writes each event as a JSON line, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def emit(self, event: str, **details: Any) -> None:
        """Write one event with the time and its details."""
        self._stream.write(json.dumps({"event": event, "at": time.time(), **details}) + "\n")
        self._stream.flush()


def _listener(events: Events) -> object:
    from airflow.listeners import hookimpl

    class Listener:
        """Reports every change of a task's state."""

        @hookimpl
        def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
            """Report that a task starts."""
            events.emit("task", task_id=task_instance.task_id, state="running")

        @hookimpl
        def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
            """Report that a task has succeeded."""
            events.emit("task", task_id=task_instance.task_id, state="success")

        @hookimpl
        def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
            """Report that a task was skipped."""
            events.emit("task", task_id=task_instance.task_id, state="skipped")

        @hookimpl
        def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
            """Report that a task has failed, and why."""
            events.emit(
                "task",
                task_id=task_instance.task_id,
                state="failed",
                error_type=type(error).__name__,
                message=str(error) if error is not None else "",
            )

    return Listener()


def main() -> int:
    """Execute commands until standard input ends."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.run.airflow_child", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--events", type=int, required=True, help="file descriptor for the events")
    arguments = parser.parse_args()
    events = Events(os.fdopen(arguments.events, "w", encoding="utf-8"))

    from airflow.sdk.listener import get_listener_manager
    from airflow.utils.db import initdb

    initdb()
    events.emit("migrated")
    get_listener_manager().add_listener(_listener(events))  # type: ignore[no-untyped-call]

    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    for file, error in bag.import_errors.items():
        events.emit("import_error", file=file, message=str(error).strip().splitlines()[-1])
    events.emit("ready", dag_ids=sorted(bag.dags))

    from datetime import datetime

    for line in sys.stdin:
        command = json.loads(line)
        dag = bag.dags.get(command["dag_id"])
        if dag is None:
            events.emit("dag_run", dag_id=command["dag_id"], state="missing")
            continue
        # DAG.test of Airflow 3.3 cannot end the run of a DAG with a deadline: it looks up the
        # alerts' ids in the database, where this DAG never was. No alert is needed here. Remove
        # this line when DAG.test can do it.
        dag.deadline = None
        run = dag.test(
            logical_date=datetime.fromisoformat(command["logical_date"]),
            run_conf=command.get("conf"),
            # Tasks that wait for a person count as confirmed.
            mark_success_pattern=command.get("confirmed"),
        )
        states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
        events.emit("dag_run", dag_id=command["dag_id"], state=str(run.state), tasks=states, run_id=run.run_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
