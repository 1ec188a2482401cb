"""Check every lock for vulnerable and yanked versions, and say what could not be checked.

Three checks, each reported on a line of its own:

1. *locks*, always: every requirement is one exact version with SHA-256 hashes, and there is nothing
   else (no address, no other index), so that what is audited is what is installed.
2. *yanked*: uv asks the package index about the locked versions and warns of those that their
   authors withdrew.
3. *vulnerabilities*: pip-audit asks PyPI's advisory database. When the database knows nothing about
   a package, pip-audit skips it and still reports success, so skipped packages are counted here.

Exit code: 0 nothing found in what could be checked, 1 something found, 3 nothing found, but
something could not be checked and ``--strict`` was given. Must not import Airflow.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-floor.txt",
    "requirements-bootstrap.txt",
    "include/statemachine/requirements.txt",
)
# Advisories that were assessed and do not apply: id → the reason and until when it holds.
ACCEPTED: dict[str, str] = {}
_PIN = re.compile(r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>[^\s;]+)( ; .+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_TIMEOUT_SECONDS = 600


@dataclass
class Findings:
    """What was found and what could not be checked, one sentence each."""

    problems: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)


def check_lock(text: str, name: str) -> list[str]:
    """Return what is wrong with a lock; nothing if every requirement is one version with hashes.

    :param text: Content of the lock.
    :param name: Its name, for messages.
    """
    problems = []
    count = 0
    for line in _requirements(text):
        first, *rest = line.split(" \\\n")
        found = _PIN.fullmatch(first.strip())
        if found is None:
            problems.append(f"{name}: {first.strip()!r} is not one exact version; run make lock")
            continue
        count += 1
        hashes = [one.strip() for one in rest if not one.strip().startswith("#")]
        if not hashes or not all(_HASH.fullmatch(one) for one in hashes):
            problems.append(f"{name}: {found['name']} has no SHA-256 hashes; run make lock")
    if not count:
        problems.append(f"{name}: has no requirements; run make lock")
    return problems


def _requirements(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    current = ""
    for line in lines:
        if current.endswith("\\"):
            current += f"\n{line}"
        else:
            if current:
                yield current
            current = line
    if current:
        yield current


def audit(lock: Path) -> Findings:
    """Check one lock, also against the package index and the advisory database."""
    findings = Findings()
    name = lock.relative_to(ROOT).as_posix()
    findings.problems += check_lock(lock.read_text("utf-8"), name)
    _ask_index(lock, name, findings)
    _ask_advisories(lock, name, findings)
    return findings


def _ask_index(lock: Path, name: str, findings: Findings) -> None:
    command = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "--dry-run", "--no-deps",
               "--require-hashes", "--reinstall", "-r", str(lock)]  # fmt: skip
    ended = _run(command)
    if ended is None or ended.returncode:
        reason = _last_line(ended.stderr) if ended is not None else f"no response within {_TIMEOUT_SECONDS} s"
        findings.not_asked.append(f"{name}: the package index could not be asked for yanked versions ({reason})")
        return
    findings.problems += yanked(ended.stderr, name)


def yanked(output: str, name: str) -> list[str]:
    """Return a sentence for each yanked version that uv warns of.

    :param output: What uv printed on stderr.
    :param name: Name of the lock, for messages.
    """
    return [
        f"{name}: {found[1]} was withdrawn by its authors ({found[2]}); run make lock UPGRADE=1"
        for found in re.finditer(r"`([^`]+)` is yanked(?: \(reason: \"(.*)\"\))?", output)
    ]


def _ask_advisories(lock: Path, name: str, findings: Findings) -> None:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip",
               "--progress-spinner", "off", "--format", "json"]  # fmt: skip
    ended = _run(command)
    if ended is None:
        findings.not_asked.append(f"{name}: pip-audit did not end within {_TIMEOUT_SECONDS} s")
        return
    try:
        document = json.loads(ended.stdout)
    except ValueError:
        reason = _last_line(ended.stderr)
        findings.not_asked.append(f"{name}: the advisory database could not be asked ({reason})")
        return
    found = vulnerabilities(document, name)
    findings.problems += found.problems
    findings.not_asked += found.not_asked


def vulnerabilities(document: dict[str, object], name: str) -> Findings:
    """Return what pip-audit found.

    :param document: Its JSON output.
    :param name: Name of the lock, for messages.
    """
    findings = Findings()
    dependencies = document.get("dependencies")
    assert isinstance(dependencies, list)
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    for one in dependencies:
        for advisory in one.get("vulns", ()):
            ids = {advisory["id"], *advisory.get("aliases", ())}
            if ids & ACCEPTED.keys():
                continue
            fixed = ", ".join(advisory.get("fix_versions") or ()) or "no version yet"
            findings.problems.append(
                f"{name}: {one['name']} {one['version']} has {advisory['id']}, fixed in {fixed}; run make lock "
                "UPGRADE=1, or add to ACCEPTED in tools/audit.py why it does not apply"
            )
    if skipped:
        which = f"any of its {len(skipped)} packages" if len(skipped) == len(dependencies) else ", ".join(skipped)
        findings.not_asked.append(f"{name}: the advisory database has nothing about {which}")
    elif not dependencies:
        findings.not_asked.append(f"{name}: pip-audit found no packages in it")
    return findings


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def main(arguments: list[str] | None = None) -> int:
    """Audit every lock.

    :returns: The exit code; see the module's docstring.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.audit", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--strict", action="store_true", help="exit with 3 when something could not be checked")
    parser.add_argument("--offline", action="store_true", help="check only the locks themselves, without the network")
    options = parser.parse_args(arguments)
    problems: list[str] = []
    not_asked: list[str] = []
    for name in LOCKS:
        if options.offline:
            problems += check_lock((ROOT / name).read_text("utf-8"), name)
            not_asked.append(f"{name}: yanked versions and advisories were not checked (--offline)")
        else:
            found = audit(ROOT / name)
            problems += found.problems
            not_asked += found.not_asked
    for line in problems:
        print(f"audit: FOUND      {line}")
    for line in not_asked:
        print(f"audit: NOT ASKED  {line}")
    missing = f"{len(not_asked)} question(s) without an answer, so the audit is incomplete"
    print(
        f"audit: {len(LOCKS)} locks; {len(problems) or 'nothing'} found; "
        + (missing if not_asked else "package index and advisory database answered for every package")
    )
    if problems:
        return 1
    return 3 if not_asked and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
