"""Which failures Airflow tries again by itself.

Must not import boto3 or hooks: DAG files import it.

Source: Airflow 3.3, "Retry policies" (airflow.sdk.RetryPolicy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy

from brewtrain.domain.errors import BrewtrainError, RetrainingFailedError, TransientError

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetryTransientErrors(RetryPolicy):
    """Retries what may mend itself and fails at once what somebody has to mend; Airflow keeps the reason.

    What this package did not raise (a killed worker, a bug) follows the task's ``retries`` as usual.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide by the exception's class; see :class:`airflow.sdk.RetryPolicy`."""
        reason = str(exception).splitlines()[0] if str(exception) else type(exception).__name__
        if isinstance(exception, TransientError):
            return RetryDecision.retry(reason=reason)
        if isinstance(exception, RetrainingFailedError) and exception.retryable:
            return RetryDecision.retry(reason=reason)
        if isinstance(exception, BrewtrainError):
            return RetryDecision.fail(reason=reason)
        return RetryDecision.default()
