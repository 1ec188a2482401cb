"""Airflow's environment is complete and private, and holds nothing of a person's own settings."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tools.airflow_env import Secrets, airflow_environment, connection

ENDPOINT = "http://127.0.0.1:4566"


def test_secrets_are_generated_once_for_each_home_and_are_private(tmp_path: Path) -> None:
    first = Secrets.of(tmp_path / "a")
    assert Secrets.of(tmp_path / "a") == first
    assert Secrets.of(tmp_path / "b") != first
    assert stat.S_IMODE((tmp_path / "a" / "secrets.json").stat().st_mode) == 0o600
    assert len(first.jwt_secret) >= 64, "HS512 wants 64 bytes"


def test_damaged_secrets_are_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{}")
    with pytest.raises(ValueError, match=r"secrets\.json is damaged \(.*\); delete .* and start again\.$"):
        Secrets.of(tmp_path)


def test_the_connection_names_endpoint_region_and_test_keys() -> None:
    value = json.loads(connection(ENDPOINT))
    assert value["conn_type"] == "aws"
    assert value["extra"] == {"region_name": "us-east-1", "endpoint_url": ENDPOINT}
    assert {"login", "password"} <= value.keys()


def test_real_aws_is_the_same_connection_without_endpoint_and_keys() -> None:
    assert json.loads(connection(None, "eu-west-1")) == {"conn_type": "aws", "extra": {"region_name": "eu-west-1"}}


def test_settings_of_another_airflow_and_aws_credentials_stay_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONN_OTHER", "_AIRFLOW_X"):
        monkeypatch.setenv(name, "foreign")
    monkeypatch.setenv("BREWTRAIN_INCLUDE", "kept")
    found = airflow_environment(airflow_home=tmp_path, endpoint_url=ENDPOINT)
    assert "foreign" not in found.values()
    assert found["BREWTRAIN_INCLUDE"] == "kept"
    real = airflow_environment(airflow_home=tmp_path, endpoint_url=None)
    assert real["AWS_PROFILE"] == "foreign", "real AWS needs the person's own credentials"
    assert "AIRFLOW_CONN_OTHER" not in real


def test_listens_on_loopback_and_keeps_the_password_out_of_the_environment(tmp_path: Path) -> None:
    found = airflow_environment(airflow_home=tmp_path, endpoint_url=ENDPOINT, api_port=18080)
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18080/execution/"
    passwords = Path(found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    password = json.loads(passwords.read_text())["admin"]
    assert password not in "".join(found.values())


def test_further_dag_folders_become_bundles_and_overrides_win(tmp_path: Path) -> None:
    found = airflow_environment(
        airflow_home=tmp_path,
        endpoint_url=ENDPOINT,
        dag_folders={"tests": tmp_path},
        overrides={"AIRFLOW__CORE__PARALLELISM": "2"},
    )
    bundles = json.loads(found["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [bundle["name"] for bundle in bundles] == ["dags-folder", "tests"]
    assert found["AIRFLOW__CORE__PARALLELISM"] == "2"
