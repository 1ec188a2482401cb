"""A process that has imported the heavy libraries once and forks a worker per run.

Importing polars, xgboost and sqlframe costs seconds; a fork costs milliseconds. The server is
multi-threaded and must not fork itself, so this is a separate single-threaded process, started with
exec by `local_aws.jobs.workers`.

Protocol, JSON lines over the socket whose file descriptor is the only argument:
    in   {"op": "run", "id", "entry": "module:function", "needs": [...], "payload": {...},
          "env": {...}, "cwd", "stdout", "stderr"}
    in   {"op": "preload", "modules": [...]}
    out  {"event": "ready"} | {"event": "started", "id", "pid"} | {"event": "exited", "id", "code"}
A module that cannot be imported is not an error here: the worker that needs it reports it. When the
socket closes or the parent changes, the server has ended: every worker is killed and the process
ends.

Must not import moto, nor anything that starts threads when it is imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

_PR_SET_PDEATHSIG = 1
# A closed socket is noticed at once, unless a process that the server forked still has it open.
_PARENT_CHECK_SECONDS = 2.0


class Zygote:
    """The loop: preload, fork, reap."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""
        self._pending: list[str] = []
        self._running: dict[int, str] = {}
        self._parent = os.getppid()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)

    def serve(self) -> None:
        """Serve until the server closes its end of the socket."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._send({"event": "ready"})
        while True:
            timeout = 0 if self._pending else _PARENT_CHECK_SECONDS
            watched = [self._connection.fileno(), self._wake_read]
            readable, _, _ = select.select(watched, [], [], timeout)
            if self._wake_read in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            self._reap()
            if self._connection.fileno() in readable:
                data = self._connection.recv(1 << 20)
                if not data:
                    break
                self._buffer += data
                *lines, self._buffer = self._buffer.split(b"\n")
                for line in lines:
                    self._handle(json.loads(line))
            elif self._pending:
                _preload(self._pending.pop(0))
            if os.getppid() != self._parent:
                break
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def _handle(self, message: dict[str, Any]) -> None:
        if message["op"] == "preload":
            self._pending.extend(message["modules"])
            return
        for module in message["needs"]:
            _preload(module)
            if module in self._pending:
                self._pending.remove(module)
        gc.freeze()
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(message, zygote)
        self._running[pid] = message["id"]
        self._send({"event": "started", "id": message["id"], "pid": pid})

    def _reap(self) -> None:
        while self._running:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            run_id = self._running.pop(pid, None)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            if run_id is not None:
                self._send({"event": "exited", "id": run_id, "code": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def _become_worker(self, message: dict[str, Any], zygote: int) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self._connection.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            enter(message, zygote)
            module, function = message["entry"].split(":")
            code = int(getattr(importlib.import_module(module), function)(message["payload"]) or 0)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
        except BaseException:  # noqa: BLE001  nothing may escape into the zygote's own loop
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)


def enter(message: dict[str, Any], zygote: int) -> None:
    """Give this process the run's session, environment, directory and output files.

    :param message: the ``run`` message of the protocol.
    :param zygote: process id of the zygote, with which the worker ends.
    """
    os.setsid()
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the closed socket does it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote:
        os._exit(1)  # it died before the kernel was asked to tell
    os.environ.clear()
    os.environ.update(message["env"])
    os.chdir(message["cwd"])
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    for number, path in ((1, message["stdout"]), (2, message["stderr"])):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout = open(  # noqa: SIM115
        1, "w", encoding="utf-8", buffering=1, closefd=False
    )
    sys.stderr = open(  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )


def _preload(module: str) -> None:
    try:
        loaded = importlib.import_module(module)
        warm_up = getattr(loaded, "warm_up", None)
        if module.startswith("local_aws.") and warm_up is not None:
            warm_up()
    except Exception:  # noqa: BLE001  the worker that needs the module reports it
        traceback.print_exc()


def main() -> None:
    """Serve as ``python -m local_aws.jobs.zygote FD`` until the server ends."""
    Zygote(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    main()
