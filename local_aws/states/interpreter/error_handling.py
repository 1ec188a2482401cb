"""Retry and Catch: which retrier or catcher handles an error, and how long a retry waits.

See https://states-language.net/spec.html#errors and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html. Must not import
moto or boto3.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from local_aws.states.asl.errors import StateError
from local_aws.states.interpreter.frames import Frame
from local_aws.states.interpreter.time_scale import time_scale

_UNCATCHABLE = frozenset({"States.Runtime", "States.DataLimitExceeded"})
# Defaults of a retrier.
_MAX_ATTEMPTS = 3
_INTERVAL_SECONDS = 1
_BACKOFF_RATE = 2.0


def error_matches(names: Sequence[str], error: str) -> bool:
    """Whether a retrier or catcher that lists ``names`` handles ``error``.

    ``States.ALL`` handles everything except ``States.Runtime`` and ``States.DataLimitExceeded``;
    ``States.TaskFailed`` handles what ``States.ALL`` does, except ``States.Timeout``.

    :param names: the member ``ErrorEquals``.
    :param error: the error name.
    """
    if error in names:
        return True
    if error in _UNCATCHABLE:
        return False
    if "States.ALL" in names:
        return True
    if error == "States.HeartbeatTimeout" and "States.Timeout" in names:
        return True
    return "States.TaskFailed" in names and error not in ("States.Timeout", "States.HeartbeatTimeout")


def will_retry(state: dict[str, Any], frame: Frame, error: StateError) -> bool:
    """Whether a retrier of the state still allows a retry after ``error``."""
    index, retrier = _retrier_of(state, error)
    return retrier is not None and _may_retry(retrier, frame.retries.get(index, 0))


def count_retry(state: dict[str, Any], frame: Frame, error: StateError) -> float | None:
    """Count a retry of the state in its frame.

    :returns: seconds to wait before the next attempt; None when no retrier allows one.
    """
    index, retrier = _retrier_of(state, error)
    attempts = frame.retries.get(index, 0)
    if retrier is None or not _may_retry(retrier, attempts):
        return None
    frame.retries[index] = attempts + 1
    interval = float(retrier.get("IntervalSeconds", _INTERVAL_SECONDS))
    delay = interval * float(retrier.get("BackoffRate", _BACKOFF_RATE)) ** attempts
    delay = min(delay, float(retrier.get("MaxDelaySeconds", delay)))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.SystemRandom().uniform(0, delay)
    return delay * time_scale()


def catcher_of(state: dict[str, Any], error: StateError) -> dict[str, Any] | None:
    """Return the first catcher of the state that handles ``error``, None if none does."""
    catchers: Sequence[dict[str, Any]] = state.get("Catch", ())
    return next((catcher for catcher in catchers if error_matches(catcher["ErrorEquals"], error.error)), None)


def _retrier_of(state: dict[str, Any], error: StateError) -> tuple[int, dict[str, Any] | None]:
    for index, retrier in enumerate(state.get("Retry", ())):
        if error_matches(retrier["ErrorEquals"], error.error):
            return index, retrier
    return 0, None


def _may_retry(retrier: dict[str, Any], attempts: int) -> bool:
    return bool(attempts < retrier.get("MaxAttempts", _MAX_ATTEMPTS))
