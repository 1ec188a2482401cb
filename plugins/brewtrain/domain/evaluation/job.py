"""What Airflow knows of the evaluation: its files, and what its job is told.

The evaluation itself runs on AWS (include/evaluation/evaluate.py) and shares
:mod:`brewtrain.domain.evaluation.gate` with this side. Must not import Airflow or boto3, and reads
no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation import gate

#: Files of include/evaluation/ that run on AWS; the deploy ships them under one prefix,
#: :data:`GATE_FILE` beside them.
SCRIPT_FILES = (
    "binary_metrics.py",
    "bootstrap.py",
    "champion.py",
    "drift.py",
    "evaluate.py",
    "evaluation_errors.py",
    "feature_changes.py",
    "feature_sentences.py",
    "labelled_csv.py",
    "measurement.py",
    "model_archive.py",
    "outputs.py",
    "plots.py",
    "report_page.py",
    "s3_objects.py",
    "score_model.py",
    "split_output.py",
)
#: Name under which plugins/brewtrain/domain/evaluation/gate.py is shipped.
GATE_FILE = "gate.py"

#: Uploaded last: where it exists, so do all the others.
ENTRY_FILE = "evaluate.py"

EVALUATION_FOLDER = "evaluation/"
EVALUATION_FILE = "evaluation.json"
VERDICT_FILE = "verdict.json"
PROFILE_FILE = "profile.json"
SMOKE_FILE = "smoke.json"
PAGE_FILE = "report.html"

CHAMPION_VARIABLE = "BREWTRAIN_CHAMPION"
CHAMPION_REASON_VARIABLE = "BREWTRAIN_CHAMPION_REASON"
NO_CHAMPION = "none"
UNKNOWN_CHAMPION = "unknown"
CONTAINER_ENTRYPOINT = ("python3", "/opt/ml/processing/input/code/evaluate.py")
#: Input's name in the job → folder in the container; the challenger's URI is known only after the
#: training.
INPUT_FOLDERS = {
    "code": "/opt/ml/processing/input/code",
    "validation": "/opt/ml/processing/input/validation",
    "train": "/opt/ml/processing/input/train",
    "summary": "/opt/ml/processing/input/summary",
    "challenger": "/opt/ml/processing/input/challenger",
}
OUTPUT_FOLDER = "/opt/ml/processing/output/evaluation"

_MOST_ARGUMENTS = 100
_LONGEST_ARGUMENT = 256


@dataclass(frozen=True)
class Code:
    """The files that run in the evaluation's container.

    :param files: Name → content, :data:`ENTRY_FILE` last.
    """

    files: Mapping[str, bytes]

    @property
    def sha256(self) -> str:
        """SHA-256 of names and contents, in hex: other content is shipped under another prefix."""
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


def container_arguments(
    rules: gate.GateRules,
    *,
    run_id: str,
    pipeline: str,
    data_date: str,
    recipe_version: str,
    validation_fraction: float,
) -> list[str]:
    """Return the arguments of the evaluation script that are known before the execution starts.

    The champion is not among them: the state machine finds it and passes it as the environment
    variable :data:`CHAMPION_VARIABLE`, because the states language cannot append to a list.

    :param rules: The pipeline's gate.
    :param run_id: Id of the run.
    :param pipeline: Name of the pipeline.
    :param data_date: Last day of the window, ``YYYY-MM-DD``.
    :param recipe_version: Published recipe version that the run is pinned to.
    :param validation_fraction: Share of rows that the split kept for validation.
    :raises DeploymentError: If CreateProcessingJob would refuse them (256 characters each, 100 in
        all).
    """
    arguments = [
        *("--run-id", run_id),
        *("--pipeline", pipeline),
        *("--data-date", data_date),
        *("--recipe-version", recipe_version),
        *("--validation-fraction", str(validation_fraction)),
        *gate.to_arguments(rules),
    ]
    longest = max(arguments, key=len)
    if len(arguments) > _MOST_ARGUMENTS or len(longest) > _LONGEST_ARGUMENT:
        raise DeploymentError(
            f"the evaluation of {run_id} has {len(arguments)} arguments, the longest of {len(longest)} characters; "
            f"SageMaker allows {_MOST_ARGUMENTS} of {_LONGEST_ARGUMENT}; shorten the gate"
        )
    return arguments


def execution_section(
    arguments: list[str],
    *,
    bucket: str,
    run_prefix: str,
    code_prefix: str,
    instance_type: str,
    volume_gb: int,
    max_runtime_seconds: int,
    timeout_seconds: int,
) -> dict[str, Any]:
    """Build the ``evaluation`` section of the execution's input.

    The state "Evaluate Model" makes CreateProcessingJob's request of it. Image, role and the jobs'
    name prefix are those of the training.

    :param arguments: From :func:`container_arguments`.
    :param bucket: The pipeline's bucket.
    :param run_prefix: Key prefix of the run, ending with ``/``.
    :param code_prefix: Key prefix that holds :data:`SCRIPT_FILES` and :data:`GATE_FILE`, ending
        with ``/``.
    :param instance_type: Rows × features × 4 bytes, about five times over, must fit its memory.
    :param volume_gb: Must hold the run's train and validation parts.
    :param max_runtime_seconds: StoppingCondition.
    :param timeout_seconds: How long Step Functions waits, with the time to start and stop
        instances.
    """
    run_uri = f"s3://{bucket}/{run_prefix}"
    return {
        "instance_type": instance_type,
        "volume_gb": volume_gb,
        "max_runtime_seconds": max_runtime_seconds,
        "timeout_seconds": timeout_seconds,
        "arguments": arguments,
        "code_uri": f"s3://{bucket}/{code_prefix}",
        "train_uri": f"{run_uri}train/",
        "validation_uri": f"{run_uri}validation/",
        "summary_uri": f"{run_uri}split.json",
        "output_uri": f"{run_uri}{EVALUATION_FOLDER}",
        "verdict_bucket": bucket,
        "verdict_key": f"{run_prefix}{EVALUATION_FOLDER}{VERDICT_FILE}",
    }
