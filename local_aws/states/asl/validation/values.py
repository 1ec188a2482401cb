"""Tests of single values that several checks share."""

from __future__ import annotations

from typing import Any

_MAX_SECONDS = 99999999


def is_positive(value: Any) -> bool:
    """Whether a value is a positive integer within Step Functions' limit of 99,999,999."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_SECONDS


def entries(value: Any) -> list[Any]:
    """Return a list as it is, and nothing for any other value."""
    return value if isinstance(value, list) else []
