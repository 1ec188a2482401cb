"""What Airflow sends and reads is what the evaluation's script takes and writes."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import binary_metrics
import champion
import evaluate
import outputs
import over_time
import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation import gate
from brewtrain.domain.evaluation import job as domain
from tests.fixtures.evaluation_run import FILES, GATE, PROFILE_URI, SOURCE

ARGUMENTS: dict[str, Any] = {
    "run_id": "bank-marketing-20101129T0000-g0",
    "pipeline": "bank_marketing",
    "data_date": "2010-11-28",
    "recipe_version": "3.0",
    "validation_fraction": 0.3,
}


def test_both_sides_use_the_same_names_and_layouts() -> None:
    assert set(gate.METRICS) == set(binary_metrics.METRICS)
    assert domain.CHAMPION_VARIABLE == evaluate.CHAMPION_VARIABLE
    assert domain.CHAMPION_REASON_VARIABLE == evaluate.REASON_VARIABLE
    assert domain.NO_CHAMPION == champion.NO_CHAMPION
    assert domain.UNKNOWN_CHAMPION == champion.UNKNOWN_CHAMPION
    assert outputs.LAYOUT == over_time.LAYOUT
    assert domain.PROFILE_FILE in FILES
    assert PROFILE_URI.endswith(f"/{domain.EVALUATION_FOLDER}{domain.PROFILE_FILE}")


def test_the_script_reads_and_writes_the_folders_of_the_job() -> None:
    defaults = evaluate.parse_arguments(domain.container_arguments(gate.GateRules(), **ARGUMENTS))
    folders = domain.INPUT_FOLDERS
    assert [str(defaults.validation), str(defaults.train), str(defaults.output)] == [
        folders["validation"],
        folders["train"],
        domain.OUTPUT_FOLDER,
    ]
    assert str(defaults.challenger.parent) == folders["challenger"]
    assert str(defaults.summary.parent) == folders["summary"]
    assert domain.CONTAINER_ENTRYPOINT[1] == f"{folders['code']}/evaluate.py"


def test_everything_that_runs_on_aws_is_shipped() -> None:
    here = {path.name for path in SOURCE.glob("*.py")}
    assert set(domain.SCRIPT_FILES) == here - {"over_time.py"}


@pytest.mark.parametrize("path", [*sorted(SOURCE.glob("*.py")), GATE], ids=lambda path: path.name)
def test_a_script_runs_on_the_oldest_image(path: Path) -> None:
    """It has Python 3.7's grammar, and imports what every image has."""
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body) or (
        path.name == "evaluation_errors.py"
    )
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    siblings = {Path(name).stem for name in (*domain.SCRIPT_FILES, domain.GATE_FILE)}
    image = {"numpy", "xgboost", "matplotlib", "boto3", "botocore"}
    foreign = imported - set(sys.stdlib_module_names) - siblings - image
    assert not foreign
    if path.name == "gate.py":
        assert not imported & (siblings | image)


def test_container_arguments_are_what_the_script_reads() -> None:
    rules = gate.GateRules(floors={"auc": 0.7}, champion=(gate.ChampionRule("auc", 0.02),), minimum_rows=200)
    options = evaluate.parse_arguments(domain.container_arguments(rules, **ARGUMENTS))
    assert gate.from_arguments(options.rule) == rules
    assert (options.recipe_version, options.validation_fraction) == ("3.0", 0.3)


def test_an_argument_that_sagemaker_refuses_is_refused_before() -> None:
    with pytest.raises(DeploymentError, match="SageMaker allows 100 of 256"):
        domain.container_arguments(gate.GateRules(), **{**ARGUMENTS, "run_id": "x" * 257})


def longest_section() -> dict[str, Any]:
    """Make the section of the execution's input for a gate with every rule."""
    rules = gate.GateRules(
        floors=dict.fromkeys(gate.HIGHER_IS_BETTER, 0.123456789),
        ceilings=dict.fromkeys(gate.LOWER_IS_BETTER, 0.987654321),
        champion=tuple(gate.ChampionRule(metric, 0.0123456789) for metric in gate.METRICS),
        minimum_rows=10**9,
        minimum_positives=10**9,
    )
    return domain.execution_section(
        domain.container_arguments(rules, **ARGUMENTS),
        bucket="bucket",
        run_prefix="brewtrain/p/runs/r/",
        code_prefix="brewtrain/p/code/evaluation-abc/",
        instance_type="ml.m5.xlarge",
        volume_gb=10,
        max_runtime_seconds=3600,
        timeout_seconds=5400,
    )


def processing_job(section: dict[str, Any]) -> dict[str, Any]:
    """Build CreateProcessingJob's parameters as the state Evaluate Model does."""
    uris = {name: section.get(f"{name}_uri", "s3://bucket/model.tar.gz") for name in domain.INPUT_FOLDERS}
    result = {"S3Uri": section["output_uri"], "LocalPath": domain.OUTPUT_FOLDER, "S3UploadMode": "EndOfJob"}
    cluster = {
        "InstanceCount": 1,
        "InstanceType": section["instance_type"],
        "VolumeSizeInGB": section["volume_gb"],
    }
    return {
        "ProcessingJobName": "brewtrain-r-0-0",
        "AppSpecification": {
            "ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "ContainerEntrypoint": list(domain.CONTAINER_ENTRYPOINT),
            "ContainerArguments": section["arguments"],
        },
        "Environment": {domain.CHAMPION_VARIABLE: domain.NO_CHAMPION},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {"S3Uri": uri, "LocalPath": domain.INPUT_FOLDERS[name], "S3DataType": "S3Prefix"},
            }
            for name, uri in uris.items()
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "evaluation", "S3Output": result}]},
        "ProcessingResources": {"ClusterConfig": cluster},
        "StoppingCondition": {"MaxRuntimeInSeconds": section["max_runtime_seconds"]},
        "RoleArn": "arn:aws:iam::123456789012:role/brewtrain-sagemaker",
    }


def test_the_section_makes_a_job_that_sagemaker_accepts() -> None:
    section = longest_section()
    shape = Session().get_service_model("sagemaker").operation_model("CreateProcessingJob").input_shape
    report = ParamValidator().validate(processing_job(section), shape)
    assert not report.has_errors(), report.generate_report()
    assert len(section["arguments"]) <= 100
    assert section["verdict_key"] == "brewtrain/p/runs/r/evaluation/verdict.json"
