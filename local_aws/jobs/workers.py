"""The server's side of the zygotes: start a worker, wait for it, kill it.

One zygote per set of libraries, because a process that has imported everything is larger than any
run needs, and because a DataBrew run should not wait until xgboost has been imported. Nothing is
started by importing this module; `warm_up` or the first run does it.

Must not import moto or boto3.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ZYGOTES: dict[str, tuple[str, ...]] = {
    "databrew": ("local_aws.databrew.worker",),
    "spark": ("local_aws.glue.worker",),
    "xgboost": ("local_aws.sagemaker.training_worker", "local_aws.sagemaker.processing_worker"),
    "python": ("local_aws.jobs.entry",),
}
"""What each zygote imports before it forks; a module that has a `warm_up` function gets it called
once. A run waits for the modules up to its own, or for the first if none is its own; the others are
imported while nothing is asked.
"""

_ROOT = Path(__file__).resolve().parents[2]


class WorkerLostError(RuntimeError):
    """The zygote ended, and every worker with it."""


@dataclass
class Worker:
    """One forked process.

    :param exited: set when the process has ended.
    :param code: exit code; negative is the signal that ended it. None while it runs.
    """

    run_id: str
    pid: int | None = None
    code: int | None = None
    started: threading.Event = field(default_factory=threading.Event)
    exited: threading.Event = field(default_factory=threading.Event)

    def signal(self, number: int) -> None:
        """Send a signal to the worker and to all that it started, if it has not ended."""
        if self.pid is None:
            self.started.wait(timeout=60)
        if self.pid is not None and not self.exited.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def terminate(self, grace_seconds: float = 2.0) -> None:
        """Ask the worker to end, and kill it after ``grace_seconds``."""
        self.signal(signal.SIGTERM)
        if not self.exited.wait(grace_seconds):
            self.signal(signal.SIGKILL)
            self.exited.wait(10)


class _ZygoteClient:
    def __init__(self, modules: tuple[str, ...]) -> None:
        ours, theirs = socket.socketpair()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
            "PYTHONWARNINGS": "ignore",
            "PYTHONUNBUFFERED": "1",
            # A BLAS that has started threads cannot be forked safely.
            "OPENBLAS_NUM_THREADS": "1",
            # OpenMP's waiting threads spin by default; with more runs than cores that makes
            # training ten times slower.
            "OMP_WAIT_POLICY": "PASSIVE",
            "LANG": "C.UTF-8",
        }
        for name in ("LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT", "JAVA_HOME", "COVERAGE_PROCESS_START"):
            if name in os.environ:
                environment[name] = os.environ[name]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local_aws.jobs.zygote", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("LOCAL_AWS_DEBUG") else subprocess.DEVNULL,
                env=environment,
                cwd=_ROOT,
                start_new_session=True,
            )
        self._connection = ours
        self._lock = threading.Lock()
        self._workers: dict[str, Worker] = {}
        self.alive = True
        threading.Thread(target=self._read, name="zygote-reader", daemon=True).start()
        self._send({"op": "preload", "modules": list(modules)})

    def run(self, message: dict[str, Any]) -> Worker:
        worker = Worker(message["id"])
        with self._lock:
            if not self.alive:
                raise WorkerLostError("the process that forks workers has ended; start the run again")
            self._workers[worker.run_id] = worker
        self._send(message)
        return worker

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=5)
        self._connection.close()

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            try:
                self._connection.sendall(data)
            except OSError as error:
                raise WorkerLostError("the process that forks workers has ended; start the run again") from error

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                data = self._connection.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                self._on_event(json.loads(line))
        with self._lock:
            self.alive = False
            lost = list(self._workers.values())
            self._workers.clear()
        for worker in lost:
            worker.started.set()
            worker.signal(signal.SIGKILL)
            worker.code = -signal.SIGKILL
            worker.exited.set()

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            with self._lock:
                worker = self._workers.get(event["id"])
            if worker is not None:
                worker.pid = event["pid"]
                worker.started.set()
        elif event["event"] == "exited":
            with self._lock:
                worker = self._workers.pop(event["id"], None)
            if worker is not None:
                worker.code = event["code"]
                worker.started.set()
                worker.exited.set()


_clients: dict[str, _ZygoteClient] = {}
_clients_lock = threading.Lock()


def start(
    kind: str,
    entry: str,
    payload: dict[str, Any],
    *,
    environment: dict[str, str],
    directory: Path,
    stdout: Path,
    stderr: Path,
) -> Worker:
    """Fork a worker that calls a function.

    :param kind: which zygote: a key of `ZYGOTES`.
    :param entry: ``module:function``; the function takes the payload and returns an exit code.
    :param payload: JSON values handed to the function.
    :param environment: the worker's whole environment.
    :param directory: the worker's current directory.
    :param stdout: file that the worker's output is appended to.
    :param stderr: file that the worker's error output is appended to.
    :raises WorkerLostError: the zygote died while the worker was being started.
    """
    message = {
        "op": "run",
        "id": secrets.token_hex(8),
        "entry": entry,
        "needs": _needs(kind, entry),
        "payload": payload,
        "env": environment,
        "cwd": str(directory),
        "stdout": str(stdout),
        "stderr": str(stderr),
    }
    return _client(kind).run(message)


def _needs(kind: str, entry: str) -> list[str]:
    modules = ZYGOTES[kind]
    own = entry.partition(":")[0]
    return list(modules[: modules.index(own) + 1] if own in modules else modules[:1])


def warm_up(kinds: tuple[str, ...] = tuple(ZYGOTES)) -> None:
    """Start zygotes, so that the first run does not wait for imports; returns at once."""
    for kind in kinds:
        _client(kind)


def running_zygotes() -> dict[str, int]:
    """Return the process ids of the zygotes that run, by kind."""
    with _clients_lock:
        return {kind: client.process.pid for kind, client in _clients.items() if client.alive}


def stop_all() -> None:
    """End every zygote and with them every worker."""
    with _clients_lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()


def _client(kind: str) -> _ZygoteClient:
    with _clients_lock:
        client = _clients.get(kind)
        if client is None or not client.alive:
            if not _clients:
                atexit.unregister(stop_all)
                atexit.register(stop_all)
            if client is not None:
                client.close()
            client = _clients[kind] = _ZygoteClient(ZYGOTES[kind])
        return client
