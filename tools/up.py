"""Start or stop a real Airflow with local_aws on this machine, without Docker.

`make up`, `make load` and `make down` call it.

Must not import Airflow.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tools.airflow_env import ADMIN, REGION, ROOT
from tools.bootstrap import BootstrapError, bootstrap
from tools.local_aws_clients import local_clients
from tools.local_stack import LocalStack, Ports, StackError

FOLDER = ROOT / "var" / "up"


def deploy_account(endpoint_url: str) -> None:
    """Deploy the account's stacks to local_aws and print what became of each.

    :raises BootstrapError: A stack cannot be deployed.
    """
    for outcome in bootstrap(local_clients(endpoint_url)):
        print(f"up: stack {outcome.stack}: {outcome.action}", flush=True)


def start(stack: LocalStack) -> int:
    """Start the stack and print where it is.

    :returns: The exit code.
    """
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
    """Load a file, or generated rows, as the source of a pipeline.

    :param data: The file; ``None`` for the sample generator's rows.
    :returns: The exit code: 0 loaded, 1 local_aws does not run, 2 the data cannot be loaded.
    """
    from brewtrain import resources
    from brewtrain.domain.errors import BrewtrainError
    from tools.days import newest_interval
    from tools.load_data import LoadError, load
    from tools.sample_data import DEFAULT_SEED, generate

    client = local_clients(stack.aws_endpoint_url)
    if not stack.health()["local_aws"]:
        print("load: local_aws is not running; start it with make up.", file=sys.stderr)
        return 1
    try:
        pipeline = resources.find_pipeline(pipeline_name)
        source = pipeline.source
        bucket = source.bucket(f"brewtrain-{client('sts').get_caller_identity()['Account']}-{REGION}")
        if data is None:
            print(f"load: no DATA given, so rows are generated (seed {DEFAULT_SEED})", flush=True)
        newest = pipeline.run_schedule.newest_complete(datetime.now(UTC))
        undated = pipeline.data_days.newest(newest.end)
        report = load(data or generate(), bucket, source.layout.pattern, client("s3"), undated=undated)
    except (LoadError, BrewtrainError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    for warning in report.warnings:
        print(f"load: warning: {warning}", file=sys.stderr)
    print(f"load: {report.rows} rows in {report.partitions} partitions, {report.first_date} to {report.last_date}")
    due = newest_interval(pipeline, report.last_date).end
    print(f"load: trigger {pipeline.name}__retrain with logical date {due:%Y-%m-%dT%H:%M:%SZ} to train on it")
    return 0


def stop(stack: LocalStack) -> int:
    """Stop what :func:`start` started.

    :returns: The exit code.
    """
    try:
        stopped = stack.stop()
    except StackError as error:
        print(f"down: {error}", file=sys.stderr)
        return 1
    print(f"down: stopped {', '.join(stopped)}." if stopped else "down: nothing was running.")
    return 0


def status(stack: LocalStack) -> int:
    """Print the health of each component.

    :returns: The exit code: 0 if all are healthy.
    """
    health = stack.health()
    for name, healthy in health.items():
        print(f"status: {name}: {'healthy' if healthy else 'not running or not healthy'}")
    return 0 if all(health.values()) else 1


def main(arguments: list[str] | None = None) -> int:
    """Start, stop, fill or check the stack of this checkout."""
    parser = argparse.ArgumentParser(prog="python -m tools.up", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["start", "stop", "status", "load"], help="what to do")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="holds database, keys and logs (default %(default)s)"
    )
    parser.add_argument("--port", type=int, default=Ports.api, help="port of the UI on 127.0.0.1 (default %(default)s)")
    parser.add_argument(
        "--local-aws-port", type=int, default=Ports.local_aws, help="port of local_aws (default %(default)s)"
    )
    parser.add_argument("--data", type=Path, help="file to load (default: generated rows)")
    parser.add_argument(
        "--pipeline", default="bank_marketing", help="pipeline whose source is loaded (default %(default)s)"
    )
    parser.add_argument("--sqlite", action="store_true", help="use SQLite even where PostgreSQL can run")
    parser.add_argument(
        "--iam", choices=["allow", "enforce"], default="allow",
        help="enforce: check every call against include/cloudformation/roles.yaml (default %(default)s)",
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return start(stack)


if __name__ == "__main__":
    sys.exit(main())
