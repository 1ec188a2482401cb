"""Write docs/faults.md from the tests that prove it.

``python -m tests.integration.retraining.fault_matrix`` writes it. Each row is a test and its
docstring, "what happens: the result". A test checks that the page is current.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.fixtures.places import DOCS, PLUGINS

PAGE = DOCS / "faults.md"
HEADER = """\
# What a retraining survives

Written by `python -m tests.integration.retraining.fault_matrix`. Each row is one test with a real
scheduler, triggerer, dag-processor, api-server and PostgreSQL against local AWS. After each test,
the call log of local AWS must show the same: one execution per generation, one redrive for each
reported failure, none requested twice, and no running execution or remaining DataBrew job after the
end of the DAG run. The DAG run has ended, and every terminal state except success is red.

| what happens | result | test |
|---|---|---|
"""


def _row(test: str, function: Callable[..., Any]) -> str:
    text = " ".join((function.__doc__ or "").split()).rstrip(".")
    fault, _, result = text.partition(": ")
    assert result, f"{test}: write its docstring as 'what happens: the result'"
    return f"| {fault} | {result} | {test} |"


def rows() -> Iterator[str]:
    """Yield one row per test."""
    from tests.integration.retraining import test_faults, test_retrain

    for name, function in test_retrain.STORIES.items():
        yield _row(f"test_retrain.py::test_story[{name}]", function)
    for name, function in vars(test_faults).items():
        if name.startswith("test_"):
            yield _row(f"test_faults.py::{name}", function)


def page() -> str:
    """Return the page as Markdown."""
    return HEADER + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(PLUGINS))
    PAGE.write_text(page(), encoding="utf-8")
