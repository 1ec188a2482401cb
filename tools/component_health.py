"""Check whether one component is healthy: the health check of docker-compose.yaml's services.

It asks over HTTP, because Airflow's own command line would take 6 s for each check. Standard
library only, so that it starts quickly.

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
    """Return the JSON document at a URL.

    :raises OSError: There is no response.
    :raises ValueError: The response is not JSON.
    """
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def complaint(component: str, url: str) -> str | None:
    """Return what is wrong with a component in one sentence, or ``None`` if it is healthy.

    Airflow's components write heartbeats to the metadata database; the api-server says how old they
    are.

    :param component: One of :data:`COMPONENTS`.
    :param url: Address of the api-server, or of local_aws for the component ``local_aws``.
    """
    page = f"{url}/health" if component == LOCAL_AWS else f"{url}/api/v2/monitor/health"
    try:
        answer = get_json(page)
    except (OSError, ValueError) as error:
        return f"{page} does not respond: {error}"
    if component == LOCAL_AWS:
        return None
    status = (answer.get(component) or {}).get("status")
    return None if status == "healthy" else f"{url} reports {component} as {status or 'unknown'}"


def main(arguments: list[str] | None = None) -> int:
    """Check one component.

    :returns: The exit code: 0 healthy, 1 not, with a sentence on stderr.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tools.component_health", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("component", choices=COMPONENTS)
    parser.add_argument("url", help="address of the api-server, or of local_aws")
    options = parser.parse_args(arguments)
    if problem := complaint(options.component, options.url):
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
