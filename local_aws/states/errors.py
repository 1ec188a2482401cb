"""Errors of the Step Functions API.

See https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html. Must not
import moto or boto3.
"""

from __future__ import annotations


class ApiError(Exception):
    """An error that the caller of the API receives.

    :param code: error code, for example ``ExecutionDoesNotExist``.
    :param message: what the caller reads.
    :param reason: ``reason`` of a ValidationException.
    :param status: HTTP status.
    """

    def __init__(self, code: str, message: str, reason: str | None = None, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.reason, self.status = code, message, reason, status


def validation(message: str, reason: str | None = None) -> ApiError:
    """Return the error of a request that breaks a constraint (``ValidationException``)."""
    return ApiError("ValidationException", message, reason)
