"""What the tests of a night on call share: runs, and the invariants that hold after each."""

from __future__ import annotations

import itertools
import re
import threading
import urllib.parse
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.fixtures.local_aws_control import LocalAwsControl
from tests.fixtures.switched_execution import FAIL, PASS, STATES, SwitchedExecution
from tests.fixtures.waiting import wait_until
from tools.airflow_api import AirflowApi
from tools.local_stack import AIRFLOW_COMPONENTS, LocalStack

PIPELINES = ("calm_a", "calm_b", "calm_c", "calm_d", "calm_e", "clocked")
CLOCKED = "clocked"
BOUNDED = "bounded"  # its pool has the same name
BACKFILLED = ("past_a", "past_b", BOUNDED)
CLOCKED_SECONDS = 12
# One whose models wait for a person, and one whose endpoint is rolled back and promoted to.
APPROVED, STEERED = "approved", "steered"
# Two whose data is late: one waits for it, one not long enough.
PATIENT, HASTY = "patient", "hasty"
STAGES = ("transform", "split", "train", "evaluate", "gate", "deploy")
STATE_OF_STAGE = dict(zip(STAGES, STATES, strict=False)) | {"deploy": "Save Model"}
STAGE_OF_STATE = dict.fromkeys(STATES, "deploy") | {state: stage for stage, state in STATE_OF_STAGE.items()}
FAILED_STATUSES = ("FAILED", "TIMED_OUT", "ABORTED")
FIRST_DAY = date(2010, 1, 2)
# Lines in the log of a task that waits: Airflow's own when its trigger starts, and our trigger's
# when a person ends the wait.
TRIGGER_STARTS = r"trigger .* starting"
LEFT_ALONE = "the execution is left alone"


