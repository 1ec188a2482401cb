"""Which tests share a worker: tests/distribution.py."""

from __future__ import annotations

import os

import pytest

from tests import distribution

workers: set[str | None] = set()


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/integration/test_compose.py::test_x", "tests/integration/"),
        ("tests/integration/retraining/test_retrain.py::test_x[a::b]", "tests/integration/"),
        ("tests/integration/retraining/test_faults.py::test_x", "tests/integration/retraining/test_faults.py"),
        ("tests/integration/retraining/test_deployments.py::test_x", "tests/integration/retraining/test_backfill.py"),
        ("tests/unit/domain/evaluation/test_gate.py::TestX::test_y", "tests/unit/domain/evaluation/test_gate.py"),
    ],
)
def test_each_airflow_shares_a_worker_and_so_does_a_file(nodeid: str, scope: str) -> None:
    assert distribution.scope(nodeid) == scope


def test_the_longest_groups_start_first() -> None:
    airflow = "tests/integration/retraining/test_{}.py::t".format
    expected = [airflow("faults"), "tests/integration/d.py::t", airflow("retrain"), airflow("backfill")]
    expected += [airflow("deployments"), "tests/e2e/b.py::t", "tests/unit/a.py::t", "tests/dags/c.py::t"]
    shuffled = [expected[place] for place in (6, 5, 7, 4, 1, 0, 2, 3)]
    assert sorted(shuffled, key=distribution.rank) == expected


@pytest.mark.parametrize("turn", range(4))
def test_this_file_really_runs_on_one_worker(turn: int) -> None:
    # A plugin that pytest no longer heeds would send every other of these elsewhere.
    workers.add(os.environ.get("PYTEST_XDIST_WORKER"))
    assert len(workers) == 1
    _seen.append(turn)
    assert _seen == list(range(turn + 1))


_seen: list[int] = []
