"""Measure what Airflow itself costs: the delay after an execution, a whole run, a cleared deploy.

A whole Airflow (scheduler, triggerer, dag-processor, api-server, PostgreSQL) runs against local AWS
on this machine. There are three measurements; ``--only`` chooses one:

    waits     300 DAG runs of 75 pipelines wait in one stage, then their executions end within a
              minute at even distances: seconds from each end (by the execution) to the success of
              the task (by Airflow). Aim: median ≤ 4 s; the provider's operator takes 41 s.
    overhead  A whole run of the shipped pipeline, warm: its duration minus its execution's.
              Aim: ≤ 8 s.
    clear     `deploy` fails once, is cleared and redriven: seconds of jobs that AWS ran for the
              second try, as a share of those of a full run. Aim: ≤ 15 %.

Run it with ``make bench BENCH=airflow_waits``; the page is docs/benchmarks/airflow_waits.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import describe_machine, paragraph

if TYPE_CHECKING:
    from tests.integration.retraining.night import Night, Run

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks" / "airflow_waits.md"
STAGE = "deploy"
STATE = "Update Model Endpoint"
#: max_active_runs of the retrain DAG.
RUNS_OF_A_PIPELINE = 4
LONG = {
    "AIRFLOW__SCHEDULER__MAX_DAGRUNS_TO_CREATE_PER_LOOP": "50",
    "AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "1000",
}


def _crowd(count: int) -> list[str]:
    """Return the names of the pipelines that `count` runs at once need."""
    return [f"crowd_{number:03d}" for number in range(-(-count // RUNS_OF_A_PIPELINE))]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def waits(night: Night, count: int) -> list[str]:
    """Return the rows of the delay between an execution's end and its task's success."""
    runs = [night.new_run(name) for name in _crowd(count) for _ in range(RUNS_OF_A_PIPELINE)][:count]
    for run in runs:
        run.account.let_pass(run.run_id(), but=STATE)
    for run in runs:
        run.trigger()
    for run in runs:
        run.wait_for(STAGE, {"deferred"}, 60 * 60)
    time.sleep(10)
    pause = 60 / count
    for run in runs:
        run.repair(STATE)
        time.sleep(pause)
    seconds = []
    for run in runs:
        task = run.wait_for(STAGE, {"success"}, 600)
        seconds.append((_moment(task["end_date"]) - run.execution()["stopDate"]).total_seconds())
    seconds.sort()
    return [
        f"| {count} waits: execution's end → task's success, median | {statistics.median(seconds):.1f} s | 4 s |",
        f"| the same, 95th percentile | {seconds[int(0.95 * (len(seconds) - 1))]:.1f} s | |",
        f"| the same, longest | {seconds[-1]:.1f} s | |",
    ]


def overhead(night: Night, repeats: int) -> list[str]:
    """Return the rows of a whole run's duration minus its execution's."""
    from tests.integration.retraining.whole_run import WholePipeline

    pipeline = WholePipeline(night, "whole_a")
    pipeline.deploy()
    pipeline.begin().wait("success", timeout_seconds=600)
    shares = []
    steps: dict[str, list[float]] = {}
    for _ in range(repeats):
        run = pipeline.begin()
        run.wait("success", timeout_seconds=600)
        found = night.api.run(run.dag_id, run.dag_run_id)
        whole = (_moment(found["end_date"]) - _moment(found["start_date"])).total_seconds()
        execution = run.execution()
        own = (execution["stopDate"] - execution["startDate"]).total_seconds()
        shares.append((whole - own, whole, own))
        ended = _moment(found["start_date"])
        tasks = night.api.task_instances(run.dag_id, run.dag_run_id)
        for task in sorted(tasks.values(), key=lambda task: str(task["end_date"])):
            steps.setdefault(task["task_id"], []).append((_moment(task["end_date"]) - ended).total_seconds())
            ended = _moment(task["end_date"])
    extra, whole, own = (statistics.median(one[index] for one in shares) for index in range(3))
    return [
        f"| whole run ({whole:.1f} s) minus its execution ({own:.1f} s), median of {repeats} | {extra:.1f} s | 8 s |",
        *(
            f"| … of the whole run, until `{task_id}` has ended | {statistics.median(seconds):.1f} s | |"
            for task_id, seconds in steps.items()
        ),
    ]


def clear(night: Night) -> list[str]:
    """Return the row of the jobs that a cleared and redriven `deploy` repeats."""
    from tests.integration.retraining.whole_run import WholePipeline

    pipeline = WholePipeline(night, "whole_b")
    pipeline.deploy()
    first = pipeline.begin()
    first.wait("success", timeout_seconds=600)
    refused = {"service": "sagemaker", "operation": "UpdateEndpoint", "resource": "*whole-b*"}
    rule = night.add_fault(effect="error", code="AccessDeniedException", message="Not today.", **refused)
    run = pipeline.begin()
    run.wait("failed", timeout_seconds=600)
    assert run.states()[STAGE] == "failed", run.states()
    full = _job_seconds(run, None)
    night.remove_fault(rule)
    cleared_at = datetime.now(UTC)
    run.clear(STAGE)
    run.wait("success", timeout_seconds=600)
    again = _job_seconds(run, cleared_at)
    what = f"AWS job time of a cleared `deploy` ({again:.1f} s) ÷ a full run's ({full:.1f} s)"
    return [f"| {what} | {again / full:.1%} | 15 % |"]


def _job_seconds(run: Run, since: datetime | None) -> float:
    """Return the seconds of all states that run a job, from the history: what AWS charges for.

    :param since: Ignore events before this time.
    """
    client = run.night.client("stepfunctions")
    pages = client.get_paginator("get_execution_history").paginate(executionArn=run.arn())
    began: dict[int, datetime] = {}
    total = timedelta()
    for page in pages:
        for event in page["events"]:
            if since is not None and event["timestamp"] < since:
                continue
            if event["type"] == "TaskSubmitted":
                began[event["id"]] = event["timestamp"]
            elif event["type"] in ("TaskSucceeded", "TaskFailed", "TaskTimedOut") and event["previousEventId"] in began:
                total += event["timestamp"] - began[event["previousEventId"]]
    return total.total_seconds()


def main() -> None:
    """Measure, print the table and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.airflow_waits", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--count", type=int, default=300, help="number of waits at once (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="number of whole runs (default %(default)s)")
    parser.add_argument("--only", choices=["waits", "overhead", "clear"], action="append", help="one measurement only")
    parser.add_argument("--no-page", action="store_true", help="do not write the page")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "plugins"))
    from tests.integration.retraining.running import running_night

    chosen = options.only or ["overhead", "clear", "waits"]
    load = os.getloadavg()[0]
    measurements: dict[str, Callable[[Any], list[str]]] = {
        "overhead": lambda night: overhead(night, options.repeats),
        "clear": clear,
        "waits": lambda night: waits(night, options.count),
    }
    rows: list[str] = []
    for name in chosen:
        crowded = name == "waits"
        with running_night(_crowd(options.count) if crowded else (), **(LONG if crowded else {})) as night:
            rows += measurements[name](night)
            print("\n".join(rows), flush=True)
    lines = [
        "# What Airflow itself costs",
        "",
        paragraph(f"`make bench BENCH=airflow_waits`. {describe_machine()}. Load average when it began: {load:.1f}."),
        "",
        "| what | measured | aim |",
        "|---|---:|---:|",
        *rows,
        "",
    ]
    if not options.no_page:
        DOCUMENT.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
