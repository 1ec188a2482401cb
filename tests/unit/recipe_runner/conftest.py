"""Recipes run through the command line, as users run them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipe_runner.cli import main

SHARED = Path(os.environ.get("BREWTRAIN_SHARED") or Path(__file__).resolve().parents[4] / "shared")


@pytest.fixture
def run_recipe_file(tmp_path: Path) -> Callable[..., tuple[int, Path]]:
    """``run(steps, text, suffix=".csv", output=".csv", *options)``: exit code and output path of the run command."""

    def run(
        steps: Any, content: str | bytes, *options: str, suffix: str = ".csv", output: str = ".csv"
    ) -> tuple[int, Path]:
        recipe, source, target = tmp_path / "recipe.json", tmp_path / f"input{suffix}", tmp_path / f"output{output}"
        recipe.write_text(steps if isinstance(steps, str) else json.dumps(steps), encoding="utf-8")
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        target.unlink(missing_ok=True)
        return main(["run", str(recipe), str(source), str(target), "--quiet", *options]), target

    return run


def step(operation: str, conditions: list[dict[str, Any]] | None = None, **parameters: Any) -> dict[str, Any]:
    """One step in the API's shape."""
    made: dict[str, Any] = {"Action": {"Operation": operation, "Parameters": parameters}}
    if conditions:
        made["ConditionExpressions"] = conditions
    return made
