"""The whole ladder as a table: every status × redriveStatus × attempt."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from brewtrain.domain.failure import error_names
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


def test_the_token_is_the_arns_hash_and_the_number_of_the_life() -> None:
    token = redrive_token(execution("FAILED", redrive_count=3))
    digest = hashlib.sha256(execution("FAILED").arn.encode()).hexdigest()
    assert token == f"{digest[:32]}-3"


def test_a_stop_says_who_stopped_it() -> None:
    assert stop_cause("train", 2) == "train attempt 2 was killed, marked failed or cleared in Airflow"
    assert stop_cause("train", 2, setup=1) == (
        "train attempt 2 after setup 1 was killed, marked failed or cleared in Airflow"
    )


def test_a_stop_at_the_moment_that_a_try_begins_is_not_before_it() -> None:
    assert not stopped_before(aborted(stop_cause("split", 1), error_names.STOPPED, NOW), "train", 2, NOW)
    before = NOW - timedelta(microseconds=1)
    assert stopped_before(aborted(stop_cause("split", 1), error_names.STOPPED, before), "train", 2, NOW)


def test_redrivable_until_two_weeks_after_the_end() -> None:
    stopped = execution("FAILED", stopped_at=NOW)
    assert stopped.redrivable_until == NOW + REDRIVE_PERIOD
    assert execution("FAILED", "NOT_REDRIVABLE", stopped_at=NOW).redrivable_until is None
    assert execution("RUNNING", None).redrivable_until is None


BEFORE, AFTER = NOW - timedelta(seconds=9), NOW + timedelta(seconds=9)
KNOWN_STOPS = {
    "an earlier try of the task, after this one began": (stop_cause("train", 1), AFTER),
    "another task, before this try began": (stop_cause("split", 1), BEFORE),
    "a task without a try number, before this try began": ("release_run attempt 1: gone", BEFORE),
    # Another task waited when this one was cleared, and its stop comes late.
    "a wait that began before the clear, after this try began": (stop_cause("evaluate", 5, setup=2), AFTER),
    "an earlier try of the task, after the same setup": (stop_cause("train", 1, setup=3), AFTER),
}
UNKNOWN_STOPS = {
    "this very try": (stop_cause("train", 2), error_names.STOPPED, AFTER),
    "a later try": (stop_cause("train", 10), error_names.STOPPED, AFTER),
    "another task, after this try began": (stop_cause("split", 1), error_names.STOPPED, AFTER),
    "a person": (stop_cause("train", 1), "Somebody", BEFORE),
    "nobody named, after this try began": ("", error_names.STOPPED, AFTER),
    "another wait after the same setup": (stop_cause("evaluate", 1, setup=3), error_names.STOPPED, AFTER),
    "this very try, after the same setup": (stop_cause("train", 2, setup=3), error_names.STOPPED, AFTER),
}


def aborted(cause: str, error: str, stopped_at: datetime) -> Execution:
    return execution("ABORTED", error=error, cause=cause, stopped_at=stopped_at)


@pytest.mark.parametrize(("cause", "stopped_at"), KNOWN_STOPS.values(), ids=KNOWN_STOPS)
def test_what_airflow_stopped_before_this_try_is_known(cause: str, stopped_at: datetime) -> None:
    seen = aborted(cause, error_names.STOPPED, stopped_at)
    assert stopped_before(seen, "train", 2, NOW, setup=3)
    if "setup" in cause and "train" not in cause:
        assert not stopped_before(seen, "train", 2, NOW), "without a setup to compare with, it is to be reported"


@pytest.mark.parametrize(("cause", "error", "stopped_at"), UNKNOWN_STOPS.values(), ids=UNKNOWN_STOPS)
def test_any_other_stop_is_to_be_reported(cause: str, error: str, stopped_at: datetime) -> None:
    assert not stopped_before(aborted(cause, error, stopped_at), "train", 2, NOW, setup=3)


def test_there_are_twelve_stops() -> None:
    assert len(KNOWN_STOPS) + len(UNKNOWN_STOPS) == 12


def test_a_failure_is_not_a_stop() -> None:
    seen = execution(
        "FAILED", error=error_names.STOPPED, cause=stop_cause("train", 1), stopped_at=NOW - timedelta(days=1)
    )
    assert not stopped_before(seen, "train", 2, NOW)
