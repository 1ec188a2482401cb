"""The licences of everything that the locks install, from the packages' own metadata: ``make licences``.

docs/licences.md lists them; a licence that would bind who uses brewtrain, or that forbids a use,
fails. Must not import Airflow.

Source: Core metadata specifications (License-Expression, Classifier, License) of the Python
Packaging User Guide.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
LOCKS = {"run time": "requirements.txt", "development": "requirements-dev.txt"}
# Strong copyleft reaches over a link or a network; the others are no open licences.
_DENIED = re.compile(
    r"\b(AGPL|Affero|GPL-[123]|GPLv[123]|GNU General Public|SSPL|Server Side Public|BUSL|Business Source|"
    r"Commons Clause|Elastic-2|Elastic License|PolyForm|Proprietary|Commercial|Non-?Commercial|CC-BY-NC|NVIDIA)\b",
    re.IGNORECASE,
)
# One of several alternatives that a package offers is enough.
_ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|MPL|Mozilla|PSF|Python Software Foundation|Artistic|LGPL|Lesser General|Zlib|Unlicense|"
    r"0BSD|CC0|Public Domain|Zope|HPND|Historical Permission)\b",
    re.IGNORECASE,
)
UNKNOWN = "not said"
# What a package's metadata do not say, or say in the words of a whole licence text; looked up in
# its source archive.
KNOWN = {"us": "BSD-3-Clause"}
_HEAD = """\
# Licences

What the locks install and under which licences, from the packages' own metadata. Written by `make licences`; a test
fails when a package is missing here, or comes under a licence that would bind who uses brewtrain or forbids a use
(`tools/licences.py` has the rule). brewtrain itself is under Apache-2.0 and contains no third-party code. Versions are
in the locks.

| package | licence | for |
|---|---|---|
"""


def locked(lock: Path) -> set[str]:
    """Return the packages of a lock.

    :param lock: The lock file.
    """
    return set(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==", lock.read_text("utf-8"), re.MULTILINE))


def licence(name: str, metadata: importlib.metadata.PackageMetadata) -> str:
    """Return a package's licence in one line, as its metadata say.

    :param name: Its name as the locks write it.
    :param metadata: Its metadata.
    """
    if name in KNOWN:
        return KNOWN[name]
    if expression := metadata.get("License-Expression"):
        return str(expression)
    prefix = "License :: "
    classifiers = [one for one in metadata.get_all("Classifier") or [] if one.startswith(prefix)]
    named = sorted({one.rsplit(" :: ", 1)[-1] for one in classifiers} - {"OSI Approved"})
    if named:
        return " OR ".join(named)
    lines = (metadata.get("License") or "").strip().splitlines()
    return lines[0].strip()[:80] if lines and lines[0].strip() else UNKNOWN


def denied(text: str) -> bool:
    """Whether a licence may not be among those that are installed.

    :param text: As :func:`licence` returns it.
    """
    if text == UNKNOWN:
        return True
    return all(_DENIED.search(one) or not _ALLOWED.search(one) for one in re.split(r"\s+OR\s+|; ", text))


def installed() -> dict[str, str]:
    """Return the licences of what this environment has, by the name that locks write."""
    found = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        found[name] = licence(name, distribution.metadata)
    return found


def rows(page: str) -> dict[str, str]:
    """Return the licences that a page lists, by package.

    :param page: The page.
    """
    found = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \|", page, re.MULTILINE))
    found.pop("package", None)
    return found


def page(before: str = "") -> str:
    """Return the page.

    :param before: The page until now: packages for other systems and Pythons, which this
        environment lacks, stay.
    """
    kept, here = rows(before), installed()
    users: dict[str, str] = {}
    for use, lock in reversed(LOCKS.items()):
        users |= dict.fromkeys(locked(ROOT / lock), use)
    listed = [name for name in sorted(users) if name in here or name in kept]
    lines = [f"| {name} | {here.get(name) or kept[name]} | {users[name]} |\n" for name in listed]
    return _HEAD + "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write the page; answers the exit code: 1 if a licence is not to be had.

    :param arguments: ``None`` takes ``sys.argv``.
    """
    argparse.ArgumentParser(prog="python -m tools.licences", description=(__doc__ or "").split("\n")[0]).parse_args(
        arguments
    )
    text = page(PAGE.read_text("utf-8") if PAGE.is_file() else "")
    refused = {name: value for name, value in rows(text).items() if denied(value)}
    for name, value in refused.items():
        print(f"licences: {name} is under {value!r}; do without it, or say in tools/licences.py what it is under",
              file=sys.stderr)  # fmt: skip
    PAGE.write_text(text, "utf-8")
    print(f"licences: wrote {PAGE.relative_to(ROOT)}, {len(rows(text))} packages")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
