"""The server: one process, one port, loopback only.

Puts the front, the services, IAM and the saved state together, and starts and stops them in order.
``start`` is also what tests use in their own process. moto keeps its state per process, so two
servers in one process share it. Must not know any service by name.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_aws import DEFAULT_PORT
from local_aws.core import authorisation, clients, moto_patches, persistence, services
from local_aws.core.front import Front
from local_aws.iam import enforcement

#: Shown by ``GET /health`` beside the services of local_aws.
_SERVED_BY_MOTO = ("s3", "iam", "sts", "cloudformation", "sns", "sqs", "cloudwatch", "logs", "events")


class ServerStartError(Exception):
    """The server cannot start; the message says what to do."""


class ServerHandle:
    """A running server.

    Clients are given its ``endpoint_url``; ``front`` gives tests in the same process the call log
    and the fault rules.
    """

    def __init__(
        self, wsgi_server: Any, front: Front, state: persistence.StateDirectory | None, enforces_iam: bool = False
    ) -> None:
        self._wsgi_server = wsgi_server
        self._enforces_iam = enforces_iam
        self._state = state
        self._stopped = False
        self._stop_lock = threading.Lock()
        self.front = front
        host, port = wsgi_server.server_address[:2]
        self.host, self.port = str(host), int(port)
        self.endpoint_url = f"http://{self.host}:{self.port}"
        # A short poll interval: shutdown() waits up to one of them.
        self._thread = threading.Thread(
            target=wsgi_server.serve_forever, kwargs={"poll_interval": 0.05}, name="local-aws-server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop jobs, save state, close the port; a second call does nothing."""
        with self._stop_lock:
            if self._stopped:
                return
            # Jobs first, while their own calls are still answered.
            try:
                services.call_hook("stop_jobs")
            finally:
                if self._state is not None:
                    self._state.stop()
                self._wsgi_server.shutdown()
                self._wsgi_server.server_close()
                self._thread.join(timeout=10)
                clients.set_endpoint_url(None)
                if self._enforces_iam:
                    enforcement.uninstall()
                self._stopped = True


def require_loopback(host: str) -> None:
    """Refuse an address that other machines can reach.

    :raises ServerStartError: ``host`` is not a loopback address.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ServerStartError(
            f"Refusing to bind {host}: local_aws runs whatever code it is sent and checks no passwords, so only "
            "loopback is served; use --host 127.0.0.1, or --unsafe-allow-non-loopback inside a container network."
        )


def start(
    port: int = 0,
    state_dir: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    *,
    unsafe_allow_non_loopback: bool = False,
    warm_up: bool = False,
    enforce_iam: bool = False,
) -> ServerHandle:
    """Start a server in this process and return once it answers.

    :param port: TCP port; 0 picks a free one.
    :param state_dir: folder in which state is kept across restarts; nothing is kept without it.
    :param host: address to bind.
    :param unsafe_allow_non_loopback: permit an address that other machines can reach.
    :param warm_up: let services preload their workers in the background.
    :param enforce_iam: check every call against the policies of its principal (for all servers of
        this process).
    :raises ServerStartError: the port is taken, the address is refused or the state cannot be read.
    """
    if not unsafe_allow_non_loopback:
        require_loopback(host)
    # Imports moto.
    from local_aws.core import moto_server

    _prepare_services(enforce_iam)
    loopback_only = not unsafe_allow_non_loopback
    front = Front(moto_server.application(), _health_report(), persistence.state_changed, loopback_only=loopback_only)
    _check_port_free(host, port)
    try:
        wsgi_server = moto_server.listen(host, port, front)
    except (OSError, SystemExit) as error:
        raise _port_error(host, port) from error
    clients.set_endpoint_url(f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{wsgi_server.server_address[1]}")  # noqa: S104
    state = None
    if state_dir is not None:
        try:
            state = _open_state(Path(state_dir))
        except persistence.StateDirectoryError as error:
            wsgi_server.server_close()
            raise ServerStartError(str(error)) from error
    handle = ServerHandle(wsgi_server, front, state, enforce_iam)
    if warm_up:
        threading.Thread(target=services.call_hook, args=("warm_up",), name="local-aws-warm-up", daemon=True).start()
    return handle


def _prepare_services(enforce_iam: bool) -> None:
    moto_patches.apply_patches()
    services.register_all()
    enforcement.register()
    if enforce_iam:
        enforcement.install()


def _health_report() -> Callable[[], dict[str, Any]]:
    started_at = time.time()

    def health() -> dict[str, Any]:
        names = [module.__name__.rsplit(".", 1)[-1].rstrip("_") for module in services.registered()]
        return {
            "status": "ok",
            "services": dict.fromkeys(sorted({*names, *_SERVED_BY_MOTO}), "available"),
            "pid": os.getpid(),
            "uptime_seconds": round(time.time() - started_at, 1),
            "iam": "enforce" if authorisation.is_enforced() else "allow",
            "address": clients.endpoint_url(),
        }

    return health


def _open_state(folder: Path) -> persistence.StateDirectory:
    state = persistence.StateDirectory(folder)
    state.load()
    state.start()
    return state


def _check_port_free(host: str, port: int) -> None:
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _port_error(host, port, error) from error


def _port_error(host: str, port: int, error: OSError | None = None) -> ServerStartError:
    why = "is in use" if error is None or error.errno in (98, 48) else f"cannot be bound ({error.strerror})"
    return ServerStartError(
        f"Port {port} on {host} {why}: stop what listens there or choose another one with --port "
        f"(default {DEFAULT_PORT}, 0 picks a free one)."
    )


def report(message: str) -> None:
    """Write one line for the person at the terminal, at once."""
    print(message, file=sys.stdout, flush=True)
