"""Whether the partition that a run waits for is complete, judged by a listing of S3.

Must not import Airflow or boto3.

Source: ListObjectsV2 in the Amazon S3 API Reference; "Working with object metadata" in the Amazon
S3 User Guide, by which an object that was uploaded in parts has the date of the upload's start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from brewtrain.domain.pipeline.arrival import CompleteWhen
from brewtrain.domain.pipeline.duration import in_words
from brewtrain.domain.pipeline.layout import Layout
from brewtrain.domain.run.days import DataDays

# AWS says nothing of how long an upload in parts may take; a longer one is not expected here.
LONGEST_UPLOAD = timedelta(days=1)
# "x-N": uploaded in N parts.
_PARTS = re.compile(r'"?[0-9a-f]+-\d+"?')


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing names it.

    :param key: Its key.
    :param size: Bytes.
    :param etag: Changes with the content.
    :param modified_at: ``LastModified``, aware.
    """

    key: str
    size: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class Sighting:
    """What has been seen of a partition.

    :param objects: The newest listing.
    :param at: When it was made, by S3's clock.
    :param first_at: When the partition was looked at first.
    :param changed_at: When a change was noticed; ``None`` if there was none since the first look.
    """

    objects: tuple[StoredObject, ...]
    at: datetime
    first_at: datetime
    changed_at: datetime | None = None

    @property
    def newest(self) -> datetime | None:
        """When the partition was written last, as S3 tells it."""
        return max((one.modified_at for one in self.objects), default=None)


def sight(before: Sighting | None, objects: Iterable[StoredObject], at: datetime) -> Sighting:
    """Return what is known after another look.

    :param before: What was known before; ``None`` at the first look.
    :param objects: The listing.
    :param at: When it was made.
    """
    now = tuple(objects)
    if before is None:
        return Sighting(now, at, first_at=at)
    changed_at = before.changed_at if _content(now) == _content(before.objects) else at
    return Sighting(now, at, before.first_at, changed_at)


def _content(objects: Iterable[StoredObject]) -> set[tuple[str, int, str]]:
    return {(one.key, one.size, one.etag) for one in objects}


@dataclass(frozen=True)
class Verdict:
    """What a look at a partition tells.

    :param missing: What is missing, each a clause; empty if the partition is complete.
    :param look_again_at: When it will be complete if nothing changes until then.
    """

    missing: tuple[str, ...] = ()
    look_again_at: datetime | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True)
class WaitedPartition:
    """The partition that a run waits for.

    :param pattern: ``source.path``'s key; see :class:`Layout`.
    :param day: The run's newest day.
    :param timezone: Name of the IANA time zone that the day belongs to.
    :param complete_when: When it is complete.
    """

    pattern: str
    day: date
    timezone: str = "UTC"
    complete_when: CompleteWhen = field(default_factory=CompleteWhen)

    @cached_property
    def layout(self) -> Layout:
        """How the source writes its days."""
        return Layout(self.pattern)

    @cached_property
    def prefix(self) -> str:
        """What the keys of all its files, and of its markers, begin with."""
        return self.layout.prefix(self.day)

    @cached_property
    def looked_for(self) -> str:
        """The prefix of what has to be listed: the marker's own key, if nothing else counts."""
        marker = self.complete_when.marker
        alone = marker is not None and self.complete_when == CompleteWhen(marker=marker) and not self.layout.hourly
        return f"{self.prefix}{marker}" if alone else self.prefix

    @cached_property
    def needs_all(self) -> bool:
        """Whether only the whole listing tells, and not its beginning."""
        return self.layout.hourly or self.complete_when.unchanged_for is not None

    def data(self, objects: Iterable[StoredObject]) -> list[StoredObject]:
        """Return the files of the day that have content."""
        return [one for one in objects if one.size > 0 and self.layout.day_of(one.key) == self.day]

    def judge(self, seen: Sighting) -> Verdict:
        """Say what is missing."""
        missing = [*self._without_files(seen), *self._without_marker(seen.objects)]
        total = sum(one.size for one in self.data(seen.objects))
        if self.complete_when.minimum_bytes is not None and total < self.complete_when.minimum_bytes:
            missing.append(f"there are {total:,} of at least {self.complete_when.minimum_bytes:,} bytes")
        if missing or self.complete_when.unchanged_for is None:
            return Verdict(tuple(missing))
        since = self._unchanged_since(seen)
        if seen.at - since >= self.complete_when.unchanged_for:
            return Verdict()
        wanted = in_words(self.complete_when.unchanged_for)
        age = in_words(max(seen.at - since, timedelta()))
        return Verdict((f"the last change was {age} ago, not {wanted}",), since + self.complete_when.unchanged_for)

    def _without_files(self, seen: Sighting) -> list[str]:
        if self.complete_when.marker is not None and self.looked_for != self.prefix:
            return []
        data = self.data(seen.objects)
        if self.layout.hourly and self.complete_when.any_file:
            full = {hour for hour in self._hours if any(one.key.startswith(self._hour(hour)) for one in data)}
            return [f"no file with data is there for {_hours(self._hours - full)}"] if self._hours - full else []
        return [] if data or self.complete_when.marker is not None else ["no file with data is there"]

    def _without_marker(self, objects: Iterable[StoredObject]) -> list[str]:
        marker = self.complete_when.marker
        keys = {one.key for one in objects}
        if marker is None or f"{self.prefix}{marker}" in keys:
            return []
        if not self.layout.hourly:
            return [f"the marker {self.prefix}{marker} is missing"]
        without = {hour for hour in self._hours if f"{self._hour(hour)}{marker}" not in keys}
        return [f"the marker {marker} is missing for {_hours(without)}"] if without else []

    def _unchanged_since(self, seen: Sighting) -> datetime:
        times = [seen.newest or seen.first_at]
        if seen.changed_at is not None:
            times.append(seen.changed_at)
        if any(_PARTS.fullmatch(one.etag) and one.modified_at > seen.first_at - LONGEST_UPLOAD for one in seen.objects):
            # S3 dates it by its upload's start: how long ago that ended is known only since it is
            # watched.
            times.append(seen.first_at)
        return max(times)

    def _hour(self, hour: int) -> str:
        return self.layout.hour_key(self.day, hour)

    @cached_property
    def _hours(self) -> set[int]:
        return hours_of(self.day, self.timezone)


def hours_of(day: date, timezone: str) -> set[int]:
    """Return the hours that the clocks show on a day: one is missing when they are put forward.

    :param day: The day.
    :param timezone: Name of the IANA time zone.
    """
    days = DataDays(timezone=timezone)
    moment, end = days.begins(day), days.begins(day + timedelta(days=1))
    found = set()
    while moment < end:
        found.add(moment.astimezone(ZoneInfo(timezone)).hour)
        moment += timedelta(minutes=30)
    return found


def _hours(hours: Iterable[int]) -> str:
    named = [f"{hour:02}" for hour in sorted(hours)]
    shown = ", ".join(named[:6]) + (f" and {len(named) - 6} more" if len(named) > 6 else "")
    return f"hour {shown}" if len(named) == 1 else f"the hours {shown}"


def described(when: CompleteWhen) -> str:
    """Return the conditions as the pipeline file has them, for people."""
    conditions: Mapping[str, object] = {
        "marker": when.marker,
        "minimum_bytes": when.minimum_bytes,
        "unchanged_for": when.unchanged_for and in_words(when.unchanged_for),
    }
    said = ", ".join(f"{name}: {value}" for name, value in conditions.items() if value is not None)
    return said or "any_file"
