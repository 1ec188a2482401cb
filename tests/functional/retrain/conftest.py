"""An account on local AWS for each module's own pipeline, reached by the real hooks."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from brewtrain.domain.pipeline.file import Pipeline
from tests.fixtures.pipelines import smallest_pipeline
from tests.fixtures.switched_execution import SwitchedExecution

# Importing Airflow makes a configuration file in its home: not in the developer's own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

_numbers = itertools.count(1)


def make_pipeline(name: str, **more: Any) -> Pipeline:
    """Return a valid pipeline file."""
    fields = {
        "source": {
            "path": f"s3://{{bucket}}/data/{name}/dt={{date}}/",
            "delimiter": ";",
            "columns": ["age", "job", "y"],
        },
        "window_days": 3,
        "label": {"column": "y_output"},
        "training": {"hyperparameters": {"num_round": 10}},
        "gate": {"metrics": {"validation:auc": {"min": 0.7}}},
        **more,
    }
    return smallest_pipeline(name, **fields)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Return a pipeline of the module's own."""
    return make_pipeline(f"wait_{next(_numbers)}")


@pytest.fixture(scope="module")
def connection(local_aws: str) -> Iterator[str]:
    """Id of the Airflow connection to local AWS."""
    extra = {"region_name": "us-east-1", "endpoint_url": local_aws}
    value = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_BREWTRAIN_AWS", json.dumps(value))
        yield "brewtrain_aws"


@pytest.fixture(scope="module")
def account(aws_client: Callable[..., Any], connection: str, pipeline: Pipeline) -> SwitchedExecution:
    """Return the pipeline's account, deployed."""
    switched = SwitchedExecution(aws_client, pipeline)
    switched.deploy()
    return switched
