"""`make run` as a command: what it prints and writes when it cannot run."""

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

from brewtrain import resources
from brewtrain.domain.pipeline.file import Pipeline
from tools.run import __main__ as command
from tools.run.processes import Processes


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # It holds the report of an earlier run.
    folder = tmp_path / "var"
    folder.mkdir()
    monkeypatch.setattr(command, "VAR", folder)
    monkeypatch.setattr(command, "WORK", folder / "run")
    monkeypatch.setattr(command, "LAST_RUN", folder / "last_run.json")
    (folder / "last_run.json").write_text('{"outcome": "promoted"}')
    return folder


def test_a_missing_data_file_is_reported_in_one_sentence(
    tmp_path: Path, var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--data", str(tmp_path / "nothing.csv")]) == 1
    assert "is not a file" in " ".join(capsys.readouterr().out.split())
    written = json.loads((var / "last_run.json").read_text())
    assert written["outcome"] == "broken"
    assert "is not a file" in written["reason"]


def test_an_unknown_pipeline_is_refused_with_the_names_of_all_pipelines(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--pipeline", "[/red]nonesuch"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "bank_marketing" in printed
    assert "[/red]nonesuch" in printed, "brackets are text"
    assert json.loads((var / "last_run.json").read_text())["outcome"] == "broken"


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        pytest.param(
            ValueError("something\nodd"), 1, "make run failed unexpectedly (ValueError: something odd)", id="a bug"
        ),
        pytest.param(OSError(errno.ENOSPC, "full"), 1, "No space left on the disk", id="a full disk"),
        pytest.param(KeyboardInterrupt(), 130, "Interrupted", id="an interrupt"),
    ],
)
def test_any_failure_is_one_sentence_and_is_written_to_the_report(
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
        pytest.param("@daily", "2008-05-01", "2010-11-30", ["2010-11-30"], "2010-12-01", id="daily"),
        pytest.param(
            "@weekly", "2008-05-01", "2010-11-30", ["2010-11-20", "2010-11-30"], "2010-11-21",
            id="a week that has not ended does not count",
        ),
        pytest.param("@daily", "2024-01-01", "2026-02-03", ["2026-02-03"], "2026-02-04", id="a later start date"),
    ],
)  # fmt: skip
def test_the_interval_is_the_newest_of_the_schedule_that_has_data(
    schedule: str, start: str, last: str, days: list[str], end: str
) -> None:
    pipeline = scheduled_pipeline(schedule, start)
    found = command.newest_interval_with_data(pipeline, Listing(*days), "b", date.fromisoformat(last))
    assert found.end == datetime(*map(int, end.split("-")), tzinfo=UTC)


def test_a_schedule_without_data_is_reported_in_one_sentence() -> None:
    with pytest.raises(command.RunError, match=r"change start_date or schedule in the pipeline file"):
        command.newest_interval_with_data(
            scheduled_pipeline("@daily", "2024-01-01"), Listing("2010-11-30"), "b", date(2010, 11, 30)
        )


def scheduled_pipeline(schedule: str, start_date: str) -> Pipeline:
    shipped = resources.find_pipeline("bank_marketing")
    return shipped.model_copy(update={"schedule": schedule, "start_date": date.fromisoformat(start_date)})


def test_a_second_run_in_the_same_checkout_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "VAR", tmp_path)
    with (tmp_path / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert command.main([]) == 1
    assert "Another `make run` is active" in capsys.readouterr().out


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
