"""Start a local AWS in a process of its own on a free port: an account that nobody else uses.

Must not import local_aws: it starts the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tools.component_health import LOCAL_AWS, complaint
from tools.run.processes import Processes, free_port

READY_SECONDS = 90.0


def start_local_aws(processes: Processes, log_file: Path, *arguments: str) -> str:
    """Start ``python -m local_aws`` on a free port and wait until it is healthy.

    :param processes: Stops what is started here.
    :param log_file: Gets what it prints.
    :param arguments: Further arguments, e.g. ``--iam enforce``.
    :returns: Its endpoint URL.
    :raises RuntimeError: It ended, or is not healthy in time; the message has the end of its log.
    """
    server, endpoint_url = launch_local_aws(processes, log_file, *arguments)
    wait_until_healthy(server, endpoint_url, log_file)
    return endpoint_url


def launch_local_aws(processes: Processes, log_file: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start ``python -m local_aws`` like :func:`start_local_aws`, but do not wait for it.

    :returns: The process and its endpoint URL.
    """
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))}
    command = [sys.executable, "-m", "local_aws", "--port", str(port), *arguments]
    return processes.start(command, log_file=log_file, environment=inherited), f"http://127.0.0.1:{port}"


def wait_until_healthy(server: subprocess.Popen[str], endpoint_url: str, log_file: Path) -> None:
    """Wait until a local AWS is healthy.

    :raises RuntimeError: It ended, or is not healthy in time; the message has the end of its log.
    """
    deadline = time.monotonic() + READY_SECONDS
    while problem := complaint(LOCAL_AWS, endpoint_url):
        if server.poll() is not None or time.monotonic() >= deadline:
            end = log_file.read_text("utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"local_aws did not start ({problem}); its log is {log_file}.\n{end}")
        time.sleep(0.05)
