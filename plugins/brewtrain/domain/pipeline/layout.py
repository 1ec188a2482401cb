"""Where the files of a day lie: from ``source.path`` to keys, days and a DataBrew dataset's key.

Must not import Airflow or boto3. DataBrew takes regular expressions between ``<`` and ``>`` in a
dataset's key. One of them picks exactly the files of a window, in whatever parts a path writes its
dates; a Datetime parameter could not, where year, month and day are folders of their own.

Source: "Defining a dataset with an S3 path using regular expressions" in "Connecting data in
multiple files in Amazon S3", AWS Glue DataBrew Developer Guide; S3Location in its API Reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import dropwhile, takewhile
from string import Formatter

DATABREW_KEY_MAX_LENGTH = 1280
"""S3Location's Key."""
_DEFAULT_FORMAT = "%Y-%m-%d"
_PATTERNS = {
    "%Y": r"\d{4}",
    "%m": r"(?:0[1-9]|1[0-2])",
    "%d": r"(?:0[1-9]|[12]\d|3[01])",
    "%H": r"(?:[01]\d|2[0-3])",
}
_DIRECTIVE = re.compile(r"(%.?)")
# A name that Spark reads: not hidden, and not metadata such as _SUCCESS, but _a=b is a partition.
_DATA_NAME = r"(?:[^_./][^/]*|_[^/=]*=[^/]*)"


@dataclass(frozen=True)
class Layout:
    """How a source writes the days of its files.

    :param pattern: ``source.path``'s key: text, ``{date}`` (YYYY-MM-DD), ``{date:FORMAT}`` with
        ``%Y``, ``%m`` and ``%d``, and ``{hour}``. A key that ends with ``/`` is a prefix: all that
        lies below it belongs to the day. Any other names one file a day.
    :raises ValueError: If it is not such a key; says what to write.
    """

    pattern: str

    def __post_init__(self) -> None:
        missing = {"%Y", "%m", "%d"} - {part for part in self._parts if part in _PATTERNS}
        if missing:
            raise ValueError(
                "must contain {date}, where the day of a partition stands, e.g. 'dt={date}/', or all of "
                "{date:%Y}, {date:%m} and {date:%d}"
            )

    @property
    def is_prefix(self) -> bool:
        """Whether a day is all that lies below a prefix, and not one file."""
        return self.pattern.endswith("/")

    @property
    def hourly(self) -> bool:
        """Whether a day has a partition an hour."""
        return "%H" in self._parts

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        """Texts and directives, in the order of the key."""
        parts: list[str] = []
        for text, field, spec, conversion in Formatter().parse(self.pattern):
            parts.append(text)
            if field is None:
                continue
            if conversion is not None or (field == "hour" and spec) or field not in ("date", "hour"):
                shown = field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                raise ValueError(
                    f"has the unknown placeholder {{{shown}}}; write {{date}}, {{date:%Y%m%d}} or {{hour}}"
                )
            for piece in _DIRECTIVE.split("%H" if field == "hour" else spec or _DEFAULT_FORMAT):
                if piece.startswith("%") and (piece not in _PATTERNS or (piece == "%H") != (field == "hour")):
                    raise ValueError(f"has {piece!r} in {{date:{spec}}}; write %Y, %m and %d there")
                parts.append(piece)
        return tuple(part for part in parts if part)

    def prefix(self, day: date) -> str:
        """Return the key of a day's files up to the first part that varies within the day.

        :param day: The day.
        """
        known = takewhile(lambda part: part != "%H", self._parts)
        return "".join(part if part not in _PATTERNS else _written(part, day) for part in known)

    def object_key(self, day: date, name: str) -> str:
        """Return the key of an object of a day; in a layout with hours, of its first hour.

        :param day: The day.
        :param name: The object's name below the partition; a file a day has none.
        """
        key = "".join(part if part not in _PATTERNS else _written(part, day) for part in self._parts)
        return f"{key}{name}" if self.is_prefix else key

    def hour_key(self, day: date, hour: int) -> str:
        """Return the key of an hour's files, or of its only file.

        :param day: The day.
        :param hour: 0 to 23.
        """
        return "".join(
            f"{hour:02}" if part == "%H" else part if part not in _PATTERNS else _written(part, day)
            for part in self._parts
        )

    @property
    def wildcard(self) -> str:
        """The key with ``?`` for each digit of a date or hour, as IAM's patterns have it."""
        return "".join(part if part not in _PATTERNS else "?" * len(_written(part, date.min)) for part in self._parts)

    @property
    def literal_prefix(self) -> str:
        """The key up to its first date or hour: what all files of the source begin with."""
        return "".join(takewhile(lambda part: part not in _PATTERNS, self._parts))

    @cached_property
    def sorts_by_day(self) -> bool:
        """Whether the keys of the source are in the order of their days, as S3 lists them."""
        order = list(dict.fromkeys(part for part in self._parts if part in _PATTERNS))
        return order[:3] == ["%Y", "%m", "%d"]

    def day_of(self, key: str) -> date | None:
        """Return the day that an object belongs to.

        :param key: The object's key.
        :returns: ``None`` for an object that is not the source's data: it lies elsewhere, its date
            is no day, or a part of its name below the partition begins with ``_`` (unless it has a
            ``=``) or with ``.``, as staging folders do.
        """
        match = self._matcher.fullmatch(key)
        if match is None:
            return None
        try:
            return date(int(match["Y"]), int(match["m"]), int(match["d"]))
        except ValueError:
            return None

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        seen: set[str] = set()
        pattern = []
        for part in self._parts:
            if part not in _PATTERNS:
                pattern.append(re.escape(part))
            elif part in seen:
                pattern.append(f"(?P={part[1]})")
            else:
                pattern.append(f"(?P<{part[1]}>{_PATTERNS[part]})")
                seen.add(part)
        return re.compile("".join(pattern) + self._below)

    @property
    def _below(self) -> str:
        return f"(?:{_DATA_NAME}/)*{_DATA_NAME}" if self.is_prefix else ""

    def databrew_key(self, first: date, last: date) -> str:
        """Return the key of the DataBrew dataset that holds the files of some days and no other.

        :param first: First day, included.
        :param last: Last day, included.
        :raises ValueError: If it is longer than DataBrew takes.
        """
        varying = list(dropwhile(lambda part: part not in _PATTERNS, self._parts))
        days = "|".join(
            "".join(block[part] if part in block else re.escape(part) for part in varying)
            for block in _blocks(first, last)
        )
        key = f"{self.literal_prefix}<(?:{days}){self._below}>"
        if len(key) > DATABREW_KEY_MAX_LENGTH:
            raise ValueError(
                f"needs a dataset key of {len(key)} characters for {first} to {last}, and DataBrew takes "
                f"{DATABREW_KEY_MAX_LENGTH}; write a shorter path, or a smaller window_days"
            )
        return key


