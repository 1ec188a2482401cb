"""`.ci/run` does what a stranger does, then shows that the tests with shared data pass as well."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED_TESTS = "test ARGS=-m shared"
FAKE_MAKE = """#!/bin/sh
[ "$1" = --version ] && exit
echo "$*|$BREWTRAIN_SHARED" >> "$CALLS"
[ "$*" != "$FAILING" ] || exit 2
"""


class Ci:
    """Runs `.ci/run` with a `make` that only records how it was called."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        make = folder / "bin" / "make"
        make.parent.mkdir()
        make.write_text(FAKE_MAKE)
        make.chmod(0o755)
        self._path = f"{make.parent}{os.pathsep}{os.environ['PATH']}"

    def run(self, shared: Path, failing: str = "nothing") -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        """Return how it ended, and the shared folder that each call of `make` saw, in order."""
        environment = {
            **os.environ, "PATH": self._path, "CALLS": str(self._calls), "FAILING": failing,
            "BREWTRAIN_SHARED": str(shared),
        }  # fmt: skip
        ended = subprocess.run([ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)
        return ended, dict(line.split("|") for line in self._calls.read_text().splitlines())


@pytest.fixture
def ci(tmp_path: Path) -> Ci:
    return Ci(tmp_path)


def test_only_the_tests_that_need_the_shared_folder_see_it(ci: Ci, tmp_path: Path) -> None:
    ended, seen = ci.run(tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert seen.pop(SHARED_TESTS) == str(tmp_path)
    assert list(seen) == ["setup", "lint", "lock-check", "statemachine-check", "test-floor", "test"]
    assert {Path(folder).exists() for folder in seen.values()} == {False}


def test_the_readmes_test_command_runs_last(ci: Ci, tmp_path: Path) -> None:
    assert list(ci.run(tmp_path)[1])[-2:] == [SHARED_TESTS, "test"]


def test_without_the_shared_folder_the_step_says_so_and_passes(ci: Ci, tmp_path: Path) -> None:
    ended, seen = ci.run(tmp_path / "missing")
    assert ended.returncode == 0
    assert SHARED_TESTS not in seen
    assert f"ci: {tmp_path / 'missing'} does not exist, so the tests that need it were not run." in ended.stdout


@pytest.mark.parametrize("failing", [SHARED_TESTS, "lint", "test"])
def test_a_failed_step_fails_the_run_and_the_others_still_run(ci: Ci, tmp_path: Path, failing: str) -> None:
    ended, seen = ci.run(tmp_path, failing)
    assert ended.returncode == 1
    assert len(seen) == 7
    assert ended.stdout.count("FAILED") == 1


def test_a_marker_that_selects_no_test_is_a_failure_that_is_explained(ci: Ci, tmp_path: Path) -> None:
    ended, _ = ci.run(tmp_path, failing=SHARED_TESTS)
    assert "('Error 5' means that no test has the marker 'shared')" in ended.stderr


def test_nothing_runs_without_an_environment(ci: Ci, tmp_path: Path) -> None:
    ended, seen = ci.run(tmp_path, failing="setup")
    assert ended.returncode == 1
    assert list(seen) == ["setup"]
