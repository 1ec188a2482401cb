"""Stop a stack when the program that started it is gone, however it ended.

A test run that is killed cannot stop what it started. The guard waits for the end of its standard
input, which the operating system closes with the starter, and then stops the stack of the folder.
Must not import Airflow.

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
    """Start a guard of a stack; closing its ``stdin`` makes it stop the stack and end.

    :param delete: Whether the guard also deletes the folder.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "tools.stack_guard", str(folder), *(["--delete"] if delete else [])],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Wait for the end of standard input, then stop the stack."""
    parser = argparse.ArgumentParser(prog="python -m tools.stack_guard", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of the stack")
    parser.add_argument("--delete", action="store_true", help="delete the folder when everything has stopped")
    options = parser.parse_args(arguments)
    sys.stdin.buffer.read()
    LocalStack(options.folder).stop()
    if options.delete:
        shutil.rmtree(options.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
