"""Stopping ends exactly what was started: a process is identified by id and start time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tools.local_stack import LocalStack
from tools.metadata_database import postgres_pid


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    yield process
    process.kill()
    process.wait()


def record(folder: Path, name: str, pid: int, started: float) -> None:
    (folder / "processes").mkdir(exist_ok=True)
    (folder / "processes" / f"{name}.json").write_text(json.dumps({"pid": pid, "started": started}))


def test_stopping_ends_what_was_started_and_may_be_repeated(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record(tmp_path, "scheduler", sleeper.pid, psutil.Process(sleeper.pid).create_time())
    stack = LocalStack(tmp_path)
    assert list(stack.running()) == ["scheduler"]
    assert stack.stop() == ["scheduler"]
    assert sleeper.poll() is not None
    assert stack.stop() == []
    assert list((tmp_path / "processes").iterdir()) == []


def test_another_process_that_got_the_same_id_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record(tmp_path, "scheduler", sleeper.pid, psutil.Process(sleeper.pid).create_time() - 60)
    stack = LocalStack(tmp_path)
    assert stack.running() == {}
    assert stack.stop() == []
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="another document"),
        pytest.param('{"pid": "x", "started": 0}', id="an id that is no number"),
        pytest.param('{"pid": 1}', id="no start time"),
    ],
)
def test_a_damaged_record_names_no_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "scheduler.json").write_text(text)
    assert LocalStack(tmp_path).stop() == []


def test_a_leftover_file_of_postgres_names_no_process(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
    assert postgres_pid(tmp_path) is None
