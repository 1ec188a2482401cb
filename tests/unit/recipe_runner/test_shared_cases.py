"""The shared cases of the DataBrew guide, of AWS Glue's pages and of the real service, where the folder is there."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from recipe_runner.checking import ACTIONS
from recipe_runner.cli import main
from tests.unit.recipe_runner.conftest import SHARED

FILE = SHARED / "cases" / "databrew_cases.json"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"the shared cases are not at {FILE}")
KINDS = ("table", "shape", "aggregate")
CASES: list[dict[str, Any]] = (
    [case for case in json.loads(FILE.read_text())["cases"] if case["kind"] in KINDS] if FILE.is_file() else []
)


def run(case: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    given = case["input"]
    (folder / "recipe.json").write_text(json.dumps(case["steps"]))
    options: list[str] = []
    if "csv" in given:
        lines = (SHARED / "data" / given["csv"]).read_text().splitlines()
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


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    rows, expected = run(case, tmp_path), case["expected"]
    names = list(rows[0])
    if case["kind"] == "table":
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
        return
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


def test_there_are_cases_of_every_kind() -> None:
    assert Counter(case["kind"] for case in CASES) == {"table": 27, "aggregate": 7, "shape": 1}


def test_every_listed_operation_is_declared_and_every_publicly_used_one_runs() -> None:
    catalogue = json.loads((SHARED / "cases" / "databrew_catalogue.json").read_text())
    listed = {name for family in catalogue["families"].values() for name in family} | set(catalogue["extra"])
    assert listed == set(ACTIONS)
    assert {name for name in catalogue["session_only"] if not ACTIONS[name].refusal} == set()
    used = json.loads((SHARED / "cases" / "databrew_public_usage.json").read_text())["steps"]
    assert [name for name in used if ACTIONS[name].refusal] == []
