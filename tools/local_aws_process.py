"""A local AWS in a process of its own, on a free port: an account that nobody else has touched.

Must not import local_aws: it starts the program.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from pathlib import Path

from tools.run.processes import Processes, free_port

READY_SECONDS = 90.0


def start_local_aws(processes: Processes, log_file: Path, *arguments: str) -> str:
    """Start ``python -m local_aws`` on a free port and wait until it answers.

    :param processes: what is started here is stopped by it.
    :param log_file: takes what it prints.
    :param arguments: further arguments, for instance ``--iam enforce``.
    :returns: its endpoint URL.
    :raises RuntimeError: it does not answer in time; with what it printed.
    """
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))}
    processes.start(
        [sys.executable, "-m", "local_aws", "--port", str(port), *arguments], log_file=log_file, environment=inherited
    )
    endpoint_url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{endpoint_url}/health", timeout=2):
                return endpoint_url
        except OSError:
            if time.monotonic() >= deadline:
                raise RuntimeError(f"local AWS did not start: {log_file.read_text('utf-8')}") from None
            time.sleep(0.1)
