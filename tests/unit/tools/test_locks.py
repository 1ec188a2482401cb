"""The locks pin every package with hashes, name no package host, and agree with each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def pins(name: str) -> dict[str, set[str]]:
    """Return versions by package, with their markers: ``{"numpy": {"2.4.6"}}``."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(\S+(?: ; .*?)?) \\", line):
            found.setdefault(match[1], set()).add(match[2])
    return found


def test_there_are_four_locks() -> None:
    assert LOCKS == [
        "requirements-bootstrap.txt", "requirements-dev.txt", "requirements-floor.txt", "requirements.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(blocks) == sum(len(versions) for versions in pins(name).values()) > 0
    for block in blocks:
        assert "==" in block.splitlines()[0], block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("name", LOCKS)
def test_no_package_host_is_named(name: str) -> None:
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", (ROOT / name).read_text())


def test_development_has_what_runs_and_the_floor_differs_in_airflow_alone() -> None:
    run, develop, floor = pins("requirements.txt"), pins("requirements-dev.txt"), pins("requirements-floor.txt")
    assert {name: develop.get(name) for name in run} == run
    different = {name for name in develop if develop[name] != floor.get(name)}
    assert different == {"apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"}
    assert floor["apache-airflow"] == {"3.3.1"}
    assert pins("requirements-bootstrap.txt")["uv"] == develop["uv"]


def test_the_authoring_environments_packages_stay_out_of_airflows_environment() -> None:
    assert not {"sagemaker", "stepfunctions"} & pins("requirements-dev.txt").keys()


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines()} == phony
    assert {
        "setup",
        "run",
        "up",
        "down",
        "test",
        "test-fast",
        "lint",
        "types",
        "bench",
        "statemachine",
        "lock",
        "pr",
    } < phony
