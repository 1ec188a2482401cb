"""A retraining through the real scheduler and triggerer: what people do to it, and what follows.

The runs wait at the same time: all stories in :data:`STORIES` begin together, and each test waits
for the end of its own. Every story ends with the invariants, read from local AWS's own call log.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brewtrain.domain.names import ARRIVALS_QUEUE
from tests.fixtures.event_queues import tell
from tests.fixtures.switched_execution import REJECTED, STATES
from tests.integration.retraining import late_night, one_night
from tests.integration.retraining.night import (
    CLOCKED,
    HASTY,
    LEFT_ALONE,
    PATIENT,
    STAGE_OF_STATE,
    STAGES,
    STATE_OF_STAGE,
    TRIGGER_STARTS,
    Night,
    Run,
)
from tests.integration.retraining.whole_run import VALIDATED, WholePipeline

Story = Callable[[Night], None]
STORIES: dict[str, Story] = {}
AT_ONCE = 5
SEED = 20261123


def story(function: Story) -> Story:
    """Register a story under its function's name."""
    STORIES[function.__name__] = function
    return function


@pytest.fixture(scope="module")
def told(night: Night, request: pytest.FixtureRequest) -> Iterator[dict[str, concurrent.futures.Future[None]]]:
    """Begin the stories whose tests are selected, some at once."""
    selected = {item.name for item in request.session.items}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(function, night)
            for name, function in STORIES.items()
            if f"test_story[{name}]" in selected
        }


def begun(night: Night, stage: str, pipeline: str | None = None) -> Run:
    """Start a run and wait until a stage waits."""
    run = night.new_run(pipeline)
    run.hold(stage)
    run.trigger().wait_for_stage(stage)
    return run


@story
def promoted(night: Night) -> None:
    """Good model: green, with a result document, an asset event and links."""
    run = night.new_run()
    run.account.let_pass(run.run_id())
    run.trigger().wait("success")
    assert set(run.states().values()) == {"success"}
    assert run.tries() == dict.fromkeys(run.states(), 1)
    result = night.api.xcom(run.dag_id, run.dag_run_id, "record_result")
    assert result["outcome"] == "promoted"
    bucket, _, key = result["result"].removeprefix("s3://").partition("/")
    document = json.loads(night.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert document["run_id"] == run.run_id()
    assert document["metrics"] == result["metrics"]
    events = night.api.call("GET", "/assets/events", source_dag_id=run.dag_id, source_run_id=run.dag_run_id)
    (event,) = events["asset_events"]
    assert event["extra"]["run_id"] == run.run_id()
    for task_id in (*STAGES, "start_execution"):
        run_id = urllib.parse.quote(run.dag_run_id, safe="")
        links = night.api.call("GET", f"/dags/{run.dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links")
        assert run.arn() in links["extra_links"]["execution page"], task_id
    run.check_invariants()


@story
def rejected(night: Night) -> None:
    """Model that the gate rejects: green, deploy skipped, no asset event, the reason in the log."""
    run = night.new_run()
    run.account.let_pass(run.run_id(), outcome=REJECTED)
    run.trigger().wait("success")
    assert run.states() == dict.fromkeys(run.states(), "success") | {"deploy": "skipped"}
    assert night.api.xcom(run.dag_id, run.dag_run_id, "gate")["passed"] is False
    assert "The gate said no." in run.log("gate") + run.log("deploy") + run.log("record_result")
    events = night.api.call("GET", "/assets/events", source_dag_id=run.dag_id, source_run_id=run.dag_run_id)
    assert events["asset_events"] == []
    run.check_invariants()


def _failing(state: str) -> Story:
    stage = STAGE_OF_STATE[state]

    def tell(night: Night) -> None:
        run = night.new_run()
        run.account.let_pass(run.run_id())
        run.spoil(state)
        run.trigger().wait("failed")
        states = run.states()
        assert states[stage] == "failed"
        assert all(states[earlier] == "success" for earlier in STAGES[: STAGES.index(stage)])
        check_card(run, stage, state, try_number=1)
        assert run.tries()[stage] == 1, "a permanent failure is not retried"
        kept = run.kept_failure(stage)
        assert (kept["try_number"], kept["kind"]) == (1, "permanent")
        assert f"failed in state '{state}'" in kept["reason"]
        cleared = run.clear(stage)
        assert {"prepare_run", "release_run"} <= cleared, "Airflow clears setup and teardown with the stage"
        assert "start_execution" not in cleared
        run.wait("failed")
        check_card(run, stage, state, try_number=2)
        assert run.kept_failure(stage)["try_number"] == 2
        run.repair(state)
        run.clear(stage)
        run.wait("success")
        pages = night.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=run.arn())
        entered = Counter(
            event["stateEnteredEventDetails"]["name"]
            for page in pages
            for event in page["events"]
            if event["type"].endswith("Entered")
        )
        for earlier in STATES[: STATES.index(state)]:
            assert entered[earlier] == 1, "finished states are not run again"
        run.check_invariants(redrives=2)

    tell.__name__ = f"fails_in_{re.sub(r'[^a-z0-9]+', '_', state.lower()).strip('_')}"
    tell.__doc__ = (
        f"State *{state}* fails, and fails again when `{stage}` is cleared: red with a card each time, not retried; "
        "repaired and cleared: redriven, green, nothing finished runs again."
    )
    return story(tell)


