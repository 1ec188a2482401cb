"""`make up` and `make down`: the real Airflow against local_aws, as processes, without Docker.

Must not import Airflow.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.airflow_env import ADMIN, LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY, REGION, ROOT

sys.path.insert(0, str(ROOT / "plugins"))  # the pipeline files are read by the package itself

from tools.bootstrap import BootstrapError, bootstrap
from tools.local_stack import LocalStack, Ports, StackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

FOLDER = ROOT / "var" / "up"


def _stopped_by_signal(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _client_of(endpoint_url: str) -> Callable[[str], Any]:
    import boto3

    session = boto3.Session(
        region_name=REGION, aws_access_key_id=LOCAL_ACCESS_KEY_ID, aws_secret_access_key=LOCAL_SECRET_ACCESS_KEY
    )
    return lambda service: session.client(service, endpoint_url=endpoint_url)


def deploy_account(endpoint_url: str) -> None:
    """Deploy the account's stacks to local_aws, telling what changes. Raises BootstrapError."""
    for outcome in bootstrap(_client_of(endpoint_url)):
        print(f"up: stack {outcome.stack}: {outcome.action}", flush=True)


def start(stack: LocalStack) -> int:
    """Start the stack and tell where it is; answers the exit code."""
    began = time.monotonic()
    try:
        stack.start(prepare=deploy_account)
    except (StackError, BootstrapError, ValueError) as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nup: interrupted; everything that was started has been stopped.", file=sys.stderr)
        return 130
    logs = os.path.relpath(stack.folder / "log")
    print(
        f"up: ready after {time.monotonic() - began:.0f} s\n"
        f"  Airflow    {stack.api_url}   user {ADMIN}, password {stack.admin_password}\n"
        f"  local_aws  {stack.aws_endpoint_url}\n"
        f"  logs       {logs}/\n"
        "  next       make load (or make load DATA=file.csv), then trigger the deploy DAG in the UI\n"
        "  stop       make down",
        flush=True,
    )
    return 0


def load_data(stack: LocalStack, data: Path | None, pipeline_name: str) -> int:
    """Load a file, or else the sample generator's rows, as the source of a pipeline; answers the exit code."""
    from brewtrain import resources
    from brewtrain.domain.errors import BrewtrainError
    from brewtrain.domain.run.interval import newest_complete, newest_day
    from tools.load_data import LoadError, load
    from tools.sample_data import DEFAULT_SEED, generate

    client = _client_of(stack.aws_endpoint_url)
    if not stack.health()["local_aws"]:
        print("load: local_aws does not run; start it with make up.", file=sys.stderr)
        return 1
    try:
        pipeline = resources.find_pipeline(pipeline_name)
        source = pipeline.source
        bucket = source.bucket(f"brewtrain-{client('sts').get_caller_identity()['Account']}-{REGION}")
        if data is None:
            print(f"load: no DATA, so the sample generator stands in (seed {DEFAULT_SEED})", flush=True)
        undated = newest_day(newest_complete(pipeline.cron, datetime.now(UTC)))
        report = load(data or generate(), bucket, source.key("{date}"), client("s3"), undated=undated)
    except (LoadError, BrewtrainError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    for warning in report.warnings:
        print(f"load: warning: {warning}", file=sys.stderr)
    print(f"load: {report.rows} rows in {report.partitions} partitions, {report.first_date} to {report.last_date}")
    newest = newest_complete(
        pipeline.cron, datetime.combine(report.last_date + timedelta(days=1), clock.min, tzinfo=UTC)
    )
    print(f"load: trigger {pipeline.name}__retrain with logical date {newest.end:%Y-%m-%dT%H:%M:%SZ} to train on it")
    return 0


def stop(stack: LocalStack) -> int:
    """Stop what `start` started; answers the exit code."""
    try:
        stopped = stack.stop()
    except StackError as error:
        print(f"down: {error}", file=sys.stderr)
        return 1
    print(f"down: stopped {', '.join(stopped)}." if stopped else "down: nothing was running.")
    return 0


def status(stack: LocalStack) -> int:
    """Tell the health of every component; answers 0 if all are healthy."""
    health = stack.health()
    for name, healthy in health.items():
        print(f"status: {name}: {'healthy' if healthy else 'not running or not healthy'}")
    return 0 if all(health.values()) else 1


def main(arguments: list[str] | None = None) -> int:
    """Start, stop or look at the stack of this checkout; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.up", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["start", "stop", "status", "load"])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="keeps database, keys, logs (default %(default)s)")
    parser.add_argument("--port", type=int, default=Ports.api, help="of the UI, on 127.0.0.1 (default %(default)s)")
    parser.add_argument("--local-aws-port", type=int, default=Ports.local_aws, help="default %(default)s")
    parser.add_argument("--data", type=Path, help="file to load (default: the sample generator)")
    parser.add_argument("--pipeline", default="bank_marketing", help="pipeline to load for (default %(default)s)")
    parser.add_argument("--sqlite", action="store_true", help="use SQLite even where PostgreSQL can run")
    parser.add_argument(
        "--iam", choices=["allow", "enforce"], default="allow",
        help="enforce: every call is checked against include/cloudformation/roles.yaml (default %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    stack = LocalStack(
        options.folder,
        Ports(options.port, options.local_aws_port),
        use_postgres=not options.sqlite,
        enforce_iam=options.iam == "enforce",
        report=lambda line: print(f"up: {line}", flush=True),
    )
    if options.action == "stop":
        return stop(stack)
    if options.action == "load":
        return load_data(stack, options.data, options.pipeline)
    if options.action == "status":
        return status(stack)
    signal.signal(signal.SIGTERM, _stopped_by_signal)
    return start(stack)


if __name__ == "__main__":
    sys.exit(main())
