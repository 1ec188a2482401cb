"""Workers that misbehave on purpose, so that tests see what becomes of a run that hangs or dies.

Must not import moto or anything of the server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any


def sleep(payload: dict[str, Any]) -> int:
    """Never end by itself."""
    while True:
        time.sleep(3600)


def ignore_termination(payload: dict[str, Any]) -> int:
    """Never end, not even when asked, and leave a child behind."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", "3600"])
    return sleep(payload)


def die(payload: dict[str, Any]) -> int:
    """End like a process that the kernel kills because memory ran out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0
