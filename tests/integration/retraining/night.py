"""What the tests of a night on call share: runs, and the invariants that hold after every one."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.fixtures.switched_execution import FAIL, PASS, STATES, SwitchedExecution
from tools.airflow_api import AirflowApi
from tools.local_stack import AIRFLOW_COMPONENTS, LocalStack

PIPELINES = ("calm_a", "calm_b", "calm_c", "calm_d", "calm_e", "clocked")
CLOCKED = "clocked"
BOUNDED = "bounded"  # its pool is named like it
BACKFILLED = ("past_a", "past_b", BOUNDED)
CLOCKED_SECONDS = 12
# Its models wait for a person; and one whose endpoint is rolled back and promoted to.
APPROVED, STEERED = "approved", "steered"
STAGES = ("transform", "split", "train", "evaluate", "gate", "deploy")
STATE_OF_STAGE = dict(zip(STAGES, STATES, strict=False)) | {"deploy": "Save Model"}
STAGE_OF_STATE = dict.fromkeys(STATES, "deploy") | {state: stage for stage, state in STATE_OF_STAGE.items()}
FAILED_STATUSES = ("FAILED", "TIMED_OUT", "ABORTED")
FIRST_DAY = date(2010, 1, 2)


@dataclass
class Run:
    """One DAG run of a test.

    :param account: Where its execution is switched.
    :param day: End of its data interval.
    """

    night: Night
    account: SwitchedExecution
    day: date
    dag_run_id: str = ""

    @property
    def dag_id(self) -> str:
        """Its DAG."""
        return f"{self.account.pipeline.name}__retrain"

    def run_id(self, generation: int | str = 0) -> str:
        """Name of its execution."""
        return self.account.run_id(self.day, str(generation))

    def arn(self, generation: int | str = 0) -> str:
        """ARN of its execution."""
        return self.account.account.execution_arn(self.account.pipeline.name, self.run_id(generation))

    def trigger(self, *, body: bytes | None = None, **conf: Any) -> Run:
        """Deliver its data, one row if `body` is not given, and start it."""
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
        """Let every state pass but one stage's, which waits."""
        self.account.let_pass(self.run_id(generation), but=STATE_OF_STAGE[stage])

    def fail(self, stage: str, generation: int | str = 0) -> None:
        """Make a stage's state fail."""
        self.spoil(STATE_OF_STAGE[stage], generation)

    def mend(self, stage: str, generation: int | str = 0) -> None:
        """Let a stage's state pass."""
        self.repair(STATE_OF_STAGE[stage], generation)

    def wait(self, state: str, timeout_seconds: float = 240.0) -> None:
        """Wait until the run has ended, and check how."""
        # The scheduler sets a cleared run going a moment later.
        time.sleep(1.0)
        found = self.night.api.wait_for_run(self.dag_id, self.dag_run_id, timeout_seconds=timeout_seconds)
        assert found["state"] == state, self.states()

    def wait_for(self, task_id: str, states: Collection[str], timeout_seconds: float = 180.0) -> dict[str, Any]:
        """Wait until a task is in one of these states."""
        return self.night.api.wait_for_task(self.dag_id, self.dag_run_id, task_id, states, timeout_seconds)

    def wait_for_stage(self, stage: str) -> None:
        """Wait until a stage waits, and the execution is in its state."""
        self.wait_for(stage, {"deferred"})
        deadline = time.monotonic() + 60
        while self.last_state() != STATE_OF_STAGE[stage]:
            assert time.monotonic() < deadline, self.last_state()
            time.sleep(0.2)
        # The trigger starts within a second of the deferral.
        time.sleep(1.5)

    def last_state(self, generation: int | str = 0) -> str | None:
        """State that the execution entered last."""
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
        """Clear tasks with everything downstream."""
        return set(self.night.api.clear(self.dag_id, self.dag_run_id, task_ids))

    def states(self) -> dict[str, str | None]:
        """State of every task."""
        return self.night.api.task_states(self.dag_id, self.dag_run_id)

    def tries(self) -> dict[str, int]:
        """Try number of every task."""
        found = self.night.api.task_instances(self.dag_id, self.dag_run_id)
        return {task_id: item["try_number"] for task_id, item in found.items()}

    @staticmethod
    def order() -> tuple[str, ...]:
        """The tasks that a retraining is made of, in their order; a pipeline's DAG may have more."""
        return ("check_input", "prepare_run", "start_execution", *STAGES, "record_result", "release_run")

    def log(self, task_id: str, try_number: int = 1) -> str:
        """A task's log."""
        return self.night.api.task_log(self.dag_id, self.dag_run_id, task_id, try_number)

    def kept_failure(self, task_id: str) -> dict[str, Any]:
        """What the retry policy left on the task instance."""
        run_id = urllib.parse.quote(self.dag_run_id, safe="")
        path = f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/state-store/failure"
        found: dict[str, Any] = self.night.api.call("GET", path)["value"]
        return found

    def execution(self, generation: int | str = 0) -> dict[str, Any]:
        """The execution as AWS describes it."""
        found: dict[str, Any] = self.night.client("stepfunctions").describe_execution(executionArn=self.arn(generation))
        return found

    def wait_for_execution(self, status: str, generation: int | str = 0) -> dict[str, Any]:
        """Wait until the execution has a status."""
        deadline = time.monotonic() + 60
        while (found := self.execution(generation))["status"] != status:
            assert time.monotonic() < deadline, found
            time.sleep(0.3)
        return found

    def wait_for_redrives(self, count: int, generation: int | str = 0) -> int:
        """Wait until the execution has been redriven so often at least; returns how often."""
        deadline = time.monotonic() + 90
        while (found := int(self.execution(generation)["redriveCount"])) < count:
            assert time.monotonic() < deadline, (self.execution(generation), self.states())
            time.sleep(0.3)
        return found

    def executions(self) -> dict[str, str]:
        """Name → status of all executions of the run's interval."""
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
        """How often each job of the run was started: the call log's resource → calls that AWS accepted."""
        return Counter(
            call["resource"]
            for call in self.night.calls(operation=operation)
            if call["status"] == 200 and self.run_id("") in call["resource"]
        )

    def check_invariants(self, *, generations: int = 1, redrives: int = 0) -> None:
        """What holds after every run, whatever happened in it; read from local AWS's own call log.

        :param generations: How many executions the interval must have.
        :param redrives: How often they must have been redriven in all.
        """
        state = self.night.api.run(self.dag_id, self.dag_run_id)["state"]
        assert state in ("success", "failed"), "the DAG run ends"
        executions = self.executions()
        assert len(executions) == generations, executions
        assert "RUNNING" not in executions.values(), "no orphan runs after the DAG run's end"
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


