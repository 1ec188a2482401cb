"""Backfills through the real scheduler: beside other runs, killed in the middle, run again.

A DAG has one backfill at a time, so every test has a pipeline of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.fixtures.account import BUCKET
from tests.fixtures.waiting import wait_until
from tests.integration.retraining.night import BOUNDED, Night, Run
from tools.sample_data import generate

pytestmark = pytest.mark.slow
STAGE = "train"


def run_of(night: Night, pipeline: str, interval_end: date) -> Run:
    """Return the run of a daily interval, whether it has begun or not."""
    return Run(night, night.accounts[pipeline], interval_end)


def backfill(night: Night, runs: list[Run], **more: Any) -> int:
    """Start a backfill of the intervals of consecutive runs; return its id."""
    first, last = (run.day - timedelta(days=1) for run in (runs[0], runs[-1]))
    return night.api.backfill(runs[0].dag_id, f"{first}T00:00:00Z", f"{last}T00:00:00Z", **more)


def find(runs: Iterable[Run]) -> None:
    """Give the runs the ids of their DAG runs, once Airflow has made them."""

    def dag_run_id(run: Run) -> str | None:
        found = run.night.api.runs(run.dag_id)
        return next((one["dag_run_id"] for one in found if one["data_interval_end"] == f"{run.day}T00:00:00Z"), None)

    for run in runs:
        run.dag_run_id = wait_until(
            lambda run=run: dag_run_id(run),  # type: ignore[misc]
            seconds=90,
            what=f"{run.dag_id} has a run for {run.day}",
            pause=0.3,
        )


def wait_for_backfill(night: Night, backfill_id: int) -> None:
    """Wait until a backfill is complete: only then may the next one begin."""
    wait_until(
        lambda: night.api.call("GET", f"/backfills/{backfill_id}")["completed_at"],
        seconds=180,
        what=f"backfill {backfill_id} is complete",
        pause=0.3,
    )


def types(night: Night, dag_id: str) -> list[str]:
    """Return the types of a DAG's runs."""
    return sorted(run["run_type"] for run in night.api.runs(dag_id))


def test_beside_a_scheduled_run_and_killed_in_the_middle(night: Night) -> None:
    """Three backfilled runs and the scheduled one wait while components die; all end, once."""
    past = [run_of(night, "past_a", date(2010, 3, day)) for day in (2, 3, 4)]
    scheduled = run_of(night, "past_a", datetime.now(UTC).date())
    runs = [*past, scheduled]
    for run in runs:
        run.account.deliver(run.day - timedelta(days=1))
        run.hold(STAGE)
    # Unpausing the DAG, which a backfill needs, is what makes the scheduler begin its own newest
    # interval.
    backfill(night, past, max_active_runs=3)
    find(runs)
    for run in runs:
        run.wait_for_stage(STAGE)
    assert types(night, scheduled.dag_id) == ["backfill", "backfill", "backfill", "scheduled"]
    jobs = {job["Name"]: job["DatasetName"] for job in night.jobs()}
    for run in runs:
        assert jobs[f"brewtrain-{run.run_id()}"] == f"brewtrain-{run.run_id()}", "a dataset and a job of its own"
    for component in ("scheduler", "triggerer"):
        night.kill(component)
    for run in runs:
        run.release(STAGE)
    for component in ("scheduler", "triggerer"):
        night.start(component)
    for run in runs:
        run.wait("success", timeout_seconds=300)
        run.check_invariants()
    night.check_starts()


def test_what_is_run_again_gets_an_execution_of_its_own(night: Night) -> None:
    """`reprocess_behavior`: none reruns nothing, failed the late partition, completed all."""
    runs = [run_of(night, "past_b", date(2010, 3, day)) for day in (2, 3, 4)]
    early, late, last = runs
    for run in runs:
        for generation in range(3):
            run.account.let_pass(run.run_id(generation))
    for run in (early, last):
        run.account.deliver(run.day - timedelta(days=1))
    first = backfill(night, runs)
    find(runs)
    early.wait("success")
    late.wait("failed")
    last.wait("success")
    assert "was not delivered" in late.log("check_input")

    def would_run(behaviour: str) -> list[str]:
        body = {
            "dag_id": early.dag_id, "from_date": "2010-03-01T00:00:00Z", "to_date": "2010-03-03T00:00:00Z",
            "reprocess_behavior": behaviour,
        }  # fmt: skip
        answer = night.api.call("POST", "/backfills/dry_run", body)
        return [entry["logical_date"][:10] for entry in answer["backfills"]]

    assert would_run("none") == []
    late.account.deliver(late.day - timedelta(days=1))
    wait_for_backfill(night, first)
    second = backfill(night, runs, reprocess_behavior="failed")
    late.wait("success")
    assert late.executions() == {late.run_id(1): "SUCCEEDED"}
    assert early.executions() == {early.run_id(0): "SUCCEEDED"}
    wait_for_backfill(night, second)
    backfill(night, runs, reprocess_behavior="completed")
    for run in runs:
        run.wait("success")
    assert late.executions() == dict.fromkeys([late.run_id(1), late.run_id(2)], "SUCCEEDED")
    for run in (early, last):
        assert run.executions() == dict.fromkeys([run.run_id(0), run.run_id(1)], "SUCCEEDED")
        run.check_invariants(generations=2)
    night.check_starts()