def check_card(run: Run, stage: str, state: str, *, try_number: int) -> None:
    """Check that the failed stage's log ends with the card."""
    log = run.log(stage, try_number)
    assert "ON CALL" in log
    assert f"failed in state '{state}'" in log
    assert "by clearing this task" in log
    assert "docs/runbooks/" in log


FAILING = [_failing(state) for state in STATES]


@story
def cleared_twice_in_a_row(night: Night) -> None:
    """Failed stage cleared twice at once, then while it waits: one redrive per end, green."""
    run = night.new_run()
    run.account.let_pass(run.run_id())
    run.fail("train")
    run.trigger().wait("failed")
    run.account.switch_off(run.run_id(), STATE_OF_STAGE["train"])
    run.clear("train")
    run.clear("train")
    run.wait_for_stage("train")
    redrives = run.wait_for_redrives(1)
    run.clear("train")
    run.wait_for_redrives(redrives + 1)
    run.release("train")
    run.wait("success")
    run.check_invariants(redrives=2)


@story
def marked_success_then_cleared(night: Night) -> None:
    """Stage marked success while it waits, then cleared: the execution goes on, nothing twice."""
    run = begun(night, "split")
    night.api.set_task_state(run.dag_id, run.dag_run_id, "split", "success")
    run.wait_for("train", {"deferred"})
    run.wait_for_message("split", LEFT_ALONE)
    run.clear("split")
    run.wait_for("split", {"deferred"})
    assert run.tries()["split"] == 2
    run.release("split")
    run.wait("success")
    run.check_invariants()


@story
def run_cleared(night: Night) -> None:
    """Whole run of a failed execution cleared: a fresh execution."""
    run = night.new_run()
    run.account.let_pass(run.run_id())
    run.fail("split")
    run.trigger().wait("failed")
    run.account.let_pass(run.run_id(1))
    run.clear("check_input")
    run.wait("success")
    assert run.executions() == {run.run_id(0): "FAILED", run.run_id(1): "SUCCEEDED"}
    run.check_invariants(generations=2)


@story
def run_cleared_while_it_runs(night: Night) -> None:
    """Run cleared while a stage waits: the old execution is stopped, a fresh one is started."""
    run = begun(night, "train")
    run.account.let_pass(run.run_id(1))
    run.clear("check_input")
    run.wait("success")
    assert run.executions() == {run.run_id(0): "ABORTED", run.run_id(1): "SUCCEEDED"}
    run.check_invariants(generations=2)


