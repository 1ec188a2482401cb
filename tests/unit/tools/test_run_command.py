"""`make run` as a command: what it says when it cannot even start."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.run import __main__ as command
from tools.run.processes import Processes


def test_a_data_file_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path / "nothing.csv")]) == 2
    assert "is not a file" in " ".join(capsys.readouterr().out.split())


def test_a_pipeline_that_is_not_there_names_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "VAR", tmp_path)
    assert command.main(["--pipeline", "nonesuch"]) == 1
    assert "bank_marketing" in capsys.readouterr().out


def test_two_at_once_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "VAR", tmp_path)
    with (tmp_path / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert command.main([]) == 1
    assert "Another `make run` is at work" in capsys.readouterr().out


def test_children_are_stopped_with_their_children(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time; c = subprocess.Popen(['sleep', '60']); print(c.pid, flush=True); time.sleep(60)"
    )
    with Processes() as processes:
        child = processes.start([sys.executable, "-c", script], log_file=tmp_path / "log", environment={})
        while not (text := (tmp_path / "log").read_text().strip()):
            assert child.poll() is None
    assert child.returncode == -signal.SIGTERM
    seen = subprocess.run(["ps", "-o", "stat=", "-p", text], capture_output=True, text=True).stdout.strip()
    assert seen[:1] in ("", "Z")
