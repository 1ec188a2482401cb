"""Write docs/licences.md: what the locks install, and under which licences.

pip-licenses reads the licences from the packages' own metadata. The command fails when a licence
would bind the users of brewtrain or forbids a use. Must not import Airflow.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
LOCKS = {"run time": "requirements.txt", "development": "requirements-dev.txt"}
# Strong copyleft also binds what links to it or calls it over a network; the others are not open
# source.
_DENIED = re.compile(
    r"\b(AGPL|Affero|GPL-[123]|GPLv[123]|GNU General Public|SSPL|Server Side Public|BUSL|Business Source|"
    r"Commons Clause|Elastic-2|Elastic License|PolyForm|Proprietary|Commercial|Non-?Commercial|CC-BY-NC|NVIDIA)\b",
    re.IGNORECASE,
)
# One of the alternatives that a package offers is enough.
_ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|MPL|Mozilla|PSF|Python Software Foundation|Artistic|LGPL|Lesser General|Zlib|Unlicense|"
    r"0BSD|CC0|Public Domain|Zope|HPND|Historical Permission)\b",
    re.IGNORECASE,
)
# Packages whose metadata hold the text of a licence instead of its name; looked up in their source
# archives.
KNOWN = {"us": "BSD-3-Clause"}
_HEAD = """\
# Licences

What the locks install, and under which licences, from the packages' own metadata. Written by
`make licences`; a test fails when a package is missing here, or when its licence would bind the
users of brewtrain or forbids a use (`tools/licences.py` has the rule). brewtrain itself is under
Apache-2.0 and contains no third-party code. Versions are in the locks.

| package | licence | for |
|---|---|---|
"""


def locked(lock: Path) -> set[str]:
    """Return the names of the packages in a lock file."""
    return set(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==", lock.read_text("utf-8"), re.MULTILINE))


def denied(licence: str) -> bool:
    """Return whether no installed package may have this licence.

    :param licence: As :func:`installed` returns it; of alternatives (``OR``) one suffices.
    """
    return all(_DENIED.search(one) or not _ALLOWED.search(one) for one in re.split(r"\s+OR\s+|; ", licence))


def installed() -> dict[str, str]:
    """Return the licence of each package in this environment, under the name that locks use."""
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--with-system", "--format=json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for package in json.loads(ended.stdout):
        name = re.sub(r"[-_.]+", "-", package["Name"]).lower()
        found[name] = KNOWN.get(name) or package["License"].splitlines()[0].replace("; ", " OR ")
    return found


def rows(page: str) -> dict[str, str]:
    """Return the licences that a page lists, by package."""
    found = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \|", page, re.MULTILINE))
    found.pop("package", None)
    return found


def page(before: str = "") -> str:
    """Return the page.

    :param before: The page as it is now. It keeps the rows of packages for other systems and
        Pythons, which this environment does not have.
    """
    kept, here = rows(before), installed()
    users: dict[str, str] = {}
    for use, lock in reversed(LOCKS.items()):
        users |= dict.fromkeys(locked(ROOT / lock), use)
    listed = [name for name in sorted(users) if name in here or name in kept]
    lines = [f"| {name} | {here.get(name) or kept[name]} | {users[name]} |\n" for name in listed]
    return _HEAD + "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write the page.

    :returns: The exit code: 1 if a licence is denied.
    """
    argparse.ArgumentParser(prog="python -m tools.licences", description=(__doc__ or "").split("\n")[0]).parse_args(
        arguments
    )
    text = page(PAGE.read_text("utf-8") if PAGE.is_file() else "")
    refused = {name: value for name, value in rows(text).items() if denied(value)}
    for name, value in refused.items():
        print(
            f"licences: {name} has the licence {value!r}, which is not allowed; remove the package, or add its real "
            "licence to KNOWN in tools/licences.py",
            file=sys.stderr,
        )
    PAGE.write_text(text, "utf-8")
    print(f"licences: wrote {PAGE.relative_to(ROOT)}, {len(rows(text))} packages")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
