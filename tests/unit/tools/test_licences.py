"""docs/licences.md lists what the locks install, and no package has a licence that is denied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import licences

ROWS = licences.rows(licences.PAGE.read_text("utf-8"))


def test_the_page_is_current() -> None:
    # Rows of packages for other systems and Pythons, which this environment lacks, stay as written.
    before = licences.PAGE.read_text("utf-8")
    assert licences.page(before) == before, "run make licences and commit docs/licences.md"


def test_every_locked_package_is_listed() -> None:
    locked = set().union(*(licences.locked(licences.ROOT / lock) for lock in licences.LOCKS.values()))
    # For Windows, or for Pythons that brewtrain does not support.
    assert locked - ROWS.keys() <= {"colorama", "pywin32", "pyyaml-ft"}
    assert len(ROWS) > 200


@pytest.mark.parametrize("name", ["apache-airflow", "boto3", "moto", "polars", "xgboost-cpu"])
def test_known_licences(name: str) -> None:
    assert ROWS[name] in ("Apache-2.0", "Apache Software License", "MIT", "MIT License")


def test_no_licence_is_denied() -> None:
    assert {name: text for name, text in ROWS.items() if licences.denied(text)} == {}


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-or-later",
        "GNU General Public License v3 (GPLv3)",
        "AGPL-3.0-only",
        "GNU Affero General Public License v3",
        "MIT AND GPL-3.0-only",
        "SSPL-1.0",
        "BUSL-1.1",
        "Apache-2.0 WITH Commons Clause",
        "LicenseRef-NVIDIA-Proprietary",
        "CC-BY-NC-4.0",
        "Elastic-2.0",
        "Some licence nobody knows",
        pytest.param("UNKNOWN", id="what pip-licenses writes for a package without a licence"),
    ],
)
def test_copyleft_and_unknown_licences_are_denied(licence: str) -> None:
    assert licences.denied(licence)


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "Apache-2.0 OR BSD-3-Clause",
        "GNU Library or Lesser General Public License (LGPL)",
        "Artistic License OR GNU General Public License (GPL)",
        "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
        "Python Software Foundation License",
    ],
)
def test_open_licences_and_open_alternatives_are_allowed(licence: str) -> None:
    assert not licences.denied(licence)


def test_licences_are_read_from_the_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    found = licences.installed()
    assert found["boto3"] == "Apache-2.0", "an expression"
    assert found["prettytable"] == "BSD-3-Clause"
    assert found["sniffio"] == "Apache Software License OR MIT License", "alternatives, from classifiers"
    assert found["us"] == licences.KNOWN["us"], "looked up, because its metadata hold a whole licence text"
    monkeypatch.setattr(licences, "KNOWN", {})
    assert licences.denied(licences.installed()["us"])


def test_a_denied_licence_fails_the_command_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(licences, "ROOT", tmp_path)
    monkeypatch.setattr(licences, "PAGE", tmp_path / "licences.md")
    monkeypatch.setattr(licences, "LOCKS", {"run time": "lock.txt"})
    monkeypatch.setattr(licences, "installed", lambda: {"evil": "SSPL-1.0", "kind": "MIT"})
    (tmp_path / "lock.txt").write_text("evil==1.0\nkind==1.0\n")
    assert licences.main([]) == 1
    said = capsys.readouterr()
    assert said.err == (
        "licences: evil has the licence 'SSPL-1.0', which is not allowed; remove the package, or add its real licence "
        "to KNOWN in tools/licences.py\n"
    )
    assert licences.rows((tmp_path / "licences.md").read_text()) == {"evil": "SSPL-1.0", "kind": "MIT"}
