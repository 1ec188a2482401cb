"""Durations as a pipeline file writes them: ``30m``, ``6h``, ``2d``.

Must not import Airflow or boto3.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_TEXT = re.compile(r"([0-9]{1,7})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ADVICE = "write a number and one of s, m, h, d, such as 30m, 6h or 2d"


def _read(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"is {value!r}; {_ADVICE}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def in_words(duration: timedelta) -> str:
    """Return a duration for people, in its two largest units, e.g. ``2 d 3 h`` or ``45 min``.

    :param duration: Not negative; parts of a minute are left out, unless it is shorter than one.
    """
    seconds = int(duration.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    units = (("d", 86400), ("h", 3600), ("min", 60))
    parts = []
    for unit, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _written(value: timedelta) -> str:
    return f"{value // timedelta(seconds=1)}s"


Duration = Annotated[timedelta, BeforeValidator(_read), PlainSerializer(_written, return_type=str, when_used="json")]
