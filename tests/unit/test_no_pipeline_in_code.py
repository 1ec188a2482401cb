"""A pipeline is a file: the code knows none of them."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_neither_dags_nor_plugins_name_a_pipeline() -> None:
    words = {"bank", "marketing"}
    words |= {path.stem for path in (REPOSITORY / "include" / "pipelines").glob("*.y*ml")}
    files = [path for folder in ("dags", "plugins") for path in (REPOSITORY / folder).rglob("*.py")]
    assert len(files) > 20
    found = [f"{path}: {word}" for path in files for word in words if word in path.read_text().lower()]
    assert found == []


def test_neither_dags_nor_plugins_know_local_aws() -> None:
    files = [path for folder in ("dags", "plugins") for path in (REPOSITORY / folder).rglob("*.py")]
    assert [str(path) for path in files if "local_aws" in path.read_text() or "moto" in path.read_text().split()] == []
