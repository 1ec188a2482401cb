"""Pages of listings: ``maxResults`` and ``nextToken``, which all listing operations share."""

from __future__ import annotations

import base64

from local_aws.states.api.store import Members
from local_aws.states.errors import ApiError

_DEFAULT_PAGE = 100


def page(rows: list[Members], members: Members, name: str) -> Members:
    """Return one page of rows as the response of a listing operation.

    :param rows: all rows.
    :param members: the request, with ``maxResults`` and ``nextToken``.
    :param name: member of the response that holds the rows.
    :raises ApiError: ``InvalidToken``, for a token that is not of this operation.
    """
    limit = members.get("maxResults") or _DEFAULT_PAGE
    start = _position(members["nextToken"], name) if members.get("nextToken") else 0
    answer: Members = {name: rows[start : start + limit]}
    if start + limit < len(rows):
        answer["nextToken"] = base64.urlsafe_b64encode(f"{name}:{start + limit}".encode()).decode()
    return answer


def _position(token: str, name: str) -> int:
    try:
        kind, start = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        position = int(start)
    except ValueError:
        kind = ""
    if kind != name:
        raise ApiError("InvalidToken", f"Invalid Token: '{token}'")
    return position
