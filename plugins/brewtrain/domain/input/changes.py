"""Whether data that a run has read has changed since: days corrected, arrived late, or gone.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from brewtrain.domain.input.delivered import ranges
from brewtrain.domain.run.days import Window

_MOST_DAYS = 31


@dataclass(frozen=True)
class InputRecord:
    """What the check of a run's input has found in S3, which is what the run then read.

    :param run_id: Id of the run.
    :param window: The days it trained on.
    :param days: Digest of each day that had data
        (:attr:`brewtrain.domain.input.delivered.DeliveredDay.digest`).
    """

    run_id: str
    window: Window
    days: Mapping[date, str]

    @property
    def document(self) -> dict[str, Any]:
        """The record as it is stored."""
        return {
            "run_id": self.run_id,
            "first_day": self.window.first.isoformat(),
            "last_day": self.window.last.isoformat(),
            "days": {day.isoformat(): digest for day, digest in self.days.items()},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> InputRecord | None:
        """Read a record that was stored; ``None`` if it is none."""
        try:
            found = document or {}
            days = {date.fromisoformat(day): str(digest) for day, digest in found["days"].items()}
            window = Window(date.fromisoformat(found["first_day"]), date.fromisoformat(found["last_day"]))
            return cls(str(found["run_id"]), window, days)
        except (AttributeError, KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Changes:
    """How the data of some days differs from what a run has read.

    :param run_id: Id of that run.
    :param changed: Days whose objects are other ones.
    :param arrived: Days that had no data then.
    :param gone: Days that have none now.
    """

    run_id: str
    changed: tuple[date, ...] = ()
    arrived: tuple[date, ...] = ()
    gone: tuple[date, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.changed or self.arrived or self.gone)

    @property
    def text(self) -> str:
        """What differs, in a few words: goes on from a sentence's colon."""
        parts = {"changed": self.changed, "arrived": self.arrived, "gone": self.gone}
        return "; ".join(f"{what}: {ranges(days)}" for what, days in parts.items() if days)

    @property
    def document(self) -> dict[str, Any]:
        """The changes for a result document; of many days the newest are named."""
        return {
            "run_id": self.run_id,
            "days": len(self.changed) + len(self.arrived) + len(self.gone),
            **{
                what: [day.isoformat() for day in days[-_MOST_DAYS:]]
                for what, days in (("changed", self.changed), ("arrived", self.arrived), ("gone", self.gone))
            },
        }


def changes(before: InputRecord, now: Mapping[date, str], window: Window) -> Changes:
    """Return how the data that a run has read differs from what there is now.

    :param before: What the run has read.
    :param now: Digest of each day that has data now.
    :param window: The days that are known now; others are not compared.
    """
    days = [day for day in before.window.days if window.first <= day <= window.last]
    return Changes(
        before.run_id,
        changed=tuple(day for day in days if day in before.days and day in now and before.days[day] != now[day]),
        arrived=tuple(day for day in days if day not in before.days and day in now),
        gone=tuple(day for day in days if day in before.days and day not in now),
    )
