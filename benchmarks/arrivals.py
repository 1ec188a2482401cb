"""Compare this package's wait for data with the provider's ``S3KeySensor(deferrable=True)``.

Both wait for the partitions of as many pipelines on the same local AWS with the same seconds
between two polls, each in its own process that runs only the triggers' coroutines, as the triggerer
does: the provider's polls for each wait, this package's through Airflow's shared stream. It prints
calls and their ratio, for pipelines with little and with much data between their newest
partitions; then the seconds from the last object to the trigger's event, with and without events of
the bucket, and for a thousand objects at once. Run it with ``make bench BENCH=arrivals``; the page
is docs/benchmarks/arrivals.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.waits import KEEPS_UP, REPOSITORY, peer_python
from tools.airflow_env import REGION
from tools.local_aws_clients import local_clients

DAY = "2026-11-30"
OBJECTS_AT_ONCE = 1000


def bucket_of_pipelines(endpoint_url: str, name: str, pipelines: int, objects: int) -> str:
    """Make a bucket in which each pipeline has older data.

    :param objects: Of each pipeline, before its newest partition in the order of keys.
    """
    s3 = local_clients(endpoint_url)("s3")
    s3.create_bucket(Bucket=name)
    for number in range(pipelines):
        for old in range(objects):
            s3.put_object(Bucket=name, Key=f"lake/p{number:04}/dt=2026-11-29/part-{old:05}.csv", Body=b"1")
    return name


def tell(endpoint_url: str, bucket: str) -> None:
    """Have a bucket send its events to a queue, as include/cloudformation/storage.yaml does."""
    client = local_clients(endpoint_url)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    attributes = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    url = client("sqs").create_queue(QueueName=f"brewtrain-arrivals-{bucket}", Attributes=attributes)["QueueUrl"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    told = {"QueueArn": found["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
    client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]}
    )


def prefix(number: int) -> str:
    """Return the prefix that a pipeline's run waits for."""
    return f"lake/p{number:04}/dt={DAY}/"


def _peer_waits(bucket: str, count: int, poll_seconds: float) -> list[Any]:
    from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger

    return [
        S3KeyTrigger(
            bucket_name=bucket, bucket_key=f"{prefix(number)}*", wildcard_match=True, aws_conn_id="brewtrain_aws",
            poke_interval=poll_seconds, region_name=REGION,
        ).run()
        for number in range(count)
    ]  # fmt: skip


def _own_waits(bucket: str, count: int, poll_seconds: float) -> Iterator[Any]:
    from airflow.triggers.shared_stream import SharedStreamManager

    from brewtrain.triggers import arrival_watch
    from brewtrain.triggers.data_arrival import DataArrivalTrigger

    arrival_watch.ARRIVALS = replace(arrival_watch.ARRIVALS, fastest_seconds=poll_seconds, slowest_seconds=poll_seconds)
    manager = SharedStreamManager()
    until = datetime.now(UTC) + timedelta(hours=1)
    for number in range(count):
        trigger = DataArrivalTrigger(
            "brewtrain_aws",
            bucket,
            f"lake/p{number:04}/dt={{date}}/",
            DAY,
            "UTC",
            {"marker": "_SUCCESS"},
            until.isoformat(),
        )
        raw = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key() or "")
        yield trigger.filter_shared_stream(raw)


async def _consume(stream: Any, ended: dict[int, float], number: int) -> None:
    async for _ in stream:
        ended[number] = time.time()
        return


async def _wait(who: str, bucket: str, count: int, seconds: float, poll_seconds: float) -> dict[str, Any]:
    waits = (_peer_waits if who == "peer" else _own_waits)(bucket, count, poll_seconds)
    ended: dict[int, float] = {}
    started = time.time()
    tasks = [asyncio.create_task(_consume(stream, ended, number)) for number, stream in enumerate(waits)]
    print("READY", flush=True)
    await asyncio.wait(tasks, timeout=seconds)
    broken = [repr(task.exception()) for task in tasks if task.done() and task.exception() is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"started": started, "ended": ended, "broken": broken[:3]}