class Night:
    """A running stack and its accounts.

    :param accounts: By pipeline.
    """

    def __init__(self, stack: LocalStack, api: AirflowApi, accounts: dict[str, SwitchedExecution]) -> None:
        self.stack = stack
        self.api = api
        self.accounts = accounts
        #: Executions that two tries or two DAG runs start at the same moment: the name makes the
        #: second a look-up.
        self.asked_twice: set[str] = set()
        self._lock = threading.Lock()
        self._days = itertools.count()

    def client(self, service: str) -> Any:
        """A boto3 client of local AWS."""
        return self.accounts[PIPELINES[0]].client(service)

    def new_run(self, pipeline: str | None = None) -> Run:
        """A run of an interval of its own."""
        with self._lock:
            number = next(self._days)
        name = pipeline or PIPELINES[number % (len(PIPELINES) - 1)]
        return Run(self, self.accounts[name], FIRST_DAY + timedelta(days=number))

    def jobs(self) -> list[dict[str, Any]]:
        """All DataBrew jobs."""
        pages = self.client("databrew").get_paginator("list_jobs").paginate()
        return [job for page in pages for job in page["Jobs"]]

    def calls(self, **wanted: str) -> list[dict[str, Any]]:
        """What local AWS has answered, by ``service`` or ``operation``."""
        found: list[dict[str, Any]] = self._control("GET", f"calls?{urllib.parse.urlencode(wanted)}")["calls"]
        return found

    def check_starts(self) -> None:
        """Every execution there is was asked for once, by its name, and what was asked for is there."""
        asked = Counter(call["name"] for call in self.calls(operation="StartExecution") if call["status"] == 200)
        repeated = {name for name, times in asked.items() if times > 1} - self.asked_twice
        assert not repeated, "no execution is started by two that do not know of each other"
        pages = self.client("stepfunctions").get_paginator("list_state_machines").paginate()
        deployed = {machine["stateMachineArn"] for page in pages for machine in page["stateMachines"]}
        there: set[str] = set()
        for account in self.accounts.values():
            machine = account.account.state_machine_arn(account.pipeline.name)
            if machine in deployed:  # some pipelines are deployed by the first test that needs them
                pages = self.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=machine)
                there |= {item["name"] for page in pages for item in page["executions"]}
        assert set(asked) <= there, "what was started is kept"

    def add_fault(self, **rule: Any) -> str:
        """Make local AWS misbehave; returns the rule's id."""
        found: str = self._control("POST", "faults", rule)["id"]
        return found

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with how often each matched and applied."""
        found: list[dict[str, Any]] = self._control("GET", "faults")["faults"]
        return found

    def behave(self, endpoint: str, behaviour: str) -> None:
        """Make an endpoint's operations ``stuck``, ``rollback`` or ``fail``, or ``normal`` again."""
        self._control("POST", f"sagemaker/endpoints/{endpoint}", {"behaviour": behaviour})

    def remove_fault(self, rule_id: str) -> None:
        """End one rule."""
        self._control("DELETE", f"faults/{rule_id}")

    def remove_faults(self) -> None:
        """Make local AWS behave again."""
        self._control("DELETE", "faults")

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.stack.aws_endpoint_url}/_local/{urllib.parse.quote(path, safe='/?=&')}"
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            content = response.read()
        return json.loads(content) if content else None

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

    @staticmethod
    def components() -> tuple[str, ...]:
        """Names of the Airflow components."""
        return tuple(AIRFLOW_COMPONENTS)
