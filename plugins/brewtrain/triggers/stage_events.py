"""What the wait for a stage tells the worker that goes on with the task.

Airflow stores an event's payload as JSON between the two, so each event is written as a dict with
its ``kind`` and read again here, and nowhere else. Must not import boto3 or a hook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from brewtrain.domain.run.ladder import Action


@dataclass(frozen=True)
class StageOver:
    """The execution has left the stage.

    :param result: What the task returns.
    """

    result: dict[str, Any]


@dataclass(frozen=True)
class StageSkipped:
    """The execution has ended well without deploying: the task is skipped.

    :param message: Why, one sentence.
    """

    message: str


@dataclass(frozen=True)
class StageFailed:
    """The execution has failed in the stage, or does not exist.

    :param action: The ladder's decision.
    """

    action: Action


@dataclass(frozen=True)
class StageOverdue:
    """The stage has taken longer than its limit; the execution still runs."""


@dataclass(frozen=True)
class WaitProblem:
    """The wait itself is impossible: AWS refuses to be asked, or there is nothing to wait for.

    :param problem: One sentence with what to do.
    """

    problem: str


StageEvent = StageOver | StageSkipped | StageFailed | StageOverdue | WaitProblem


def serialize(event: StageEvent) -> dict[str, Any]:
    """Return an event as the payload of Airflow's TriggerEvent."""
    match event:
        case StageOver(result):
            return {"kind": "over", "result": result}
        case StageSkipped(message):
            return {"kind": "skipped", "message": message}
        case StageFailed(action):
            return {"kind": "failed", "action": action.value}
        case StageOverdue():
            return {"kind": "overdue"}
        case WaitProblem(problem):
            return {"kind": "problem", "problem": problem}
        case _:
            assert_never(event)


def deserialize(payload: Any) -> StageEvent:
    """Read an event from the payload that a task was resumed with.

    :raises ValueError: If it is not one that :func:`serialize` writes.
    """
    match payload:
        case {"kind": "over", "result": dict(result)}:
            return StageOver(result)
        case {"kind": "skipped", "message": str(message)}:
            return StageSkipped(message)
        case {"kind": "failed", "action": str(action)} if action in list(Action):
            return StageFailed(Action(action))
        case {"kind": "overdue"}:
            return StageOverdue()
        case {"kind": "problem", "problem": str(problem)}:
            return WaitProblem(problem)
        case _:
            raise ValueError(f"{payload!r} is not an event of a stage")
