"""Says which tests share a pytest-xdist worker, and which start first.

Loaded by the Makefile (``-p tests.distribution``) with ``--dist loadscope``. Tests of one file stay together, so that
module fixtures are built once. What starts real Airflow components is two groups, each with an Airflow of its own, and
starts first, since it takes longest and mostly waits. ``loadgroup`` of xdist cannot be used: it writes the group into
the test's id, which pytest 9.2 ignores without a word. Must not import anything of the project: it is loaded before the
paths are set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

AIRFLOW = "tests/integration/"
# About half of the time that all of them take.
FAULTS = tuple(f"{AIRFLOW}retraining/test_{name}.py" for name in ("faults", "backfill", "deployments"))
# The longest first, so that no worker is left with one of them at the end.
FIRST = (*FAULTS, AIRFLOW, "tests/e2e/")


def scope(nodeid: str) -> str:
    """What a test is kept together with: one of two Airflows, otherwise its file."""
    file = nodeid.split("::", 1)[0]
    if file in FAULTS:
        return "faults"
    return AIRFLOW if file.startswith(AIRFLOW) else file


def rank(nodeid: str) -> int:
    """Place of a test's folder in :data:`FIRST`, or behind all of them."""
    return next((place for place, folder in enumerate(FIRST) if nodeid.startswith(folder)), len(FIRST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first; the order within a file stays."""
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Distribute by :func:`scope`, in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFileOrAirflow(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    config.option.loadscopereorder = False
    return ByFileOrAirflow(config, log)
