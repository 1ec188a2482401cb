"""What every DAG of the package keeps to. A message says what to write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DAGS = REPOSITORY / "dags"
HEADINGS = ["Purpose", "Schedule and inputs", "Idempotency", "On failure"]
# Kind of DAG → the file that makes it of every pipeline.
KINDS = {
    "cleanup": "cleanup_dag.py",
    "deploy": "deploy_pipeline_dag.py",
    "example_consumer": "example_consumer_dag.py",
    "preflight": "preflight_dag.py",
    "promote": "promote_dag.py",
    "retrain": "retrain_dag.py",
    "rollback": "rollback_dag.py",
}
WITHOUT_DAGS = {"pipeline_file_errors.py"}
# Heavy, or not there at all where DAG files are parsed. botocore alone would double the time of a
# parse.
FORBIDDEN = ["boto3", "botocore", "aiobotocore", "moto", "pandas", "polars", "sagemaker", "stepfunctions", "xgboost"]
PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
print("RESULT " + json.dumps({{
    "dag_ids": sorted(bag.dags),
    "errors": {{path.rsplit("/", 1)[-1]: text for path, text in bag.import_errors.items()}},
    "modules": sorted(name for name in {forbidden!r} if name in sys.modules),
}}))
"""


def parse_dags(dags: Path, include: Path, home: Path) -> dict[str, Any]:
    """Parse a folder of DAG files with Airflow's parser, in an interpreter of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(REPOSITORY / "plugins"),
        "BREWTRAIN_INCLUDE": str(include),
    }
    ended = subprocess.run(
        [sys.executable, "-c", PARSE.format(dags=str(dags), forbidden=FORBIDDEN)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return result


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    """Return the DAGs of the shipped pipelines, by id."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BREWTRAIN_INCLUDE", raising=False)
        bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    return dict(bag.dags)


def _pipelines(include: Path) -> list[str]:
    return sorted(path.stem for path in (include / "pipelines").glob("*.yaml"))


def _second_pipeline(include: Path, name: str) -> Path:
    first = _pipelines(include)[0]
    text = (include / "pipelines" / f"{first}.yaml").read_text()
    second = include / "pipelines" / f"{name}.yaml"
    endpoint = text.replace(f"name: {first.replace('_', '-')}", f"name: {name.replace('_', '-')}")
    second.write_text(endpoint.replace(f"name: {first}", f"name: {name}"))
    return second


def test_dag_ids_are_exactly_pipeline_by_kind(dags: dict[str, Any]) -> None:
    expected = {f"{pipeline}__{kind}" for pipeline in _pipelines(REPOSITORY / "include") for kind in KINDS}
    assert set(dags) == expected, "a new kind of DAG goes into KINDS; a dag_id is <pipeline>__<kind>"


