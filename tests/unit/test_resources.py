"""include/: what is found in it, and what is said when something is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from brewtrain import resources
from brewtrain.domain.errors import DeploymentError, PipelineFileError, RecipeFileError
from tests.fixtures.pipelines import CHURN

RECIPE = '[{"Action": {"Operation": "DELETE", "Parameters": {"sourceColumn": "a"}}}]'


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an include folder with one valid pipeline."""
    for folder in ("pipelines", "recipes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pipelines" / "churn.yaml").write_text(CHURN)
    (tmp_path / "recipes" / "churn.json").write_text(RECIPE)
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(tmp_path))
    return tmp_path


def _add(include: Path, name: str, text: str | None = None) -> None:
    (include / "pipelines" / f"{name}.yaml").write_text(
        text or CHURN.replace("churn", name).replace(f"{name}.j", "churn.j")
    )


def test_a_pipeline_is_found_by_its_name(include: Path) -> None:
    assert resources.find_pipeline("churn").name == "churn"
    assert [pipeline.name for pipeline in resources.valid_pipelines()] == ["churn"]
    assert resources.pipeline_file_errors() == []


def test_a_second_file_is_a_second_pipeline(include: Path) -> None:
    _add(include, "fraud")
    assert [pipeline.name for pipeline in resources.valid_pipelines()] == ["churn", "fraud"]


def test_a_broken_file_takes_no_other_down(include: Path) -> None:
    _add(include, "fraud", "name: fraud\nschedule: @daily\n")
    assert [pipeline.name for pipeline in resources.valid_pipelines()] == ["churn"]
    [error] = resources.pipeline_file_errors()
    assert str(error) == (
        "include/pipelines/fraud.yaml: is not YAML at line 2, column 11: a value cannot start with @; put it in quotes"
    )


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (
            "churn.yaml",
            CHURN.replace("name: churn\n", "name: fraud\n").encode(),
            "field 'name' is 'fraud'; name it like",
        ),
        ("churn.yaml", CHURN.replace("churn.json", "none.json").encode(), "include/recipes/ lacks; it has churn.json"),
        ("churn.yaml", b"name: caf\xe9", "is not UTF-8 (byte 9)"),
        ("churn.yaml", b"", "is empty"),
        ("churn.yml", CHURN.encode(), "is the same pipeline as churn.yaml; remove one of the two files"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(include: Path, file: str, content: bytes, sentence: str) -> None:
    (include / "pipelines" / file).write_bytes(content)
    [error] = resources.pipeline_file_errors()
    assert str(error).startswith(f"include/pipelines/{file}: ")
    assert sentence in str(error)


def test_an_editors_leftovers_are_no_pipelines(include: Path) -> None:
    for name in (".churn.yaml.swp", ".#churn.yaml", "churn.yaml~", "README.md"):
        (include / "pipelines" / name).write_text("x")
    assert resources.pipeline_file_errors() == []


def test_a_byte_order_mark_is_no_mistake(include: Path) -> None:
    (include / "pipelines" / "churn.yaml").write_bytes(b"\xef\xbb\xbf" + CHURN.encode())
    assert resources.pipeline_file_errors() == []


def test_an_unknown_pipeline_names_those_that_exist(include: Path) -> None:
    with pytest.raises(
        PipelineFileError, match=r"include/pipelines/fraud\.yaml: does not exist; pipelines here: churn"
    ):
        resources.find_pipeline("fraud")


def test_two_files_naming_one_endpoint_are_both_named(include: Path) -> None:
    _add(include, "fraud", CHURN.replace("name: churn\n", "name: fraud\n"))
    for name in ("churn", "fraud"):
        with pytest.raises(DeploymentError) as caught:
            resources.check_endpoint_claim(resources.find_pipeline(name))
        assert "include/pipelines/churn.yaml" in str(caught.value)
        assert "include/pipelines/fraud.yaml" in str(caught.value)
    _add(include, "fraud")
    resources.check_endpoint_claim(resources.find_pipeline("churn"))


def test_a_recipe_with_a_typo_names_file_and_step(include: Path) -> None:
    (include / "recipes" / "churn.json").write_text(RECIPE.replace("DELETE", "DELETES"))
    with pytest.raises(RecipeFileError, match=r"include/recipes/churn\.json: step 1: DataBrew has no operation"):
        resources.recipe_steps("churn.json")


def test_what_is_missing_is_named(include: Path) -> None:
    with pytest.raises(DeploymentError, match=r"include/glue/split\.py does not exist; restore it"):
        resources.split_script()


def test_a_wrong_include_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREWTRAIN_INCLUDE", "/nowhere")
    with pytest.raises(FileNotFoundError, match="BREWTRAIN_INCLUDE=/nowhere is not a folder"):
        resources.include_dir()


def test_include_is_found_beside_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREWTRAIN_INCLUDE", raising=False)
    assert (resources.include_dir() / "pipelines").is_dir()


def test_the_shipped_pipelines_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREWTRAIN_INCLUDE", raising=False)
    assert resources.pipeline_file_errors() == []
    pipelines = resources.valid_pipelines()
    assert len(pipelines) == len(resources.pipeline_files()) >= 1
    for pipeline in pipelines:
        assert resources.recipe_steps(pipeline.recipe)
        resources.check_endpoint_claim(pipeline)
        assert resources.images().xgboost("us-east-1", pipeline.training.image_version)
