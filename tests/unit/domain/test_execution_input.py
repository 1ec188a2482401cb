"""The input of an execution: the document that docs/architecture.md promises, to the byte the same every time."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from brewtrain.domain import gate
from brewtrain.domain.errors import DeploymentError
from brewtrain.domain.evaluation import Code
from brewtrain.domain.execution_input import ImageTable, execution_input
from brewtrain.domain.names import Account, RunIdentity
from tests.unit.domain.test_pipeline import VALID, _parse

ARCHITECTURE = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
ACCOUNT = Account("123456789012", "eu-central-1")
IMAGES = ImageTable({"1.7-1": {"eu-central-1": "492215442770.dkr.ecr.eu-central-1.amazonaws.com"}})
CODE = Code(files={"gate.py": b"", "evaluate.py": b"import gate"})
IDENTITY = RunIdentity("churn", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC), "0")


def _build(text: str = VALID, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"images": IMAGES, "recipe_version": "1.0", "code": CODE} | changes
    account = arguments.pop("account", ACCOUNT)
    return execution_input(_parse(text), IDENTITY, account, **arguments)


def _paths(value: object, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path for key, item in value.items() for path in _paths(item, f"{prefix}.{key}")}
    return {prefix}


def test_it_has_the_members_that_the_architecture_promises() -> None:
    section = ARCHITECTURE.read_text().split("## Execution input")[1]
    block = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert block is not None
    promised = json.loads(block.group(1))
    open_ended = (".training.hyperparameters", ".endpoint.deployment_config")
    built = {path for path in _paths(_build()) if not path.startswith(open_ended)}
    assert built == {path for path in _paths(promised) if not path.startswith(open_ended)}


def test_it_is_the_same_to_the_byte() -> None:
    assert json.dumps(_build()) == json.dumps(_build())


def test_everything_lies_below_the_runs_prefix() -> None:
    document = _build()
    bucket = "s3://brewtrain-123456789012-eu-central-1/brewtrain/churn"
    uris = [text for text in json.dumps(document).split('"') if text.startswith("s3://")]
    assert len(uris) >= 11
    elsewhere = [uri for uri in uris if not uri.startswith(f"{bucket}/runs/churn-20240102T0000-g0/")]
    assert elsewhere == [f"{bucket}/code/evaluation-{CODE.sha256[:12]}/"]
    assert document["split"]["summary_key"] == "brewtrain/churn/runs/churn-20240102T0000-g0/split.json"


def test_the_pipelines_decisions_arrive() -> None:
    document = _build(VALID.replace("{min: 0.70}", "{min: 0.8}\n    validation:logloss: {max: 0.5}"))
    arguments = document["evaluation"]["arguments"]
    rules = [value for option, value in itertools.pairwise(arguments) if option == "--rule"]
    assert gate.from_arguments(rules) == gate.GateRules(
        floors={"auc": 0.8}, ceilings={"logloss": 0.5}, minimum_rows=200, minimum_positives=20
    )
    assert document["training"]["hyperparameters"]["num_round"] == "100"
    assert document["training"]["hyperparameters"]["eta"] == "0.1"
    assert document["training"]["hyperparameters"]["eval_metric"] == "auc,aucpr,error,logloss"
    assert document["training"]["image_uri"].endswith("/sagemaker-xgboost:1.7-1")
    assert document["endpoint"]["name"] == "churn-live"
    assert document["run"]["deploy_policy"] == "newest"


def test_hyperparameters_are_text_that_reads_back_as_the_number() -> None:
    text = VALID.replace("eta: 0.1", "eta: 0.123456789012\n    alpha: 1.0e-12\n    gamma: 12345678.5")
    given = _build(text)["training"]["hyperparameters"]
    assert all(isinstance(value, str) for value in given.values())
    assert float(given["eta"]) == 0.123456789012
    assert float(given["alpha"]) == 1e-12
    assert float(given["gamma"]) == 12345678.5


def test_training_reads_part_files_alone() -> None:
    # SageMaker takes an S3Prefix as the beginning of keys, so markers such as train/_SUCCESS stay out of the channel.
    training = _build()["training"]
    assert training["train_uri"].endswith("/train/part-")
    assert training["validation_uri"].endswith("/validation/part-")


@pytest.mark.parametrize("minutes", [5, 60, 90, 91, 240, 480])
def test_the_endpoint_is_awaited_as_long_as_the_pipeline_says_within_the_history_of_an_execution(minutes: int) -> None:
    text = VALID.replace("  name: churn-live", f"  name: churn-live\n  ready_minutes: {minutes}")
    endpoint = _build(text)["endpoint"]
    waited = endpoint["wait_seconds"] * endpoint["max_waits"]
    assert minutes * 60 - endpoint["wait_seconds"] < waited <= minutes * 60
    assert endpoint["wait_seconds"] >= 15
    assert 2 * endpoint["max_waits"] * 13 < 20_000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": ImageTable({"1.5-1": {}})}, "training.image_version '1.7-1' is not known; write one of 1.5-1"),
        ({"account": Account("1", "xx-east-1")}, "region 'xx-east-1' has no built-in XGBoost image 1.7-1"),
    ],
)
def test_an_image_that_is_not_there_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeploymentError, match=re.escape(sentence)):
        _build(**changes)
