"""Promotion and rollback through the real scheduler, confirmed by a person through the REST API."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest

from tests.fixtures.executions import publish
from tests.fixtures.hosted_models import HostedModels
from tests.fixtures.places import STATE_MACHINE
from tests.fixtures.switched_execution import OUTPUT
from tests.fixtures.waiting import wait_until
from tests.integration.retraining.night import APPROVED, STEERED, Night, Run

pytestmark = pytest.mark.slow
PENDING = {**OUTPUT, "outcome": "pending", "reason": "awaiting_approval", "message": "Waits for a person."}


def question(night: Night, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
    """Wait until a task asks, and return what it asks."""
    night.api.wait_for_task(dag_id, run_id, task_id, {"awaiting_input"}, 120)
    found: dict[str, Any] = night.api.call("GET", f"{_path(dag_id, run_id, task_id)}")
    return found


def answer(night: Night, dag_id: str, run_id: str, task_id: str, option: str) -> None:
    """Press the button of the UI, as often as the person is asked, until the task has ended.

    No person answers within a second, but a test does: Airflow's scheduler may then take the end of
    the process that asked for the end of the task ("finished with state success, but the task
    instance's state attribute is queued"), and try the task again, which asks again.
    """
    path = _path(dag_id, run_id, task_id)

    def state() -> str:
        return str(night.api.task_instances(dag_id, run_id)[task_id]["state"])

    def ended() -> bool:
        now = state()
        if now == "awaiting_input" and not night.api.call("GET", path)["response_received"]:
            night.api.call("PATCH", path, {"chosen_options": [option], "params_input": {}})
        return now in ("success", "skipped", "failed")

    wait_until(ended, seconds=180, what=lambda: f"{task_id} ends after its answer; it is {state()}", pause=1.0)


def _path(dag_id: str, run_id: str, task_id: str) -> str:
    run = urllib.parse.quote(run_id, safe="")
    return f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/-1/hitlDetails"


def wait_for_run(night: Night, dag_id: str, run_id: str) -> None:
    """Wait until a DAG run is there that another DAG triggers."""
    wait_until(
        lambda: run_id in {run["dag_run_id"] for run in night.api.runs(dag_id)},
        seconds=60,
        what=f"{dag_id} has the run {run_id}",
        pause=0.3,
    )


def events(night: Night, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = night.api.call("GET", "/assets/events", source_dag_id=dag_id, source_run_id=run_id)[
        "asset_events"
    ]
    return found


@pytest.fixture(scope="module")
def hosted(night: Night) -> HostedModels:
    """Return an endpoint that serves its third model, with the committed state machine."""
    account = night.accounts[STEERED]
    made = HostedModels(account.client, account.pipeline)
    publish(
        made.client("stepfunctions"),
        machine_arn=made.account.state_machine_arn(STEERED),
        alias_arn=made.account.alias_arn(STEERED),
        definition=json.loads(STATE_MACHINE.read_text("utf-8")),
    )
    for day in (2, 3, 4):
        made.run(day)
        made.record(day)
    made.serve(4, recorded=False)
    return made


def test_a_rollback_is_confirmed_and_moves_the_endpoint(night: Night, hosted: HostedModels) -> None:
    dag_id = f"{STEERED}__rollback"
    refused = night.api.trigger(dag_id)
    asked = question(night, dag_id, refused, "confirm_rollback")
    assert hosted.config(4) in asked["subject"]
    assert hosted.config(3) in asked["subject"]
    assert "2024-01-02" in asked["body"]
    answer(night, dag_id, refused, "confirm_rollback", "Reject")
    assert night.api.wait_for_run(dag_id, refused)["state"] == "success"
    states = night.api.task_states(dag_id, refused)
    assert {states[task] for task in ("start_rollback", "deploy", "record_rollback")} == {"skipped"}
    assert hosted.serving() == hosted.config(4)

    run_id = night.api.trigger(dag_id)
    question(night, dag_id, run_id, "confirm_rollback")
    answer(night, dag_id, run_id, "confirm_rollback", "Approve")
    assert night.api.wait_for_run(dag_id, run_id)["state"] == "success", night.api.task_states(dag_id, run_id)
    assert set(night.api.task_states(dag_id, run_id).values()) == {"success"}
    assert hosted.serving() == hosted.config(3)
    [event] = events(night, dag_id, run_id)
    assert event["extra"]["data_date"] == "2024-01-02"
    assert event["extra"]["reason"] == "rolled_back_to"
    [key] = [key for key in hosted.keys("deployments/") if "-r" in key]
    record = json.loads(hosted.client("s3").get_object(Bucket=hosted.bucket, Key=key)["Body"].read())
    assert record["approved_by"] == "admin"
    assert record["smoke_test"]["status"] == "passed"


def test_an_older_model_is_promoted_when_a_person_asks_and_the_consumer_runs(
    night: Night, hosted: HostedModels
) -> None:
    consumer = f"{STEERED}__example_consumer"
    night.api.wait_for_dag(consumer)
    night.api.unpause(consumer)
    dag_id = f"{STEERED}__promote"
    older = night.api.trigger(dag_id, conf={"candidate": hosted.run_id(2)})
    assert night.api.wait_for_run(dag_id, older)["state"] == "success"
    assert night.api.task_states(dag_id, older)["deploy"] == "skipped"
    before = hosted.serving()
    run_id = night.api.trigger(dag_id, conf={"candidate": hosted.run_id(2), "deploy_policy": "always"})
    assert night.api.wait_for_run(dag_id, run_id)["state"] == "success", night.api.task_states(dag_id, run_id)
    assert hosted.serving() not in (None, before, hosted.config(2))
    [event] = events(night, dag_id, run_id)
    assert event["extra"]["run_id"] == hosted.run_id(2)
    runs = wait_until(lambda: night.api.runs(consumer), seconds=60, what="the event triggers the consumer", pause=0.3)
    found = night.api.wait_for_run(consumer, runs[0]["dag_run_id"])
    assert found["state"] == "success"
    assert night.api.xcom(consumer, runs[0]["dag_run_id"], "score_rows")["rows"] == 3


def test_a_candidate_that_awaits_approval_is_asked_for(night: Night) -> None:
    run = Run(night, night.accounts[APPROVED], night.new_run(APPROVED).day)
    hosted = HostedModels(run.account.client, run.account.pipeline)
    promote = f"{APPROVED}__promote"
    night.api.wait_for_dag(promote)
    night.api.unpause(promote)
    address = f"s3://{hosted.bucket}/brewtrain/{APPROVED}/runs/{run.run_id()}/model/model.tar.gz"
    hosted.put(address.removeprefix(f"s3://{hosted.bucket}/"), b"archive")
    data_date = (run.account.day_before(run.day)).isoformat()
    ran = {"id": run.run_id(), "pipeline": APPROVED, "data_date": data_date}
    run.account.let_pass(run.run_id(), outcome={**PENDING, "model_artifacts": address, "run": ran})
    run.trigger().wait("success")
    assert run.states()["deploy"] == "skipped"
    assert run.states()["request_approval"] == "success"
    asked_run = f"approval__{run.run_id()}"
    wait_for_run(night, promote, asked_run)
    asked = question(night, promote, asked_run, "approve_candidate")
    assert run.run_id() in asked["subject"]
    assert "validation:auc" in asked["body"]
    # The promotion's execution reads the same switches.
    run.account.switch(run.run_id(), "outcome", json.dumps({**OUTPUT, "run": ran}))
    answer(night, promote, asked_run, "approve_candidate", "Approve")
    assert night.api.wait_for_run(promote, asked_run)["state"] == "success", night.api.task_states(promote, asked_run)
    [event] = events(night, promote, asked_run)
    assert event["extra"]["run_id"] == run.run_id()
