"""What the parts of local_aws may import: nothing of Airflow or the plugins, and the language nothing of AWS."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def offenders(folder: str, forbidden: tuple[str, ...]) -> list[str]:
    files = sorted((REPOSITORY / folder).rglob("*.py"))
    assert files, f"no Python below {folder}"
    return [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in files
        for name in imports(path)
        if name.split(".")[0] in forbidden
    ]


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("local_aws", ("brewtrain", "airflow", "tools")),
        ("plugins", ("local_aws", "moto")),
        ("dags", ("local_aws", "moto", "boto3", "botocore")),
        ("local_aws/states/asl", ("moto", "boto3")),
        ("recipe_runner", ("local_aws", "brewtrain", "airflow", "tools", "moto", "boto3", "botocore")),
    ],
)
def test_boundaries(folder: str, forbidden: tuple[str, ...]) -> None:
    assert offenders(folder, forbidden) == []


def test_the_recipe_runner_is_seen_to_import_what_it_may() -> None:
    assert "recipe_runner/tables/table.py imports polars" in offenders("recipe_runner", ("polars",))


def test_local_aws_imports_only_the_public_modules_of_the_recipe_runner() -> None:
    used = {
        name
        for path in (REPOSITORY / "local_aws").rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] == "recipe_runner"
    }
    assert used == {"recipe_runner.api"}


def test_interpreter_and_models_know_no_sdk() -> None:
    states = REPOSITORY / "local_aws/states"
    interpreter = sorted((states / "interpreter").glob("*.py"))
    assert len(interpreter) > 5, "the interpreter has moved"
    for path in (*interpreter, *(states / f"{name}.py" for name in ("models", "history", "cancellation"))):
        found = set(imports(path))
        assert not {item for item in found if item.split(".")[0] in ("moto", "boto3", "botocore")}, path.name
