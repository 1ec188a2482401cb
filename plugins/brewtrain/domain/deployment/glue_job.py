"""The Glue job that divides the rows: what it should be, and how the deployed one differs.

Must not import Airflow or boto3.

Sources: AWS Glue Web API reference, CreateJob, UpdateJob ("unspecified configuration is removed or
reset to default values"), Job; AWS Glue Developer Guide, "Using job parameters in AWS Glue jobs".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brewtrain.domain.deployment.plan import mapping_differences
from brewtrain.domain.names import Account
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run.limits import stage_limits, whole_minutes
from brewtrain.domain.run.stages import Stage

GLUE_VERSION = "5.0"
WORKER_TYPE = "G.1X"
# Two is Glue's least for a Spark job.
WORKERS = 2
# Runs of one pipeline side by side: a backfill's (ten at once by default), the scheduled one, and
# some by hand. Beyond that the state machine waits and tries again.
MAX_CONCURRENT_RUNS = 20

# What GetJob says of a job that left the member out when it was made.
_DEFAULTS: dict[str, Any] = {
    "ExecutionClass": "STANDARD",
    "JobMode": "SCRIPT",
    "JobRunQueuingEnabled": False,
    "MaxRetries": 0,
}
# Members that UpdateJob sets. GetJob adds others (times, capacity computed from the workers) that
# nobody decided.
_DECIDED = frozenset(
    [
        "CodeGenConfigurationNodes",
        "Command",
        "Connections",
        "DefaultArguments",
        "Description",
        "ExecutionClass",
        "ExecutionProperty",
        "GlueVersion",
        "JobMode",
        "JobRunQueuingEnabled",
        "LogUri",
        "MaintenanceWindow",
        "MaxRetries",
        "NonOverridableArguments",
        "NotificationProperty",
        "NumberOfWorkers",
        "Role",
        "SecurityConfiguration",
        "SourceControlDetails",
        "Timeout",
        "WorkerType",
    ]
)


def definition(pipeline: Pipeline, account: Account, *, script_uri: str) -> dict[str, Any]:
    """Return the job as CreateJob and UpdateJob take it, without its name and tags.

    :param pipeline: The pipeline file.
    :param account: Where it is deployed.
    :param script_uri: ``s3://`` URI of the script.
    """
    return {
        "Description": f"Divides the rows of pipeline {pipeline.name} into training and validation.",
        "Role": account.role_arn("glue"),
        "ExecutionProperty": {"MaxConcurrentRuns": MAX_CONCURRENT_RUNS},
        "Command": {"Name": "glueetl", "ScriptLocation": script_uri, "PythonVersion": "3"},
        "DefaultArguments": {"--job-language": "python"},
        "MaxRetries": 0,
        "Timeout": whole_minutes(stage_limits(pipeline, Stage.SPLIT).job),
        "GlueVersion": GLUE_VERSION,
        "WorkerType": WORKER_TYPE,
        "NumberOfWorkers": WORKERS,
    }


def differences(desired: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """Say how the deployed job differs from what it should be.

    :param desired: As :func:`definition` returns it.
    :param actual: The ``Job`` that GetJob returns.
    """
    return mapping_differences(_decided(desired), _decided(actual))


def _decided(job: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in job.items()
        if key in _DECIDED and value not in (None, "", {}, []) and value != _DEFAULTS.get(key) and not _empty(value)
    }


def _empty(value: object) -> bool:
    # A job without connections may come back as {"Connections": []}.
    return isinstance(value, Mapping) and all(member in (None, "", {}, []) for member in value.values())
