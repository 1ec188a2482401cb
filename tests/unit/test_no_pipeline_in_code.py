"""A pipeline is a file, and the code names none."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.places import DAGS, INCLUDE, PLUGINS


def python_files() -> list[Path]:
    return [path for folder in (DAGS, PLUGINS) for path in folder.rglob("*.py")]


def test_neither_dags_nor_plugins_name_a_pipeline() -> None:
    words = {"bank", "marketing"}
    words |= {path.stem for path in (INCLUDE / "pipelines").glob("*.y*ml")}
    files = python_files()
    assert len(files) > 20
    found = [f"{path}: {word}" for path in files for word in words if word in path.read_text().lower()]
    assert found == []


def test_neither_dags_nor_plugins_know_local_aws() -> None:
    assert [
        str(path) for path in python_files() if "local_aws" in path.read_text() or "moto" in path.read_text().split()
    ] == []