@story
def rerun_mode_redrive(night: Night) -> None:
    """Whole run cleared with `rerun_mode=redrive`: it goes on with its execution."""
    run = night.new_run()
    run.account.let_pass(run.run_id())
    run.fail("split")
    run.trigger(rerun_mode="redrive").wait("failed")
    run.release("split")
    run.clear("check_input")
    run.wait("success")
    run.check_invariants(redrives=1)


@story
def marked_failed(night: Night) -> None:
    """Stage marked failed while it waits: the execution is stopped; cleared: redriven, green."""
    run = begun(night, "train")
    night.api.set_task_state(run.dag_id, run.dag_run_id, "train", "failed")
    run.wait("failed")
    assert run.wait_for_execution("ABORTED")["error"] == "Brewtrain.Stopped"
    run.release("train")
    run.clear("train")
    run.wait("success")
    run.check_invariants(redrives=1)


@story
def marked_success(night: Night) -> None:
    """Stage marked success while it waits: the execution goes on, the next stage waits for it."""
    run = begun(night, "split")
    night.api.set_task_state(run.dag_id, run.dag_run_id, "split", "success")
    run.wait_for("train", {"deferred"})
    run.wait_for_message("split", LEFT_ALONE)
    assert run.execution()["status"] == "RUNNING"
    run.release("split")
    run.wait("success")
    run.check_invariants()


@story
def cleared_while_waiting(night: Night) -> None:
    """Stage cleared while it waits: the execution is redriven, and the new try waits for it."""
    run = begun(night, "train")
    run.clear("train")
    run.wait_for("prepare_run", {"success"})
    run.wait_for_redrives(1)
    run.release("train")
    run.wait("success")
    run.check_invariants(redrives=1)


@story
def run_failed_by_hand(night: Night) -> None:
    """Run marked failed while a stage waits: the execution is stopped, nothing is left."""
    run = begun(night, "evaluate")
    run_id = urllib.parse.quote(run.dag_run_id, safe="")
    night.api.call("PATCH", f"/dags/{run.dag_id}/dagRuns/{run_id}", {"state": "failed"})
    run.wait_for_execution("ABORTED")
    run.wait_for("release_run", {"success"})
    run.wait("failed")
    run.check_invariants()


@story
def stopped_in_the_console(night: Night) -> None:
    """Stop of the execution in the console: red, and the card says that it was not Airflow."""
    run = begun(night, "train")
    night.client("stepfunctions").stop_execution(executionArn=run.arn(), error="Person", cause="had a look")
    run.wait("failed")
    log = run.log("train")
    assert "had a look" in log
    assert "execution-stopped.md" in log
    run.check_invariants()


@story
def timed_out(night: Night) -> None:
    """Timed-out execution, which has no error and no cause: red, and the card says so."""
    run = night.new_run(CLOCKED)
    run.hold("split")
    run.trigger().wait("failed")
    assert run.execution()["status"] == "TIMED_OUT"
    assert "States.Timeout" in run.log("split")
    assert run.tries()["split"] == 1
    run.check_invariants()


@story
def redrive_refused(night: Night) -> None:
    """Refused redrive: red, and the card says to clear start_execution, which helps."""
    run = night.new_run()
    run.account.let_pass(run.run_id())
    run.fail("split")
    run.trigger().wait("failed")
    fault = {"effect": "error", "code": "ExecutionNotRedrivable", "message": "Execution is not redrivable."}
    night.add_fault(service="stepfunctions", operation="RedriveExecution", resource=f"*{run.run_id()}", **fault)
    run.release("split")
    run.clear("split")
    run.wait("failed")
    assert "This execution cannot be redriven. Clear start_execution and everything downstream" in run.log("split", 2)
    # One clear for the stage, one for this: the generation is the DAG run's number of clears.
    run.account.let_pass(run.run_id(2))
    run.clear("start_execution")
    run.wait("success")
    run.check_invariants(generations=2)