class Waiting:
    """One side that waits in a process of its own.

    :param who: ``peer`` or ``own``.
    """

    def __init__(
        self, endpoint_url: str, who: str, bucket: str, *, count: int, seconds: float, poll_seconds: float
    ) -> None:
        self._home = tempfile.TemporaryDirectory()
        connection = {
            "conn_type": "aws", "login": "local", "password": "local",
            "extra": {"region_name": REGION, "endpoint_url": endpoint_url},
        }  # fmt: skip
        environment = {
            **os.environ,
            "AIRFLOW_HOME": self._home.name,
            "AIRFLOW_CONN_BREWTRAIN_AWS": json.dumps(connection),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": f"{REPOSITORY / 'plugins'}:{REPOSITORY}",
        }
        python = str(peer_python()) if who == "peer" else sys.executable
        numbers = ["--count", str(count), "--seconds", str(seconds), "--poll-seconds", str(poll_seconds)]
        self._log = Path(self._home.name) / "stderr"
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.arrivals", "--wait", who, "--bucket", bucket, *numbers],
            env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=self._log.open("wb"), text=True,
        )  # fmt: skip
        self._read_until("READY")

    def result(self) -> dict[str, Any]:
        """Wait until the process has ended, and return what it measured."""
        line = self._read_until("RESULT ")
        self._process.wait()
        self._home.cleanup()
        found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
        if found["broken"]:
            raise SystemExit(f"waits ended with an error: {found['broken']}")
        return found

    def _read_until(self, start: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(start):
                return line
        raise SystemExit(f"the process that waits ended too early: {self._log.read_text()[-2000:]}")


def quiet(server: Any) -> None:
    """Wait until the server has answered what a side that has ended had still asked."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        seen = server.front.call_log.read(since_id=max(last, 0))["last_id"]
        if seen != last:
            last, since = seen, time.monotonic()
        time.sleep(0.2)


def measure_calls(server: Any, bucket: str, options: argparse.Namespace) -> dict[str, Counter[str]]:
    """Let both sides wait at once for the same data that does not come; return their calls."""
    found = {}
    for who in ("peer", "own"):
        waiting = Waiting(
            server.endpoint_url, who, bucket,
            count=options.count, seconds=options.seconds, poll_seconds=options.poll_seconds,
        )  # fmt: skip
        result = waiting.result()
        assert not result["ended"], "nothing came"
        quiet(server)
        calls = server.front.call_log.read(since=result["started"])["calls"]
        found[who] = Counter(
            call["operation"]
            for call in calls
            if call["service"] == "sqs" or (call["service"] == "s3" and bucket in call["resource"])
        )
    return found


def measure_seconds(server: Any, bucket: str, count: int, objects: int) -> list[float]:
    """Return the seconds from the last object of each partition to its event.

    :param objects: Of all partitions together, written as fast as possible, the markers last.
    """
    waiting = Waiting(server.endpoint_url, "own", bucket, count=count, seconds=300, poll_seconds=5)
    # The first look, and the first long poll of the queue.
    time.sleep(8)
    s3, written = local_clients(server.endpoint_url)("s3"), {}
    for number in range(objects):
        last = number >= objects - count
        name = "_SUCCESS" if last else f"part-{number:05}.csv"
        s3.put_object(Bucket=bucket, Key=f"{prefix(number % count)}{name}", Body=b"" if last else b"1")
        written[number % count] = time.time()
    ended = {int(number): at for number, at in waiting.result()["ended"].items()}
    assert len(ended) == count, f"{count - len(ended)} waits did not end"
    return sorted(at - written[number] for number, at in ended.items())


def main() -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrivals", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="waits at once (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they wait (default %(default)s)")
    parser.add_argument("--poll-seconds", type=float, default=10.0, help="between two polls (default %(default)s)")
    parser.add_argument("--old-objects", type=int, nargs="+", default=[1, 30, 100],
                        help="older objects of each pipeline (default %(default)s)")  # fmt: skip
    parser.add_argument("--wait", choices=["peer", "own"], help=argparse.SUPPRESS)
    parser.add_argument("--bucket", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.wait:
        result = asyncio.run(_wait(options.wait, options.bucket, options.count, options.seconds, options.poll_seconds))
        print("RESULT " + json.dumps(result))
        return 0
    from local_aws.core import server as local_aws_server

    handle = local_aws_server.start(port=0)
    try:
        print(f"{describe_machine()}\n")
        print(f"{options.count} waits, {options.seconds:g} s, {options.poll_seconds:g} s between polls; own ÷ peer\n")
        print("| what lies between | S3KeySensor's calls | brewtrain's | ratio |\n|---|---:|---:|---:|")
        for objects in options.old_objects:
            bucket = bucket_of_pipelines(handle.endpoint_url, f"calls-{objects}", options.count, objects)
            found = measure_calls(handle, bucket, options)
            peer, own = found["peer"].total(), found["own"].total()
            # A provider that does not keep its interval makes few calls because it cannot keep up.
            due = options.count * options.seconds / options.poll_seconds
            against, theirs = float(peer), str(peer)
            if peer < KEEPS_UP * due:
                against, theirs = due, f"{peer} (its interval asks for {due:.0f})"
            print(f"| {objects} objects a pipeline | {theirs} | {own} | {own / against:.4f} |", flush=True)
        print("\n| from the last object to the event | median, s | longest, s |\n|---|---:|---:|")
        for label, events, count, objects in (
            ("polled", False, 10, 10),
            ("with events", True, 10, 10),
            (f"{OBJECTS_AT_ONCE} objects at once, with events", True, 100, OBJECTS_AT_ONCE),
        ):
            bucket = bucket_of_pipelines(handle.endpoint_url, f"seconds-{events}-{objects}".lower(), count, 1)
            if events:
                tell(handle.endpoint_url, bucket)
            seconds = measure_seconds(handle, bucket, count, objects)
            print(f"| {label} | {statistics.median(seconds):.1f} | {seconds[-1]:.1f} |", flush=True)
    finally:
        handle.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
