"""Says which tests share a pytest-xdist worker, and which start first.

Loaded by the Makefile (``-p tests.distribution``) with ``--dist loadscope``. Tests of one file stay
together, so that module fixtures are built once. What starts real Airflow components is three
groups, which start first, since they take longest and often wait; those that end up on one worker
share an Airflow. ``loadgroup`` of xdist cannot be used: it writes the group into the test's id,
which pytest 9.2 ignores without a word. Must not import anything of the project: it is loaded
before the paths are set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

AIRFLOW = "tests/integration/"
FAULTS = (f"{AIRFLOW}retraining/test_faults.py",)
BACKFILL = tuple(f"{AIRFLOW}retraining/test_{name}.py" for name in ("backfill", "deployments"))
# The longest first, so that no worker is left with one of them at the end.
# What shares one Airflow comes together, since it stops with the last of them.
FIRST = (*FAULTS, AIRFLOW, f"{AIRFLOW}test_local_stack.py", f"{AIRFLOW}retraining/", *BACKFILL, "tests/e2e/")


def scope(nodeid: str) -> str:
    """Return what a test is kept together with: a group that shares an Airflow, or its file."""
    file = nodeid.split("::", 1)[0]
    for group in (FAULTS, BACKFILL):
        if file in group:
            return group[0]
    return AIRFLOW if file.startswith(AIRFLOW) else file


def rank(nodeid: str) -> int:
    """Return the place of a test's folder in :data:`FIRST`, or one behind all of them."""
    fitting = [place for place, start in enumerate(FIRST) if nodeid.startswith(start)]
    return max(fitting, key=lambda place: len(FIRST[place]), default=len(FIRST))


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
