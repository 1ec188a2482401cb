"""docs/licences.md lists what the locks install, and nothing of it comes under a licence that is denied."""

from __future__ import annotations

from email.message import Message

import pytest

from tools import licences

ROWS = licences.rows(licences.PAGE.read_text("utf-8"))


def test_the_page_is_current() -> None:
    """Packages for other systems and Pythons, which this environment lacks, are as they were written."""
    before = licences.PAGE.read_text("utf-8")
    assert licences.page(before) == before, "run make licences and commit docs/licences.md"


def test_every_locked_package_is_listed() -> None:
    locked = set().union(*(licences.locked(licences.ROOT / lock) for lock in licences.LOCKS.values()))
    # For Windows, or for Pythons that are not supported here.
    assert locked - ROWS.keys() <= {"colorama", "pywin32", "pyyaml-ft"}
    assert len(ROWS) > 200


@pytest.mark.parametrize("name", ["apache-airflow", "boto3", "moto", "polars", "xgboost-cpu"])
def test_known_licences(name: str) -> None:
    assert ROWS[name] in ("Apache-2.0", "Apache Software License", "MIT", "MIT License")


def test_no_licence_is_denied() -> None:
    assert {name: text for name, text in ROWS.items() if licences.denied(text)} == {}


@pytest.mark.parametrize(
    "text",
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
        licences.UNKNOWN,
    ],
)
def test_denied(text: str) -> None:
    assert licences.denied(text)


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "Apache-2.0 OR BSD-3-Clause",
        "GNU Library or Lesser General Public License (LGPL)",
        "Artistic License OR GNU General Public License (GPL)",
        "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
        "Python Software Foundation License",
    ],
)
def test_allowed(text: str) -> None:
    assert not licences.denied(text)


def test_the_metadata_are_read_in_order() -> None:
    def metadata(**fields: str) -> Message:
        message = Message()
        for name, value in fields.items():
            message[name.replace("_", "-")] = value
        return message

    read = licences.licence
    classifier = "License :: OSI Approved :: MIT License"
    assert read("x", metadata(License_Expression="ISC", Classifier=classifier)) == "ISC"  # type: ignore[arg-type]
    assert read("x", metadata(Classifier=classifier, License="text")) == "MIT License"  # type: ignore[arg-type]
    assert read("x", metadata(License="BSD\nlong text")) == "BSD"  # type: ignore[arg-type]
    assert read("x", metadata(Name="x")) == licences.UNKNOWN  # type: ignore[arg-type]
