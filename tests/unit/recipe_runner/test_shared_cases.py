"""Cases of the DataBrew guide, AWS Glue's pages and the real service, from the shared folder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recipe_runner.checking import ACTIONS
from recipe_runner.cli import main

CASES_OF_A_KIND = {"table": 27, "aggregate": 7, "shape": 1}


@pytest.fixture
def cases_dir(shared_dir: Path) -> Path:
    return shared_dir / "cases"


def cases_of_kind(cases_dir: Path, kind: str) -> list[dict[str, Any]]:
    cases = json.loads((cases_dir / "databrew_cases.json").read_text())["cases"]
    return [case for case in cases if case["kind"] == kind]


def run(case: dict[str, Any], shared_dir: Path, folder: Path) -> list[dict[str, Any]]:
    given = case["input"]
    (folder / "recipe.json").write_text(json.dumps(case["steps"]))
    options: list[str] = []
    if "csv" in given:
        lines = (shared_dir / "data" / given["csv"]).read_text().splitlines()
        head = 0 if given.get("HeaderRow") is False else 1
        chosen = lines[: given["rows"] + head] if given.get("rows") else lines
        source = folder / "input.csv"
        source.write_text("\n".join(chosen) + "\n")
        options += ["--delimiter", ";"] if given["csv"] == "bank-additional.csv" else []
        options += ["--no-header"] if given.get("HeaderRow") is False else []
    else:
        source = folder / "input.jsonl"
        source.write_text(
            "".join(json.dumps(dict(zip(given["columns"], row, strict=True))) + "\n" for row in given["rows"])
        )
    target = folder / "output.jsonl"
    assert main(["run", str(folder / "recipe.json"), str(source), str(target), "--quiet", *options]) == 0
    return [json.loads(line) for line in target.read_text().splitlines()]


def check_table(case: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    names, expected = list(rows[0]), case["expected"]
    if case["id"] == "doc-onehot-shirt":
        # The page orders the new columns by size, the service was seen to order them
        # alphabetically.
        assert set(names) == set(expected["columns"])
    else:
        assert names == expected["columns"]
    for found, wanted in zip(rows, expected["rows"], strict=True):
        for name, value in zip(expected["columns"], wanted, strict=True):
            if case["operation"] == "URL_PARAMS" and name == "out":
                assert json.loads(found[name]) == json.loads(value)
            else:
                assert found[name] == value


def check_columns_and_counts(case: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    names, expected = list(rows[0]), case["expected"]
    if "columns" in expected:
        assert names == expected["columns"]
    assert names[: len(expected.get("columns_prefix", []))] == expected.get("columns_prefix", [])
    if "new_columns_in_order" in expected:
        assert [name for name in names if name in expected["new_columns_in_order"]] == expected["new_columns_in_order"]
    for neighbours in expected.get("adjacent", []):
        at = names.index(neighbours[0])
        assert names[at : at + len(neighbours)] == neighbours
    for name, counts in expected.get("counts", {}).items():
        assert Counter("null" if row[name] is None else str(row[name]) for row in rows) == counts
    for name, kind in expected.get("types", {}).items():
        values = [row[name] for row in rows if row[name] is not None]
        assert all(isinstance(value, str if kind == "string" else int | float) for value in values)


@pytest.mark.parametrize("kind", CASES_OF_A_KIND)
def test_every_shared_case_gives_the_expected_result(
    kind: str, shared_dir: Path, cases_dir: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    # The cases are read here and not when tests are collected: only a fixture may look outside the
    # repository.
    cases = cases_of_kind(cases_dir, kind)
    assert len(cases) == CASES_OF_A_KIND[kind]
    for case in cases:
        with subtests.test(case["id"]):
            folder = tmp_path / case["id"]
            folder.mkdir()
            rows = run(case, shared_dir, folder)
            (check_table if kind == "table" else check_columns_and_counts)(case, rows)


def test_every_listed_operation_is_declared_and_every_publicly_used_one_runs(cases_dir: Path) -> None:
    catalogue = json.loads((cases_dir / "databrew_catalogue.json").read_text())
    listed = {name for family in catalogue["families"].values() for name in family} | set(catalogue["extra"])
    assert listed == set(ACTIONS)
    assert {name for name in catalogue["session_only"] if not ACTIONS[name].refusal} == set()
    used = json.loads((cases_dir / "databrew_public_usage.json").read_text())["steps"]
    assert [name for name in used if ACTIONS[name].refusal] == []
