"""Writes docs/faults.md from the tests that prove it: ``python -m tests.integration.retraining.fault_matrix``.

Every row is a test and its docstring, "what happens: what comes of it". A test holds the page
against this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[3] / "docs" / "faults.md"
HEADER = """\
# What a retraining survives

Generated from tests/integration/retraining by `python -m tests.integration.retraining.fault_matrix`. Each row is one
test, with a real scheduler, triggerer, dag-processor, api-server and PostgreSQL, against local AWS. After each the same
invariants are read from local AWS's own call log: one execution per generation, one redrive a reported failure, none
asked for twice, no execution running and no DataBrew job left after the DAG run's end, every terminal state other than
success red, and the DAG run ended.

| what happens | what comes of it | test |
|---|---|---|
"""


def _row(test: str, function: Callable[..., Any]) -> str:
    text = " ".join((function.__doc__ or "").split()).rstrip(".")
    fault, _, result = text.partition(": ")
    assert result, f"{test}: its docstring says 'what happens: what comes of it'"
    return f"| {fault} | {result} | {test} |"


def rows() -> Iterator[str]:
    """One row per test."""
    from tests.integration.retraining import test_faults, test_retrain

    for name, function in test_retrain.STORIES.items():
        yield _row(f"test_retrain.py::test_story[{name}]", function)
    for name, function in vars(test_faults).items():
        if name.startswith("test_"):
            yield _row(f"test_faults.py::{name}", function)


def page() -> str:
    """The page."""
    return HEADER + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1] / "plugins"))
    PAGE.write_text(page(), encoding="utf-8")
