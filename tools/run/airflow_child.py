"""Airflow's side of `make run`: migrates a metadata database and runs DAGs in one process, telling what happens.

Commands come as JSON lines on standard input, ``{"dag_id": …, "logical_date": …}`` and, if wanted,
``conf`` and ``confirmed`` (a pattern of task ids that a person would answer); events go as JSON
lines to the file descriptor named by ``--events``. Runs through ``DAG.test``, Airflow's own way to
run a whole DAG without a scheduler. Must not import boto3 or local_aws: what the DAGs do is theirs
to say.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any, TextIO


class Events:
    """Writes one JSON line an event, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def emit(self, event: str, **details: Any) -> None:
        """Write one event."""
        self._stream.write(json.dumps({"event": event, "at": time.time(), **details}) + "\n")
        self._stream.flush()


def _listener(events: Events) -> object:
    from airflow.listeners import hookimpl

    class Listener:
        """Tells of every change of a task's state."""

        @hookimpl
        def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
            events.emit("task", task_id=task_instance.task_id, state="running")

        @hookimpl
        def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
            events.emit("task", task_id=task_instance.task_id, state="success")

        @hookimpl
        def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
            events.emit("task", task_id=task_instance.task_id, state="skipped")

        @hookimpl
        def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
            events.emit(
                "task",
                task_id=task_instance.task_id,
                state="failed",
                error_type=type(error).__name__,
                message=str(error) if error is not None else "",
            )

    return Listener()


def main() -> int:
    """Serve commands until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, required=True, help="file descriptor that events are written to")
    arguments = parser.parse_args()
    events = Events(os.fdopen(arguments.events, "w", encoding="utf-8"))

    from airflow.sdk.listener import get_listener_manager
    from airflow.utils.db import initdb

    initdb()
    events.emit("migrated")
    get_listener_manager().add_listener(_listener(events))

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
        # DAG.test of Airflow 3.3 cannot end the run of a DAG with a deadline: it looks for the
        # alerts' database ids in a DAG that never was in the database. Nobody is to be alerted
        # here; goes when DAG.test can.
        dag.deadline = None
        run = dag.test(
            logical_date=datetime.fromisoformat(command["logical_date"]),
            run_conf=command.get("conf"),
            # Tasks that a person answers: taken as confirmed.
            mark_success_pattern=command.get("confirmed"),
        )
        states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
        events.emit("dag_run", dag_id=command["dag_id"], state=str(run.state), tasks=states, run_id=run.run_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
