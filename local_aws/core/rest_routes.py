"""Which operation an HTTP request to a REST API of AWS is, by botocore's models.

Must not import moto.
"""

from __future__ import annotations

import re
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_model_lock = threading.Lock()


@lru_cache(maxsize=64)
def service_model(service: str) -> Any:
    """Return botocore's model of a service, ``None`` for a name that botocore does not know."""
    with _model_lock:
        import botocore.session
        from botocore.exceptions import UnknownServiceError

        try:
            return botocore.session.get_session().get_service_model(service)
        except UnknownServiceError:
            return None


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    pattern: re.Pattern[str]
    query: tuple[tuple[str, str], ...]
    required_query: frozenset[str]
    required_headers: frozenset[str]
    literals: int

    def rank(self) -> tuple[int, int, int]:
        return len(self.query), len(self.required_query) + len(self.required_headers), self.literals


def match(
    service: str, method: str, path: str, query: Mapping[str, str], headers: frozenset[str]
) -> tuple[str, dict[str, Any]]:
    """Return a REST request's operation and the members that its path holds.

    :param service: botocore service name.
    :param method: HTTP method.
    :param path: path as it was sent, percent-encoded.
    :param query: query parameters.
    :param headers: names of the request's headers, in lower case.
    :returns: ``("Unknown", {})`` where no operation fits.
    """
    for route in _routes(service).get(method, ()):
        if any(query.get(key) is None or (value and query[key] != value) for key, value in route.query):
            continue
        if not route.required_query <= query.keys() or not route.required_headers <= headers:
            continue
        found = route.pattern.match(path)
        if found:
            return route.operation, {key: urllib.parse.unquote(value) for key, value in found.groupdict().items()}
    return "Unknown", {}


@lru_cache(maxsize=32)
def _routes(service: str) -> dict[str, list[_Route]]:
    """Operations by HTTP method, the most specific one first."""
    model = service_model(service)
    routes: dict[str, list[_Route]] = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        routes.setdefault(operation.http["method"], []).append(_route(name, operation))
    for method_routes in routes.values():
        method_routes.sort(key=_Route.rank, reverse=True)
    return routes


def _route(name: str, operation: Any) -> _Route:
    path, _, query = operation.http["requestUri"].partition("?")
    expression = "".join(
        f"(?P<{re.sub(r'[^A-Za-z0-9_]', '_', part[1:-1].rstrip('+'))}>{'.+' if part.endswith('+}') else '[^/]+'})"
        if part.startswith("{")
        else re.escape(part)
        for part in re.split(r"(\{[^}]+\})", path)
        if part
    )
    shape = operation.input_shape
    required_query, required_headers = set(), set()
    for member in shape.required_members if shape else ():
        serialization = shape.members[member].serialization
        where = serialization.get("location")
        if where == "querystring":
            required_query.add(serialization.get("name", member))
        elif where == "header":
            required_headers.add(serialization.get("name", member).lower())
    return _Route(
        operation=name,
        pattern=re.compile(f"^{expression.rstrip('/') or '/'}/?$"),
        query=tuple(urllib.parse.parse_qsl(query, keep_blank_values=True)),
        required_query=frozenset(required_query),
        required_headers=frozenset(required_headers),
        literals=len(re.sub(r"\{[^}]+\}", "", path)),
    )
