"""Hostile params of a triggered DAG are refused by Airflow, and by the DAG's first task.

The first task checks for itself, before any call to AWS: conf can come past Airflow's own check
(DAG.test, a trigger from another DAG, a param that lost its schema).
"""

from __future__ import annotations

import copy
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brewtrain.domain.errors import InputError
from tests.functional.hostile.texts import KNOWN, hostile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

REPOSITORY = Path(__file__).resolve().parents[3]
OTHERS: list[Any] = [None, 0, 1, -1, 1.5, [], ["newest"], {}, {"newest": 1}, [[]], "False", "true", "0", b"newest"]


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    """Return the shipped DAGs by kind."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "plugins"))
        bag = DagBag(str(REPOSITORY / "dags"))
    assert bag.import_errors == {}
    return {dag_id.partition("__")[2]: dag for dag_id, dag in bag.dags.items() if dag_id.startswith("bank_marketing__")}


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.client import BaseClient

    def call(self: Any, operation: str, request: Any) -> Any:
        raise AssertionError(f"AWS was called: {operation} {request}")

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


def params(dags: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, dag in dags.items():
        for name in dag.params:
            yield kind, name


def defaults(dag: Any) -> dict[str, Any]:
    return {name: dag.params[name] for name in dag.params}


def allowed(dag: Any, name: str, value: Any) -> bool:
    """Whether Airflow's own check of a trigger lets a value pass."""
    from airflow.sdk.exceptions import ParamValidationError

    try:
        # A copy, because what is resolved becomes the param's value.
        copy.deepcopy(dag.params.get_param(name)).resolve(value)
    except (ParamValidationError, TypeError, ValueError):
        return False
    return True


def run_first_task(dag: Any, values: dict[str, Any]) -> None:
    (first,) = dag.roots
    moment = datetime(2024, 2, 2, tzinfo=UTC)
    run = SimpleNamespace(
        dag_id=dag.dag_id,
        run_id="manual__2024",
        run_type="manual",
        clear_number=0,
        data_interval_start=datetime(2024, 2, 1, tzinfo=UTC),
        data_interval_end=moment,
        logical_date=moment,
        run_after=moment,
        conf={},
    )
    context = {"params": values, "dag_run": run, "run_id": run.run_id, "ti": SimpleNamespace(task_id=first.task_id)}
    first.execute(context)


def test_every_dag_has_one_first_task_and_params_with_a_schema(dags: dict[str, Any]) -> None:
    assert {"retrain", "deploy", "preflight"} <= dags.keys()
    for kind, dag in dags.items():
        assert len(dag.roots) == 1, kind
    for kind, name in params(dags):
        schema = dags[kind].params.get_param(name).schema
        types = schema.get("type", [])
        free = "string" in ([types] if isinstance(types, str) else types) and "enum" not in schema
        assert not free or "pattern" in schema, f"{kind}: param {name} takes any text; give it an enum or a pattern"


def test_no_known_attack_passes_either_check(dags: dict[str, Any]) -> None:
    seen = 0
    for kind, name in params(dags):
        dag = dags[kind]
        for value in [*KNOWN, *OTHERS]:
            # True == 1, and 1 is no boolean: what Airflow lets pass counts as what the schema says.
            if allowed(dag, name, value):
                assert contained(name, value), (kind, name, value)
                continue
            seen += 1
            with pytest.raises(InputError, match=name):
                run_first_task(dag, {**defaults(dag), name: value})
    assert seen > 150


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_text(dags: dict[str, Any], data: st.DataObject) -> None:
    kind, name = data.draw(st.sampled_from(sorted(params(dags))))
    value = data.draw(hostile)
    if allowed(dags[kind], name, value):
        assert contained(name, value)
        return
    with pytest.raises(InputError):
        run_first_task(dags[kind], {**defaults(dags[kind]), name: value})


def contained(param: str, value: Any) -> bool:
    """Whether it is a boolean, a number that counts something, or a text like a name.

    A reason is a line that is only written down: no markup, no template, nothing invisible.
    """
    if param == "accept_quality" and isinstance(value, str):
        return value.isprintable() and not set(value) & set('<>{}[]$`"\\|&;*=~^@')
    if isinstance(value, str):
        return (
            len(value) <= 256
            and all(one.isascii() and (one.isalnum() or one in "_-:.+/") for one in value)
            and (".." not in value and "//" not in value)
        )
    return value is None or isinstance(value, bool) or (isinstance(value, int) and value > 0)


def test_what_is_rendered_is_the_dags_own_text(dags: dict[str, Any]) -> None:
    """Jinja in a param, or in conf, stays the text that it is.

    Templates are written in operators, and show a param's value without rendering it. None of them
    reads a connection or a variable.
    """
    seen = 0
    for kind, dag in dags.items():
        for task in dag.tasks:
            if not type(task).__module__.startswith("brewtrain"):
                continue
            for field in task.template_fields:
                text = str(getattr(task, field))
                seen += 1
                assert set(re.findall(r"{{\s*(\w+)", text)) <= {"params", "ti", "task_instance"}, (
                    kind,
                    task.task_id,
                    text,
                )
                assert not re.search(r"conn\b|\bvar\b|macros|{%", text), (kind, task.task_id, text)
    assert seen > 0
