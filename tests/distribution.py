"""Says which tests must share a pytest-xdist worker.

Loaded by the Makefile (``-p tests.distribution``) together with ``--dist loadgroup``. Tests of one file stay together,
so that module fixtures are built once; everything that starts real Airflow components stays on one worker, so that
there is one Airflow and not one per core. Must not import anything of the project: it is loaded before the paths are
set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Give every test without a group of its own the group of its file, or ``airflow`` if it is marked
    ``integration``.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            group = "airflow" if item.get_closest_marker("integration") else item.nodeid.split("::")[0]
            item.add_marker(pytest.mark.xdist_group(group))
