"""What is committed is what the authoring environment renders."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "include" / "statemachine"
PYTHON = Path(os.environ.get("BREWTRAIN_AUTHORING_PYTHON", REPOSITORY / ".venv-authoring" / "bin" / "python"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason=f"no authoring environment at {PYTHON}: `make statemachine` makes it"
    ),
]


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, folder / "workflow.py", "--check"], capture_output=True, text=True, timeout=300, check=False
    )


def test_committed_files_are_what_is_rendered() -> None:
    outcome = check(FOLDER)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_a_difference_is_found_and_shown(tmp_path: Path) -> None:
    for name in ("workflow.py", "retraining.asl.json", "images.json"):
        shutil.copy(FOLDER / name, tmp_path / name)
    shutil.copytree(FOLDER / "parts", tmp_path / "parts")
    definition = tmp_path / "retraining.asl.json"
    definition.write_text(definition.read_text("utf-8").replace("Save Model", "Keep Model"), "utf-8")
    outcome = check(tmp_path)
    assert outcome.returncode == 1
    assert '-    "Keep Model": {' in outcome.stdout
    assert "make statemachine" in outcome.stderr
