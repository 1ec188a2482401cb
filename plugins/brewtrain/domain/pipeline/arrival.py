"""When the newest partition counts as complete: ``source.complete_when``.

Must not import Airflow or boto3.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from brewtrain.domain.pipeline.duration import Duration
from brewtrain.domain.pipeline.section import Section

ANY_FILE = "any_file"
LONGEST_QUIET = timedelta(days=1)
_MARKER = re.compile(r"(?:\.|_(?![^/]*=))[A-Za-z0-9._/-]{0,99}")


def _check_marker(value: str) -> str:
    if not _MARKER.fullmatch(value) or value.endswith("/") or "//" in value or ".." in value:
        raise ValueError(
            "is not a marker's name; write one that begins with '_' or '.', which is no data, such as '_SUCCESS', "
            "or '.done' beside one file a day"
        )
    return value


def _check_unchanged_for(value: timedelta) -> timedelta:
    if not timedelta() < value <= LONGEST_QUIET:
        raise ValueError(f"is not a time to wait for changes; write more than 0s and at most {LONGEST_QUIET.days}d")
    return value


def read_complete_when(value: object) -> object:
    """Read the short form: ``any_file`` means that no further condition is set."""
    if value == ANY_FILE:
        return CompleteWhen()
    if isinstance(value, str):
        raise ValueError(f"is {value!r}; write any_file, or a condition below it such as 'marker: _SUCCESS'")
    return value


class CompleteWhen(Section):
    """When a partition is complete: it has a file, and every condition that is set holds.

    :param marker: Name of an object that is written last. Its key is the day's path with this name
        behind it: below a prefix a file such as ``_SUCCESS``, beside one file a day a suffix.
    :param minimum_bytes: Fewest bytes of all files together.
    :param unchanged_for: How long no file must have changed.
    """

    marker: Annotated[str, AfterValidator(_check_marker)] | None = None
    minimum_bytes: int | None = Field(default=None, ge=1)
    unchanged_for: Annotated[Duration, AfterValidator(_check_unchanged_for)] | None = None

    @property
    def any_file(self) -> bool:
        """Whether one file is enough."""
        return self == CompleteWhen()
