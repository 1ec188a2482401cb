"""Control endpoints below ``/_local/``: how tests steer local_aws without going through an AWS API.

The call log and the fault rules are served here; a service registers a handler for its own prefix.
Must not import moto.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from local_aws.core.call_log import CallLog
from local_aws.core.fault_rules import FaultRules

Answer = tuple[int, Any]
#: ``handler(method, path, query, body) -> (HTTP status, JSON-serialisable answer)``; ``path`` is
#: what follows the prefix.
ControlHandler = Callable[[str, str, Mapping[str, str], Any], Answer]

_lock = threading.Lock()
_handlers: dict[str, ControlHandler] = {}


def register(prefix: str, handler: ControlHandler) -> None:
    """Serve ``/_local/<prefix>[/…]`` with ``handler``.

    :param prefix: first path segment below ``/_local/``, for example ``sagemaker``.
    :param handler: called with method, remaining path (no leading slash), query and parsed JSON
        body (``None`` if empty).
    :raises ValueError: the prefix contains a slash or is empty.
    """
    if not prefix or "/" in prefix:
        raise ValueError(f"Control prefix {prefix!r} must be a single non-empty path segment.")
    with _lock:
        _handlers[prefix] = handler


class ControlEndpoints:
    """Answers requests to ``/_local/…`` of one server.

    :param call_log: served below ``/_local/calls``.
    :param fault_rules: served below ``/_local/faults``.
    """

    def __init__(self, call_log: CallLog, fault_rules: FaultRules) -> None:
        self._call_log = call_log
        self._fault_rules = fault_rules

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        """Answer one request.

        :param method: HTTP method.
        :param path: what follows ``/_local/``.
        :param query: query parameters.
        :param body: the parsed JSON body, ``None`` if empty.
        :returns: HTTP status and what is sent as JSON.
        """
        prefix, _, rest = path.partition("/")
        if path == "calls" and method in ("GET", "DELETE"):
            return self._calls(method, query)
        if prefix == "faults" and (method == "DELETE" or (path == "faults" and method in ("GET", "POST"))):
            return self._faults(method, rest, body)
        with _lock:
            handler, known = _handlers.get(prefix), sorted(_handlers)
        if handler is not None:
            try:
                return handler(method, rest, query, body)
            except Exception as error:  # noqa: BLE001 - a control handler's mistake must not look like a dead server
                traceback.print_exc(file=sys.stderr)
                return 500, {"message": f"Control handler for {path!r} failed: {type(error).__name__}: {error}"}
        endpoints = ", ".join(f"/_local/{name}" for name in ["calls", "faults", *known])
        return 404, {"message": f"No control endpoint {method} /_local/{path}; known are {endpoints}."}

    def _calls(self, method: str, query: Mapping[str, str]) -> Answer:
        if method == "DELETE":
            self._call_log.clear()
            return 200, {"cleared": True}
        try:
            since = float(query["since"]) if "since" in query else None
            since_id = int(query["since_id"]) if "since_id" in query else None
        except ValueError:
            return 400, {"message": "'since' must be epoch seconds and 'since_id' an integer."}
        return 200, self._call_log.read(
            since=since, since_id=since_id, service=query.get("service"), operation=query.get("operation")
        )

    def _faults(self, method: str, rule_id: str, body: Any) -> Answer:
        if method == "GET":
            return 200, {"faults": self._fault_rules.describe()}
        if method == "DELETE":
            return 200, {"removed": self._fault_rules.clear(rule_id or None)}
        try:
            return 201, {"id": self._fault_rules.add(body)}
        except ValueError as error:
            return 400, {"message": str(error)}
