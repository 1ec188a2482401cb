"""Whether one component is healthy: the health check of every service in docker-compose.yaml.

Asks over HTTP, so that a check every ten seconds costs no start of Airflow's command line (6 s
each). Standard library only.

    python -m tools.component_health scheduler http://api-server:8080
    python -m tools.component_health local_aws http://127.0.0.1:4566
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from typing import Any

LOCAL_AWS = "local_aws"
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer", LOCAL_AWS)
TIMEOUT_SECONDS = 5


def get_json(url: str) -> dict[str, Any]:
    """The JSON document behind a URL. Raises OSError if nobody answers it, ValueError if the answer is no JSON."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def complaint(component: str, url: str) -> str | None:
    """What is wrong with a component in one sentence, or None if it is healthy.

    `url` is the api-server's address (for `local_aws`, local_aws's own): Airflow's components write
    heartbeats to the metadata database, and the api-server tells how old they are.
    ``/api/v2/monitor/health`` is Airflow's page, ``/health`` that of local_aws.
    """
    page = f"{url}/health" if component == LOCAL_AWS else f"{url}/api/v2/monitor/health"
    try:
        answer = get_json(page)
    except (OSError, ValueError) as error:
        return f"{page} does not answer: {error}"
    if component == LOCAL_AWS:
        return None
    status = (answer.get(component) or {}).get("status")
    return None if status == "healthy" else f"{component} is {status or 'not known'} to {url}"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 if healthy, 1 with a sentence if not."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.component_health", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("component", choices=COMPONENTS)
    parser.add_argument("url")
    options = parser.parse_args(arguments)
    if problem := complaint(options.component, options.url):
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
