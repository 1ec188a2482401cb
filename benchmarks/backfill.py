"""Compare a backfill by the retrain DAG with one by the provider's operators.

Both backfill many daily intervals through the real scheduler. Both sides have eleven tasks and wait
for the same executions on the same local AWS, under the same Airflow (PostgreSQL, LocalExecutor,
the settings of `make up`). The executions are real ones of a light state machine, on purpose: its
states have the retraining's names, all but one pass at once, and the one in the middle waits. So
Airflow is measured and not the training of models; real retrainings are in docs/backfill-report.md.
It prints intervals per minute, Airflow's processor time and its share of a run's time, each as a
ratio to the provider's side, and how the time of an interval grows with their number.

Run it with ``make bench BENCH=backfill`` or ``python -m benchmarks.backfill --counts 30 90 365``;
the page is docs/benchmarks/backfill.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.machine import describe_machine
from tools.airflow_api import ENDED, AirflowApi
from tools.airflow_env import REGION, ROOT
from tools.bootstrap import bootstrap
from tools.local_aws_clients import local_clients
from tools.local_stack import LocalStack, Ports
from tools.stack_guard import start_guard

sys.path.insert(0, str(ROOT / "plugins"))

NAME = "light"
STATES = (
    "Apply Transformation",
    "Split Train & Test DataSet",
    "Model Training",
    "Query Training Results",
    "Accuracy > 90%",
    "Save Model",
)
OUTPUT = {
    "outcome": "rejected",
    "reason": "deploy_never",
    "message": "A light state machine trains nothing.",
    "metrics": {"validation:auc": 0.8},
}
SIDES = {"provider": "upstream_backfill", "brewtrain": f"{NAME}__retrain"}
FIRST_DAY = date(2001, 1, 1)
AIRFLOW_PROCESSES = ("scheduler", "triggerer", "dag-processor", "api-server")
QUIET_SECONDS = 900.0


@dataclass(frozen=True)
class Result:
    """One backfill.

    :ivar seconds: Of the whole backfill.
    :ivar run_seconds: Of the median DAG run.
    :ivar processor_seconds: Processor time of Airflow.
    """

    intervals: int
    seconds: float
    run_seconds: float
    processor_seconds: float

    @property
    def per_minute(self) -> float:
        """Intervals per minute."""
        return 60 * self.intervals / self.seconds


def definition(execution_seconds: int) -> dict[str, Any]:
    """Return the definition of the light state machine.

    :param execution_seconds: How long the state in the middle waits.
    """
    states: dict[str, Any] = {}
    for name, following in zip(STATES, (*STATES[1:], None), strict=True):
        step = {"Next": following} if following else {"End": True}
        if name == "Model Training":
            states[name] = {"Type": "Wait", "Seconds": execution_seconds, **step}
        elif following:
            states[name] = {"Type": "Pass", **step}
        else:
            states[name] = {"Type": "Pass", "Result": OUTPUT, **step}
    return {"StartAt": STATES[0], "States": states}


def write_include(folder: Path) -> None:
    """Copy include/ with the light pipeline as its only one."""
    shutil.copytree(ROOT / "include", folder)
    pipelines = folder / "pipelines"
    document = yaml.safe_load((pipelines / "bank_marketing.yaml").read_text())
    for file in pipelines.glob("*.yaml"):
        file.unlink()
    document |= {"name": NAME, "schedule": "@daily", "start_date": date(2000, 1, 1)}
    # No pool, so that on both sides only the backfill limits the runs at once.
    document.pop("pool", None)
    document["endpoint"] = {**document["endpoint"], "name": NAME}
    document["source"] = {**document["source"], "path": f"s3://{{bucket}}/data/{NAME}/dt={{date}}/", "columns": ["y"]}
    (pipelines / f"{NAME}.yaml").write_text(yaml.safe_dump(document))


class LightAccount:
    """What both sides need on local AWS.

    These are partitions, a published recipe, the evaluation's code, and the light state machine
    with its alias.
    """

    def __init__(self, clients: Callable[[str], Any], execution_seconds: int) -> None:
        from brewtrain.domain.evaluation.job import ENTRY_FILE
        from brewtrain.domain.names import (
            ALIAS,
            Account,
            default_bucket,
            evaluation_code_prefix,
            recipe,
            state_machine,
        )
        from brewtrain.resources import evaluation_code

        self._s3 = clients("s3")
        bootstrap(clients)
        account = Account(clients("sts").get_caller_identity()["Account"], REGION)
        self.bucket = default_bucket(account.account_id, account.region)
        code = evaluation_code()
        prefix = evaluation_code_prefix(NAME, code.sha256)
        self._s3.put_object(Bucket=self.bucket, Key=f"{prefix}{ENTRY_FILE}", Body=code.files[ENTRY_FILE])
        databrew, states = clients("databrew"), clients("stepfunctions")
        steps = [{"Action": {"Operation": "UPPER_CASE", "Parameters": {"sourceColumn": "y"}}}]
        databrew.create_recipe(Name=recipe(NAME), Steps=steps)
        databrew.publish_recipe(Name=recipe(NAME))
        version = states.create_state_machine(
            name=state_machine(NAME),
            definition=json.dumps(definition(execution_seconds)),
            roleArn=account.role_arn("states"),
            publish=True,
        )["stateMachineVersionArn"]
        routing = [{"stateMachineVersionArn": version, "weight": 100}]
        states.create_state_machine_alias(name=ALIAS, routingConfiguration=routing)
        self.state_machine_arn = account.state_machine_arn(NAME)

    def deliver(self, days: list[date]) -> None:
        """Upload a partition of one row for each day."""

        def put(day: date) -> None:
            self._s3.put_object(Bucket=self.bucket, Key=f"data/{NAME}/dt={day}/part.csv", Body=b"y\n1\n")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, days))


def airflow_processor_seconds(stack: LocalStack) -> float:
    """Return the processor time that Airflow's components and their children have used so far."""
    total = 0.0
    for name, entry in stack.running().items():
        parent = entry.process()
        if name not in AIRFLOW_PROCESSES or parent is None:
            continue
        for process in [parent, *parent.children(recursive=True)]:
            try:
                total += sum(process.cpu_times()[:4])
            except psutil.NoSuchProcess:
                # Its time has been added to its parent's or is lost; a worker lives as long as the
                # scheduler.
                continue
    return total


