"""The rules of CONTRIBUTING.md ("How we write") that ruff does not check."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator

from tests.fixtures.places import REPOSITORY

FOLDERS = ("benchmarks", "dags", "include", "local_aws", "plugins", "recipe_runner", "tests", "tools")
MAX_FUNCTION_LINES = 60
# What the dag-processor does before it forks has no other name.
PRIVATE_IMPORTS = {"benchmarks/dag_parse.py imports _pre_import_airflow_modules"}
OTHER_DIALECTS = re.compile(r"^\s*(:return:|Parameters:|Returns:|Raises:|Args:)", re.MULTILINE)
WAITING = "tests/fixtures/waiting.py"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def nodes() -> dict[str, list[ast.AST]]:
    """Return the syntax of every file of the project, by its path."""
    paths = [path for folder in FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    return {
        str(path.relative_to(REPOSITORY)): list(ast.walk(ast.parse(path.read_text("utf-8"))))
        for path in paths
        if ".venv" not in str(path)
    }


def found(look: Callable[[ast.AST], Iterator[str]], *, below: str = "") -> list[str]:
    assert len(nodes()) > 500
    return [
        f"{path} {what}" for path, all_nodes in nodes().items() if path.startswith(below)
        for node in all_nodes for what in look(node)
    ]  # fmt: skip


def test_no_function_is_longer_than_60_lines() -> None:
    def long(node: ast.AST) -> Iterator[str]:
        if isinstance(node, Function) and (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES:
            yield f"has {node.name} with {lines} lines: split it"

    assert found(long) == []


def test_a_docstring_says_more_than_a_name_and_in_sphinx_fields() -> None:
    def poor(node: ast.AST) -> Iterator[str]:
        if isinstance(node, Function | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
            name = getattr(node, "name", "the module")
            if len(text.split("\n")[0].split()) < 2:
                yield f"has a docstring of one word at {name}"
            if OTHER_DIALECTS.search(text):
                yield f"has another dialect at {name}: write :param x:, :returns:, :raises X:"

    assert found(poor) == []


def test_nothing_imports_a_private_name() -> None:
    def private(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.ImportFrom):
            yield from (
                f"imports {alias.name}"
                for alias in node.names
                if alias.name.startswith("_") and not alias.name.startswith("__")
            )

    assert set(found(private)) == PRIVATE_IMPORTS


def test_a_test_waits_for_an_event_and_not_for_a_time() -> None:
    def sleeping(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep"):
            yield f"sleeps in line {node.lineno}: use tests.fixtures.waiting.wait_until"

    assert [one for one in found(sleeping, below="tests/") if not one.startswith(WAITING)] == []
