"""The wait in the triggerer: one poll for all, and the right end for every end of an execution."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from brewtrain.domain.run.stages import Stage
from brewtrain.triggers.execution_watch import HISTORIES_PER_POLL, ExecutionWatch, state_machine_of, watch_key
from brewtrain.triggers.pace import EXECUTIONS, Pace
from tests.fixtures.stage_waits import event_of, start, trigger, wait_for
from tests.fixtures.switched_execution import FAIL, OUTPUT, REJECTED, STATES, SwitchedExecution

if TYPE_CHECKING:
    from local_aws.core.server import ServerHandle


def test_serialised_and_rebuilt_it_is_the_same() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:m:e"
    path, arguments = trigger(arn, Stage.TRAIN, attempt=2, limit_seconds=5.0, ends_task=False).serialize()
    module, _, name = path.rpartition(".")
    rebuilt = getattr(__import__(module, fromlist=[name]), name)(**arguments)
    assert rebuilt.serialize() == (path, arguments)
    assert json.loads(json.dumps(arguments)) == arguments


def test_waits_share_a_poll_by_connection_and_state_machine() -> None:
    base = "arn:aws:states:us-east-1:123456789012:execution:m:e"
    one = trigger(base, Stage.TRAIN).shared_stream_key()
    assert one == trigger(base + "2", Stage.SPLIT).shared_stream_key()
    assert one != trigger(base.replace(":m:", ":n:"), Stage.TRAIN).shared_stream_key()
    assert one != trigger(base.replace("us-east-1", "us-west-2"), Stage.TRAIN).shared_stream_key()
    assert trigger("None", Stage.TRAIN).shared_stream_key() is None


@pytest.mark.parametrize("stage", Stage)
def test_promoted_ends_every_stage(account: SwitchedExecution, stage: Stage) -> None:
    name = f"good-{stage}"
    account.let_pass(name)
    arn = start(account, name)
    event = event_of(trigger(arn, stage))
    assert str(event.task_instance_state) == "success"
    assert event.xcoms["return_value"]["execution_arn"] == arn
    assert arn in event.xcoms["_link_StepFunctionsExecutionLink"]


def test_rejected_skips_deploy_and_leaves_the_gate_green(account: SwitchedExecution) -> None:
    account.let_pass("bad", outcome=REJECTED)
    arn = start(account, "bad")
    wait_for(account, arn, "SUCCEEDED")
    assert str(event_of(trigger(arn, Stage.DEPLOY)).task_instance_state) == "skipped"
    gate = event_of(trigger(arn, Stage.GATE))
    assert str(gate.task_instance_state) == "success"
    assert gate.xcoms["return_value"]["passed"] is False


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_every_bad_end_resumes_the_task(account: SwitchedExecution, status: str) -> None:
    name = status.lower().replace("_", "-")
    account.let_pass(name, but="Model Training")
    if status == "FAILED":
        account.switch(name, "Model Training", FAIL)
    arn = start(account, name)
    if status == "ABORTED":
        account.client("stepfunctions").stop_execution(executionArn=arn, error="Person", cause="had a look")
    if status == "TIMED_OUT":
        # The service's own clock, through a second state machine with a limit.
        states = account.client("stepfunctions")
        from tests.fixtures.switched_execution import definition

        machine = states.create_state_machine(
            name=f"clocked-{account.pipeline.name}",
            definition=json.dumps(definition(account.bucket, timeout_seconds=1)),
            roleArn=account.account.role_arn("states"),
        )["stateMachineArn"]  # fmt: skip
        arn = states.start_execution(stateMachineArn=machine, name=name, input=json.dumps({"run": {"id": name}}))[
            "executionArn"
        ]
    wait_for(account, arn, status)
    event = event_of(trigger(arn, Stage.DEPLOY))
    assert event.payload == {"kind": "failed", "action": "report"}


def test_an_execution_that_is_not_there_yet_is_waited_for(account: SwitchedExecution) -> None:
    """DescribeExecution is eventually consistent."""
    account.let_pass("soon")
    later = threading.Timer(2.0, start, (account, "soon"))
    later.start()
    event = event_of(trigger(account.account.execution_arn(account.pipeline.name, "soon"), Stage.TRAIN))
    later.join()
    assert str(event.task_instance_state) == "success"


def test_a_missing_execution_resumes_the_task(account: SwitchedExecution, monkeypatch: pytest.MonkeyPatch) -> None:
    from brewtrain.triggers import execution_stage

    monkeypatch.setattr(execution_stage, "MISSING_GRACE", timedelta(0))
    arn = account.account.execution_arn(account.pipeline.name, "never")
    assert event_of(trigger(arn, Stage.TRAIN)).payload["action"] == "missing"


def test_no_execution_at_all_is_one_sentence() -> None:
    event = event_of(trigger("None", Stage.TRAIN))
    assert "clear start_execution" in event.payload["problem"]


def test_a_wait_has_a_deadline(account: SwitchedExecution) -> None:
    account.let_pass("late", but="Model Training")
    arn = start(account, "late")
    assert event_of(trigger(arn, Stage.TRAIN, limit_seconds=0.5)).payload == {"kind": "overdue"}
    dated = trigger(arn, Stage.TRAIN)
    dated.timeout_after = datetime.now(UTC) + timedelta(seconds=60)
    assert event_of(dated).payload == {"kind": "overdue"}


def test_an_output_that_cannot_be_read_is_no_success(account: SwitchedExecution) -> None:
    account.let_pass("odd", outcome={**OUTPUT, "outcome": "won"})
    arn = start(account, "odd")
    wait_for(account, arn, "SUCCEEDED")
    assert "deploy DAG" in event_of(trigger(arn, Stage.DEPLOY)).payload["problem"]


@pytest.mark.parametrize("effect", ["throttle", "http500", "drop"])
def test_a_poll_error_is_not_a_job_failure(
    account: SwitchedExecution, local_aws_server: ServerHandle, effect: str
) -> None:
    name = f"fault-{effect}"
    account.let_pass(name)
    arn = start(account, name)
    rule = local_aws_server.front.fault_rules.add(
        {"service": "stepfunctions", "operation": "DescribeExecution", "effect": effect, "times": 3}
    )
    try:
        assert str(event_of(trigger(arn, Stage.DEPLOY)).task_instance_state) == "success"
    finally:
        local_aws_server.front.fault_rules.clear(rule)


@pytest.mark.slow
def test_a_refusal_that_lasts_is_told(account: SwitchedExecution, local_aws_server: ServerHandle) -> None:
    account.let_pass("denied", but="Model Training")
    arn = start(account, "denied")
    rule = local_aws_server.front.fault_rules.add(
        {
            "service": "stepfunctions",
            "operation": "DescribeExecution",
            "effect": "error",
            "code": "AccessDeniedException",
        }
    )
    try:
        problem = event_of(trigger(arn, Stage.TRAIN)).payload["problem"]
    finally:
        local_aws_server.front.fault_rules.clear(rule)
    assert "states:DescribeExecution" in problem
    account.client("stepfunctions").stop_execution(executionArn=arn)


async def _ticks(watch: ExecutionWatch, arns: list[str], polls: int) -> None:
    with ExitStack() as stack:
        for arn in arns:
            stack.enter_context(watch.interest(arn, needs_state=True))
        stream: AsyncIterator[None] = watch.stream()
        for _ in range(polls):
            await anext(stream)
        assert set(watch.views) == set(arns)
        assert {view.status for view in watch.views.values()} == {"RUNNING"}


@pytest.mark.slow
def test_many_waits_cost_about_as_many_calls_as_one(account: SwitchedExecution, local_aws_server: ServerHandle) -> None:
    arns = [start(account, f"many-{number}") for number in range(30)]
    watch = ExecutionWatch("brewtrain_aws", state_machine_of(arns[0]))
    before = local_aws_server.front.call_log.read()["last_id"]
    asyncio.run(_ticks(watch, arns, polls=2))
    calls = local_aws_server.front.call_log.read(since_id=before, service="stepfunctions")["calls"]
    mine = Counter(call["operation"] for call in calls if account.pipeline.name.replace("_", "-") in call["resource"])
    assert set(mine) == {"ListExecutions", "GetExecutionHistory"}
    assert mine["ListExecutions"] == 2
    # Two calls for a history whose newest page enters no state, as here, where the first state
    # tries again and again.
    assert mine["GetExecutionHistory"] <= 2 * 2 * HISTORIES_PER_POLL
    for arn in arns:
        account.client("stepfunctions").stop_execution(executionArn=arn)


def test_stages_are_seen_while_ends_are_frequent(account: SwitchedExecution) -> None:
    """With many waits the list of who runs must not use up every call that a history needs."""
    arns = [start(account, f"seen-{number}") for number in range(6)]
    clock = Clock()
    pace = Pace(clock, lambda: 0.5)
    pace.spend(1000)
    watch = ExecutionWatch("brewtrain_aws", state_machine_of(arns[0]), clock=clock, pace=pace)

    async def polls() -> set[str]:
        looked_at: set[str] = set()
        for _ in range(12):
            pace.changed()
            clock.now += watch.delay_seconds()
            await watch.poll()
            looked_at |= {arn for arn, view in watch.views.items() if view.state is not None}
        return looked_at

    with ExitStack() as stack:
        for arn in arns:
            stack.enter_context(watch.interest(arn, needs_state=True))
        assert asyncio.run(polls()) == set(arns)
    for arn in arns:
        account.client("stepfunctions").stop_execution(executionArn=arn)


def test_histories_are_read_in_turn(account: SwitchedExecution) -> None:
    arns = [start(account, f"turn-{number}") for number in range(10)]
    clock = Clock()
    watch = ExecutionWatch("brewtrain_aws", state_machine_of(arns[0]), clock=clock, pace=Pace(clock, lambda: 0.5))

    async def two_polls() -> list[int]:
        known = []
        for _ in range(2):
            await watch.poll()
            known.append(sum(view.state is not None for view in watch.views.values()))
            # Long enough for the budget to be whole again.
            clock.now += 60
        return known

    with ExitStack() as stack:
        for arn in arns:
            stack.enter_context(watch.interest(arn, needs_state=True))
        assert asyncio.run(two_polls()) == [HISTORIES_PER_POLL, len(arns)]
        assert set(watch.views) == set(arns)
    for arn in arns:
        account.client("stepfunctions").stop_execution(executionArn=arn)


def test_every_state_of_the_fixture_is_one_of_the_state_machines() -> None:
    from brewtrain.domain.run.stages import STAGE_OF_STATE, stage_of

    assert [stage_of(state) for state in STATES[:5]] == list(Stage)[:5]
    assert set(STATES[:5]) <= set(STAGE_OF_STATE)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_is_fast_after_a_change_and_slow_later() -> None:
    clock = Clock()
    pace = Pace(clock, lambda: 0.5)
    assert pace.delay_seconds(1) == pytest.approx(0.5)
    clock.now = 30
    assert pace.delay_seconds(1) == pytest.approx(3)
    clock.now = 3600
    assert pace.delay_seconds(1) == pytest.approx(5)
    pace.changed()
    assert pace.delay_seconds(1) == pytest.approx(0.5)


def test_the_budget_bounds_the_busiest_minute() -> None:
    clock = Clock()
    pace = Pace(clock, lambda: 0.5)
    calls = 0
    while clock.now < 60:
        pace.changed()
        made = 1 + min(8, max(0, pace.affordable() - 1))
        pace.spend(made)
        calls += made
        clock.now += pace.delay_seconds(1)
    assert calls <= EXECUTIONS.burst_calls + 60 * EXECUTIONS.calls_per_second + 1


def test_a_crowd_of_ends_does_not_stop_the_polls() -> None:
    clock = Clock()
    pace = Pace(clock, lambda: 0.5)
    pace.spend(1000)
    assert pace.delay_seconds(2) <= 12


def test_errors_back_off_and_success_ends_it() -> None:
    clock = Clock()
    pace = Pace(clock, lambda: 1.0)
    delays = []
    for _ in range(12):
        pace.failed()
        delays.append(pace.delay_seconds(1))
    assert delays == sorted(delays)
    assert delays[-1] <= 61
    pace.succeeded()
    assert pace.delay_seconds(1) <= 1


def test_only_an_execution_has_a_state_machine() -> None:
    for text in ("None", "", "arn:aws:states:us-east-1:1:stateMachine:m", "arn:aws:s3:::b:execution:m:e"):
        with pytest.raises(ValueError, match="is not the ARN of an execution"):
            watch_key("c", text)
