"""Every document: its lines are not too long, and what it names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.places import REPOSITORY

WIDTH = 100
DOCUMENTS = sorted(
    str(path.relative_to(REPOSITORY))
    for path in REPOSITORY.rglob("*.md")
    if path.relative_to(REPOSITORY).parts[0] != "var" and not path.relative_to(REPOSITORY).parts[0].startswith(".")
)
FOLDERS = (
    "docs",
    "tests",
    "plugins",
    "include",
    "tools",
    "dags",
    "local_aws",
    "recipe_runner",
    "benchmarks",
    "docker",
)
# Documents leave out where these lie.
SHORT_FOR = {
    **dict.fromkeys(
        ("domain", "hooks", "operators", "triggers", "links", "notifiers", "recording", "serving", "deployment"),
        "plugins/brewtrain",
    ),
    "parts": "include/statemachine",
}
PATH = re.compile(rf"(?<![\w./<>{{}}*-])(?:{'|'.join(FOLDERS)})/[\w./<>*{{}}…-]*")
SHORT_PATH = re.compile(rf"(?<![\w./<>{{}}*-])(?:{'|'.join(SHORT_FOR)})/[\w./<>*{{}}…-]*")
PLACEHOLDER = re.compile(r"[<>*{}…]")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MAKE_IN_TEXT = re.compile(r"`make\s+([a-z][a-z-]*)")
MAKE_IN_CODE = re.compile(r"^\s*(?:\$ )?make ([a-z][a-z-]*)", re.MULTILINE)

EXAMPLES = {
    "include/pipelines/churn.yaml": "a user's pipeline",
    "include/pipelines/x.yaml": "a user's pipeline",
    "dags/include/": "where MWAA has include/",
}
HISTORY = {
    "CHANGELOG.md": "says what was moved or removed",
    "docs/adr/0060-rooms.md": "says what was there before",
}
"""Documents that name files of earlier releases."""


def text_of(document: str) -> str:
    return (REPOSITORY / document).read_text(encoding="utf-8")


def lines_of(document: str) -> Iterator[tuple[int, str, bool]]:
    """Yield number, text and whether it is code, for each line of a document."""
    fenced = indented = False
    blank = True
    for number, line in enumerate(text_of(document).splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced, blank = not fenced, False
            continue
        if line.strip():
            indented = line.startswith("    ") and (indented or blank)
        yield number, line, fenced or indented
        blank = not line.strip()


def is_one_link(line: str) -> bool:
    return re.fullmatch(r"\s*(?:[-*] )?(?:<?https?://\S+|\[[^\]]*\]\(\S+\))[.,;:]?", line) is not None


def too_long(document: str) -> list[str]:
    return [
        f"{document}:{number} has {len(line)} characters"
        for number, line, code in lines_of(document)
        if len(line) > WIDTH and not code and not line.startswith("|") and not is_one_link(line)
    ]


def paths_of(document: str) -> Iterator[tuple[str, Path]]:
    """Yield each path that a document names outside links, and where it should be."""
    text = re.sub(r"\[[^\]]*\]\([^)\s]+\)", "", text_of(document))
    for match in PATH.finditer(text):
        named = match[0].rstrip(".-")
        yield named, REPOSITORY / named
    for match in SHORT_PATH.finditer(text):
        named = match[0].rstrip(".-")
        # Without a suffix or a slash it is prose ("hooks/operators").
        if named.endswith(("/", ".py")):
            yield named, REPOSITORY / SHORT_FOR[named.split("/")[0]] / named


def test_all_documents_are_found() -> None:
    assert {"README.md", "docs/architecture.md", "docs/adr/0010-state-machine.md"} <= set(DOCUMENTS)
    assert len(DOCUMENTS) >= 50


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_lines_end_at_100_columns(document: str) -> None:
    assert too_long(document) == []


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if one not in HISTORY])
def test_the_files_that_it_names_exist(document: str) -> None:
    named = {name: where for name, where in paths_of(document) if not PLACEHOLDER.search(name)}
    assert [name for name, where in named.items() if name not in EXAMPLES and not where.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_links_lead_somewhere(document: str) -> None:
    relative = [one.partition("#")[0] for one in LINK.findall(text_of(document)) if "://" not in one]
    folder = (REPOSITORY / document).parent
    assert [one for one in relative if one and not (folder / one).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_make_targets_that_it_names_exist(document: str) -> None:
    code = "\n".join(line for _, line, is_code in lines_of(document) if is_code)
    named = {*MAKE_IN_TEXT.findall(text_of(document)), *MAKE_IN_CODE.findall(code)}
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert named <= set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def test_paths_and_targets_are_found_at_all() -> None:
    named = [name for document in DOCUMENTS for name, _ in paths_of(document)]
    assert len(named) >= 200
    assert "domain/run/limits.py" in named
    assert len([one for document in DOCUMENTS for one in MAKE_IN_TEXT.findall(text_of(document))]) >= 40
