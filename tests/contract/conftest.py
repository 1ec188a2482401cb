"""The definition and a sample input for the contract tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INCLUDE = REPOSITORY / "include"


@pytest.fixture(scope="session")
def definition() -> dict[str, Any]:
    """Read the committed state machine."""
    document: dict[str, Any] = json.loads((INCLUDE / "statemachine" / "retraining.asl.json").read_text("utf-8"))
    return document


@pytest.fixture(scope="session")
def sample_input() -> dict[str, Any]:
    """Build the input of a retraining as the project does."""
    from brewtrain.domain import names
    from brewtrain.domain.run.execution_input import execution_input
    from brewtrain.resources import evaluation_code, find_pipeline, images

    identity = names.RunIdentity(
        pipeline="bank_marketing",
        interval_start=datetime(2010, 11, 28, tzinfo=UTC),
        interval_end=datetime(2010, 11, 29, tzinfo=UTC),
        generation="0",
    )
    account = names.Account(account_id="123456789012", region="us-east-1")
    return execution_input(
        find_pipeline("bank_marketing"),
        identity,
        account,
        images=images(),
        recipe_version="1.0",
        code=evaluation_code(),
    )


@pytest.fixture(scope="session")
def sample_inputs(sample_input: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Build an input for each entry."""
    from brewtrain.domain import names
    from brewtrain.domain.run.execution_input import promotion_input, rollback_input
    from brewtrain.domain.run.outcome import Outcome
    from brewtrain.resources import find_pipeline, images

    pipeline = find_pipeline("bank_marketing")
    # What a run from before there was an evaluation reported.
    candidate = Outcome.of(
        {
            "outcome": "rejected",
            "reason": "deploy_never",
            "run": sample_input["run"],
            "training_job_name": "brewtrain-bank-marketing-20101129T0000-g0-0-0",
            "model_artifacts": "s3://bucket/model.tar.gz",
        }
    )
    account = names.Account(account_id="123456789012", region="us-east-1")
    return {
        "retrain": sample_input,
        "promote": promotion_input(
            pipeline, account, candidate, deployment_id="bank-marketing-p20101130T0000-abcd-g0", images=images()
        ),
        "rollback": rollback_input(
            pipeline, endpoint_config_name="by-hand", model_name=None, run_id=None, data_date=None
        ),
    }
