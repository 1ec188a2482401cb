"""The split job: what AWS adds is no difference, what a person changed is one."""

from __future__ import annotations

from typing import Any

import pytest

from brewtrain.domain.deployment import glue_job
from brewtrain.domain.names import Account
from tests.fixtures.pipelines import CHURN, pipeline_of

DESIRED = glue_job.definition(
    pipeline_of(), Account("123456789012", "eu-central-1"), script_uri="s3://bucket/code/split-abc.py"
)
# What GetJob adds of itself.
ADDED: dict[str, Any] = {
    "Name": "brewtrain-churn-split",
    "CreatedOn": "2024-01-01",
    "LastModifiedOn": "2024-01-01",
    "AllocatedCapacity": 2,
    "MaxCapacity": 2.0,
    "ExecutionClass": "STANDARD",
    "JobMode": "SCRIPT",
    "JobRunQueuingEnabled": False,
    "Connections": {"Connections": []},
    "NonOverridableArguments": {},
    "AutoUpgradeMetadata": {},
}


def test_the_job_runs_the_script_for_as_long_as_the_pipeline_allows() -> None:
    pipeline = pipeline_of(f"{CHURN}limits: {{split_minutes: 31}}\n")
    assert glue_job.definition(pipeline, Account("123456789012", "eu-central-1"), script_uri="s3://b/split.py") == {
        "Description": "Divides the rows of pipeline churn into training and validation.",
        "Role": "arn:aws:iam::123456789012:role/brewtrain-glue",
        "ExecutionProperty": {"MaxConcurrentRuns": 20},
        "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/split.py", "PythonVersion": "3"},
        "DefaultArguments": {"--job-language": "python"},
        "MaxRetries": 0,
        "Timeout": 31,
        "GlueVersion": "5.0",
        "WorkerType": "G.1X",
        "NumberOfWorkers": 2,
    }


@pytest.mark.parametrize(
    "empty", [pytest.param(value, id=repr(value)) for value in (None, "", {}, [], {"Connections": ""})]
)
def test_what_glue_leaves_empty_is_no_difference(empty: object) -> None:
    assert glue_job.differences(DESIRED, {**DESIRED, "Connections": empty, "LogUri": empty}) == []


def test_what_glue_adds_is_no_difference() -> None:
    assert glue_job.differences(DESIRED, DESIRED | ADDED) == []
    assert glue_job.differences(DESIRED, {k: v for k, v in (DESIRED | ADDED).items() if k != "MaxRetries"}) == []


EDITS: list[tuple[dict[str, Any], str]] = [
    ({"Timeout": 2880}, "Timeout: 2880 → 60"),
    ({"NumberOfWorkers": 10}, "NumberOfWorkers: 10 → 2"),
    ({"MaxRetries": 3}, "MaxRetries: 3 → none"),
    ({"ExecutionClass": "FLEX"}, "ExecutionClass: FLEX → none"),
    ({"SecurityConfiguration": "mine"}, "SecurityConfiguration: mine → none"),
    ({"Connections": {"Connections": ["vpc"]}}, "Connections: dict → none"),
    ({"Role": "arn:aws:iam::123456789012:role/admin"}, "Role: "),
    ({"Command": DESIRED["Command"] | {"ScriptLocation": "s3://b/x.py"}}, "Command.ScriptLocation: s3://b/x.py → "),
    ({"DefaultArguments": {"--job-language": "python", "--x": "1"}}, "DefaultArguments.--x: 1 → none"),
    ({"ExecutionProperty": {"MaxConcurrentRuns": 1}}, "ExecutionProperty.MaxConcurrentRuns: 1 → 20"),
]


@pytest.mark.parametrize(("edit", "difference"), EDITS, ids=[" and ".join(edit) for edit, _ in EDITS])
def test_what_somebody_edited_is_named(edit: dict[str, Any], difference: str) -> None:
    [phrase] = glue_job.differences(DESIRED, DESIRED | ADDED | edit)
    assert phrase.startswith(difference)


def test_the_job_is_what_create_job_takes() -> None:
    from botocore.session import get_session
    from botocore.validate import ParamValidator

    model = get_session().get_service_model("glue").operation_model("CreateJob")
    report = ParamValidator().validate({"Name": "x", "Tags": {"a": "b"}, **DESIRED}, model.input_shape)
    assert not report.has_errors(), report.generate_report()
