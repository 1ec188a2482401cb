"""``make audit``: what is found, what could not be asked, and that the two are never mixed up."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import audit

PIN = "uv==1.0 \\\n    --hash=sha256:" + "a" * 64


@pytest.mark.parametrize("name", audit.LOCKS)
def test_the_locks_are_whole(name: str) -> None:
    assert audit.check_lock((audit.ROOT / name).read_text("utf-8"), name) == []


def test_every_lock_is_audited() -> None:
    assert {(audit.ROOT / name) for name in audit.LOCKS} == {
        *audit.ROOT.glob("requirements*.txt"),
        *(audit.ROOT / "include").rglob("requirements*.txt"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uv>=1.0\n",
        "uv==1.0\n",
        "uv==1.0 \\\n    --hash=md5:" + "a" * 32,
        "uv @ https://evil.example/uv.whl \\\n    --hash=sha256:" + "a" * 64,
        "git+https://evil.example/uv",
        "-e .",
        f"--index-url https://evil.example/simple\n{PIN}",
        f"{PIN}\n--extra-index-url https://evil.example/simple\n",
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


def test_a_package_that_was_skipped_is_not_clean() -> None:
    skipped = {"name": "uv", "skip_reason": "not found on PyPI"}
    clean = {"name": "six", "version": "1.0", "vulns": []}
    assert audit.vulnerabilities({"dependencies": [clean]}, "x.txt").not_asked == []
    (line,) = audit.vulnerabilities({"dependencies": [clean, skipped]}, "x.txt").not_asked
    assert "for uv" in line
    (line,) = audit.vulnerabilities({"dependencies": [skipped]}, "x.txt").not_asked
    assert "any of its 1 packages" in line
    assert audit.vulnerabilities({"dependencies": []}, "x.txt").not_asked


def answers(monkeypatch: pytest.MonkeyPatch, index: tuple[int, str], advisories: Any) -> None:
    def run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
        if "uv" in command:
            return subprocess.CompletedProcess(command, index[0], "", index[1])
        if advisories is None:
            return None
        text = advisories if isinstance(advisories, str) else json.dumps(advisories)
        return subprocess.CompletedProcess(command, 0, text, "ERROR: could not connect")

    monkeypatch.setattr(audit, "_run", run)


CLEAN = {"dependencies": [{"name": "six", "version": "1.0", "vulns": []}]}


@pytest.mark.parametrize(
    ("index", "advisories", "arguments", "code", "said"),
    [
        ((0, ""), CLEAN, [], 0, "answered for every package"),
        ((0, ""), {"dependencies": [VULNERABLE]}, [], 1, "FOUND"),
        ((0, "warning: `six==1.0` is yanked\n"), CLEAN, [], 1, "taken back"),
        ((2, "error: no network\n"), CLEAN, [], 0, "no network"),
        ((2, "error: no network\n"), CLEAN, ["--strict"], 3, "no clean bill"),
        ((0, ""), "", ["--strict"], 3, "could not connect"),
        ((0, ""), None, ["--strict"], 3, "no answer"),
        ((2, ""), {"dependencies": [VULNERABLE]}, ["--strict"], 1, "FOUND"),
        ((2, ""), None, ["--offline"], 0, "--offline"),
    ],
)
def test_exit_codes(
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
    assert ("no clean bill" in out) is ("NOT ASKED" in out)


def test_the_tools_that_it_calls_are_locked() -> None:
    text = Path(audit.ROOT / "requirements-dev.in").read_text("utf-8")
    assert "\npip-audit\n" in text
    assert "\nuv\n" in text
