"""Processes that die and an AWS that misbehaves, at the worst moment.

Afterwards the invariants hold, as read from local AWS's own call log: one execution per generation,
nothing started or redriven twice, no execution left running, no green task over a failed execution,
and the DAG run ends.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest

from tests.fixtures.postgres_programs import owner_of_server, postgres_program
from tests.fixtures.waiting import wait_until
from tests.integration.retraining.night import Night, Run
from tools.metadata_database import postgres_pid

pytestmark = pytest.mark.slow
SEED = 20261123
STAGE = "train"


@pytest.fixture(autouse=True)
def _whole_again(night: Night) -> Iterator[None]:
    yield
    night.remove_faults()
    start_what_ended(night)


def start_what_ended(night: Night) -> None:
    """Start the components that do not run."""
    for component in night.components():
        if component not in night.stack.running():
            night.start(component)


@contextlib.contextmanager
def supervised(night: Night) -> Iterator[None]:
    """Restart components that end, as an orchestrator does (``restart: unless-stopped``)."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            start_what_ended(night)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            over.set()
        watching.result()


def waiting(night: Night, count: int) -> list[Run]:
    """Start runs whose `train` waits."""
    runs = [night.new_run() for _ in range(count)]
    for run in runs:
        run.hold(STAGE)
        run.trigger()
    for run in runs:
        run.wait_for_stage(STAGE)
    return runs


def finish(runs: list[Run]) -> None:
    """Let the runs pass, and check them."""
    for run in runs:
        run.release(STAGE)
    for run in runs:
        run.wait("success", timeout_seconds=300)
        run.check_invariants()
    runs[0].night.check_starts()


def kill_task_process(night: Night, run: Run, task_id: str) -> None:
    """Kill the process that runs a task: the leaf below the task's supervisor in the scheduler."""
    scheduler = night.stack.running()["scheduler"].process()
    assert scheduler is not None
    leaves = [
        process
        for worker in scheduler.children()
        for process in worker.children(recursive=True)
        if not process.children()
    ]
    assert leaves, f"no process runs {task_id} of {run.dag_run_id}"
    for process in leaves:
        process.kill()


KILLS = {
    "before": ("DescribeExecution", "before"),
    "during": ("StartExecution", "before"),
    "right after": ("StartExecution", "after"),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_killed_task_process_is_retried_on_the_same_execution(night: Night, moment: str) -> None:
    """Task process killed before, during, right after StartExecution: retried, same execution."""
    operation, when = KILLS[moment]
    run = night.new_run()
    if moment == "during":  # the delayed call may still be performed when the retry makes its own
        night.asked_twice.add(run.run_id())
    run.account.let_pass(run.run_id())
    # prepare_run describes the execution once, so that start_execution's own look is the second.
    nth = [2] if operation == "DescribeExecution" else [1]
    machine = run.account.account.state_machine_arn(run.account.pipeline.name)
    resource = f"*{run.run_id()}" if operation == "DescribeExecution" else f"{machine}*"
    night.add_fault(
        service="stepfunctions", operation=operation, resource=resource, effect="delay", seconds=8, nth=nth, when=when
    )
    run.trigger()
    run.wait_for("start_execution", {"running"})
    wait_until(
        lambda: any(rule["applied"] for rule in night.faults()), seconds=60, what="the call that is delayed is made"
    )
    kill_task_process(night, run, "start_execution")
    run.wait("success", timeout_seconds=300)
    assert run.tries()["start_execution"] == 2
    run.check_invariants()


def test_a_killed_triggerer_loses_no_wait(night: Night) -> None:
    """Triggerer killed while 20 runs wait: all go on waiting in a new one, nothing starts twice."""
    runs = waiting(night, 20)
    night.kill("triggerer")
    night.start("triggerer")
    finish(runs)


def test_a_triggerer_killed_after_a_redrive_does_not_redrive_again(night: Night) -> None:
    """Triggerer killed right after it redrove: the new one does not redrive again."""
    run = night.new_run()
    run.account.let_pass(run.run_id())
    run.fail(STAGE)
    run.trigger().wait("failed")
    run.account.switch_off(run.run_id(), "Model Training")
    run.clear(STAGE)
    run.wait_for_redrives(1)
    night.kill("triggerer")
    # It fails once more while nobody looks: this try's own failure, which is reported and not
    # redriven.
    run.fail(STAGE)
    run.wait_for_execution("FAILED")
    night.start("triggerer")
    run.wait("failed")
    run.check_invariants(redrives=1)


def test_a_killed_scheduler_loses_no_wait(night: Night) -> None:
    """Scheduler killed while runs wait: a new one goes on."""
    runs = waiting(night, 2)
    night.kill("scheduler")
    night.start("scheduler")
    finish(runs)


def test_a_killed_api_server_loses_no_wait(night: Night) -> None:
    """Api-server killed while runs wait: a new one goes on."""
    runs = waiting(night, 2)
    night.kill("api-server")
    night.start("api-server")
    finish(runs)


def test_a_restarted_postgres_loses_no_wait(night: Night) -> None:
    """PostgreSQL restarted while runs wait: what lost its connection comes back."""
    runs = waiting(night, 2)
    folder = night.stack.folder / "postgres"
    assert postgres_pid(folder) is not None
    subprocess.run(
        [postgres_program("pg_ctl"), "-D", folder, "-w", "-m", "immediate", "restart"],
        user=owner_of_server(), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with supervised(night):
        finish(runs)


def test_a_bad_minute_of_aws_fails_no_job(night: Night) -> None:
    """A minute of 30 % throttling, 10 % HTTP 500, 5 s delays: green, no poll error fails a job."""
    print(f"seed {SEED}")
    runs = [night.new_run() for _ in range(3)]
    for run in runs:
        # Before the faults, which the test's own calls would meet too.
        run.account.deliver(run.day - timedelta(days=1))
        run.account.let_pass(run.run_id())
    # Airflow's calls alone, since the state machine of these tests retries nothing.
    airflow = {"principal": "*:root", "for_seconds": 60}
    night.add_fault(effect="throttle", probability=0.3, seed=SEED, **airflow)
    night.add_fault(effect="http500", probability=0.1, seed=SEED + 1, **airflow)
    night.add_fault(effect="delay", seconds=5, probability=0.1, seed=SEED + 2, **airflow)
    for run in runs:
        run.dag_run_id = night.api.trigger(run.dag_id, f"{run.day}T00:00:00Z")
    for run in runs:
        run.wait("success", timeout_seconds=400)
    night.remove_faults()
    for run in runs:
        run.check_invariants()


def test_nothing_is_left_of_the_killed(night: Night) -> None:
    """All of the above: no process outlives the killed component that started it."""
    folder = str(night.stack.folder)
    own = {entry.pid for entry in night.stack.running().values()}
    strangers = []
    for process in psutil.process_iter(["pid", "environ"]):
        environment = process.info["environ"] or {}
        if environment.get("AIRFLOW_HOME", "").startswith(folder):
            family = {process.pid, *(parent.pid for parent in process.parents())}
            if not family & own:
                strangers.append(process)
    assert strangers == []
