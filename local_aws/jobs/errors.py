"""The error that a service answers with, in the shape of its API model.

Must not import moto: workers in other processes raise it too.
"""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """A request that AWS would refuse.

    :param code: the error code of the service's API model, for example ``ValidationException``.
    :param message: the text that the client sees.
    :param status: HTTP status code.
    :param members: further members of the error's shape, for example ``OriginalMessage`` of
        SageMaker's ``ModelError``.
    """

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = members
