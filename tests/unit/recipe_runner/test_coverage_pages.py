"""The coverage and ambiguities pages are what the declarations say."""

from __future__ import annotations

import pytest

from tests.unit.recipe_runner.coverage_pages import DOCS, PAGES


@pytest.mark.parametrize("page", sorted(PAGES))
def test_page_is_up_to_date(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), (
        f"docs/{page} is out of date: run python -m tests.unit.recipe_runner.coverage_pages"
    )


def test_there_are_two_pages() -> None:
    assert len(PAGES) == 2
