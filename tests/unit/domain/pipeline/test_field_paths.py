"""Every field of a pipeline file is used: it changes a request to AWS, or Airflow reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from brewtrain.domain.deployment import glue_job
from brewtrain.domain.evaluation.job import Code
from brewtrain.domain.names import Account, recipe
from brewtrain.domain.pipeline.file import Pipeline, parse_pipeline
from brewtrain.domain.run import quality_job, transform_job
from brewtrain.domain.run.execution_input import ImageTable, execution_input
from brewtrain.domain.run.identity import identity_for_start
from brewtrain.domain.run.interval import DataInterval
from tests.fixtures.places import REPOSITORY

ACCOUNT = Account("123456789012", "eu-central-1")
REGISTRY = {"eu-central-1": "492215442770.dkr.ecr.eu-central-1.amazonaws.com"}
IMAGES = ImageTable({"1.7-1": REGISTRY, "1.5-1": REGISTRY})
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"

FULL: dict[str, Any] = {
    "name": "churn",
    "schedule": "@daily",
    "start_date": "2024-01-01",
    "source": {"path": "s3://{bucket}/churn/dt={date}/"},
    "recipe": "churn.json",
    "label": {"column": "left"},
    "training": {"hyperparameters": {"num_round": 10}},
    "gate": {"metrics": {"validation:auc": {"min": 0.7}}},
    "endpoint": {"instance_count": 2, "update": {"traffic": "canary"}},
    "quality": {"rules": [{"unique": "age"}]},
}
# What a new field needs besides its module: another value here, which must change what AWS is sent.
OTHER_VALUES: dict[str, Any] = {
    "name": "fraud",
    "bucket": "my-lake",
    "kms_key": KEY,
    "source.path": "s3://{bucket}/other/dt={date}/",
    "source.format": "parquet",
    "source.delimiter": ";",
    "source.header": False,
    "source.lag_days": 1,
    "source.days": ["mon", "tue", "wed", "thu", "fri"],
    "timezone": "America/New_York",
    "start_date": "2024-01-20",
    "window_days": 7,
    "label.column": "stays",
    "split.validation_fraction": 0.2,
    "transform.max_capacity": 9,
    "training.image_version": "1.5-1",
    "training.instance_type": "ml.m5.large",
    "training.instance_count": 2,
    "training.volume_gb": 20,
    "training.max_runtime_seconds": 600,
    "training.hyperparameters": {"num_round": 11},
    "evaluation.instance_type": "ml.m5.large",
    "evaluation.volume_gb": 20,
    "evaluation.max_runtime_seconds": 600,
    "quality.rules": [{"not_null": "age"}],
    "gate.metrics": {"validation:auc": {"min": 0.8}},
    "gate.better_than_majority": False,
    "gate.champion": {"validation:auc": {"max_drop": 0.1}},
    "gate.minimum_rows": 1,
    "gate.minimum_positives": 1,
    "gate.first_run": "refuse",
    "gate.champion_not_comparable": "ignore",
    "gate.features": "refuse",
    "gate.max_psi": 0.1,
    "gate.on_reject": "fail",
    "approval": "required",
    "endpoint.name": "other",
    "endpoint.instance_type": "ml.m5.xlarge",
    "endpoint.instance_count": 3,
    "endpoint.ready_minutes": 30,
    "endpoint.update.traffic": "all_at_once",
    "endpoint.update.step_percent": 20,
    "endpoint.update.wait_seconds": 60,
    "endpoint.update.termination_wait_seconds": 60,
    "endpoint.update.max_execution_seconds": 3600,
    "endpoint.update.alarms": ["late"],
    "limits.quality_minutes": 60,
    "limits.transform_minutes": 60,
    "limits.split_minutes": 30,
}
# What no request to AWS holds, and what reads it instead.
READ_BY_AIRFLOW = {
    "description": "the DAGs and the model package group",
    "owner": "the DAGs",
    "schedule": "the retrain DAG",
    "source.wait": "check_input",
    "source.complete_when.marker": "check_input",
    "source.complete_when.minimum_bytes": "check_input",
    "source.complete_when.unchanged_for": "check_input",
    "source.columns": "check_input",
    "recipe": "the deploy DAG, which reads the file",
    "quality": "see its fields",
    "quality.of": "prepare_run",
    "quality.learn": "prepare_run",
    "quality.row_count": "see its fields",
    "quality.row_count.drop_max": "check_input",
    "quality.row_count.grow_max": "check_input",
    "quality.row_count.min": "check_input",
    "quality.row_count.on_fail": "check_input",
    "quality.freshness": "see its fields",
    "quality.freshness.max_age_hours": "check_input",
    "quality.freshness.same_as_earlier": "check_input",
    "quality.freshness.on_fail": "check_input",
    "split.method": "has one value",
    "endpoint.update": "see its fields",
    "pool": "the retrain DAG",
    "retention.run_days": "the cleanup DAG",
    "retention.rollback_targets": "the cleanup DAG",
}
UNREAD = ("has one value", "see its fields")


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        # Below a mapping are keys of the user's own, as in gate.metrics; a list is one value.
        candidates = (
            () if get_origin(field.annotation) in (dict, tuple) else (field.annotation, *get_args(field.annotation))
        )
        section = next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if section is None or field.annotation is not section:
            yield f"{prefix}{name}"
        if section is not None:
            yield from fields(section, f"{prefix}{name}.")


def with_value(path: str, value: Any) -> Pipeline:
    document = json.loads(json.dumps(FULL))
    *sections, name = path.split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
    place[name] = value
    return parse_pipeline(document, source="test")


def sent_to_aws(pipeline: Pipeline) -> str:
    # A Monday, so that the day before is not a working day.
    interval = DataInterval(datetime(2024, 2, 4, tzinfo=UTC), datetime(2024, 2, 5, tzinfo=UTC))
    identity = identity_for_start(pipeline, interval, clear_number=0, rerun_mode="auto", dag_run_id="a")
    bucket = pipeline.bucket_name(ACCOUNT)
    code = Code(files={"gate.py": b""})
    requests = [
        execution_input(pipeline, identity, ACCOUNT, images=IMAGES, recipe_version="1.0", code=code),
        transform_job.dataset(pipeline, identity, bucket=bucket),
        transform_job.job(pipeline, identity, ACCOUNT, bucket=bucket, recipe_version="1.0"),
        glue_job.definition(pipeline, ACCOUNT, script_uri="s3://b/split.py"),
        recipe(pipeline.name),
        quality_job.rules(pipeline),
        quality_job.job(pipeline, identity, ACCOUNT, name="quality", bucket=bucket),
    ]
    return json.dumps(requests, sort_keys=True)


def test_every_field_has_its_place() -> None:
    known = set(OTHER_VALUES) | set(READ_BY_AIRFLOW)
    assert known == set(fields(Pipeline)), "say here what a new field changes, or what reads it"
    assert not set(OTHER_VALUES) & set(READ_BY_AIRFLOW)


@pytest.mark.parametrize("field", sorted(name for name, use in READ_BY_AIRFLOW.items() if use not in UNREAD))
def test_a_field_that_aws_is_not_sent_is_read_by_something_else(field: str) -> None:
    code = [path for folder in ("plugins", "dags") for path in (REPOSITORY / folder).rglob("*.py")]
    read = re.compile(rf"\b{'.'.join(field.split('.')[-2:])}\b" if "." in field else rf"\bpipeline\.{field}\b")
    assert [path for path in code if "domain/pipeline/" not in str(path) and read.search(path.read_text("utf-8"))]


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_a_field_changes_what_aws_is_sent(field: str) -> None:
    before = sent_to_aws(parse_pipeline(FULL, source="test"))
    assert sent_to_aws(with_value(field, OTHER_VALUES[field])) != before
