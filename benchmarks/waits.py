"""Compare this package's trigger with the provider's, both waiting for many executions at once.

Both wait for the same executions on the same local AWS with the same poll interval, each in its own
process that runs only the triggers' coroutines, as the triggerer does: the provider's polls for
each wait, this package's through Airflow's shared stream. It prints ratios: AWS calls in the
busiest minute, memory above idle, longest stall of the event loop. A provider that cannot keep its
interval is compared by the calls that its interval asks for. Run it with ``make bench
BENCH=waits``; the page is docs/benchmarks/waits.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.airflow_env import REGION
from tools.local_aws_clients import local_clients

REPOSITORY = Path(__file__).resolve().parent.parent
POLL_SECONDS = 10
PEER_REQUIREMENTS = ("apache-airflow==3.3.2", "apache-airflow-providers-amazon[aiobotocore]==9.39.0", "psutil")
STALL_PERIOD_SECONDS = 0.05
# A side that makes a smaller share of the calls that its interval asks for does not keep up.
KEEPS_UP = 0.8
# The state has the name of a stage's state, so that the history is read as in a real run.
DEFINITION = {
    "StartAt": "Model Training",
    "States": {"Model Training": {"Type": "Wait", "Seconds": 3600, "End": True}},
}


def start_executions(endpoint_url: str, name: str, count: int) -> list[str]:
    """Start executions of one state machine that wait for an hour."""
    client = local_clients(endpoint_url)
    iam, states = client("iam"), client("stepfunctions")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    machine = states.create_state_machine(name=name, definition=json.dumps(DEFINITION), roleArn=role)
    arn = machine["stateMachineArn"]
    return [
        states.start_execution(stateMachineArn=arn, name=f"{name}-{number}", input="{}")["executionArn"]
        for number in range(count)
    ]


def peer_python() -> Path:
    """Return the interpreter of an environment with aiobotocore, created once in var/.

    The provider's triggers need aiobotocore, which pins an old release of botocore (docs/adr/0030).
    """
    folder = REPOSITORY / "var" / "venv-bench-peer"
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), *PEER_REQUIREMENTS], check=True)
        (folder / ".complete").touch()
    return python


async def _measure_stalls(seconds: float) -> float:
    """Return the longest delay of a timer in seconds."""
    longest = 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = time.monotonic()
        await asyncio.sleep(STALL_PERIOD_SECONDS)
        longest = max(longest, time.monotonic() - before - STALL_PERIOD_SECONDS)
    return longest


async def _consume(stream: Any) -> None:
    async for _ in stream:
        return


def _peer_streams(arns: list[str]) -> list[Any]:
    from airflow.providers.amazon.aws.triggers.step_function import StepFunctionsExecutionCompleteTrigger

    return [
        StepFunctionsExecutionCompleteTrigger(
            execution_arn=arn, waiter_delay=POLL_SECONDS, waiter_max_attempts=10_000, aws_conn_id="brewtrain_aws",
            region_name=REGION,
        ).run()
        for arn in arns
    ]  # fmt: skip


def _own_streams(arns: list[str]) -> list[Any]:
    from airflow.triggers.shared_stream import SharedStreamManager

    from brewtrain.triggers import pace
    from brewtrain.triggers.execution_stage import ExecutionStageTrigger

    # Both poll at the same interval: neither faster after a change nor slower in a long wait.
    pace.EXECUTIONS = replace(pace.EXECUTIONS, fastest_seconds=float(POLL_SECONDS), slowest_seconds=float(POLL_SECONDS))
    manager = SharedStreamManager()
    streams = []
    for number, arn in enumerate(arns):
        trigger = ExecutionStageTrigger(arn, "train", "brewtrain_aws")
        raw = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key() or "")
        streams.append(trigger.filter_shared_stream(raw))
    return streams


async def _wait(who: str, arns: list[str], seconds: float) -> dict[str, float]:
    import psutil

    process = psutil.Process()
    streams = (_peer_streams if who == "peer" else _own_streams)(arns[:1])
    warm = [asyncio.create_task(_consume(stream)) for stream in streams]
    await asyncio.sleep(8)
    for task in warm:
        task.cancel()
    await asyncio.gather(*warm, return_exceptions=True)
    idle = process.memory_info().rss
    started = time.time()
    cpu = sum(process.cpu_times()[:2])
    tasks = [
        asyncio.create_task(_consume(stream)) for stream in (_peer_streams if who == "peer" else _own_streams)(arns)
    ]
    stall = await _measure_stalls(seconds)
    alive = sum(not task.done() for task in tasks)
    result = {
        "started": started,
        "memory_mb": (process.memory_info().rss - idle) / 1e6,
        "stall_seconds": stall,
        "cpu_seconds": sum(process.cpu_times()[:2]) - cpu,
        "alive": alive,
    }
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return result


def busiest_minute(calls: list[dict[str, Any]], since: float) -> tuple[int, Counter[str]]:
    """Return the most calls in any 60 s since a time, and the number of calls by operation."""
    times = sorted(call["time"] for call in calls if call["time"] >= since)
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= 60:
            first += 1
        most = max(most, last - first + 1)
    return most, Counter(call["operation"] for call in calls if call["time"] >= since)


def measure(who: str, count: int, seconds: float, server: Any, endpoint_url: str) -> dict[str, Any]:
    """Let one side wait in a process of its own, and return what it measured.

    :param who: ``peer`` or ``own``.
    """
    arns = start_executions(endpoint_url, f"brewtrain-bench-{who}-{count}", count)
    connection = {
        "conn_type": "aws", "login": "local", "password": "local",
        "extra": {"region_name": REGION, "endpoint_url": endpoint_url},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "arns.json"
        path.write_text(json.dumps(arns))
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW_CONN_BREWTRAIN_AWS": json.dumps(connection),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": f"{REPOSITORY / 'plugins'}:{REPOSITORY}",
        }
        command = [
            str(peer_python()) if who == "peer" else sys.executable,
            "-m",
            "benchmarks.waits",
            "--wait",
            who,
            "--arns",
            str(path),
            "--seconds",
            str(seconds),
        ]
        ended = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
        if not lines:
            raise SystemExit(f"{who} did not finish: {ended.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    calls = server.front.call_log.read(service="stepfunctions", since=result["started"])["calls"]
    result["busiest_minute"], result["operations"] = busiest_minute(calls, result["started"])
    states = local_clients(endpoint_url)("stepfunctions")
    for arn in arns:
        states.stop_execution(executionArn=arn)
    return result


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waits", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--counts", type=int, nargs="+", default=[300, 1000], help="waits at once (default %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=75.0, help="how long they wait (default %(default)s)")
    parser.add_argument("--wait", choices=["peer", "own"], help=argparse.SUPPRESS)
    parser.add_argument("--arns", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.wait:
        result = asyncio.run(_wait(options.wait, json.loads(options.arns.read_text()), options.seconds))
        print("RESULT " + json.dumps(result))
        return 0
    from local_aws.core import server as local_aws_server

    handle = local_aws_server.start(port=0)
    try:
        print(f"{POLL_SECONDS} s between polls, {options.seconds:g} s of waiting; own ÷ peer\n")
        print("| waits | what | provider | brewtrain | ratio |\n|---|---|---|---|---|")
        for count in options.counts:
            peer = measure("peer", count, options.seconds, handle, handle.endpoint_url)
            own = measure("own", count, options.seconds, handle, handle.endpoint_url)
            for who, result in (("peer", peer), ("own", own)):
                assert result["alive"] == count, f"{who}: {count - result['alive']} waits ended too early"
            # A provider whose event loop stalls makes few calls because it cannot keep up, not
            # because it shares them.
            due = count * 60 / POLL_SECONDS
            keeps_up = peer["busiest_minute"] >= KEEPS_UP * due
            for key, label, form in (
                ("busiest_minute", "AWS calls in the busiest minute", "{:.0f}"),
                ("memory_mb", "memory above idle, MB", "{:.1f}"),
                ("stall_seconds", "longest stall of the event loop, s", "{:.2f}"),
                ("cpu_seconds", "CPU, s", "{:.1f}"),
            ):
                against, theirs = peer[key], form.format(peer[key])
                if key == "busiest_minute" and not keeps_up:
                    against, theirs = due, f"{theirs} (its interval asks for {due:.0f})"
                ratio = own[key] / against if against else float("nan")
                print(f"| {count} | {label} | {theirs} | {form.format(own[key])} | {ratio:.3f} |")
    finally:
        handle.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
