"""What lies in S3 for the days of a window, as a listing shows it.

Must not import Airflow or boto3.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache

from brewtrain.domain.pipeline.file_format import extension_of
from brewtrain.domain.pipeline.layout import Layout
from brewtrain.domain.run.days import Window

_MOST_RUNS = 10
_extension_of = lru_cache(maxsize=16384)(extension_of)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in S3.

    :param key: Its key.
    :param etag: Its ETag, which changes with its content ("Object" in the Amazon S3 API Reference).
    :param size: Bytes.
    :param modified_at: LastModified, aware.
    """

    key: str
    etag: str
    size: int
    modified_at: datetime

    @property
    def extension(self) -> str:
        """What names the format and the codec of a file, such as ``.csv.gz``."""
        # Most days have files of the same names.
        return _extension_of(self.key.rpartition("/")[2])


@dataclass(frozen=True)
class DeliveredDay:
    """The data of one day.

    :param day: The day.
    :param objects: Its objects that are data, in the order of their keys.
    """

    day: date
    objects: tuple[StoredObject, ...]

    @cached_property
    def filled(self) -> tuple[StoredObject, ...]:
        """The objects that are not empty."""
        return tuple(one for one in self.objects if one.size > 0)

    @property
    def empty(self) -> tuple[StoredObject, ...]:
        """The objects without a byte."""
        return tuple(one for one in self.objects if one.size == 0)

    @cached_property
    def digest(self) -> str:
        """What changes when an object of the day is added, removed or changed; 32 hex digits."""
        lines = "".join(f"{one.key}\0{one.etag}\0{one.size}\n" for one in self.objects)
        return hashlib.sha256(lines.encode()).hexdigest()[:32]

    @cached_property
    def content(self) -> str:
        """What two days have in common whose files have the same contents; 32 hex digits."""
        lines = "".join(sorted(f"{one.etag}\0{one.size}\n" for one in self.filled))
        return hashlib.sha256(lines.encode()).hexdigest()[:32]

    def samples(self, layout: Layout) -> list[StoredObject]:
        """Return one filled file of each partition, the first by its key.

        A day of a layout with hours has a partition an hour. Which file it is follows from the keys
        alone, so that two looks at the same objects see the same files.

        :param layout: How the source writes the days of its files.
        """
        length = len(layout.object_key(self.day, ""))
        first: dict[str, StoredObject] = {}
        for one in self.filled:
            first.setdefault(one.key[:length], one)
        return list(first.values())


@dataclass(frozen=True)
class Delivered:
    """The data of a window's days.

    :param window: The days that were looked for.
    :param days: Those that have an object, oldest first.
    """

    window: Window
    days: Mapping[date, DeliveredDay] = field(default_factory=dict)

    @property
    def filled_days(self) -> list[date]:
        """The days that have a file with content, oldest first."""
        return [day for day, found in self.days.items() if found.filled]

    def of(self, day: date) -> DeliveredDay:
        """Return what was delivered for a day."""
        return self.days.get(day, DeliveredDay(day, ()))

    def with_extension(self, extension: str) -> Delivered:
        """Return the data whose names have an extension, and no other.

        :param extension: From :func:`brewtrain.domain.pipeline.file_format.extension_of`.
        """
        kept = {
            day: tuple(one for one in data.objects if one.extension == extension) for day, data in self.days.items()
        }
        return Delivered(self.window, {day: DeliveredDay(day, objects) for day, objects in kept.items() if objects})

    @property
    def digests(self) -> dict[date, str]:
        """Digest of each day that has an object."""
        return {day: found.digest for day, found in self.days.items()}


def delivered(objects: Iterable[StoredObject], layout: Layout, window: Window) -> Delivered:
    """Sort the objects of a listing into the days of a window.

    What is not the source's data, or belongs to another day, is left out: folders' markers, hidden
    names, what lies elsewhere (:meth:`Layout.day_of`).

    :param objects: The listing, in any order.
    :param layout: How the source writes the days of its files.
    :param window: The days.
    """
    found: defaultdict[date, list[StoredObject]] = defaultdict(list)
    for one in objects:
        day = layout.day_of(one.key)
        if day is not None and window.first <= day <= window.last:
            found[day].append(one)
    return Delivered(
        window,
        {day: DeliveredDay(day, tuple(sorted(found[day], key=lambda one: one.key))) for day in sorted(found)},
    )


def ranges(days: Sequence[date]) -> str:
    """Return days as text, each run of days as its first and last: ``2026-11-01 to 2026-11-03``.

    :param days: Days in order, forward or back; of many runs, the first are named.
    """
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and abs(day - runs[-1][1]) == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:_MOST_RUNS]]
    return ", ".join(shown) + (f" and others up to {days[-1]}" if runs[_MOST_RUNS:] else "")
