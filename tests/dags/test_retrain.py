"""The retrain DAG's dangerous edges: order, setup and teardown, waits, and what is serialized."""

from __future__ import annotations

import itertools
import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = ["transform", "split", "train", "evaluate", "gate", "deploy"]


@pytest.fixture(scope="module")
def dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BREWTRAIN_INCLUDE", raising=False)
        bag = DagBag(str(REPOSITORY / "dags"))
    assert bag.import_errors == {}
    [dag_id] = [dag_id for dag_id in bag.dags if dag_id.endswith("__retrain")][:1]
    return bag.dags[dag_id]


def test_the_tasks_in_order(dag: Any) -> None:
    order = ["check_input", "prepare_run", "start_execution", *STAGES, "record_result", "release_run"]
    assert sorted(dag.task_ids) == sorted(order)
    for earlier, later in itertools.pairwise(order):
        assert later in dag.get_task(earlier).downstream_task_ids, (earlier, later)


def dag_with(include: Path, patch: pytest.MonkeyPatch, more: str) -> Any:
    """Return the retrain DAG of the shipped pipeline file with more text."""
    from airflow.dag_processing.dagbag import DagBag

    file = include / "pipelines" / "bank_marketing.yaml"
    file.write_text(f"{file.read_text('utf-8')}\n{more}\n")
    patch.setenv("BREWTRAIN_INCLUDE", str(include))
    bag = DagBag(str(REPOSITORY / "dags" / "retrain_dag.py"))
    assert bag.import_errors == {}
    return bag.dags["bank_marketing__retrain"]


@pytest.mark.parametrize("quality", ["{rules: [{not_null: age}]}", "learn"])
def test_data_is_validated_before_anything_is_started(
    include: Path, monkeypatch: pytest.MonkeyPatch, quality: str, dag: Any
) -> None:
    with_rules = dag_with(include, monkeypatch, f"pool: retraining\nquality: {quality}")
    assert set(with_rules.task_ids) == {*dag.task_ids, "validate"}
    validate = with_rules.get_task("validate")
    assert validate.upstream_task_ids == {"prepare_run"}
    assert "start_execution" in validate.downstream_task_ids
    assert validate.pool == "retraining"
    assert validate.execution_timeout == timedelta(minutes=30), "of a worker: the deferral has a timeout of its own"
    assert {link.name for link in validate.operator_extra_links} == {"job page", "job log", "quality result"}
    [alert], [without] = with_rules.deadline, dag.deadline
    assert alert.interval - without.interval == timedelta(hours=2, minutes=30)


def test_rules_about_the_days_before_need_no_task(include: Path, monkeypatch: pytest.MonkeyPatch, dag: Any) -> None:
    found = dag_with(include, monkeypatch, "quality: {row_count: {min: 1}, freshness: {}}")
    assert set(found.task_ids) == set(dag.task_ids)


def test_setup_and_teardown(dag: Any) -> None:
    assert dag.get_task("prepare_run").is_setup
    record, release = dag.get_task("record_result"), dag.get_task("release_run")
    assert record.is_teardown
    assert record.on_failure_fail_dagrun, "record_result decides the run's state, also of one that a person failed"
    assert release.is_teardown
    assert not release.on_failure_fail_dagrun
    assert "prepare_run" in release.upstream_task_ids


@pytest.mark.parametrize("stage", STAGES)
def test_stages_start_and_end_in_the_triggerer(dag: Any, stage: str) -> None:
    task = dag.get_task(stage)
    assert task.start_from_trigger
    arguments = task.start_trigger_args
    assert arguments.trigger_cls == "brewtrain.triggers.execution_stage.ExecutionStageTrigger"
    assert arguments.next_method == "resume"
    assert arguments.timeout > timedelta(hours=1)
    # Without map_indexes the triggerer's xcom_pull never returns.
    assert "map_indexes=-1" in arguments.trigger_kwargs["execution_arn"]
    assert set(task.template_fields) <= set(arguments.trigger_kwargs)
    assert task.execution_timeout is None, "it would fail the wait without stopping the execution"


