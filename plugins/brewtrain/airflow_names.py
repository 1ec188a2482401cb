"""Every name in Airflow that more than one module uses: task ids, states, keys of XComs.

The counterpart of ``domain/names.py``, which has the names on AWS. Imports nothing, so that DAG
files, tasks and triggers can all use it. The connection is in ``domain/names.py``, for the hooks.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

# Tasks of the retrain DAG, beside its stages (domain/run/stages.py).
CHECK_INPUT = "check_input"
PREPARE_RUN = "prepare_run"
START_EXECUTION = "start_execution"
CHECK_INPUT = "check_input"
VALIDATE = "validate"
RECORD_RESULT = "record_result"

# Tasks of the cleanup DAG and of the example consumer.
PLAN_CLEANUP = "plan_cleanup"
READ_EVENT = "read_event"


class DeploymentTasks(NamedTuple):
    """Tasks of a DAG that deploys a model without training one: promote and rollback.

    :param kind: What the DAG does; also the entry of the state machine.
    :param choose_task: Chooses what is deployed.
    :param ask_task: Asks a person; not in every DAG.
    :param start_task: Starts the execution.
    """

    kind: Literal["promote", "rollback"]
    choose_task: str
    ask_task: str
    start_task: str


CHECK_ENDPOINT = "check_endpoint"
PROMOTION = DeploymentTasks("promote", "choose_candidate", "approve_candidate", "start_deployment")
ROLLBACK = DeploymentTasks("rollback", "choose_version", "confirm_rollback", "start_rollback")

PASSED_STATES = frozenset({"success", "skipped"})
"""States of a task after which the next one runs."""

RETURN_VALUE = "return_value"
"""XCom under which Airflow keeps what a task returned."""

CARD = "on_call_card"
"""XCom with the on-call card of a failed task; the notifier reads it."""

REPORTED_FAILURE = "reported_failure"
"""XCom with the failure that a try of a task has reported, by which the next try knows it."""
