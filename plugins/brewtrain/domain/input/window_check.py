"""Every new partition of a window is looked at before anything is started, and each only once.

Of the newest day all files are looked at, and of any other day one file of each partition; a day
that has changed since it was looked at is looked at as a whole. What earlier checks have seen is
taken from a :class:`Memory`. A memory hides no fault that a check without it would find, and
invents none. Must not import Airflow or boto3: the caller lists and reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from brewtrain.domain.input.comparison import Comparison, copies, named_extension, usual_extension
from brewtrain.domain.input.completeness import hours_of
from brewtrain.domain.input.delivered import Delivered, DeliveredDay, StoredObject, ranges
from brewtrain.domain.input.file_head import no_rows
from brewtrain.domain.input.memory import Memory
from brewtrain.domain.input.observed import Observed, ObservedDay, observed_day
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.days import WEEKDAYS

Look = Callable[[Mapping[date, Sequence[StoredObject]]], Mapping[str, Observed]]
"""Looks into files, given by day, and returns what each has shown by its key."""
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class WindowCheck:
    """What a check of a window has found.

    :param delivered: The window's data, without objects that have another extension.
    :param newest: The newest day that has rows; ``None`` if none has.
    :param memory: What is known now, of this check and earlier ones.
    :param looked_at: The days that had to be looked at, in order.
    :param problems: Why nothing may be started: sentences, the newest day's first.
    :param warnings: What a person should know of, and no reason to stop.
    """

    delivered: Delivered
    newest: date | None
    memory: Memory
    looked_at: tuple[date, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    missing: tuple[date, ...] = field(default=())

    @property
    def problem(self) -> str | None:
        """All problems in one text, the first in its first line; ``None`` if there are none."""
        if len(self.problems) < 2:
            return self.problems[0] if self.problems else None
        window = self.delivered.window
        shown = [f"- {one}" for one in self.problems[1:_MOST_PROBLEMS]]
        more = len(self.problems) - len(shown) - 1
        last = [f"- and {more} more, which are shown when these are gone"] if more else []
        return "\n".join(
            [
                f"{len(self.problems)} problems in the data of {window.first} to {window.last}; the first: "
                f"{self.problems[0]}",
                *shown,
                *last,
            ]
        )


def check(
    pipeline: Pipeline, days: Sequence[date], *, bucket: str, found: Delivered, memory: Memory, look: Look
) -> WindowCheck:
    """Check the data of a window.

    :param pipeline: The pipeline file.
    :param days: The days of which one must have data, newest first
        (:meth:`brewtrain.domain.run.days.DataDays.of_interval`).
    :param bucket: The source's bucket, for messages.
    :param found: What a listing has shown for the window.
    :param memory: What earlier checks have seen.
    :param look: Looks into files.
    """
    return _Checker(pipeline, bucket, found, memory, look).checked(days)


class _Checker:
    def __init__(self, pipeline: Pipeline, bucket: str, found: Delivered, memory: Memory, look: Look) -> None:
        self._pipeline = pipeline
        self._bucket = bucket
        self._found = found
        self._extension = usual_extension(found, pipeline.source.format)
        self._data = found.with_extension(self._extension)
        self._memory = memory
        self._look = look
        self._seen: dict[date, ObservedDay] = {}
        self._looked_at: set[date] = set()

    def checked(self, days: Sequence[date]) -> WindowCheck:
        days = [day for day in days if day >= self._found.window.first]
        newest, problem = self._newest(days)
        # Even if there is no newest day, so that the next check has less to look at.
        self._observe(self._data.filled_days, whole=False)
        comparison = Comparison(self._pipeline, self._bucket, newest or days[0])
        findings = comparison.findings(self._seen) if newest is not None else []
        problems = [problem] if problem is not None else []
        problems += [str(one) for one in findings if not one.harmless]
        problems += [str(one) for one in comparison.strays(self._found.days, self._extension)]
        empties = [str(one) for one in comparison.empties(self._data.days)]
        warnings = [str(one) for one in findings if one.harmless]
        if self._pipeline.source.format == "parquet":
            # It has its schema at the end: nothing can read an empty one.
            problems += [f"{one}; deliver it again, then clear check_input" for one in empties]
        else:
            warnings += empties
        lasting = {day: seen for day, seen in self._seen.items() if seen.lasting}
        missing = self._missing()
        if missing:
            warnings.append(f"{len(missing)} day(s) of the window have no data: {ranges(missing)}")
        return WindowCheck(
            self._data,
            newest,
            Memory(self._memory.rules, {**self._memory.days, **lasting}).bounded(
                self._found.window.first, self._found.window.last
            ),
            tuple(sorted(self._looked_at)),
            tuple(problems),
            (*warnings, *self._missing_hours(newest), *copies(self._data, self._bucket)),
            missing,
        )

    def _missing(self) -> tuple[date, ...]:
        filled = set(self._data.filled_days)
        return tuple(
            day
            for day in self._found.window.days
            if day not in filled and WEEKDAYS[day.weekday()] in self._pipeline.source.days
        )

    def _missing_hours(self, newest: date | None) -> list[str]:
        source = self._pipeline.source
        if newest is None or not source.layout.hourly:
            return []
        keys = [one.key for one in self._data.of(newest).filled]
        hours = sorted(hours_of(newest, self._pipeline.timezone))
        without = [
            hour for hour in hours if not any(key.startswith(source.layout.hour_key(newest, hour)) for key in keys)
        ]
        if not without:
            return []
        path = f"s3://{self._bucket}/{source.layout.hour_key(newest, without[0])}"
        return [
            f"{path} has no data, and so for {len(without)} of the {len(hours)} hours of {newest}: was the run early?"
        ]

    def _newest(self, days: Sequence[date]) -> tuple[date | None, str | None]:
        """Return the newest day that has rows, or why there is none."""
        without_rows: str | None = None
        for day in days:
            data = self._data.of(day)
            path = f"s3://{self._bucket}/{self._pipeline.source.layout.prefix(day)}"
            if not data.objects:
                continue
            if not data.filled:
                return None, (
                    f"{path} has {len(data.objects)} file(s), all of them empty; deliver the data of {day} again, then "
                    "clear check_input"
                )
            self._observe([day], whole=True)
            seen = self._seen[day]
            if seen.has_row or Comparison(self._pipeline, self._bucket, day).is_faulty(seen):
                return day, None
            without_rows = without_rows or (
                f"s3://{self._bucket}/{seen.files[0].key} {no_rows(self._pipeline.source)}{_nor_others(data, days)}; "
                f"deliver the data of {day} again, then clear check_input"
            )
        return None, without_rows or self._not_delivered(days)

    def _not_delivered(self, days: Sequence[date]) -> str:
        path = f"s3://{self._bucket}/{self._pipeline.source.layout.prefix(days[0])}"
        others = any(self._found.of(day).objects for day in days)
        files = f"files with {named_extension(self._extension)} as the window's other days have" if others else "files"
        if len(days) == 1:
            return (
                f"{path} has no {files}: the partition of {days[0]} was not delivered; deliver it, then clear "
                "check_input"
            )
        return (
            f"{path} has no {files}, and neither has any partition since {days[-1]}: no day of the interval was "
            "delivered; deliver one, then clear check_input"
        )

    def _observe(self, days: Sequence[date], *, whole: bool) -> None:
        """Look into the files of some days, unless what they show is known."""
        wanted: dict[date, Sequence[StoredObject]] = {}
        for day in days:
            data, known = self._data.of(day), self._seen.get(day) or self._memory.days.get(day)
            if known is not None and known.digest == data.digest and (known.whole or not whole):
                self._seen[day] = known
            elif whole or known is not None:
                wanted[day] = data.filled
            else:
                wanted[day] = data.samples(self._pipeline.source.layout)
        if not wanted:
            return
        shown = self._look(wanted)
        for day, objects in wanted.items():
            data = self._data.of(day)
            files = [shown[one.key] for one in objects]
            self._seen[day] = observed_day(data.digest, files, whole=len(files) == len(data.filled))
            self._looked_at.add(day)


def _nor_others(data: DeliveredDay, days: Sequence[date]) -> str:
    files = f", and neither has any other of its {len(data.filled)} files" if len(data.filled) > 1 else ""
    return files + ("" if len(days) == 1 else f", and neither has any other partition from {days[-1]} to {days[0]}")
