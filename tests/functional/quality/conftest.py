"""An account on local AWS for each module's own pipeline with quality rules."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from brewtrain.domain.pipeline.file import Pipeline
from local_aws.jobs import knobs
from tests.fixtures.airflow_connection import VARIABLE, connection_to
from tests.fixtures.pipelines import smallest_pipeline
from tests.fixtures.quality_runs import QualityRun
from tests.fixtures.switched_execution import SwitchedExecution

# Importing Airflow makes a configuration file in its home: not in the developer's own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

RULES: dict[str, Any] = {
    "rules": [
        {"between": {"age": [17, 98]}},
        {"not_null": "age", "on_fail": "warn"},
        {"in": {"job": ["admin"]}},
    ]
}
_numbers = itertools.count(1)
_days = itertools.count()


def make_pipeline(name: str, **more: Any) -> Pipeline:
    """Return a pipeline file with quality rules."""
    fields = {
        "source": {
            "path": f"s3://{{bucket}}/data/{name}/dt={{date}}/",
            "delimiter": ";",
            "columns": ["age", "job", "y"],
        },
        "window_days": 5,
        "quality": RULES,
        **more,
    }
    return smallest_pipeline(name, **fields)


@pytest.fixture(scope="module")
def account(aws_client: Callable[..., Any], local_aws: str) -> Iterator[SwitchedExecution]:
    """Return the account of a pipeline of the module's own, deployed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, connection_to(local_aws))
        switched = SwitchedExecution(aws_client, make_pipeline(f"looked_{next(_numbers)}"))
        switched.deploy()
        yield switched


@pytest.fixture(autouse=True)
def _normal_knobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from brewtrain.triggers import job_run

    # No process of Airflow's has to end first.
    monkeypatch.setattr(job_run, "FIRST_LOOK_SECONDS", 0.0)
    yield
    knobs.reset()


@pytest.fixture
def new_run(account: SwitchedExecution) -> Callable[..., QualityRun]:
    """``new_run(**params)``: a run whose window no other test's run reads."""

    def make(**more: Any) -> QualityRun:
        return QualityRun(account, date(2024, 3, 1) + timedelta(days=10 * next(_days)), **more)

    return make
