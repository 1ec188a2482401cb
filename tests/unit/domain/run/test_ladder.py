"""The whole ladder as a table: every status × redriveStatus × attempt."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from brewtrain.domain.failure.error_names import STOPPED
from brewtrain.domain.run.ladder import (
    REDRIVE_PERIOD,
    Action,
    Attempt,
    Execution,
    decide,
    redrive_token,
    stop_cause,
    stopped_before,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ARN = "arn:aws:states:us-east-1:123456789012:execution:brewtrain-x:x-20260102T0000-g0"
FAILED = ("FAILED", "TIMED_OUT", "ABORTED")
# PAUSED stands for what AWS may add; it must never pass for success.
STATUSES = ("RUNNING", "PENDING_REDRIVE", "SUCCEEDED", *FAILED, "PAUSED")
REDRIVE_STATUSES = ("REDRIVABLE", "NOT_REDRIVABLE", "REDRIVABLE_BY_MAP_RUN", "SOMETHING_NEW", None)


def execution(status: str, redrive_status: str | None = "REDRIVABLE", **more: object) -> Execution:
    values = {"arn": ARN, "status": status, "started_at": NOW, "redrive_status": redrive_status, **more}
    return Execution(**values)  # type: ignore[arg-type]


def expected(status: str, redrive_status: str | None, attempt: Attempt) -> Action:
    if status in ("RUNNING", "PENDING_REDRIVE"):
        return Action.ATTACH
    if status == "SUCCEEDED":
        return Action.FINISH
    if status == "PAUSED":
        return Action.UNKNOWN
    if not attempt.failure_known:
        return Action.REPORT
    if attempt.rerun_mode != "fresh" and redrive_status == "REDRIVABLE":
        return Action.REDRIVE
    return Action.ADVISE_FRESH


ATTEMPTS = [
    Attempt(failure_known=known, may_start=start, rerun_mode=mode)
    for known, start, mode in itertools.product((False, True), (False, True), ("auto", "redrive", "fresh"))
]
CASES = list(itertools.product(STATUSES, REDRIVE_STATUSES, ATTEMPTS))


@pytest.mark.parametrize(("status", "redrive_status", "attempt"), CASES)
def test_every_rung(status: str, redrive_status: str | None, attempt: Attempt) -> None:
    assert decide(execution(status, redrive_status), attempt) is expected(status, redrive_status, attempt)


def test_the_table_is_complete() -> None:
    assert len(CASES) == 7 * 5 * 12


def test_only_the_start_task_starts() -> None:
    assert decide(None, Attempt(may_start=True)) is Action.START
    assert decide(None, Attempt()) is Action.MISSING
    assert decide(None, Attempt(failure_known=True)) is Action.MISSING


def test_an_unknown_status_is_never_success() -> None:
    for status in ("", "running", "succeeded", "DONE", "PAUSED"):
        for attempt in ATTEMPTS:
            assert decide(execution(status), attempt) is Action.UNKNOWN


def test_the_token_is_the_same_for_one_life_and_differs_between_lives() -> None:
    first, second = execution("FAILED"), execution("FAILED", redrive_count=1)
    assert redrive_token(first) == redrive_token(execution("FAILED"))
    assert redrive_token(first) != redrive_token(second)
    assert len(redrive_token(execution("FAILED", redrive_count=999))) <= 64


def test_redrivable_until_two_weeks_after_the_end() -> None:
    stopped = execution("FAILED", stopped_at=NOW)
    assert stopped.redrivable_until == NOW + REDRIVE_PERIOD
    assert execution("FAILED", "NOT_REDRIVABLE", stopped_at=NOW).redrivable_until is None
    assert execution("RUNNING", None).redrivable_until is None


@pytest.mark.parametrize(
    ("cause", "error", "stopped", "known"),
    [
        (stop_cause("train", 1), STOPPED, NOW + timedelta(seconds=9), True),
        (stop_cause("train", 2), STOPPED, NOW + timedelta(seconds=9), False),
        (stop_cause("split", 1), STOPPED, NOW + timedelta(seconds=9), False),
        (stop_cause("split", 1), STOPPED, NOW - timedelta(seconds=9), True),
        ("release_run attempt 1: gone", STOPPED, NOW - timedelta(seconds=9), True),
        (stop_cause("train", 1), "Somebody", NOW - timedelta(seconds=9), False),
        ("", STOPPED, NOW + timedelta(seconds=9), False),
        (stop_cause("train", 10), STOPPED, NOW + timedelta(seconds=9), False),
        # Another task waited when this one was cleared, and its stop comes late.
        (stop_cause("evaluate", 5, setup=2), STOPPED, NOW + timedelta(seconds=9), True),
        (stop_cause("evaluate", 1, setup=3), STOPPED, NOW + timedelta(seconds=9), False),
        (stop_cause("train", 1, setup=3), STOPPED, NOW + timedelta(seconds=9), True),
        (stop_cause("train", 2, setup=3), STOPPED, NOW + timedelta(seconds=9), False),
    ],
)
def test_who_stopped_it(cause: str, error: str, stopped: datetime, known: bool) -> None:
    seen = execution("ABORTED", error=error, cause=cause, stopped_at=stopped)
    assert stopped_before(seen, "train", 2, NOW, setup=3) is known
    if known and "setup" in cause and "train" not in cause:
        assert not stopped_before(seen, "train", 2, NOW), "without a setup to compare with, it is to be reported"


def test_a_failure_is_not_a_stop() -> None:
    seen = execution("FAILED", error=STOPPED, cause=stop_cause("train", 1), stopped_at=NOW - timedelta(days=1))
    assert not stopped_before(seen, "train", 2, NOW)
