"""moto's WSGI application and request handler, with what local_aws changes in them.

Imports moto, so the server imports this module only when it starts.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

# Read by moto when it is imported.
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from local_aws.core.front import ConnectionDropped, WsgiApplication


class RequestHandler(MotoRequestHandler):  # type: ignore[misc]
    """moto's handler without Nagle's delay (40 ms per kept-alive answer) and without a log."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: the call log has every request."""

    def handle(self) -> None:
        """Serve a connection; a client that disconnects is not an error."""
        with contextlib.suppress(ConnectionError, ConnectionDropped):
            super().handle()


class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
    """moto's dispatcher, which fails obscurely for services that moto does not have."""

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the application of the service a host names.

        :raises NotImplementedError: moto does not have the service.
        """
        found = super().get_backend_for_host(host)
        if found is None and host is not None:
            raise NotImplementedError(host)
        return found


def application() -> WsgiApplication:
    """Return the application that serves every service of moto."""
    made: WsgiApplication = Dispatcher(create_backend_app)
    return made


def listen(host: str, port: int, front: WsgiApplication) -> Any:
    """Open a werkzeug server for ``front``; it serves once ``serve_forever`` is called.

    :param host: address to bind.
    :param port: TCP port; 0 picks a free one.
    :param front: the application to serve.
    """
    return make_server(host, port, front, threaded=True, request_handler=RequestHandler)