@story
def endpoint_stuck(night: Night) -> None:
    """Endpoint stuck in Updating: red with a card; freed, cleared: green, not trained again."""
    pipeline = WholePipeline(night, "whole_a")
    pipeline.deploy()
    pipeline.begin().wait("success")
    endpoint = pipeline.account.pipeline.endpoint_name
    night.behave(endpoint, "stuck")
    run = pipeline.begin()
    run.wait("failed", timeout_seconds=300)
    assert run.states()["deploy"] == "failed"
    describe = night.client("sagemaker").describe_endpoint
    assert describe(EndpointName=endpoint)["EndpointStatus"] == "Updating"
    log = run.log("deploy")
    assert "Brewtrain.EndpointStuck" in log
    assert "docs/runbooks/endpoint-failed.md" in log
    night.behave(endpoint, "normal")
    run.clear("deploy")
    run.wait("success")
    assert describe(EndpointName=endpoint)["EndpointStatus"] == "InService"
    assert run.run_id() in describe(EndpointName=endpoint)["EndpointConfigName"]
    assert len(run.jobs_started("CreateTrainingJob")) == 1
    run.check_invariants(redrives=1)


@story
def state_machine_throttled(night: Night) -> None:
    """State machine's calls throttled (30 %) and failing (5 %): green, each job started once."""
    pipeline = WholePipeline(night, "whole_b")
    pipeline.deploy()
    machine = {"principal": "*assumed-role/brewtrain-states/*", "resource": "*whole-b*", "seed": SEED}
    print(f"seed {SEED}")
    rules = [
        night.add_fault(effect="throttle", probability=0.3, **machine),
        night.add_fault(effect="http500", probability=0.05, **machine),
    ]
    run = pipeline.begin()
    run.wait("success", timeout_seconds=400)
    assert sum(rule["applied"] for rule in night.faults() if rule["id"] in rules) > 0
    for rule in rules:
        night.remove_fault(rule)
    assert run.tries() == dict.fromkeys(run.tries(), 1), "the state machine tries again by itself"
    assert len(run.jobs_started("CreateTrainingJob")) == 1
    run.check_invariants()


@story
def training_job_fails(night: Night) -> None:
    """Failed training job: red with its reason on the card; repaired and cleared: green."""
    pipeline = WholePipeline(night, one_night.PIPELINE)
    pipeline.deploy()
    told = one_night.play(night, pipeline)
    assert "# One night" in one_night.page(told)


@story
def late_and_bad_data(night: Night) -> None:
    """Late data, half of it bad: waited for, red, the old model stays; good data: green."""
    pipeline = WholePipeline(night, VALIDATED)
    pipeline.deploy()
    told = late_night.play(night, pipeline)
    assert "# A night of late and bad data" in late_night.page(told)
    _accept(night, pipeline)
    _mark_success(pipeline)


def _accept(night: Night, pipeline: WholePipeline) -> None:
    """Accept a day's bad data with another run of its interval, as a person does in the morning."""
    red = pipeline.begin_with_bad_rows(5)
    red.wait("failed")
    run = Run(night, red.account, red.day)
    run.dag_run_id = night.api.trigger(run.dag_id, f"{run.day}T00:01:00Z", conf={"accept_quality": "a known fault"})
    run.wait("success", timeout_seconds=300)
    assert pipeline.served_run() == run.run_id()
    quality = _recorded_quality(run)
    assert (quality["outcome"], quality["blocked"]) == ("accepted", ["age between"])
    assert quality["accepted"] == {"reason": "a known fault", "user": "admin"}
    assert night.api.run(red.dag_id, red.dag_run_id)["state"] == "failed"
    run.check_invariants()


def _mark_success(pipeline: WholePipeline) -> None:
    """Mark ``validate`` success after the run has ended: nothing starts until its job is back."""
    run = pipeline.begin_with_bad_rows(5)
    run.wait("failed")
    run.night.api.set_task_state(run.dag_id, run.dag_run_id, "validate", "success")
    run.wait_for("start_execution", {"failed"})
    run.wait("failed")
    assert "does not exist: release_run has removed it" in run.log("start_execution")
    run.clear("start_execution")
    run.wait("success", timeout_seconds=300)
    quality = _recorded_quality(run)
    assert quality["outcome"] == "marked success by hand"


