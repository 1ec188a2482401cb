"""`make run` as a person runs it: the command, its exit code and var/last_run.json."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fixtures.places import REPOSITORY
from tests.fixtures.waiting import wait_until
from tools.sample_data import write_csv

ROWS = 6000

pytestmark = [pytest.mark.slow, pytest.mark.integration]

Retrain = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the project to run in, so that the person's own var/ is left alone."""
    target = tmp_path / "brewtrain"
    left_out = shutil.ignore_patterns(".venv*", "var", ".git", "tests", ".*_cache", ".hypothesis", "__pycache__")
    shutil.copytree(REPOSITORY, target, ignore=left_out)
    return target


@pytest.fixture
def retrain(checkout: Path) -> Retrain:
    """Return a function that runs the command: its exit code, last_run.json and what it printed."""

    def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(
            [sys.executable, "-m", "tools.run", *arguments],
            cwd=checkout, capture_output=True, text=True, timeout=400, env=_environment(),
        )  # fmt: skip
        report = checkout / "var" / "last_run.json"
        return done.returncode, json.loads(report.read_text()) if report.exists() else {}, done.stdout + done.stderr

    return run


# In the place of what a person has in a shell: nothing of it may be written down.
CANARY = "c4n4ry0f5ecret5Shell"


def _environment() -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_", "PYTEST"))
    }
    return {**inherited, "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_ACCESS_KEY_ID": "real", "SOME_API_TOKEN": CANARY}


def test_the_sample_is_retrained_with_every_permission_enforced(retrain: Retrain, checkout: Path) -> None:
    code, report, printed = retrain("--rows", str(ROWS), "--iam", "enforce")
    assert code == 0, printed
    assert "policies enforced" in printed
    assert CANARY not in printed
    written = [path for path in (checkout / "var").rglob("*") if path.is_file() and not path.is_symlink()]
    assert checkout / "var" / "last_run.json" in written
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert report["outcome"] in ("promoted", "rejected")
    assert [stage["name"] for stage in report["stages"]][:5] == ["transform", "split", "train", "evaluate", "gate"]
    assert 0.5 < report["metrics"]["validation:auc"] < 0.95
    assert set(report["seconds"]) == {"setup", "deploy", "retrain", "total"}
    assert "sample generator" in printed
    page = (checkout / report["evaluation"]).read_text(encoding="utf-8")
    assert report["evaluation"] in printed
    assert "Precision over recall" in page
    if report["outcome"] == "promoted":
        assert report["endpoint"]["model"]
        assert len(report["predictions"]) == 3
        assert all(0 <= row["score"] <= 1 for row in report["predictions"])
        assert len({row["score"] for row in report["predictions"]}) > 1


def test_a_real_file_is_retrained(retrain: Retrain, shared_dir: Path) -> None:
    code, report, printed = retrain("--data", str(shared_dir / "data" / "bank-additional.csv"))
    assert code == 0, printed
    assert report["outcome"] in ("promoted", "rejected")
    assert 0.7 < report["metrics"]["validation:auc"] < 0.9
    assert report["majority_class_error"] == pytest.approx(0.1095, abs=0.03)


def _no_label(text: str) -> bytes:
    return "\n".join(line.rpartition(";")[0] for line in text.splitlines()).encode()


def _comma(text: str) -> bytes:
    return text.replace(";", ",").encode()


def _latin1(text: str) -> bytes:
    return text.replace("blue-collar", "blüe-collar").encode("latin-1")


def _other_label(text: str) -> bytes:
    return text.replace(';"no"\n', ';"maybe"\n').encode()


BAD = {
    "missing column": (_no_label, "y"),
    "wrong delimiter": (_comma, "delimiter"),
    "not UTF-8": (_latin1, "UTF-8"),
    "other labels": (_other_label, "y_output"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_data_ends_with_one_sentence_and_nothing_deployed(retrain: Retrain, tmp_path: Path, fault: str) -> None:
    spoil, named = BAD[fault]
    source, spoilt = tmp_path / "sample.csv", tmp_path / "spoilt.csv"
    write_csv(source, ROWS, 0)
    spoilt.write_bytes(spoil(source.read_text()))
    code, report, printed = retrain("--data", str(spoilt))
    assert code == 1, printed
    assert report["outcome"] == "broken"
    assert named in report["reason"], report["reason"]
    assert "\n" not in report["reason"]
    assert report["endpoint"]["model"] is None
    assert report["predictions"] == []
    assert "Traceback" not in printed


def test_four_kinds_of_bad_data_are_tried() -> None:
    assert len(BAD) == 4


def test_an_interrupt_leaves_no_process_behind(checkout: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.run", "--rows", str(ROWS)],
        cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment(),
    )  # fmt: skip
    me = psutil.Process(process.pid)

    def two_children() -> list[psutil.Process]:
        assert process.poll() is None, "make run has ended"
        children = me.children(recursive=True)
        return children if len(children) >= 2 else []

    children = wait_until(two_children, seconds=60, what="make run starts two processes")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert len(gone) == len(children)
