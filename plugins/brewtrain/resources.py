"""Finds include/ and reads it; no other module knows where it is.

Must not import Airflow or boto3. Called while DAG files are parsed, so it must stay cheap.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from brewtrain import strict_yaml
from brewtrain.domain.errors import DeploymentError, PipelineFileError
from brewtrain.domain.evaluation import gate
from brewtrain.domain.evaluation.job import ENTRY_FILE, GATE_FILE, SCRIPT_FILES, Code
from brewtrain.domain.pipeline.file import Pipeline, parse_pipeline
from brewtrain.domain.pipeline.recipe_document import parse_recipe
from brewtrain.domain.run.execution_input import ImageTable

INCLUDE_VARIABLE = "BREWTRAIN_INCLUDE"


def include_dir() -> Path:
    """Return the include folder.

    It is ``$BREWTRAIN_INCLUDE``, else include/ beside plugins/ or inside dags/: MWAA ships only
    dags/ and plugins.zip.

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
    """Return the pipeline files in order of name, without an editor's ``.x.yaml.swp``."""
    folder = include_dir() / "pipelines"
    return sorted(
        path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")
    )


def valid_pipelines(only: str | None = None) -> list[Pipeline]:
    """Return the pipelines of all valid files in order of name, to make DAGs of.

    A file that is not valid is left out, so that a typo in one pipeline stops no other;
    dags/pipeline_file_errors.py shows it in the UI as an import error.

    :param only: Name of the pipeline, if only one is wanted: no other file is read then.
    """
    return [loaded for loaded in _load_all(only) if isinstance(loaded, Pipeline)]


def pipeline_file_errors() -> list[PipelineFileError]:
    """Return an error for each pipeline file that is not valid."""
    return [loaded for loaded in _load_all() if isinstance(loaded, PipelineFileError)]


def _load_all(only: str | None = None) -> list[Pipeline | PipelineFileError]:
    loaded: list[Pipeline | PipelineFileError] = []
    for path in pipeline_files():
        if only is not None and path.stem != only:
            continue
        try:
            loaded.append(load_pipeline(path))
        except PipelineFileError as error:
            loaded.append(error)
    return loaded


def load_pipeline(path: Path) -> Pipeline:
    """Read and validate one pipeline file.

    :raises PipelineFileError: If it is not YAML, not valid, names a recipe that does not exist, or
        has another name than its pipeline.
    """
    source = f"include/pipelines/{path.name}"
    try:
        document = strict_yaml.load(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PipelineFileError(source, [f"is not UTF-8 (byte {error.start}); save it as UTF-8"]) from None
    except OSError as error:
        raise PipelineFileError(source, [f"cannot be read ({error.strerror}); check the file"]) from None
    except strict_yaml.YamlError as error:
        raise PipelineFileError(source, [str(error)]) from None
    pipeline = parse_pipeline(document, source=source)
    if pipeline.name != path.stem:
        raise PipelineFileError(source, [f"field 'name' is {pipeline.name!r}; name it like the file, {path.stem!r}"])
    if path.suffix == ".yml" and path.with_suffix(".yaml").is_file():
        raise PipelineFileError(source, [f"is the same pipeline as {path.stem}.yaml; remove one of the two files"])
    recipes = path.parent.parent / "recipes"
    if not (recipes / pipeline.recipe).is_file():
        known = ", ".join(sorted(file.name for file in recipes.glob("*.json"))) or "none"
        problem = f"field 'recipe' is {pipeline.recipe!r}, which include/recipes/ lacks; it has {known}"
        raise PipelineFileError(source, [problem])
    return pipeline


def check_endpoint_claim(pipeline: Pipeline) -> None:
    """Check that no other pipeline file names this pipeline's endpoint.

    Two pipelines would overwrite each other's model.

    :raises DeploymentError: If one does; names both files.
    """
    for other in valid_pipelines():
        if other.name != pipeline.name and other.endpoint_name == pipeline.endpoint_name:
            raise DeploymentError(
                f"endpoint {pipeline.endpoint_name!r} is named by two pipeline files, "
                f"include/pipelines/{pipeline.name}.yaml and include/pipelines/{other.name}.yaml; "
                "give one of them another endpoint.name"
            )


def find_pipeline(name: str) -> Pipeline:
    """Read the pipeline of this name.

    :raises PipelineFileError: If it does not exist, or is not valid.
    """
    for path in pipeline_files():
        if path.stem == name:
            return load_pipeline(path)
    known = ", ".join(path.stem for path in pipeline_files()) or "none"
    raise PipelineFileError(f"include/pipelines/{name}.yaml", [f"does not exist; pipelines here: {known}"])


def recipe_steps(file_name: str) -> list[dict[str, Any]]:
    """Read the steps of a recipe in include/recipes/, in CreateRecipe's form.

    :raises RecipeFileError: If the file is not a DataBrew recipe; names the file and the step.
    """
    return parse_recipe(_text("recipes", file_name), source=f"include/recipes/{file_name}")


def state_machine_definition() -> str:
    """Read the rendered state machine definition.

    :raises DeploymentError: If the file is missing.
    """
    return _text("statemachine", "retraining.asl.json")


def split_script() -> str:
    """Read the Glue script.

    :raises DeploymentError: If the file is missing.
    """
    return _text("glue", "split.py")


def evaluation_code() -> Code:
    """Read the files that run in the evaluation's container, the gate among them.

    :raises DeploymentError: If one of them is missing.
    """
    files = {name: _text("evaluation", name).encode() for name in SCRIPT_FILES if name != ENTRY_FILE}
    # The gate that validates a pipeline file in Airflow is the very file that decides on AWS.
    files[GATE_FILE] = Path(gate.__file__).read_bytes()
    return Code(files={**files, ENTRY_FILE: _text("evaluation", ENTRY_FILE).encode()})


@cache
def images() -> ImageTable:
    """Read the table of training images that the authoring environment rendered."""
    document = json.loads(_text("statemachine", "images.json"))
    return ImageTable(registries=document["xgboost"])


def _text(*parts: str) -> str:
    path = include_dir().joinpath(*parts)
    where = "/".join(("include", *parts))
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DeploymentError(f"{where} does not exist; restore it from the repository or ship it with dags/") from None
    except UnicodeDecodeError as error:
        raise DeploymentError(f"{where} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
