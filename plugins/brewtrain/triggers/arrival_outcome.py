"""What the wait for data tells the worker that goes on with the task.

Airflow stores an event's payload as JSON between the two; it is written and read here, and nowhere
else. Must not import boto3 or a hook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never


@dataclass(frozen=True)
class DataArrived:
    """The partition is complete."""


@dataclass(frozen=True)
class DataLate:
    """The wait is over, and the partition was not complete when it was looked at last."""


@dataclass(frozen=True)
class WaitImpossible:
    """AWS refuses to be asked.

    :param problem: One sentence with what to do.
    """

    problem: str


ArrivalOutcome = DataArrived | DataLate | WaitImpossible


def serialize(outcome: ArrivalOutcome) -> dict[str, Any]:
    """Return an outcome as the payload of Airflow's TriggerEvent."""
    match outcome:
        case DataArrived():
            return {"kind": "arrived"}
        case DataLate():
            return {"kind": "late"}
        case WaitImpossible(problem):
            return {"kind": "problem", "problem": problem}
        case _:
            assert_never(outcome)


def deserialize(payload: Any) -> ArrivalOutcome:
    """Read an outcome from the payload that a task was resumed with.

    :raises ValueError: If it is not one that :func:`serialize` writes.
    """
    match payload:
        case {"kind": "arrived"}:
            return DataArrived()
        case {"kind": "late"}:
            return DataLate()
        case {"kind": "problem", "problem": str(problem)}:
            return WaitImpossible(problem)
        case _:
            raise ValueError(f"{payload!r} is not the end of a wait for data")
