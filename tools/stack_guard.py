"""Stops a stack when the program that started it is gone, however it went.

A test run that is killed gets no chance to stop what it started. This waits for the end of its
standard input, which the operating system closes with the starter, and then stops what the folder's
records name. Must not import Airflow.

    python -m tools.stack_guard FOLDER [--delete]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from tools.airflow_env import ROOT
from tools.local_stack import LocalStack


def start_guard(folder: Path, *, delete: bool = False) -> subprocess.Popen[bytes]:
    """Start a guard of `folder`; close its ``stdin`` to let it go. With `delete` it removes the folder as well."""
    return subprocess.Popen(
        [sys.executable, "-m", "tools.stack_guard", str(folder), *(["--delete"] if delete else [])],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Wait, then stop; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.stack_guard", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--delete", action="store_true", help="remove the folder when everything has stopped")
    options = parser.parse_args(arguments)
    sys.stdin.buffer.read()
    LocalStack(options.folder).stop()
    if options.delete:
        shutil.rmtree(options.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
