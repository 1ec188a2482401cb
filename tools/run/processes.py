"""Child processes in their own process groups, stopped whatever happens.

Must not know what the children do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STOP_SECONDS = 4.0
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    # A parent that is killed cannot stop its children, so the kernel does it (on Linux only).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Processes:
    """Processes that are stopped when the context ends, newest first."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def start(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: dict[str, str],
        stdin: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[str]:
        """Start a command in its own session.

        :param log_file: Gets its output.
        :param environment: All of its environment variables.
        :param stdin: Whether the caller writes to its standard input.
        :param pass_fds: File descriptors that it inherits.
        """
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                text=True,
                start_new_session=True,
                pass_fds=pass_fds,
                preexec_fn=_die_with_parent,
            )
        self._running.append(process)
        return process

    def stop_all(self) -> None:
        """Ask every process group to end, and kill it after :data:`STOP_SECONDS`."""
        for process in reversed(self._running):
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            _signal_group(process, signal.SIGTERM)
        for process in reversed(self._running):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
        self._running.clear()


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
