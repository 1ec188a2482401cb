"""Dangerous edges of the promote, rollback and cleanup DAGs, and what an approval adds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.dags.conftest import REPOSITORY


@pytest.fixture(scope="module")
def parse() -> Iterator[Callable[[Path], dict[str, Any]]]:
    """Parse the DAG files with an include folder; DAGs by kind, of its first pipeline."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:

        def parse_with(folder: Path) -> dict[str, Any]:
            patch.setenv("BREWTRAIN_INCLUDE", str(folder))
            bag = DagBag(str(REPOSITORY / "dags"))
            assert bag.import_errors == {}
            return {dag_id.rpartition("__")[2]: dag for dag_id, dag in bag.dags.items()}

        yield parse_with


@pytest.fixture(scope="module")
def dags(parse: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    return parse(REPOSITORY / "include")


@pytest.fixture
def approving(parse: Callable[[Path], dict[str, Any]], include: Path) -> dict[str, Any]:
    """Return the DAGs of a pipeline that requires approval."""
    [file] = (include / "pipelines").glob("*.yaml")
    text = file.read_text()
    assert "approval: none" in text
    file.write_text(text.replace("approval: none", "approval: required"))
    return parse(include)


def assert_in_order(dag: Any, *order: str) -> None:
    assert sorted(dag.task_ids) == sorted(order)
    for earlier, later in itertools.pairwise(order):
        assert dag.get_task(earlier).downstream_task_ids == {later}, (earlier, later)


def test_promote_asks_a_person_only_where_the_pipeline_says_so(dags: dict[str, Any]) -> None:
    assert_in_order(
        dags["promote"], "check_endpoint", "choose_candidate", "start_deployment", "deploy", "record_promotion"
    )
    assert "Nobody is asked" in dags["promote"].doc_md


def test_a_pipeline_that_requires_approval(approving: dict[str, Any]) -> None:
    promote = approving["promote"]
    assert_in_order(
        promote,
        "check_endpoint",
        "choose_candidate",
        "approve_candidate",
        "start_deployment",
        "deploy",
        "record_promotion",
    )
    approve = promote.get_task("approve_candidate")
    assert approve.options == ["Approve", "Reject"]
    assert approve.defaults == ["Reject"], "silence is no approval"
    assert approve.response_timeout == timedelta(days=7)
    assert not approve.ignore_downstream_trigger_rules, "record_promotion notes the refusal"
    assert promote.max_active_runs > 1, "a question that nobody answers must not hold up the next one"
    retrain = approving["retrain"]
    assert retrain.get_task("request_approval").upstream_task_ids == {"record_result"}


def test_retrain_asks_nobody_by_default(dags: dict[str, Any]) -> None:
    assert "request_approval" not in dags["retrain"].task_ids


def test_rollback_is_always_confirmed(dags: dict[str, Any]) -> None:
    dag = dags["rollback"]
    assert_in_order(
        dag, "check_endpoint", "choose_version", "confirm_rollback", "start_rollback", "deploy", "record_rollback"
    )
    confirm = dag.get_task("confirm_rollback")
    assert confirm.defaults == ["Reject"]
    assert confirm.response_timeout == timedelta(days=1)
    assert dag.params["target"] == "previous"


@pytest.mark.parametrize(
    ("kind", "start"), [("promote", "start_deployment"), ("rollback", "start_rollback")], ids=["promote", "rollback"]
)
def test_the_wait_reads_its_own_dags_tasks(dags: dict[str, Any], kind: str, start: str) -> None:
    dag = dags[kind]
    assert dag.get_task("check_endpoint").is_setup, "a clear runs it again, which is how the wait tells one"
    wait = dag.get_task("deploy")
    assert wait.start_from_trigger
    arguments = wait.start_trigger_args.trigger_kwargs
    assert f"task_ids='{start}'" in arguments["execution_arn"]
    assert "task_ids='check_endpoint'" in arguments["prepared_try"]
    assert (arguments["start_task"], arguments["setup_task"]) == (start, "check_endpoint")
    assert arguments["rerun_mode"] == "auto", "the DAG has no such param"
    assert arguments["stage"] == "deploy"
    record = dag.get_task(f"record_{'promotion' if kind == 'promote' else 'rollback'}")
    assert record.trigger_rule == "none_failed", "what was not deployed is recorded too, what failed is not"


def test_cleanup_is_weekly_and_really_deletes(dags: dict[str, Any]) -> None:
    dag = dags["cleanup"]
    assert_in_order(dag, "plan_cleanup", "apply_cleanup")
    assert dag.timetable.expression == "17 3 * * 0"
    assert dag.params["dry_run"] is False
    assert dag.max_active_runs == 1


@pytest.mark.parametrize("kind", ["promote", "rollback", "cleanup"])
def test_survives_serialisation(dags: dict[str, Any], kind: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    encoded = DagSerialization.to_dict(dags[kind])
    again = DagSerialization.from_dict(encoded)
    assert set(again.task_dict) == set(dags[kind].task_ids)
    assert DagSerialization.to_dict(dags[kind]) == encoded, "every parse makes the same document"


@pytest.mark.parametrize(
    ("kind", "conf"),
    [
        ("promote", {"candidate": "x'; DROP TABLE--"}),
        ("promote", {"candidate": "../../etc"}),
        ("promote", {"candidate": "{{ macros }}"}),
        ("promote", {"candidate": ["a"]}),
        ("promote", {"deploy_policy": "never"}),
        ("promote", {"metric": "auc; rm"}),
        ("promote", {"from_date": "01.02.2024"}),
        ("promote", {"backfill": "a/b"}),
        ("promote", {"even_if_refused": "yes"}),
        ("rollback", {"target": "a/b"}),
        ("rollback", {"target": ""}),
        ("rollback", {"target": "-" * 64}),
        ("cleanup", {"dry_run": "no"}),
        ("retrain", {"backfill": "{{ x }}"}),
    ],
)
def test_hostile_params_are_refused_before_a_run_begins(dags: dict[str, Any], kind: str, conf: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    [(name, value)] = conf.items()
    with pytest.raises(ParamValidationError):
        dags[kind].params.get_param(name).resolve(value)


def test_tasks_find_each_other_by_the_names_that_the_dags_use(approving: dict[str, Any]) -> None:
    from brewtrain import airflow_names

    for tasks in (airflow_names.PROMOTION, airflow_names.ROLLBACK):
        dag = approving[tasks.kind]
        for task_id in (airflow_names.CHECK_ENDPOINT, tasks.choose_task, tasks.ask_task, tasks.start_task):
            assert dag.has_task(task_id), (tasks.kind, task_id)
    assert approving["cleanup"].has_task(airflow_names.PLAN_CLEANUP)
    assert approving["example_consumer"].has_task(airflow_names.READ_EVENT)
