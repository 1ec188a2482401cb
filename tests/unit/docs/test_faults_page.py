"""docs/faults.md is what the tests say."""

from __future__ import annotations

from tests.integration.retraining.fault_matrix import PAGE, page


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.integration.retraining.fault_matrix"
    assert page().count("\n| ") >= 30