def measure(stack: LocalStack, api: AirflowApi, dag_id: str, days: list[date], at_once: int) -> Result:
    """Backfill `days` with one DAG and wait until the last run has ended."""
    before = airflow_processor_seconds(stack)
    began = time.monotonic()
    backfill = api.backfill(dag_id, f"{days[0]}T00:00:00Z", f"{days[-1]}T00:00:00Z", max_active_runs=at_once)
    bounds = {"logical_date_gte": f"{days[0]}T00:00:00Z", "logical_date_lte": f"{days[-1]}T00:00:00Z"}
    done, moved = 0, time.monotonic()
    while True:
        time.sleep(1.0)
        runs = api.runs(dag_id, **bounds)
        ended = [run for run in runs if run["state"] in ENDED]
        if len(ended) > done:
            done, moved = len(ended), time.monotonic()
        if len(ended) == len(days):
            break
        if time.monotonic() - moved > QUIET_SECONDS:
            raise SystemExit(
                f"{dag_id}: {done} of {len(days)} intervals have ended, and none for {QUIET_SECONDS:.0f} s"
            )
    seconds = time.monotonic() - began
    processor = airflow_processor_seconds(stack) - before
    if failed := [run["dag_run_id"] for run in ended if run["state"] != "success"]:
        raise SystemExit(f"{dag_id}: {len(failed)} runs have failed, among them {failed[0]}")
    # The next backfill of this DAG can only start when Airflow has closed this one.
    while api.call("GET", f"/backfills/{backfill}")["completed_at"] is None:
        time.sleep(1.0)
    lengths = [
        (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()
        for run in ended
    ]
    return Result(len(days), seconds, statistics.median(lengths), processor)


def tell(results: dict[tuple[str, int], Result], counts: list[int], execution_seconds: int, at_once: int) -> None:
    """Print the table of both sides, and how the time of an interval grows with their number."""
    print(f"\n{describe_machine()}. {at_once} intervals at once; an execution takes {execution_seconds} s.\n")
    print("| intervals | what | provider | brewtrain | ratio |\n|---:|---|---:|---:|---:|")
    measures: tuple[tuple[str, str, Callable[[Result], float]], ...] = (
        ("intervals a minute", "{:.1f}", lambda one: one.per_minute),
        ("seconds of a median run", "{:.1f}", lambda one: one.run_seconds),
        ("Airflow's share of it", "{:.2f}", lambda one: 1 - execution_seconds / one.run_seconds),
        ("Airflow's processor seconds an interval", "{:.2f}", lambda one: one.processor_seconds / one.intervals),
    )
    for count in counts:
        peer, own = results["provider", count], results["brewtrain", count]
        for label, form, of in measures:
            a, b = of(peer), of(own)
            print(f"| {count} | {label} | {form.format(a)} | {form.format(b)} | {b / a:.2f} |")
    if len(counts) > 1:
        print("\nTime of one interval, compared with that of the smallest number:\n")
        print("| intervals | provider | brewtrain |\n|---:|---:|---:|")
        for count in counts[1:]:
            growth = [results[side, counts[0]].per_minute / results[side, count].per_minute for side in SIDES]
            print(f"| {count} | {growth[0]:.2f} | {growth[1]:.2f} |")


def main() -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--counts", type=int, nargs="+", default=[30, 90], help="numbers of intervals (default %(default)s)"
    )
    parser.add_argument("--at-once", type=int, default=8, help="intervals at once (default %(default)s)")
    parser.add_argument("--execution-seconds", type=int, default=5, help="length of an execution (default %(default)s)")
    parser.add_argument("--side", choices=list(SIDES), action="append", help="one side only")
    options = parser.parse_args()
    sides = options.side or list(SIDES)
    folder = Path(tempfile.mkdtemp(prefix="brewtrain-bench-", dir="/tmp"))
    folder.chmod(0o755)  # when this runs as root, PostgreSQL runs as another user
    write_include(folder / "include")
    stack = LocalStack(
        folder,
        Ports.free(),
        dag_folders={"upstream": ROOT / "benchmarks" / "upstream_dags"},
        overrides={
            "BREWTRAIN_INCLUDE": str(folder / "include"),
            "BREWTRAIN_BENCHMARK_BUCKET": f"brewtrain-123456789012-{REGION}",
            "BREWTRAIN_BENCHMARK_STATE_MACHINE": f"arn:aws:states:{REGION}:123456789012:stateMachine:brewtrain-{NAME}",
        },
    )
    os.environ["BREWTRAIN_INCLUDE"] = str(folder / "include")
    guard = start_guard(folder, delete=True)
    results: dict[tuple[str, int], Result] = {}
    try:
        stack.start()
        account = LightAccount(local_clients(stack.aws_endpoint_url), options.execution_seconds)
        api = AirflowApi(stack.api_url, stack.admin_password)
        # Unpausing a DAG starts its newest interval, which would otherwise wait for data forever.
        account.deliver([datetime.now(UTC).date() - timedelta(days=1)])
        first = FIRST_DAY
        # The first run of each side does not count: every component imports its modules in it.
        for count in [1, *options.counts]:
            days = [first + timedelta(days=number) for number in range(count)]
            first = days[-1] + timedelta(days=30)
            account.deliver(days)
            for side in sides:
                results[side, count] = measure(stack, api, SIDES[side], days, options.at_once)
                one = results[side, count]
                print(f"{side}: {count} intervals in {one.seconds:.0f} s", file=sys.stderr, flush=True)
    finally:
        stack.stop()
        guard.communicate()
    if len(sides) == len(SIDES):
        tell(results, options.counts, options.execution_seconds, options.at_once)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