def _recorded_quality(run: Run) -> dict[str, Any]:
    """Return what the run's result document says of its data."""
    result = run.night.api.xcom(run.dag_id, run.dag_run_id, "record_result")["result"]
    bucket, _, key = result.removeprefix("s3://").partition("/")
    document = json.loads(run.night.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    found: dict[str, Any] = document["quality"]
    return found


@story
def missing_partition(night: Night) -> None:
    """Missing data: red at once, in one sentence, nothing started."""
    run = night.new_run()
    run.dag_run_id = night.api.trigger(run.dag_id, f"{run.day}T00:00:00Z")
    run.wait("failed")
    assert run.states()["check_input"] == "failed"
    assert run.tries()["check_input"] == 1
    assert "was not delivered; deliver it, then clear check_input" in run.log("check_input")
    assert run.executions() == {}


@story
def late_data(night: Night) -> None:
    """Late data, first without and then with events of the bucket: waited for, then green."""
    for told_of in (False, True):
        run = night.new_run(PATIENT)
        if told_of:
            tell(run.account.client, run.account.bucket, ARRIVALS_QUEUE, prefix="data/")
        run.account.let_pass(run.run_id())
        run.dag_run_id = night.api.trigger(run.dag_id, f"{run.day}T00:00:00Z")
        run.wait_for("check_input", {"deferred"})
        run.wait_for_message("check_input", TRIGGER_STARTS)
        run.account.deliver(run.day - timedelta(days=1))
        assert run.executions() == {}, "the marker is missing"
        run.account.deliver(run.day - timedelta(days=1), name="_SUCCESS", body=b"")
        written = datetime.now(UTC)
        run.wait("success")
        begun = datetime.fromisoformat(
            night.api.task_instances(run.dag_id, run.dag_run_id)["prepare_run"]["start_date"]
        )
        print(f"prepare_run began {(begun - written).total_seconds():.1f} s after the marker, events: {told_of}")
        assert run.tries()["check_input"] == 1, "a wait is no retry"
        run.check_invariants()


@story
def data_too_late(night: Night) -> None:
    """Missing data after the wait: red with a card, nothing started; cleared with data: green."""
    run = night.new_run(HASTY)
    run.account.let_pass(run.run_id(1))
    run.dag_run_id = night.api.trigger(run.dag_id, f"{run.day}T00:00:00Z")
    run.wait("failed")
    assert run.executions() == {}
    assert run.tries()["check_input"] == 1
    log = run.log("check_input")
    assert "ON CALL" in log
    assert "docs/runbooks/data-late.md" in log
    assert "is not complete after a wait of 5 s" in log
    run.account.deliver(run.day - timedelta(days=1))
    run.clear("check_input")
    run.wait("success")
    assert list(run.executions()) == [run.run_id(1)]


@story
def same_interval_twice(night: Night) -> None:
    """Interval triggered twice: one execution, both runs green."""
    run = night.new_run("calm_d")
    # A run without a logical date is for the newest interval that had ended when it was triggered.
    run.day = datetime.now(UTC).date()
    run.account.deliver(run.day - timedelta(days=1))
    run.hold("train")
    night.asked_twice.add(run.run_id())
    both = [night.api.trigger(run.dag_id, None) for _ in range(2)]
    for run.dag_run_id in both:
        run.wait_for_stage("train")
    run.release("train")
    for run.dag_run_id in both:
        run.wait("success")
        run.check_invariants()


def test_every_story_is_told() -> None:
    assert len(STORIES) == 22 + len(STATES)
    assert len(STATES) == 8


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_story(name: str, told: dict[str, concurrent.futures.Future[None]]) -> None:
    told[name].result()


@pytest.mark.slow
def test_no_execution_was_started_twice(told: dict[str, concurrent.futures.Future[None]], night: Night) -> None:
    concurrent.futures.wait(told.values())
    night.check_starts()
