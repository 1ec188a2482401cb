"""`make run` as a command: what it says when it cannot even start."""

from __future__ import annotations

import errno
import fcntl
import json
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from tools.run import __main__ as command
from tools.run.processes import Processes


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A var/ of the test's own, with the report of an earlier run in it."""
    folder = tmp_path / "var"
    folder.mkdir()
    monkeypatch.setattr(command, "VAR", folder)
    monkeypatch.setattr(command, "WORK", folder / "run")
    monkeypatch.setattr(command, "LAST_RUN", folder / "last_run.json")
    (folder / "last_run.json").write_text('{"outcome": "promoted"}')
    return folder


def test_a_data_file_that_is_not_there_is_one_sentence(
    tmp_path: Path, var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--data", str(tmp_path / "nothing.csv")]) == 1
    assert "is not a file" in " ".join(capsys.readouterr().out.split())
    written = json.loads((var / "last_run.json").read_text())
    assert written["outcome"] == "broken"
    assert "is not a file" in written["reason"]


def test_a_pipeline_that_is_not_there_names_those_that_are(var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--pipeline", "[/red]nonesuch"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "bank_marketing" in printed
    assert "[/red]nonesuch" in printed, "brackets are text"
    assert json.loads((var / "last_run.json").read_text())["outcome"] == "broken"


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ValueError("something\nodd"), 1, "something unexpected (ValueError: something odd)"),
        (OSError(errno.ENOSPC, "full"), 1, "No space left on the disk"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_whatever_happens_is_one_sentence_and_is_written(
    var: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int,
    sentence: str,
) -> None:  # fmt: skip
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(command.Run, "execute", fail)
    assert command.main([]) == code
    assert sentence in " ".join(capsys.readouterr().out.split())
    written = json.loads((var / "last_run.json").read_text())
    assert written["outcome"] == "broken"
    assert sentence in written["reason"]


class Listing:
    """An S3 client whose bucket has data on these days."""

    def __init__(self, *days: str) -> None:
        self._days = days

    def list_objects_v2(self, *, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, int]:
        return {"KeyCount": sum(day in Prefix for day in self._days)}


@pytest.mark.parametrize(
    ("schedule", "start", "last", "days", "end"),
    [
        ("@daily", "2008-05-01", "2010-11-30", ["2010-11-30"], "2010-12-01"),
        ("@weekly", "2008-05-01", "2010-11-30", ["2010-11-20", "2010-11-30"], "2010-11-21"),
        ("@daily", "2024-01-01", "2026-02-03", ["2026-02-03"], "2026-02-04"),
    ],
)
def test_the_interval_is_the_newest_of_the_schedule_that_has_data(
    schedule: str, start: str, last: str, days: list[str], end: str
) -> None:
    assert _run(schedule, start)._newest_interval(Listing(*days), "b", date.fromisoformat(last)).end == datetime(
        *map(int, end.split("-")), tzinfo=UTC
    )


def test_no_interval_with_data_is_one_sentence() -> None:
    with pytest.raises(command.RunError, match=r"change start_date or schedule in the pipeline file"):
        _run("@daily", "2024-01-01")._newest_interval(Listing("2010-11-30"), "b", date(2010, 11, 30))


def _run(schedule: str, start_date: str) -> command.Run:
    run = command.Run(command.parse_arguments([]), Console())
    run._pipeline = run._pipeline.model_copy(
        update={"schedule": schedule, "start_date": date.fromisoformat(start_date)}
    )
    return run


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