@dataclass
class Run:
    """One DAG run of a test.

    :param night: The stack that it runs on.
    :param account: Where its execution is switched.
    :param day: End of its data interval.
    :param dag_run_id: Its id, once it has begun.
    """

    night: Night
    account: SwitchedExecution
    day: date
    dag_run_id: str = ""

    @property
    def dag_id(self) -> str:
        """Id of its DAG."""
        return f"{self.account.pipeline.name}__retrain"

    def run_id(self, generation: int | str = 0) -> str:
        """Return the name of its execution."""
        return self.account.run_id(self.day, str(generation))

    def arn(self, generation: int | str = 0) -> str:
        """Return the ARN of its execution."""
        return self.account.account.execution_arn(self.account.pipeline.name, self.run_id(generation))

    def trigger(self, *, body: bytes | None = None, **conf: Any) -> Run:
        """Deliver its data and start it.

        :param body: The data; one row by default.
        :param conf: The run's parameters.
        """
        self.account.deliver(self.day - timedelta(days=1), body=body)
        self.dag_run_id = self.night.api.trigger(self.dag_id, f"{self.day}T00:00:00Z", conf=conf)
        return self

    def spoil(self, state: str, generation: int | str = 0) -> None:
        """Make a state fail."""
        self.account.switch(self.run_id(generation), state, FAIL)

    def repair(self, state: str, generation: int | str = 0) -> None:
        """Let a state pass."""
        self.account.switch(self.run_id(generation), state, PASS)

    def hold(self, stage: str, generation: int | str = 0) -> None:
        """Let every state pass except that of one stage, which waits."""
        self.account.let_pass(self.run_id(generation), but=STATE_OF_STAGE[stage])

    def fail(self, stage: str, generation: int | str = 0) -> None:
        """Make a stage's state fail."""
        self.spoil(STATE_OF_STAGE[stage], generation)

    def release(self, stage: str, generation: int | str = 0) -> None:
        """Let a stage's state pass."""
        self.repair(STATE_OF_STAGE[stage], generation)

    def wait(self, state: str, timeout_seconds: float = 240.0) -> None:
        """Wait until the run has ended, and check how."""
        found = self.night.api.wait_for_run(self.dag_id, self.dag_run_id, timeout_seconds=timeout_seconds)
        assert found["state"] == state, self.failures()

    def failures(self) -> str:
        """Return every task's state, and what the failed ones have logged."""
        states = self.states()
        logs = [f"{task}:\n{self.log(task, self.tries()[task])}" for task in states if states[task] == "failed"]
        return "\n".join([str(states), *logs])

    def wait_for(self, task_id: str, states: Collection[str], timeout_seconds: float = 180.0) -> dict[str, Any]:
        """Wait until a task is in one of these states."""
        return self.night.api.wait_for_task(self.dag_id, self.dag_run_id, task_id, states, timeout_seconds)

    def wait_for_stage(self, stage: str) -> None:
        """Wait until a stage waits in the triggerer, and the execution is in its state."""
        try_number = self.wait_for(stage, {"deferred"})["try_number"]
        wait_until(
            lambda: self.last_state() == STATE_OF_STAGE[stage],
            seconds=60,
            what=lambda: f"the execution enters {STATE_OF_STAGE[stage]}; it is in {self.last_state()}",
            pause=0.2,
        )
        self.wait_for_message(stage, TRIGGER_STARTS, try_number=try_number)

    def wait_for_message(self, task_id: str, message: str, *, try_number: int = 1) -> None:
        """Wait until a task's log, its trigger's lines included, has a message."""
        wait_until(
            lambda: re.search(message, self.log(task_id, try_number)),
            seconds=60,
            what=lambda: f"{task_id} logs {message!r}; its log is {self.log(task_id, try_number)}",
            pause=0.3,
        )

    def last_state(self, generation: int | str = 0) -> str | None:
        """Return the state that the execution entered last."""
        # A state that waits tries again every second: its beginning is soon pages away from the
        # end.
        pages = (
            self.night.client("stepfunctions")
            .get_paginator("get_execution_history")
            .paginate(executionArn=self.arn(generation), reverseOrder=True)
        )
        entered = (
            event["stateEnteredEventDetails"]["name"]
            for page in pages
            for event in page["events"]
            if event["type"].endswith("Entered")
        )
        return next(entered, None)

    def clear(self, *task_ids: str) -> set[str]:
        """Clear tasks with everything downstream; return the ids of all that were cleared."""

        def queued_at() -> str:
            return str(self.night.api.run(self.dag_id, self.dag_run_id)["queued_at"])

        before = queued_at()
        cleared = set(self.night.api.clear(self.dag_id, self.dag_run_id, task_ids))
        # Airflow answers before its transaction is over.
        wait_until(lambda: queued_at() != before, seconds=30, what=f"the clear of {task_ids} takes effect")
        return cleared

    def states(self) -> dict[str, str | None]:
        """Return the state of every task."""
        return self.night.api.task_states(self.dag_id, self.dag_run_id)

    def tries(self) -> dict[str, int]:
        """Return the try number of every task."""
        found = self.night.api.task_instances(self.dag_id, self.dag_run_id)
        return {task_id: item["try_number"] for task_id, item in found.items()}

    @staticmethod
    def order() -> tuple[str, ...]:
        """Return the tasks of a retraining in their order; a pipeline's DAG may have more."""
        return ("check_input", "prepare_run", "start_execution", *STAGES, "record_result", "release_run")

    def log(self, task_id: str, try_number: int = 1) -> str:
        """Return a task's log."""
        return self.night.api.task_log(self.dag_id, self.dag_run_id, task_id, try_number)

    def kept_failure(self, task_id: str) -> dict[str, Any]:
        """Return what the retry policy left on the task instance."""
        run_id = urllib.parse.quote(self.dag_run_id, safe="")
        path = f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/state-store/failure"
        found: dict[str, Any] = self.night.api.call("GET", path)["value"]
        return found

    def execution(self, generation: int | str = 0) -> dict[str, Any]:
        """Return what DescribeExecution says of the execution."""
        found: dict[str, Any] = self.night.client("stepfunctions").describe_execution(executionArn=self.arn(generation))
        return found

    def wait_for_execution(self, status: str, generation: int | str = 0) -> dict[str, Any]:
        """Wait until the execution has a status; return what DescribeExecution says of it."""

        def reached() -> dict[str, Any] | None:
            found = self.execution(generation)
            return found if found["status"] == status else None

        return wait_until(
            reached, seconds=60, what=lambda: f"the execution is {status}: {self.execution(generation)}", pause=0.3
        )

    def wait_for_redrives(self, count: int, generation: int | str = 0) -> int:
        """Wait until the execution has been redriven at least ``count`` times; return how often."""

        def redriven() -> int | None:
            found = int(self.execution(generation)["redriveCount"])
            return found if found >= count else None

        return wait_until(
            redriven,
            seconds=90,
            what=lambda: f"{count} redrives: {self.execution(generation)}, {self.states()}",
            pause=0.1,
        )

    def executions(self) -> dict[str, str]:
        """Return the status of every execution of the run's interval, by name."""
        pages = (
            self.night.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.account.account.state_machine_arn(self.account.pipeline.name))
        )
        prefix = self.run_id("")
        return {
            item["name"]: item["status"]
            for page in pages
            for item in page["executions"]
            if item["name"].startswith(prefix)
        }

    def jobs_started(self, operation: str) -> Counter[str]:
        """Count how often each job of the run was started, by the call log's accepted calls."""
        return Counter(
            call["resource"]
            for call in self.night.calls(operation=operation)
            if call["status"] == 200 and self.run_id("") in call["resource"]
        )

    def check_invariants(self, *, generations: int = 1, redrives: int = 0) -> None:
        """Check what holds after every run, whatever happened, from local AWS's own call log.

        :param generations: How many executions the interval must have.
        :param redrives: How often they must have been redriven in all.
        """
        state = self.night.api.run(self.dag_id, self.dag_run_id)["state"]
        assert state in ("success", "failed"), "the DAG run ends"
        executions = self.executions()
        assert len(executions) == generations, executions
        assert "RUNNING" not in executions.values(), "no execution runs after the DAG run's end"
        found = sum(self.execution(name.rsplit("-g", 1)[1])["redriveCount"] for name in executions)
        assert found == redrives, "one redrive a reported failure"
        redrove = [
            call
            for call in self.night.calls(operation="RedriveExecution")
            if call["status"] == 200 and self.run_id("") in call["resource"]
        ]
        assert len(redrove) == redrives, "no redrive is asked for twice"
        last = max(executions, key=lambda name: (len(name), name))
        if executions[last] in FAILED_STATUSES:
            assert state == "failed", "every terminal state other than success is red"
        for operation in ("CreateTrainingJob", "CreateProcessingJob", "CreateModel", "CreateEndpointConfig"):
            assert set(self.jobs_started(operation).values()) <= {1}, f"{operation}: no job is started twice"
        jobs = [job["Name"] for job in self.night.jobs()]
        assert not [name for name in jobs if self.run_id("") in name], "no DataBrew job is left behind"


