"""Which part of the recipe runner may import which, and that polars stays lazy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
# Each part with the parts that it may import; `errors` is for all.
MAY_IMPORT = {
    "tables": set(),
    "language": {"tables"},
    "actions": {"tables", "language"},
    "files": {"tables", "language"},
    "profiling": {"tables", "language", "plan"},
}


def parts_imported_by(folder: str) -> set[str]:
    found: set[str] = set()
    for path in (REPOSITORY / "recipe_runner" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("recipe_runner."):
                found.add(node.module.split(".")[1])
    return found - {folder, "errors"}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_the_parts_below_it(part: str) -> None:
    assert parts_imported_by(part) <= MAY_IMPORT[part]


def test_every_part_has_its_rule() -> None:
    packages = {path.parent.name for path in (REPOSITORY / "recipe_runner").glob("*/__init__.py")}
    assert packages == set(MAY_IMPORT)


@pytest.mark.parametrize(
    "module",
    [
        "recipe_runner",
        "recipe_runner.errors",
        "recipe_runner.cli",
        "recipe_runner.language.reader",
        "recipe_runner.language.declaration",
        "recipe_runner.files.path_selection",
    ],
)
def test_a_module_that_must_not_import_polars_does_not(module: str) -> None:
    program = f"import sys, {module}; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False).returncode == 0
