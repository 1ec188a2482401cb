"""The stack that `make up` starts: healthy, closed to the network, and refusing a second start."""

from __future__ import annotations

import json
import stat
import urllib.request

import psutil
import pytest

from tests.integration.retraining.night import Night
from tools.local_stack import AIRFLOW_COMPONENTS, LOCAL_AWS, LocalStack, StackError


def test_every_component_says_it_is_healthy(night: Night) -> None:
    assert night.stack.health() == dict.fromkeys([LOCAL_AWS, *AIRFLOW_COMPONENTS, "postgres"], True)


def test_no_dag_file_has_an_import_error(night: Night) -> None:
    assert night.api.import_errors() == {}


def test_the_pool_of_retrainings_counts_deferred_tasks(night: Night) -> None:
    pool = night.api.pool("retraining")
    assert (pool["slots"], pool["include_deferred"]) == (8, True)


def test_listens_on_loopback_only(night: Night) -> None:
    addresses = set()
    for entry in night.stack.running().values():
        parent = entry.process()
        assert parent is not None, f"{entry.name} has ended"
        for process in [parent, *parent.children(recursive=True)]:
            addresses |= {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}


def test_keys_are_private_and_not_in_the_logs(night: Night) -> None:
    secrets = night.stack.airflow_home / "secrets.json"
    for file in (secrets, night.stack.airflow_home / "simple_auth_manager_passwords.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    values = json.loads(secrets.read_text()).values()
    for log in (night.stack.folder / "log").iterdir():
        text = log.read_text(errors="replace")
        assert not [value for value in values if value in text], log


def test_the_ui_answers(night: Night) -> None:
    with urllib.request.urlopen(night.stack.api_url, timeout=30) as response:
        assert "<title>Airflow" in response.read().decode()


def test_a_second_start_is_refused_and_harms_nothing(night: Night) -> None:
    again = LocalStack(night.stack.folder, night.stack.ports)
    with pytest.raises(StackError, match=r"already run from .*; run make down first"):
        again.start()
    assert all(night.stack.health().values())


def test_a_used_port_is_one_sentence(night: Night, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = LocalStack(tmp_path_factory.mktemp("other"), night.stack.ports)
    with pytest.raises(StackError, match=rf"port {night.stack.ports.api} of 127.0.0.1, which the UI needs, is in use"):
        other.start()
    assert other.running() == {}
