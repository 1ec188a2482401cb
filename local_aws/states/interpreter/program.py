"""What an execution runs, and what the states of one branch share.

Must not import moto or boto3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.states.cancellation import CancelScope
from local_aws.states.history import HistoryWriter, Trail
from local_aws.states.interpreter.frames import Frame
from local_aws.states.task_tokens import TaskTokens


@dataclass
class Program:
    """The definition of an execution, the facts that its context object shows, and its services.

    :param definition: the state machine's definition.
    :param context: members ``Execution`` and ``StateMachine`` of the context object; see
        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html.
    :param region: region of the execution.
    :param execution_arn: ARN of the execution.
    :param client: returns a boto3 client of a service, with the credentials of the machine's role.
    :param tokens: tasks that wait for a callback.
    """

    definition: dict[str, Any]
    context: dict[str, Any]
    region: str
    execution_arn: str
    client: Callable[[str], Any]
    tokens: TaskTokens


@dataclass(frozen=True, slots=True)
class Branch:
    """What the states of one branch share; the machine's own states are a branch too.

    :param program: what the execution runs.
    :param history: where events go.
    :param cancel: interrupts every wait of the branch.
    :param trail: the latest event of the branch.
    :param run_frame: runs the frame of a nested branch to its end and returns its output.
    """

    program: Program
    history: HistoryWriter
    cancel: CancelScope
    trail: Trail
    run_frame: Callable[[Frame, dict[str, Any], CancelScope, Trail], Any]
