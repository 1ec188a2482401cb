"""Compare a pipeline's second check of its input with the first: the calls to S3 and the seconds.

The window has 1,000 daily partitions of 20 files. The first check looks at all of them; the second
is the next day's, which has what the first one saw in its memory. Both run against one local AWS in
a process of its own, three times with a new pipeline on the same objects, and the medians count.
The peer lists everything with boto3 and reads the head of each of the 20,000 files: what a check
without memory and samples costs. Run it with ``make bench BENCH=input_check``; the page is
docs/benchmarks/input_check.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import describe_machine, paragraph
from tools.local_aws_clients import local_clients
from tools.local_aws_process import start_local_aws
from tools.run.processes import Processes

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks" / "input_check.md"
BUCKET = "brewtrain-123456789012-us-east-1"
FIRST_DAY = date(2022, 1, 1)
WRITERS = 8
READERS = 10
AIM = 1 / 20


@dataclass(frozen=True)
class Measured:
    """One check.

    :param calls: Calls to S3.
    :param seconds: How long it took.
    """

    calls: int
    seconds: float


def write_objects(client: Any, days: int, files: int) -> None:
    """Write the partitions, each file with one row of its own."""

    def put(number: int) -> None:
        day, part = divmod(number, files)
        client.put_object(
            Bucket=BUCKET,
            Key=f"data/checked/dt={FIRST_DAY + timedelta(days=day)}/part-{part:05}.csv",
            Body=f"age;job;y\n{day};{part};no\n".encode(),
        )

    client.create_bucket(Bucket=BUCKET)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(put, range(days * files)))


def check(name: str, days: int, newest: date) -> Measured:
    """Check the window up to a day as ``check_input`` does, with the memory of a pipeline."""
    from brewtrain.domain.pipeline.file import parse_pipeline
    from brewtrain.domain.run.interval import DataInterval
    from brewtrain.hooks.s3_source import S3SourceHook

    pipeline = parse_pipeline(
        {
            "name": name,
            "start_date": str(FIRST_DAY),
            "source": {"path": "s3://{bucket}/data/checked/dt={date}/", "delimiter": ";", "columns": ["age", "y"]},
            "window_days": days,
            "recipe": "steps.json",
            "label": {"column": "y"},
            "training": {"hyperparameters": {"num_round": 1}},
            "gate": {"metrics": {"validation:auc": {"min": 0.5}}},
        },
        source="benchmark",
    )
    end = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
    hook = S3SourceHook()
    assert hook.account  # Not part of the check.
    started = time.perf_counter()
    checked = hook.check_window(pipeline, DataInterval(end - timedelta(days=1), end), bucket=BUCKET)
    return Measured(checked.calls, time.perf_counter() - started)


def read_everything(client: Any) -> Measured:
    """List everything and read every file: the peer."""

    def read(key: str) -> None:
        client.get_object(Bucket=BUCKET, Key=key, Range="bytes=0-65535")["Body"].read()

    started = time.perf_counter()
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="data/checked/"))
    keys = [one["Key"] for page in pages for one in page["Contents"]]
    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(read, keys))
    return Measured(len(pages) + len(keys), time.perf_counter() - started)


def measure(client: Any, days: int, repeats: int) -> tuple[Measured, Measured, Measured]:
    """Return the medians of the first check and of the second, and the peer's one run."""
    newest = FIRST_DAY + timedelta(days=days - 1)
    first: list[Measured] = []
    second: list[Measured] = []
    check("warm", 1, newest)
    for number in range(repeats):
        first.append(check(f"checked_{number}", days, newest))
        second.append(check(f"checked_{number}", days, newest + timedelta(days=1)))
    return _median(first), _median(second), read_everything(client)


def _median(found: list[Measured]) -> Measured:
    return Measured(round(median(one.calls for one in found)), median(one.seconds for one in found))


def render(days: int, files: int, repeats: int, measured: tuple[Measured, Measured, Measured]) -> str:
    """Return the page."""
    first, second, peer = measured
    objects = days * files
    rows = [
        ("the first check: every partition is new", first),
        ("the second, a day later", second),
        ("the peer: every file is read", peer),
    ]
    table = [f"| {what} | {one.calls:,} | {one.seconds:.2f} | {objects / one.seconds:,.0f} |" for what, one in rows]
    return "\n".join(
        [
            "# The check of a run's input",
            "",
            paragraph(
                f"{days:,} daily partitions of {files} files, {objects:,} objects on local AWS; medians of {repeats} "
                "checks, each by a pipeline that was never checked before. `make bench BENCH=input_check` measures it."
            ),
            "",
            "| check | calls to S3 | seconds | objects a second |",
            "|---|---|---|---|",
            *table,
            "",
            paragraph(
                f"Second ÷ first: **{second.calls / first.calls:.3f}** of the calls and "
                f"**{second.seconds / first.seconds:.3f}** of the seconds (aim: {AIM:.3f} each). Second ÷ peer: "
                f"{second.calls / peer.calls:.4f} of the calls, {second.seconds / peer.seconds:.4f} of the seconds."
            ),
            "",
            paragraph(
                "A changed object of an old day can only be noticed by listing it, 1,000 keys a call: that is what the "
                "second check does, and nearly all of its time. The first one's heads are read ten at a time, so that "
                "they take little longer than the pages: the aim for the calls is reached, that for the seconds is "
                f"not. {describe_machine()}, while the machine was busy with other work."
            ),
            "",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the page and write it.

    :param arguments: The command line's; default: the process's.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.input_check", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--files", type=int, default=20, help="files a day")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--print-only", action="store_true", help="do not write the page")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, Processes() as processes:
        os.environ["AIRFLOW_HOME"] = folder
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
        endpoint_url = start_local_aws(processes, Path(folder) / "local_aws.log")
        _connect(endpoint_url)
        client = local_clients(endpoint_url)("s3")
        write_objects(client, options.days + 1, options.files)
        measured = measure(client, options.days, options.repeats)
    page = render(options.days, options.files, options.repeats, measured)
    print(page)
    if not options.print_only:
        PAGE.write_text(page, "utf-8")
    return 0


def _connect(endpoint_url: str) -> None:
    import json

    from tools.airflow_env import LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY, REGION

    extra = {"endpoint_url": endpoint_url, "region_name": REGION}
    value = {"conn_type": "aws", "login": LOCAL_ACCESS_KEY_ID, "password": LOCAL_SECRET_ACCESS_KEY, "extra": extra}
    os.environ["AIRFLOW_CONN_BREWTRAIN_AWS"] = json.dumps(value)


if __name__ == "__main__":
    sys.exit(main())