class Night(LocalAwsControl):
    """A running stack, its accounts, and the control endpoints of its local AWS.

    :param stack: The processes.
    :param api: Airflow's REST API.
    :param accounts: The account of each pipeline, by the pipeline's name.
    """

    def __init__(self, stack: LocalStack, api: AirflowApi, accounts: dict[str, SwitchedExecution]) -> None:
        super().__init__(stack.aws_endpoint_url)
        self.stack = stack
        self.api = api
        self.accounts = accounts
        #: Executions that two tries or two DAG runs start at the same moment: the name makes the
        #: second a look-up.
        self.asked_twice: set[str] = set()
        self._lock = threading.Lock()
        self._days = itertools.count()

    def client(self, service: str) -> Any:
        """Return a boto3 client of local AWS."""
        return self.accounts[PIPELINES[0]].client(service)

    def new_run(self, pipeline: str | None = None) -> Run:
        """Return a run of an interval that no other run has."""
        with self._lock:
            number = next(self._days)
        name = pipeline or PIPELINES[number % (len(PIPELINES) - 1)]
        return Run(self, self.accounts[name], FIRST_DAY + timedelta(days=number))

    def jobs(self) -> list[dict[str, Any]]:
        """Return all DataBrew jobs."""
        pages = self.client("databrew").get_paginator("list_jobs").paginate()
        return [job for page in pages for job in page["Jobs"]]

    def check_starts(self) -> None:
        """Check that each execution was started once, and that what was started exists."""
        asked = Counter(call["name"] for call in self.calls(operation="StartExecution") if call["status"] == 200)
        repeated = {name for name, times in asked.items() if times > 1} - self.asked_twice
        assert not repeated, "no execution is started twice"
        pages = self.client("stepfunctions").get_paginator("list_state_machines").paginate()
        deployed = {machine["stateMachineArn"] for page in pages for machine in page["stateMachines"]}
        existing: set[str] = set()
        for account in self.accounts.values():
            machine = account.account.state_machine_arn(account.pipeline.name)
            if machine in deployed:  # some pipelines are deployed by the first test that needs them
                pages = self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
                existing |= {item["name"] for page in pages for item in page["executions"]}
        assert set(asked) <= existing, "what was started is kept"

    def kill(self, component: str) -> None:
        """Kill an Airflow component and whatever it has started, as ``kill -9`` does."""
        process = self.stack.running()[component].process()
        assert process is not None
        for one in [process, *process.children(recursive=True)]:
            one.kill()
        process.wait(10)

    def start(self, component: str) -> None:
        """Start a component again, and wait until it is healthy."""
        self.stack.restart(component)

    def wait_for_scheduling(self) -> None:
        """Wait until the scheduler has gone round since: it beats between two rounds."""
        began = datetime.now(UTC)

        def beaten() -> bool:
            health = self.api.call("GET", "/monitor/health")["scheduler"]
            return datetime.fromisoformat(health["latest_scheduler_heartbeat"]) > began

        for _ in range(2):  # the round of the first may have begun before
            wait_until(beaten, seconds=60, what="the scheduler's heartbeat", pause=0.3)
            began = datetime.now(UTC)

    @staticmethod
    def components() -> tuple[str, ...]:
        """Return the names of the Airflow components."""
        return tuple(AIRFLOW_COMPONENTS)