def test_the_pool_bounds_executions_and_a_backfill_keeps_nobody_waiting(night: Night) -> None:
    """With one slot, backfilled runs wait, even behind the run that a person triggers later."""
    assert night.api.pool(BOUNDED)["include_deferred"], "made when the stack started, since a pipeline names it"
    night.api.call("PATCH", f"/pools/{BOUNDED}", {"pool": BOUNDED, "slots": 1, "include_deferred": True})
    past = [run_of(night, BOUNDED, date(2010, 3, day)) for day in (2, 3, 4, 5)]
    newest = run_of(night, BOUNDED, date(2010, 6, 2))
    for run in (*past, newest):
        run.account.deliver(run.day - timedelta(days=1))
        run.hold(STAGE)
    backfill(night, past, max_active_runs=4)
    find(past)
    newest.trigger()

    def asking() -> list[Run]:
        return [run for run in (*past, newest) if run.states()["start_execution"] == "scheduled"]

    # The first that is prepared gets the slot; at the end one or two hold it, the others wait.
    wait_until(
        lambda: len(asking()) >= 3 and any(run.states()[STAGE] == "deferred" for run in (*past, newest)),
        seconds=180,
        what=lambda: f"one run holds the slot, the others wait: {[run.states() for run in (*past, newest)]}",
        pause=0.5,
    )
    night.wait_for_scheduling()
    begun = [run for run in (*past, newest) if run.executions()]
    assert len(begun) <= 2, "a slot is free for a moment between two stages, so one more may have slipped in"
    assert night.api.pool(BOUNDED)["deferred_slots"] == len(begun), "waiting stages count"
    for run in (*past, newest):
        run.release(STAGE)
    for run in (*past, newest):
        run.wait("success")
        run.check_invariants()
    night.check_starts()

    def started(run: Run) -> str:
        return str(night.api.task_instances(run.dag_id, run.dag_run_id)["start_execution"]["start_date"])

    behind = [run for run in past if run not in begun]
    assert len(behind) >= 2
    assert all(started(newest) < started(run) for run in behind), "what is left of the backfill comes after it"


def test_older_never_replaces_newer_also_at_once(night: Night) -> None:
    """On real executions: two older runs are backfilled beside a newer one, which serves."""
    dag_id, deploy_id = "dated__retrain", "dated__deploy"
    s3 = night.client("s3")
    ends = [date(2010, 5, day) for day in (2, 3, 4, 5)]
    body = generate(400, seed=3).write_csv(separator=";", quote_style="non_numeric").encode()
    for end in ends:
        s3.put_object(Bucket=BUCKET, Key=f"data/dated/dt={end - timedelta(days=1)}/rows.csv", Body=body)
    deployed = night.api.trigger(deploy_id)
    assert night.api.wait_for_run(deploy_id, deployed)["state"] == "success", night.api.task_states(deploy_id, deployed)

    serving = night.api.trigger(dag_id, f"{ends[2]}T00:00:00Z")
    assert night.api.wait_for_run(dag_id, serving)["state"] == "success", night.api.task_states(dag_id, serving)
    assert night.api.xcom(dag_id, serving, "record_result")["outcome"] == "promoted"
    assert served_date(night) == "2010-05-03"

    night.api.backfill(dag_id, "2010-05-01T00:00:00Z", "2010-05-02T00:00:00Z", max_active_runs=2)
    newer = night.api.trigger(dag_id, f"{ends[3]}T00:00:00Z")
    older = [run["dag_run_id"] for run in night.api.runs(dag_id, run_type="backfill")]
    assert len(older) == 2
    for run_id in (*older, newer):
        assert night.api.wait_for_run(dag_id, run_id)["state"] == "success", night.api.task_states(dag_id, run_id)
    for run_id in older:
        result = night.api.xcom(dag_id, run_id, "record_result")
        assert (result["outcome"], result["reason"]) == ("rejected", "older_than_serving")
        assert result["metrics"], "trained and measured nevertheless"
        assert night.api.task_states(dag_id, run_id)["deploy"] == "skipped", "rejected is green"
    assert night.api.xcom(dag_id, newer, "record_result")["outcome"] == "promoted"
    assert served_date(night) == "2010-05-04"


def served_date(night: Night) -> str:
    """Return the data date of the model that serves, by the tag of its endpoint config."""
    sagemaker = night.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName="dated")
    assert endpoint["EndpointStatus"] == "InService"
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    tags = sagemaker.list_tags(ResourceArn=config["EndpointConfigArn"])["Tags"]
    return next(str(tag["Value"]) for tag in tags if tag["Key"] == "brewtrain:data-date")
