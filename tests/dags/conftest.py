"""An Airflow home, and an include folder that a test may edit."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Importing Airflow makes a configuration file in its home: not in the developer's own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """Return a copy of include/ that a test may edit."""
    copy = tmp_path / "include"
    shutil.copytree(REPOSITORY / "include", copy, ignore=shutil.ignore_patterns("__pycache__", ".venv*"))
    return copy
