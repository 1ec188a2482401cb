"""The AWS sample that this project grew from runs on local AWS with only the endpoint changed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.account import REGION
from tests.fixtures.local_aws_clients import AwsClients
from tests.fixtures.places import INCLUDE, REPOSITORY

PYTHON = Path(os.environ.get("BREWTRAIN_AUTHORING_PYTHON", REPOSITORY / ".venv-authoring" / "bin" / "python"))
CLIENT = REPOSITORY / "tests" / "fixtures" / "seed_client" / "client.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason=f"no authoring environment at {PYTHON}: `make statemachine` makes it"
    ),
]

UP_TO_THE_GATE = [
    "Apply Transformation",
    "Split Train & Test DataSet",
    "Model Training",
    "Save Model",
    "Query Training Results",
    "Accuracy > 90%",
]


def run_client(endpoint_url: str, home: Path, bank_marketing_csv: Path, *arguments: str) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    recipe = INCLUDE / "recipes" / "bank_marketing_seed.json"
    outcome = subprocess.run(
        [PYTHON, "-W", "ignore", CLIENT, "--data", bank_marketing_csv, "--recipe", recipe, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    report: dict[str, Any] = json.loads(outcome.stdout.splitlines()[-1])
    return report


def test_the_sample_ends_as_on_aws(
    local_aws: str, aws_client: AwsClients, bank_marketing_csv: Path, tmp_path: Path
) -> None:
    """It succeeds, or ends in its own Fail state where the random split makes a poor model."""
    report = run_client(local_aws, tmp_path, bank_marketing_csv, "--suffix", "as-published")
    print(report["status"], report["error"], report["cause"])
    assert report["states"][:6] == UP_TO_THE_GATE
    metrics = aws_client("sagemaker").describe_training_job(TrainingJobName=report["names"]["TrainingJobName"])
    # The sample's gate reads the first metric, whichever it is; AWS documents no order.
    error = metrics["FinalMetricDataList"][0]["Value"]
    if report["status"] == "SUCCEEDED":
        assert error < 0.1
        assert report["states"][6:] == ["Create Model Endpoint Config", "Update Model Endpoint"]
    else:
        assert error >= 0.1
        assert report["states"][6:] == ["Model Accuracy Too Low"]


def test_the_sample_deploys_when_its_gate_lets_it(
    local_aws: str, aws_client: AwsClients, bank_marketing_csv: Path, tmp_path: Path
) -> None:
    report = run_client(local_aws, tmp_path, bank_marketing_csv, "--suffix", "lenient", "--error-below", "0.5")
    assert report["status"] == "SUCCEEDED", (report["error"], report["cause"], report["states"])
    assert report["states"] == [*UP_TO_THE_GATE, "Create Model Endpoint Config", "Update Model Endpoint"]
    assert report["output"]["EndpointArn"]
    sagemaker, name = aws_client("sagemaker"), report["names"]["EndpointName"]
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    # age_binning, marital_divorced, _married, _single, _unknown, house_without_loan, duration,
    # long_call
    answer = aws_client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, ContentType="text/csv", Body="2,0,1,0,0,1,600,1"
    )
    assert 0 <= float(answer["Body"].read()) <= 1