def _written(directive: str, day: date) -> str:
    """Return a part of a date; of the hour, the first one."""
    return {"%Y": f"{day.year:04}", "%m": f"{day.month:02}", "%d": f"{day.day:02}", "%H": "00"}[directive]


def _blocks(first: date, last: date) -> Iterator[dict[str, str]]:
    """Cut a range of days into whole years, whole months and parts of months, as patterns."""
    day = first
    while day <= last:
        end = last
        if day.month == day.day == 1 and date(day.year, 12, 31) <= last:
            year = last.year if (last.month, last.day) == (12, 31) else last.year - 1
            end = date(year, 12, 31)
            yield _PATTERNS | {"%Y": _years(day.year, year)}
        elif day.day == 1 and _month_end(day) <= last:
            month = 12 if last.year > day.year else last.month if _month_end(last) == last else last.month - 1
            end = _month_end(date(day.year, month, 1))
            yield _PATTERNS | {"%Y": f"{day.year:04}", "%m": _numbers(day.month, month)}
        else:
            end = min(_month_end(day), last)
            yield _PATTERNS | {
                "%Y": f"{day.year:04}", "%m": f"{day.month:02}", "%d": _numbers(day.day, end.day),
            }  # fmt: skip
        day = end + timedelta(days=1)


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _years(first: int, last: int) -> str:
    return f"{first:04}" if first == last else f"(?:{'|'.join(f'{year:04}' for year in range(first, last + 1))})"


def _numbers(first: int, last: int) -> str:
    """Return a pattern of the numbers of two digits from one to another, both included."""
    if first == last:
        return f"{first:02}"
    tens = []
    for ten in range(first // 10, last // 10 + 1):
        low, high = max(first, ten * 10) % 10, min(last, ten * 10 + 9) % 10
        digits = str(low) if low == high else r"\d" if (low, high) == (0, 9) else f"[{low}-{high}]"
        tens.append(f"{ten}{digits}")
    return f"(?:{'|'.join(tens)})"
