"""The keys of docker-compose.yaml are generated once, private, and never printed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tools.init_keys import main, make_keys


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    keys, login = tmp_path / "keys", tmp_path / "login"
    keys.mkdir()
    login.mkdir()
    return keys, login


def test_keys_are_written_once_and_kept(folders: tuple[Path, Path]) -> None:
    keys, login = folders
    assert make_keys(keys, login, "postgres:5432")
    first = {path.name: path.read_text() for path in keys.iterdir()}
    assert not make_keys(keys, login, "postgres:5432")
    assert {path.name: path.read_text() for path in keys.iterdir()} == first
    password = first["database_password"]
    assert first["database_url"] == f"postgresql+psycopg2://airflow:{password}@postgres:5432/airflow"


def test_a_start_after_an_interrupted_one_keeps_the_password(folders: tuple[Path, Path]) -> None:
    keys, login = folders
    make_keys(keys, login, "postgres:5432")
    password = (keys / "database_password").read_text()
    for name in ("database_url", "jwt_secret"):
        (keys / name).unlink()
    assert make_keys(keys, login, "postgres:5432")
    assert password in (keys / "database_url").read_text()


def test_keys_are_private_and_never_printed(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    keys, login = folders
    assert main(["--keys", str(keys), "--login", str(login), "--database", "postgres:5432"]) == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o640}
    assert stat.S_IMODE((login / "passwords.json").stat().st_mode) == 0o600
    secrets = [path.read_text() for path in keys.iterdir()]
    secrets += json.loads((login / "passwords.json").read_text()).values()
    printed = capsys.readouterr().out
    assert not [secret for secret in secrets if secret in printed]


def test_a_folder_that_cannot_be_written_is_reported_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--keys", str(tmp_path / "no"), "--login", str(tmp_path), "--database", "h:1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