def test_survives_serialisation(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    encoded = DagSerialization.to_dict(dag)
    again = DagSerialization.from_dict(encoded)
    for stage in STAGES:
        task = again.get_task(stage)
        assert task.start_from_trigger
        assert task.execution_timeout is None, "a default of the DAG must not bound the wait"
        links = {link.name for link in task.operator_extra_links}
        assert links == {"execution page", "job page", "job log"}


def test_what_runs_an_execution_takes_the_pipelines_pool_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends a run must not wait for a slot that other runs hold."""
    from airflow.dag_processing.dagbag import DagBag

    include = tmp_path / "include"
    shutil.copytree(REPOSITORY / "include", include)
    for file in (include / "pipelines").iterdir():
        file.write_text(f"{file.read_text()}\npool: retraining\n")
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    bag = DagBag(str(REPOSITORY / "dags" / "retrain_dag.py"))
    assert bag.import_errors == {}
    [dag] = bag.dags.values()
    pools = {task.task_id: task.pool for task in dag.tasks}
    mine = {"start_execution", *STAGES}
    assert {pools[task_id] for task_id in mine} == {"retraining"}
    assert {pool for task_id, pool in pools.items() if task_id not in mine} == {"default_pool"}


def test_parsing_again_makes_no_new_version(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    assert " object at 0x" not in str(DagSerialization.to_dict(dag)), "an address makes every parse another version"


def test_scheduled_runs_come_before_backfills_and_begun_runs_before_others(dag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    order = [
        (run_id, task_id)
        for run_id in ("scheduled__2010-11-29T00:00:00+00:00", "backfill__2010-11-01T00:00:00+00:00")
        for task_id in ("release_run", "record_result", "deploy", "start_execution", "prepare_run", "check_input")
    ]
    weights = []
    for run_id, task_id in order:
        task = again.get_task(task_id)
        weights.append(task.weight_rule.get_weight(SimpleNamespace(task=task, run_id=run_id)))
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == len(order)


def test_dated_by_a_data_interval_and_no_catchup(dag: Any) -> None:
    assert type(dag.timetable).__name__ == "CronDataIntervalTimetable"
    assert dag.catchup is False
    assert dag.params["rerun_mode"] == "auto"
    assert dag.params["deploy_policy"] == "newest"
    assert dag.params["accept_quality"] is None


def test_a_late_model_is_noticed(dag: Any) -> None:
    [alert] = dag.deadline
    assert type(alert.reference).__name__ == "RunAfterDeadline", "DAGRUN_QUEUED_AT breaks clearing in Airflow 3.3.2"
    assert alert.interval > timedelta(hours=1)


def test_tasks_find_each_other_by_the_names_that_the_dags_use(dag: Any) -> None:
    from brewtrain import airflow_names

    for task_id in (
        airflow_names.CHECK_INPUT, airflow_names.PREPARE_RUN, airflow_names.START_EXECUTION, airflow_names.RECORD_RESULT
    ):  # fmt: skip
        assert dag.has_task(task_id)


def test_runs_that_wait_for_data_stop_no_others_and_hold_no_slot_of_the_pool(
    include: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    file = include / "pipelines" / "bank_marketing.yaml"
    text = file.read_text("utf-8").replace('schedule: "@daily"', 'schedule: "@hourly"\npool: trainings')
    file.write_text(text.replace("source:\n", "source:\n  wait: 6h\n"))
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    bag = DagBag(str(REPOSITORY / "dags" / "retrain_dag.py"))
    assert bag.import_errors == {}
    dag = bag.dags["bank_marketing__retrain"]
    assert dag.max_active_runs == 10
    assert dag.get_task("check_input").pool == "default_pool"
    assert {dag.get_task(task_id).pool for task_id in ("start_execution", *STAGES)} == {"trainings"}
    [alert] = dag.deadline
    assert alert.interval > timedelta(hours=14), "the wait, and the time of all states"


def test_the_schedule_is_in_the_pipelines_time_zone(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    file = include / "pipelines" / "bank_marketing.yaml"
    text = file.read_text("utf-8").replace('schedule: "@daily"', 'schedule: "0 4 * * *"\ntimezone: Europe/Berlin')
    file.write_text(text.replace("start_date: 2008-05-01", "start_date: 2026-07-01"))
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    bag = DagBag(str(REPOSITORY / "dags" / "retrain_dag.py"))
    assert bag.import_errors == {}
    dag = bag.dags["bank_marketing__retrain"]
    assert dag.start_date.isoformat() == "2026-06-30T22:00:00+00:00", "midnight in Berlin, in summer"
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("0 4 * * *", "Europe/Berlin")
    assert "`0 4 * * *` (Europe/Berlin)" in dag.doc_md
