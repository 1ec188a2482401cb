"""How SageMaker says that something does not exist; the one rule for hooks and state machine.

SageMaker has an error code of its own for it in a few operations only. The others answer with the
code of any invalid request, so the text decides. Must not import Airflow or boto3.

Sources: the "Errors" sections of the Amazon SageMaker API Reference (``ResourceNotFound``); the
texts are what the service answers, see tests/unit/domain/serving/test_absence.py.
"""

from __future__ import annotations

_CODES = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
# ValidationError is the runtime's, of InvokeEndpoint.
_CODES_OF_INVALID_REQUESTS = frozenset({"ValidationException", "ValidationError"})
_TEXTS = ("could not find", "does not exist", "not found")


def is_absent(code: str, message: str) -> bool:
    """Whether SageMaker says that what was asked for does not exist.

    :param code: Error code, e.g. ``ValidationException``.
    :param message: Its text.
    """
    if code in _CODES:
        return True
    return code in _CODES_OF_INVALID_REQUESTS and any(text in message.lower() for text in _TEXTS)
