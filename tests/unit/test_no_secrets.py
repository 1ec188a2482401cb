"""Nothing that is committed has the form of a secret: AWS, Airflow, others, private keys."""

from __future__ import annotations

import math
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.fixtures.places import REPOSITORY

# AWS's documentation uses these, and they open nothing.
EXAMPLES = {
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AKIAI44QH8DHBEXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
FORMS = {
    "AWS access key id": re.compile(r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16,17}\b"),
    "AWS secret access key": re.compile(
        r"""(?i)(?:secret[_-]?access[_-]?key|aws[_-]?secret)["']?\s*[:=]\s*["']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"""
    ),
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "Fernet key": re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),
    "token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
    "token of PyPI": re.compile(r"\bpypi-AgEIcHlwaS[A-Za-z0-9_-]{20,}"),
    "token of Slack": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "address with a password": re.compile(r"\b[a-z][a-z0-9+]*://[^\s/:@\"'{}<>$]+:([^\s/:@\"'{}<>$]{6,})@[A-Za-z0-9.-]+"),
}  # fmt: skip


def entropy(text: str) -> float:
    """Return the bits a character: a key has more than 4, a repeated word less."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def secrets(text: str) -> list[str]:
    found = []
    for name, form in FORMS.items():
        for match in form.finditer(text):
            value = match[match.lastindex or 0]
            if value in EXAMPLES or (name == "Fernet key" and entropy(value) < 4):
                continue
            found.append(f"{name}: {value[:6]}…")
    return found


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name and (REPOSITORY / name).is_file()]


def test_nothing_committed_is_a_secret() -> None:
    paths = committed()
    assert len(paths) > 200
    found = {
        path.relative_to(REPOSITORY).as_posix(): secrets(path.read_bytes().decode("utf-8", "replace"))
        for path in paths
        if path != Path(__file__).resolve()
    }
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "name", [".env", "airflow.cfg", "simple_auth_manager_passwords.json.generated", "webserver_config.py"]
)
def test_no_file_that_usually_holds_secrets_is_committed(name: str) -> None:
    assert name not in {path.name for path in committed()}


# Made up here; the scanner must know their form.
SECRETS = {
    "AWS access key id": "key = AKIA" + "Q3EGTX7ZPM4LW2RD",
    "AWS secret access key": "aws_secret_access_key = " + "kJ8sP2mXv9Q" + "wL4tZ7bN1cR6yH3gF5dA0eU+iO/pT",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "Fernet key": "fernet_key: " + "cT9wX3pLm7Rk2Vb" + "Q8sYz4HnJ6fDgA1eUoI5tKxWqZrM=",
    "password in an address": "postgresql://airflow:" + "hunter22@db:5432/airflow",
    "token of GitHub": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
}
HARMLESS = {
    "key of AWS's documentation": "AKIAIOSFODNN7EXAMPLE",
    "hash of a package": "--hash=sha256:" + "a1" * 32,
    "address with a placeholder": "postgresql://airflow:{password}@db",
    "local password": "password: local",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_the_scanner_finds_a_secret(kind: str) -> None:
    assert secrets(SECRETS[kind])


@pytest.mark.parametrize("kind", HARMLESS)
def test_the_scanner_finds_nothing_else(kind: str) -> None:
    assert secrets(HARMLESS[kind]) == []
