"""Run recipes through the command line, as users do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipe_runner.cli import main


@pytest.fixture
def run_recipe_file(tmp_path: Path) -> Callable[..., tuple[int, Path]]:
    """Return a function that runs a recipe over content.

    Called as `run(steps, content, *options, suffix=".csv", output=".csv")`, it returns the exit
    code and the path of the output.
    """

    def run(
        steps: Any, content: str | bytes, *options: str, suffix: str = ".csv", output: str = ".csv"
    ) -> tuple[int, Path]:
        recipe, source, target = tmp_path / "recipe.json", tmp_path / f"input{suffix}", tmp_path / f"output{output}"
        recipe.write_text(steps if isinstance(steps, str) else json.dumps(steps), encoding="utf-8")
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        target.unlink(missing_ok=True)
        return main(["run", str(recipe), str(source), str(target), "--quiet", *options]), target

    return run
