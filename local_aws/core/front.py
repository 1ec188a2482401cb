"""The WSGI front: what every request passes before moto sees it.

Order: health and control endpoints, identification, fault rules, authorisation, the service, call
log. An exception that nobody handled becomes an AWS error here, never an HTML page. Must not import
any service of local_aws.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
import time
import traceback
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

from local_aws.core import authorisation, aws_errors
from local_aws.core.aws_errors import Refusal
from local_aws.core.call_identity import Call, identify
from local_aws.core.call_log import CallLog
from local_aws.core.control import ControlEndpoints
from local_aws.core.fault_rules import FaultRules

StartResponse = Callable[..., Any]
WsgiApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
}


class ConnectionDropped(Exception):  # noqa: N818 - an event asked for by a fault rule, not a mistake
    """Raised to close the connection without an answer, as a fault rule asked."""


class Front:
    """The WSGI application that the server serves.

    :param application: moto's dispatcher.
    :param health: called for ``GET /health``; what it returns is sent as JSON.
    :param on_change: called after each call that may have changed state.
    :param loopback_only: refuse Host headers that do not name this machine.
    """

    def __init__(
        self,
        application: WsgiApplication,
        health: Callable[[], dict[str, Any]],
        on_change: Callable[[], None],
        *,
        loopback_only: bool = True,
    ) -> None:
        self._loopback_only = loopback_only
        self._application = application
        self._health = health
        self._on_change = on_change
        self.call_log = CallLog()
        self.fault_rules = FaultRules()
        self._control = ControlEndpoints(self.call_log, self.fault_rules)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        path = environ.get("PATH_INFO", "/")
        if is_foreign_page(environ, self._loopback_only):
            return _json(start_response, 403, {"message": "local_aws refuses requests that come from web pages."})
        if path.startswith("/_local/"):
            return self._answer_control(environ, path[len("/_local/") :], start_response)
        if path in ("/health", "/_localstack/health") and "HTTP_AUTHORIZATION" not in environ:
            return _json(start_response, 200, self._health())
        return self._aws(environ, start_response)

    def _aws(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        call = identify(environ)
        if is_unreadable(environ.get("HTTP_AUTHORIZATION", "")):
            message = "The Authorization header is not an AWS signature: sign the request with AWS Signature Version 4."
            status, headers, body = _refuse(call, Refusal("IncompleteSignature", message, 400))
            self._record(call, 400, "IncompleteSignature", started, None)
            start_response(status, headers)
            return [body]
        delay, rule = self.fault_rules.judge(call)
        if delay:
            time.sleep(delay)
        fault = rule.id if rule else ("delay" if delay else None)
        refusal = rule.refusal(call) if rule else None
        if refusal is None or (rule is not None and rule.when == "after"):
            status, headers, body = self._serve(environ, call)
        if refusal is not None:
            if refusal.drop:
                self._record(call, 0, "ConnectionDropped", started, fault)
                _drop(environ)
            status, headers, body = _refuse(call, refusal)
        if call.operation[:3] not in ("Get", "Lis", "Des", "Hea"):
            self._on_change()
        code = int(status.split(" ", 1)[0])
        self._record(call, code, aws_errors.code_of(headers, body) if code >= 400 else None, started, fault)
        start_response(status, headers)
        return [body]

    def _serve(self, environ: dict[str, Any], call: Call) -> tuple[str, list[tuple[str, str]], bytes]:
        denial = authorisation.authorise(call)
        if denial is not None:
            usual = "AccessDenied" if call.protocol in ("query", "rest-xml") else "AccessDeniedException"
            status, headers, body = _refuse(call, Refusal(denial.code or usual, denial.message, denial.status))
            # An answer to HEAD has no body: SDKs then take the status for the code.
            return status, headers, b"" if environ.get("REQUEST_METHOD") == "HEAD" else body
        answer: dict[str, Any] = {}

        def remember(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
            answer["status"], answer["headers"] = status, headers
            return lambda data: None

        try:
            chunks = self._application(environ, remember)
            try:
                body = b"".join(chunks)
            finally:
                close = getattr(chunks, "close", None)
                if close is not None:
                    close()
        except NotImplementedError:
            message = f"local_aws does not serve {call.action}; see docs/local-aws.md."
            return _refuse(call, Refusal("UnknownOperationException", message, 400))
        except Exception as error:  # noqa: BLE001 - the last line: whatever a service raises must leave as an AWS error
            traceback.print_exc(file=sys.stderr)
            message = f"{call.action} failed inside local_aws: {type(error).__name__}: {error}"
            return _refuse(call, Refusal("InternalFailure", message, 500))
        status, headers = str(answer["status"]), answer["headers"]
        if int(status[:3]) >= 400 and _is_html_page(headers, body, unknown=call.operation == "Unknown"):
            code = "InternalFailure" if status.startswith("5") else "UnknownOperationException"
            return _refuse(call, Refusal(code, f"local_aws does not serve {call.action}.", int(status[:3])))
        return status, headers, body

    def _record(self, call: Call, status: int, error_code: str | None, started: float, fault: str | None) -> None:
        self.call_log.append(
            principal=call.principal.arn,
            service=call.service,
            operation=call.operation,
            action=call.action,
            resource=call.resource,
            name=str(name) if (name := call.params.get("name", call.params.get("Name"))) is not None else None,
            status=status,
            error_code=error_code,
            seconds=round(time.monotonic() - started, 4),
            fault=fault,
        )

    def _answer_control(self, environ: dict[str, Any], path: str, start_response: StartResponse) -> Iterable[bytes]:
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        try:
            raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            body = json.loads(raw) if raw.strip() else None
        except ValueError as error:
            return _json(start_response, 400, {"message": f"Control request body is not JSON: {error}."})
        status, answer = self._control.answer(environ.get("REQUEST_METHOD", "GET"), path.strip("/"), query, body)
        return _json(start_response, status, answer)


def is_foreign_page(environ: dict[str, Any], loopback_only: bool) -> bool:
    """Whether a web page made the request, which must not be able to send local_aws code to run.

    Browsers say so by ``Origin`` or ``Sec-Fetch-Site``; a page that had its own name resolved to
    this machine (DNS rebinding) is told by the ``Host`` header.
    """
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _is_this_machine(urllib.parse.urlsplit(origin).hostname or ""):
        return True
    if environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("none", "same-origin"):
        return True
    host = urllib.parse.urlsplit(f"//{environ.get('HTTP_HOST', 'localhost')}").hostname or ""
    return loopback_only and not _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse(call: Call, refusal: Refusal) -> tuple[str, list[tuple[str, str]], bytes]:
    headers, body = aws_errors.render(call.protocol, refusal.code, refusal.message)
    headers.append(("Content-Length", str(len(body))))
    return f"{refusal.status} {_REASONS.get(refusal.status, 'Error')}", headers, body


def is_unreadable(authorization: str) -> bool:
    """Whether an ``Authorization`` header has neither form of AWS (signature version 4 or 2)."""
    return bool(authorization) and not (
        authorization.startswith("AWS ") or re.search(r"Credential=[^/,\s]+/\d{8}/[^/]+/[^/]+/", authorization)
    )


def _is_html_page(headers: list[tuple[str, str]], body: bytes, *, unknown: bool) -> bool:
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    page = b"<!doctype html" in body[:64].lower() or (unknown and not body)
    return content_type.startswith("text/html") and page


def _drop(environ: dict[str, Any]) -> None:
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        import socket

        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionDropped("Connection closed by a fault rule.")


def _json(start_response: StartResponse, status: int, answer: Any) -> Iterable[bytes]:
    body = json.dumps(answer, default=str).encode()
    start_response(
        f"{status} {_REASONS.get(status, 'Error')}",
        [("Content-Type", "application/json"), ("Content-Length", str(len(body)))],
    )
    return [body]
