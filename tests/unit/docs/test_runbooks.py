"""The runbooks quote messages as the code writes them, and every page can be found."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache

import pytest

from brewtrain.domain.failure.diagnosis import FAILURE_CLASSES
from tests.fixtures.places import DOCS, PLUGINS, REPOSITORY, STATE_MACHINE

RUNBOOKS = sorted(path.stem for path in (DOCS / "runbooks").glob("*.md"))
# In the first column of a table stands what a person sees.
ROW = re.compile(r"^\| (.+?) \|", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
NOT_OURS = {
    "length less than or equal to 256": "SageMaker's",
    "No S3 objects found": "SageMaker's",
}
# What a message has in the place of its placeholder.
FILLED_IN = {
    "does not exist; create it": "create it: aws cloudformation deploy",
    "step N": "step …",
    "code/evaluation-": "evaluation-…",
    "AWS denied sagemaker:Delete": "AWS denied ",
    "AWS denied sns:Publish": "AWS denied ",
    "AWS refused databrew:CreateRecipe": "AWS refused ",
    "is Updating": " is ",
}


def texts_of(source: str) -> Iterator[str]:
    """Yield the texts in a module, with … for what is filled in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def messages() -> str:
    folders = (PLUGINS, REPOSITORY / "include", REPOSITORY / "dags")
    modules = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    texts = [text for path in modules for text in texts_of(path.read_text(encoding="utf-8"))]
    return "\n".join([*texts, json.dumps(json.loads(STATE_MACHINE.read_text(encoding="utf-8")), ensure_ascii=False)])


def quotes_of(runbook: str) -> list[str]:
    """Return the parts of the messages that a page quotes, without what stands for a value."""
    rows = ROW.findall((DOCS / "runbooks" / f"{runbook}.md").read_text(encoding="utf-8"))
    quoted = [quote for row in rows for quote in QUOTED.findall(row) if " " in quote]
    parts = [part.strip(" :;") for quote in quoted for part in re.split(r"…|<\w+>", quote)]
    return [part for part in parts if part]


@pytest.mark.parametrize("runbook", RUNBOOKS)
def test_its_quotes_are_in_the_code(runbook: str) -> None:
    quotes = [FILLED_IN.get(quote, quote) for quote in quotes_of(runbook) if quote not in NOT_OURS]
    assert [quote for quote in quotes if quote not in messages()] == []


def test_there_are_quotes_to_compare() -> None:
    quotes = [quote for runbook in RUNBOOKS for quote in quotes_of(runbook)]
    assert len(quotes) >= 40
    assert set(NOT_OURS) | set(FILLED_IN) <= set(quotes), "an exception that no page needs"


def test_every_page_can_be_found_from_a_message_or_the_page_of_on_call() -> None:
    named = {row.kind for row in FAILURE_CLASSES} | set(re.findall(r"runbooks/([a-z-]+)\.md", messages()))
    named |= set(re.findall(r"runbooks/([a-z-]+)\.md", (DOCS / "on-call.md").read_text(encoding="utf-8")))
    assert [page for page in RUNBOOKS if page not in named and f"{page}.md" not in messages()] == []
