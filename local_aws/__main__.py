"""``python -m local_aws``: AWS on this machine, for development and tests."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from local_aws import DEFAULT_PORT


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; ``None`` takes ``sys.argv``."""
    parser = argparse.ArgumentParser(
        prog="python -m local_aws",
        description="AWS on this machine, for development and tests. GET /health says which services are up.",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("LOCAL_AWS_PORT", DEFAULT_PORT)),
        metavar="PORT",
        help="TCP port (default %(default)s; 0 picks a free one)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        default=os.environ.get("LOCAL_AWS_STATE_DIR") or None,
        help="keep objects, resources and executions in DIR across restarts",
    )
    parser.add_argument(
        "--unsafe-allow-non-loopback",
        action="store_true",
        help="UNSAFE outside a private container network: local_aws checks no signatures and runs the code it is "
        "sent (Lambda functions, Glue scripts), so whoever reaches the port can run programs as you",
    )
    parser.add_argument(
        "--iam",
        choices=["allow", "enforce"],
        default="allow",
        help="allow every call, or enforce the policies of users and roles (default %(default)s)",
    )
    parser.add_argument("--no-warm-up", action="store_true", help="do not preload job workers in the background")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    :returns: the exit code.
    """
    options = parse_arguments(arguments)
    stop_requested = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_requested.set())
    from local_aws.core import moto_patches, server

    try:
        handle = server.start(
            options.port,
            options.state_dir,
            options.host,
            unsafe_allow_non_loopback=options.unsafe_allow_non_loopback,
            warm_up=not options.no_warm_up,
            enforce_iam=options.iam == "enforce",
        )
    except (server.ServerStartError, moto_patches.MotoIncompatibleError) as error:
        print(f"local_aws: {error}", file=sys.stderr, flush=True)
        return 1
    enforced = ", IAM policies enforced" if options.iam == "enforce" else ""
    server.report(f"local_aws ready on {handle.endpoint_url} (GET /health){enforced}; stop with Ctrl-C")
    stop_requested.wait()
    server.report("local_aws stopping: ending jobs and saving state")
    handle.stop()
    server.report("local_aws stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