def test_a_task_parses_its_own_pipeline_alone(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    first = _pipelines(include)[0]
    _second_pipeline(include, "second_one")
    (include / "pipelines" / "broken.yaml").write_text("name: [")
    monkeypatch.setenv("BREWTRAIN_INCLUDE", str(include))
    for name, dag_ids in ((first, {f"{first}__retrain"}), ("second_one", {"second_one__retrain"}), ("broken", set())):
        # What Airflow's task runner sets; its own context manager does not take it back.
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", f"{name}__retrain")
        assert set(DagBag(str(DAGS / KINDS["retrain"])).dags) == dag_ids
    monkeypatch.delenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID")
    assert set(DagBag(str(DAGS / KINDS["retrain"])).dags) == {f"{first}__retrain", "second_one__retrain"}


def test_each_dag_file_is_of_one_kind() -> None:
    files = {path.name for path in DAGS.glob("*.py")}
    assert files == set(KINDS.values()) | WITHOUT_DAGS, "a new kind of DAG goes into KINDS"


def test_a_second_pipeline_file_adds_its_dags_and_parsing_stays_light(include: Path, tmp_path: Path) -> None:
    second = "second_one"
    _second_pipeline(include, second)
    parsed = parse_dags(DAGS, include, tmp_path)
    assert parsed["errors"] == {}
    assert set(parsed["dag_ids"]) == {f"{pipeline}__{kind}" for pipeline in _pipelines(include) for kind in KINDS}
    assert f"{second}__deploy" in parsed["dag_ids"]
    assert parsed["modules"] == [], "import hooks inside the methods that use them, and heavy packages not at all"


def test_a_broken_pipeline_file_shows_and_takes_no_other_down(include: Path, tmp_path: Path) -> None:
    broken = _second_pipeline(include, "broken_one")
    broken.write_text(broken.read_text().replace("window_days:", "window_day:"))
    parsed = parse_dags(DAGS, include, tmp_path)
    healthy = [pipeline for pipeline in _pipelines(include) if pipeline != "broken_one"]
    assert set(parsed["dag_ids"]) == {f"{pipeline}__{kind}" for pipeline in healthy for kind in KINDS}
    assert set(parsed["errors"]) == {"pipeline_file_errors.py"}
    assert (
        "include/pipelines/broken_one.yaml: field 'window_day' is not known; did you mean 'window_days'?"
        in parsed["errors"]["pipeline_file_errors.py"]
    )


def test_every_dag_has_an_operators_manual(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        headings = [line.removeprefix("### ") for line in dag.doc_md.splitlines() if line.startswith("### ")]
        assert headings == HEADINGS, f"{dag_id}: doc_md has the headings {HEADINGS}"
        assert "docs/runbooks/" in dag.doc_md, f"{dag_id}: 'On failure' names the runbook"
        assert "{" not in dag.doc_md.replace("{bucket}", "").replace("{date}", ""), f"{dag_id}: doc_md is not filled in"


def test_the_runbooks_that_are_named_exist(dags: dict[str, Any]) -> None:
    named = {
        word.strip("`().,;:")
        for dag in dags.values()
        for word in dag.doc_md.split()
        if word.strip("`().,;:").startswith("docs/runbooks/")
    }
    assert named
    missing = [name for name in named if not (REPOSITORY / name).exists()]
    assert missing == []


def test_every_dag_is_tagged_described_and_bounded(dags: dict[str, Any]) -> None:
    from brewtrain.domain.run.active_runs import AT_MOST

    for dag_id, dag in dags.items():
        pipeline, _, kind = dag_id.partition("__")
        assert {"brewtrain", kind, pipeline} <= set(dag.tags), f"{dag_id}: tags are brewtrain, the kind, the pipeline"
        assert dag.description, f"{dag_id}: write a description"
        assert dag.catchup is False, f"{dag_id}: catchup is off; backfills are asked for"
        assert 1 <= dag.max_active_runs <= AT_MOST, f"{dag_id}: bound max_active_runs"


def test_every_task_has_owner_retries_policy_and_a_time_limit(dags: dict[str, Any]) -> None:
    from brewtrain.retry_policy import RetryTransientErrors

    for dag_id, dag in dags.items():
        for task in dag.tasks:
            where = f"{dag_id}.{task.task_id}"
            assert task.owner not in ("", "airflow"), f"{where}: owner comes from the pipeline file"
            assert task.retries >= 1, f"{where}: AWS throttles; give it retries"
            assert timedelta(seconds=5) <= task.retry_delay <= timedelta(minutes=5), f"{where}: retry_delay"
            assert isinstance(task.retry_policy, RetryTransientErrors), f"{where}: retry_policy"
            assert task.execution_timeout or task.start_from_trigger, f"{where}: set execution_timeout"


def test_task_ids_are_verb_noun_and_words_of_the_field(dags: dict[str, Any]) -> None:
    stages = {"validate", "transform", "split", "train", "evaluate", "gate", "deploy"}
    for dag_id, dag in dags.items():
        for task_id in dag.task_dict:
            assert task_id in stages or task_id.count("_") == 1, f"{dag_id}.{task_id}: call it verb_noun"


def test_params_have_a_schema(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        for name in dag.params:
            param = dag.params.get_param(name)
            assert "type" in param.schema or "enum" in param.schema, f"{dag_id}: param {name} needs type or enum"
            assert param.description or param.schema.get("description"), f"{dag_id}: param {name} needs a description"
            param.resolve()


def test_the_deploy_dag_plans_validates_and_applies_in_this_order(dags: dict[str, Any]) -> None:
    deploys = [dag for dag_id, dag in dags.items() if dag_id.endswith("__deploy")]
    assert deploys
    for dag in deploys:
        assert [task.task_id for task in dag.topological_sort()] == [
            "plan_deployment",
            "validate_deployment",
            "apply_deployment",
        ]
        assert dag.get_task("apply_deployment").upstream_task_ids == {"validate_deployment"}
        assert dag.get_task("validate_deployment").upstream_task_ids == {"plan_deployment"}
        assert dag.max_active_runs == 1, "two deployments of one pipeline at once only wait for each other"
        assert dag.schedule is None
