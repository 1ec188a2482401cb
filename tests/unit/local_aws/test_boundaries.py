"""What the parts of local_aws may import: each other in one direction, nothing of the product."""

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
        pytest.param("local_aws", ("brewtrain", "airflow", "tools"), id="local_aws knows no product"),
        pytest.param("plugins", ("local_aws", "moto"), id="the plugins know no local_aws"),
        pytest.param("dags", ("local_aws", "moto", "boto3", "botocore"), id="the DAGs know no AWS"),
        pytest.param("local_aws/states/asl", ("moto", "boto3"), id="the states language knows no AWS"),
        pytest.param(
            "recipe_runner",
            ("local_aws", "brewtrain", "airflow", "tools", "moto", "boto3", "botocore"),
            id="the recipe runner knows no AWS",
        ),
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


SERVICES = ("databrew", "glue", "lambda_", "s3", "sagemaker", "states")
#: What each package below local_aws may use of the others; `core` and `iam` are for all.
ALLOWED = {
    "core": {"core", "iam"},
    "iam": {"core", "iam"},
    "jobs": {"core", "iam", "jobs"},
    **{service: {"core", "iam", "jobs", service} for service in SERVICES},
}
#: Changes to moto for the sake of these services are in one place.
EXCEPTIONS = {"local_aws/core/moto_patches.py": {"s3", "states"}}


def test_the_packages_of_local_aws_use_each_other_in_one_direction() -> None:
    packages = {path.parent.name for path in (REPOSITORY / "local_aws").glob("*/__init__.py")}
    assert packages == set(ALLOWED)
    found = [
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for package, allowed in ALLOWED.items()
        for path in sorted((REPOSITORY / "local_aws" / package).rglob("*.py"))
        for name in imports(path)
        for part in [name.split(".")]
        if part[0] == "local_aws" and part[1:] and part[1] in packages
        if part[1] not in allowed | EXCEPTIONS.get(path.relative_to(REPOSITORY).as_posix(), set())
    ]
    assert found == []


def test_what_says_that_it_must_not_import_moto_does_not() -> None:
    promising = [
        path
        for path in sorted((REPOSITORY / "local_aws").rglob("*.py"))
        if "must not import moto" in " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").lower().split())
    ]
    assert len(promising) > 20
    found = [
        path.name
        for path in promising
        for node in ast.parse(path.read_text()).body
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "moto" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "moto")
    ]
    assert found == []


def test_interpreter_and_models_know_no_sdk() -> None:
    states = REPOSITORY / "local_aws/states"
    interpreter = sorted((states / "interpreter").glob("*.py"))
    assert len(interpreter) > 5, "the interpreter has moved"
    for path in (*interpreter, *(states / f"{name}.py" for name in ("models", "history", "cancellation"))):
        found = set(imports(path))
        assert not {item for item in found if item.split(".")[0] in ("moto", "boto3", "botocore")}, path.name
