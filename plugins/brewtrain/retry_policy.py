"""Which failures Airflow tries again by itself.

Must not import boto3 or hooks: DAG files import it.

Source: Airflow 3.3, "Retry policies" (airflow.sdk.RetryPolicy).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk import RetryAction, RetryDecision, RetryPolicy

from brewtrain.domain.errors import BrewtrainError, RetrainingFailedError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from pydantic import JsonValue


log = logging.getLogger(__name__)

# Key of the task instance's state store, which the UI shows beside its XComs.
FAILURE_KEY = "failure"
_REASON_LIMIT = 2000


class RetryTransientErrors(RetryPolicy):
    """Retries what may pass by itself, and fails at once what a person has to fix.

    Airflow keeps a policy's reason on the task instance only where it retries. So this policy
    leaves the reason of every failure, with its try number, in the task instance's state store,
    under :data:`FAILURE_KEY`. An error that this package did not raise is a bug, and follows the
    task's ``retries`` as usual.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide by the exception's class; see :class:`airflow.sdk.RetryPolicy`."""
        reason = str(exception).splitlines()[0] if str(exception) else type(exception).__name__
        if isinstance(exception, TransientError) or (
            isinstance(exception, RetrainingFailedError) and exception.retryable
        ):
            decision = RetryDecision.retry(reason=reason)
        elif isinstance(exception, BrewtrainError):
            decision = RetryDecision.fail(reason=reason)
        else:
            decision = RetryDecision.default()
        kind = {RetryAction.RETRY: "transient", RetryAction.FAIL: "permanent"}.get(decision.action, "unexpected")
        _keep({"try_number": try_number, "kind": kind, "reason": reason[:_REASON_LIMIT]}, context)
        return decision


def _keep(failure: dict[str, JsonValue], context: Context | None) -> None:
    store = None if context is None else context.get("task_state_store")
    if store is None:
        return
    try:
        store.set(FAILURE_KEY, failure)
    except Exception:  # the task's own failure must stay the last word
        log.warning("the reason could not be left in the task's state store", exc_info=True)
