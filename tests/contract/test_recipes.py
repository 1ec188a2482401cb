"""The recipes in the repository are recipes that DataBrew takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

RECIPES = sorted((Path(__file__).resolve().parents[2] / "include" / "recipes").glob("*.json"))


def read(path: Path) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return steps


def test_both_recipes_are_here() -> None:
    assert {"bank_marketing.json", "bank_marketing_seed.json"} <= {path.name for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_create_recipe_takes_it(path: Path) -> None:
    shape = botocore.session.get_session().get_service_model("databrew").operation_model("CreateRecipe").input_shape
    report = ParamValidator().validate({"Name": "a", "Steps": read(path)}, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_it_has_at_most_a_hundred_steps(path: Path) -> None:
    assert 1 <= len(read(path)) <= 100


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_step_is_valid_without_data(path: Path) -> None:
    from recipe_runner.api import validate_steps

    assert [str(problem) for problem in validate_steps(read(path))] == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_label_comes_first(path: Path) -> None:
    last = read(path)[-1]["Action"]
    assert last["Operation"] == "MOVE_TO_START"
    assert last["Parameters"]["sourceColumn"] == "y_output"


def test_the_default_recipe_knows_nothing_from_after_the_call() -> None:
    (default,) = [path for path in RECIPES if path.name == "bank_marketing.json"]
    deleted: set[str] = set()
    for step in read(default):
        if step["Action"]["Operation"] != "DELETE":
            assert "duration" not in json.dumps(step["Action"]["Parameters"]), step
            continue
        parameters = step["Action"]["Parameters"]
        deleted |= set(json.loads(parameters.get("sourceColumns", "[]"))) | {parameters.get("sourceColumn", "")}
    assert "duration" in deleted
