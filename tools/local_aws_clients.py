"""boto3 clients for the local AWS, with its own keys, so that real credentials never reach it.

Must not import local_aws or Airflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.airflow_env import LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY, REGION

if TYPE_CHECKING:
    from collections.abc import Callable


def local_clients(endpoint_url: str, region: str = REGION) -> Callable[[str], Any]:
    """Return a function that makes the account's root a boto3 client by service name."""
    import boto3

    session = boto3.Session(
        region_name=region, aws_access_key_id=LOCAL_ACCESS_KEY_ID, aws_secret_access_key=LOCAL_SECRET_ACCESS_KEY
    )
    return lambda service: session.client(service, endpoint_url=endpoint_url)
