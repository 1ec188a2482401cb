"""What the policy leaves on the task instance for whoever looks at it in the UI."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.errors import InputError, RetrainingFailedError, TransientError
from brewtrain.retry_policy import FAILURE_KEY, RetryTransientErrors


class Store:
    """Stands for Airflow's accessor, which needs a supervisor."""

    def __init__(self, error: Exception | None = None) -> None:
        self.kept: dict[str, Any] = {}
        self.error = error

    def set(self, key: str, value: Any) -> None:
        if self.error is not None:
            raise self.error
        self.kept[key] = value


@pytest.mark.parametrize(
    ("raised", "kind", "reason"),
    [
        pytest.param(
            InputError("there is no row; deliver it\nmore"), "permanent", "there is no row; deliver it", id="bad-input"
        ),
        pytest.param(
            RetrainingFailedError("train failed", retryable=False), "permanent", "train failed", id="failed-for-good"
        ),
        pytest.param(RetrainingFailedError("throttled", retryable=True), "transient", "throttled", id="redrivable"),
        pytest.param(TransientError("throttled"), "transient", "throttled", id="aws-unavailable"),
        pytest.param(KeyError("x"), "unexpected", "'x'", id="a-bug"),
        pytest.param(MemoryError(), "unexpected", "MemoryError", id="a-bug-without-words"),
    ],
)
def test_the_reason_is_left_in_the_state_store(raised: Exception, kind: str, reason: str) -> None:
    store = Store()
    RetryTransientErrors().evaluate(raised, 2, 3, {"task_state_store": store})  # type: ignore[typeddict-item]
    assert store.kept == {FAILURE_KEY: {"try_number": 2, "kind": kind, "reason": reason}}


def test_a_reason_of_any_length_fits() -> None:
    store = Store()
    context: Any = {"task_state_store": store}
    decision = RetryTransientErrors().evaluate(InputError("x" * 100_000), 1, 3, context)
    assert decision.action.value == "fail"
    assert len(store.kept[FAILURE_KEY]["reason"]) == 2000


def test_a_store_that_fails_changes_no_decision() -> None:
    context: Any = {"task_state_store": Store(OSError("the api-server is away"))}
    decision = RetryTransientErrors().evaluate(InputError("no row"), 1, 3, context)
    assert decision.action.value == "fail"
