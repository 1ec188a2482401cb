"""The only module that knows where include/ is, and that reads it.

Must not import boto3, and imports YAML only when a pipeline file is read. Called while DAG files are parsed, so it
stays cheap.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from brewtrain.domain.errors import PipelineFileError
from brewtrain.domain.execution_input import ImageTable
from brewtrain.domain.pipeline import Pipeline, parse_pipeline

INCLUDE_VARIABLE = "BREWTRAIN_INCLUDE"


def include_dir() -> Path:
    """Return the include folder: ``$BREWTRAIN_INCLUDE``, or include/ beside plugins/ or inside dags/.

    MWAA ships only dags/ and plugins.zip, so include/ may travel inside either.

    :raises FileNotFoundError: If none of them exists.
    """
    configured = os.environ.get(INCLUDE_VARIABLE)
    if configured:
        folder = Path(configured)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{INCLUDE_VARIABLE}={configured} is not a folder; point it at the project's include/"
            )
        return folder
    here = Path(__file__).resolve()
    candidates = [parent / name for parent in here.parents[1:4] for name in ("include", "dags/include")]
    for folder in candidates:
        if (folder / "pipelines").is_dir():
            return folder
    raise FileNotFoundError(
        f"no include/ folder beside {here.parents[1]}; ship include/ with plugins/ or set {INCLUDE_VARIABLE} to it"
    )


def pipeline_files() -> list[Path]:
    """Return the pipeline files, in order of name."""
    folder = include_dir() / "pipelines"
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))


def load_pipeline(path: Path) -> Pipeline:
    """Read and validate one pipeline file.

    :raises PipelineFileError: If it is not YAML, not valid, names a recipe that is not there, or is called otherwise
        than its pipeline.
    """
    import yaml

    source = f"include/pipelines/{path.name}"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PipelineFileError(source, [f"is not UTF-8 (byte {error.start}); save it as UTF-8"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise PipelineFileError(source, [f"is not YAML{where}: {problem}; check indentation and quotes"]) from None
    pipeline = parse_pipeline(document, source=source)
    if pipeline.name != path.stem:
        raise PipelineFileError(source, [f"field 'name' is {pipeline.name!r}; name it like the file, {path.stem!r}"])
    if not (path.parent.parent / "recipes" / pipeline.recipe).is_file():
        known = ", ".join(sorted(file.name for file in (path.parent.parent / "recipes").glob("*.json"))) or "none"
        raise PipelineFileError(
            source,
            [
                f"field 'recipe' is {pipeline.recipe!r}, which include/recipes/ lacks; it has {', '.join(known) or 'none'}"
            ],
        )
    return pipeline


def find_pipeline(name: str) -> Pipeline:
    """Read the pipeline of this name.

    :raises PipelineFileError: If there is none, or it is not valid.
    """
    for path in pipeline_files():
        if path.stem == name:
            return load_pipeline(path)
    known = ", ".join(path.stem for path in pipeline_files()) or "none"
    raise PipelineFileError(f"include/pipelines/{name}.yaml", [f"does not exist; pipelines here: {known}"])


def recipe_steps(file_name: str) -> list[dict[str, Any]]:
    """Read the steps of a recipe in include/recipes/."""
    steps: list[dict[str, Any]] = json.loads((include_dir() / "recipes" / file_name).read_text(encoding="utf-8"))
    return steps


def state_machine_definition() -> str:
    """Read the rendered state machine definition."""
    return (include_dir() / "statemachine" / "retraining.asl.json").read_text(encoding="utf-8")


def split_script() -> str:
    """Read the Glue script."""
    return (include_dir() / "glue" / "split.py").read_text(encoding="utf-8")


@cache
def images() -> ImageTable:
    """Read the table of training images that the authoring environment rendered."""
    document = json.loads((include_dir() / "statemachine" / "images.json").read_text(encoding="utf-8"))
    return ImageTable(registries=document["xgboost"])
