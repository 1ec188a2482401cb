"""Airflow imports every .py below plugins/ by its bare stem, unless .airflowignore forbids it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOAD = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
stems = {stems!r}
print("RESULT " + json.dumps({{
    "plugins": [plugin.name for plugin in plugins],
    "errors": {{str(key): str(value) for key, value in errors.items()}},
    "doubles": sorted(stem for stem in stems if stem in sys.modules
                      and str(getattr(sys.modules[stem], "__file__", "")).startswith({plugins!r})),
}}))
"""


def _load(folder: Path, home: Path) -> dict[str, Any]:
    stems = sorted({path.stem for path in (folder / "brewtrain").rglob("*.py") if path.stem != "__init__"})
    assert len(stems) > 20
    ended = subprocess.run(
        [sys.executable, "-c", LOAD.format(stems=stems, plugins=str(folder))],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    loaded: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return loaded


def test_only_the_plugin_is_loaded_and_the_package_not_a_second_time(tmp_path: Path) -> None:
    loaded = _load(REPOSITORY / "plugins", tmp_path)
    assert "brewtrain" in loaded["plugins"]
    assert loaded["errors"] == {}
    assert loaded["doubles"] == [], "plugins/.airflowignore must keep the loader out of brewtrain/"


@pytest.mark.slow
def test_programs_of_include_are_not_loaded_where_it_travels_inside_plugins(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    shutil.copytree(REPOSITORY / "plugins", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "include", folder / "include", ignore=shutil.ignore_patterns("__pycache__"))
    loaded = _load(folder, tmp_path)
    assert loaded["errors"] == {}, "plugins/.airflowignore must keep the loader out of include/"
    assert loaded["doubles"] == []


@pytest.mark.slow
def test_the_trap_is_real(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    shutil.copytree(REPOSITORY / "plugins", folder, ignore=shutil.ignore_patterns("__pycache__", ".airflowignore"))
    loaded = _load(folder, tmp_path)
    assert {"rollback", "stepfunctions"} <= set(loaded["doubles"])
