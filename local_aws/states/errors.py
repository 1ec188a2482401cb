"""Errors of the Step Functions API. Must not import moto or boto3."""

from __future__ import annotations


class ApiError(Exception):
    """An error answered to the caller.

    :param code: error code, for example ``ExecutionDoesNotExist``.
    :param message: what the caller reads.
    :param reason: ``reason`` of a ValidationException.
    """

    def __init__(self, code: str, message: str, reason: str | None = None, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.reason, self.status = code, message, reason, status


def validation(message: str, reason: str | None = None) -> ApiError:
    """ValidationException."""
    return ApiError("ValidationException", message, reason)
