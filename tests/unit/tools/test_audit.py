"""`make audit` says what it found and what it could not ask, and never confuses the two."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import audit

PIN = "uv==1.0 \\\n    --hash=sha256:" + "a" * 64


@pytest.mark.parametrize("name", audit.LOCKS)
def test_the_locks_hold_only_pins_with_hashes(name: str) -> None:
    assert audit.check_lock((audit.ROOT / name).read_text("utf-8"), name) == []


def test_every_lock_is_audited() -> None:
    assert {(audit.ROOT / name) for name in audit.LOCKS} == {
        *audit.ROOT.glob("requirements*.txt"),
        *(audit.ROOT / "include").rglob("requirements*.txt"),
    }


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("uv>=1.0\n", id="a range"),
        pytest.param("uv==1.0\n", id="no hash"),
        pytest.param("uv==1.0 \\\n    --hash=md5:" + "a" * 32, id="a weak hash"),
        pytest.param("uv @ https://evil.example/uv.whl \\\n    --hash=sha256:" + "a" * 64, id="an address"),
        pytest.param("git+https://evil.example/uv", id="a repository"),
        pytest.param("-e .", id="an editable folder"),
        pytest.param(f"--index-url https://evil.example/simple\n{PIN}", id="another index"),
        pytest.param(f"{PIN}\n--extra-index-url https://evil.example/simple\n", id="a second index"),
    ],
)
def test_a_lock_that_is_not_only_pins_with_hashes_is_found(text: str) -> None:
    assert audit.check_lock(text, "x.txt")


def test_pins_with_extras_and_markers_are_fine() -> None:
    lock = f"# made by make lock\n{PIN}\n    # via x\nmoto[s3,iam]==5.2.5 ; python_version < '3.12' \\\n" + (
        "    --hash=sha256:" + "b" * 64 + " \\\n    --hash=sha256:" + "c" * 64 + "\n    # via -r x.in\n"
    )
    assert audit.check_lock(lock, "x.txt") == []


def test_a_yanked_version_is_found() -> None:
    output = 'Resolved 1 package\nwarning: `attrs==21.1.0` is yanked (reason: "Not importable.")\n'
    (problem,) = audit.yanked(output, "x.txt")
    assert "attrs==21.1.0" in problem
    assert "Not importable." in problem
    assert audit.yanked("Resolved 1 package\n", "x.txt") == []


VULNERABLE = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2"], "fix_versions": ["2.7.3"], "description": ""}],
}


def test_a_vulnerability_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = audit.vulnerabilities({"dependencies": [VULNERABLE]}, "x.txt")
    assert found.not_asked == []
    assert "jinja2 2.4.1 has PYSEC-1, fixed in 2.7.3" in found.problems[0]
    monkeypatch.setitem(audit.ACCEPTED, "CVE-2", "not reached")
    assert audit.vulnerabilities({"dependencies": [VULNERABLE]}, "x.txt").problems == []


def test_a_skipped_package_counts_as_not_asked() -> None:
    skipped = {"name": "uv", "skip_reason": "not found on PyPI"}
    clean = {"name": "six", "version": "1.0", "vulns": []}
    assert audit.vulnerabilities({"dependencies": [clean]}, "x.txt").not_asked == []
    (line,) = audit.vulnerabilities({"dependencies": [clean, skipped]}, "x.txt").not_asked
    assert line == "x.txt: the advisory database has nothing about uv"
    (line,) = audit.vulnerabilities({"dependencies": [skipped]}, "x.txt").not_asked
    assert line == "x.txt: the advisory database has nothing about any of its 1 packages"
    assert audit.vulnerabilities({"dependencies": []}, "x.txt").not_asked


def answers(monkeypatch: pytest.MonkeyPatch, index: tuple[int, str], advisories: Any) -> None:
    def run(command: list[str], *, timeout: float, **_: Any) -> subprocess.CompletedProcess[str]:
        if "uv" in command:
            return subprocess.CompletedProcess(command, index[0], "", index[1])
        if advisories is None:
            raise subprocess.TimeoutExpired(command, timeout)
        text = advisories if isinstance(advisories, str) else json.dumps(advisories)
        return subprocess.CompletedProcess(command, 0, text, "ERROR: could not connect")

    monkeypatch.setattr(subprocess, "run", run)


CLEAN = {"dependencies": [{"name": "six", "version": "1.0", "vulns": []}]}


INDEX_ANSWERS = (0, "")
INDEX_IS_DOWN = (2, "error: no network\n")
FOUND = {"dependencies": [VULNERABLE]}


@pytest.mark.parametrize(
    ("index", "advisories", "arguments", "code", "said"),
    [
        pytest.param(INDEX_ANSWERS, CLEAN, [], 0, "answered for every package", id="nothing found"),
        pytest.param(INDEX_ANSWERS, FOUND, [], 1, "FOUND", id="vulnerable"),
        pytest.param((0, "warning: `six==1.0` is yanked\n"), CLEAN, [], 1, "withdrawn", id="yanked"),
        pytest.param(INDEX_IS_DOWN, CLEAN, [], 0, "no network", id="no index"),
        pytest.param(INDEX_IS_DOWN, CLEAN, ["--strict"], 3, "the audit is incomplete", id="no index, strict"),
        pytest.param(INDEX_ANSWERS, "", ["--strict"], 3, "could not connect", id="no advisories, strict"),
        pytest.param(INDEX_ANSWERS, None, ["--strict"], 3, "did not end", id="advisories time out, strict"),
        pytest.param((2, ""), FOUND, ["--strict"], 1, "FOUND", id="vulnerable and no index, strict"),
        pytest.param((2, ""), None, ["--offline"], 0, "--offline", id="offline"),
    ],
)
def test_the_exit_code_and_the_last_line_tell_found_from_not_asked(
    index: tuple[int, str],
    advisories: Any,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers(monkeypatch, index, advisories)
    assert audit.main(arguments) == code
    out = capsys.readouterr().out
    assert said in out
    assert ("the audit is incomplete" in out) is ("NOT ASKED" in out)


def test_the_tools_that_it_calls_are_locked() -> None:
    text = Path(audit.ROOT / "requirements-dev.in").read_text("utf-8")
    assert "\npip-audit\n" in text
    assert "\nuv\n" in text
