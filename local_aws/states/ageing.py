"""Control endpoint ``/_local/states/age``, which makes a closed execution older.

Tests cannot wait the 14 days after which an execution can no longer be redriven.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.states.errors import ApiError
from local_aws.states.responses import API


def handle(method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, Any]:
    """Serve ``POST /_local/states/age``.

    :param method: HTTP method.
    :param path: path below ``/_local/states/``.
    :param query: unused.
    :param body: ``{"executionArn": …, "seconds": …}``.
    :returns: HTTP status, and a body with the new ``stopDate`` and ``redriveStatusReason``, or with
        a ``message``.
    """
    if method != "POST" or path != "age":
        return 404, {"message": f"{method} /_local/states/{path} does not exist; use POST /_local/states/age"}
    try:
        execution = API.age(str(body["executionArn"]), float(body["seconds"]))
    except ApiError as error:
        return 400, {"message": error.message}
    except (KeyError, TypeError, ValueError):
        return 400, {"message": "/_local/states/age takes executionArn (string) and seconds (number)."}
    return 200, {"stopDate": execution.stop_date, "redriveStatusReason": execution.not_redrivable_reason}
