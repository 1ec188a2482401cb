"""boto3 clients with which local_aws calls itself, as AWS services call each other.

Exists so that the interpreter and the jobs go through the front with the credentials of *their*
role: only then do the call log, fault rules and IAM see the right principal. Must not import any
service of local_aws.
"""

from __future__ import annotations

import datetime
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from local_aws import DEFAULT_ACCOUNT_ID, DEFAULT_REGION

_SESSION_SECONDS = 3600
_RENEW_BEFORE = datetime.timedelta(minutes=5)
_MAX_CLIENTS = 256
_READ_TIMEOUT_SECONDS = 900

_lock = threading.RLock()
_endpoint_url: str | None = None
_roles: OrderedDict[tuple[str, str], RoleCredentials] = OrderedDict()
_clients: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
_session: Any = None


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """Temporary credentials of an assumed role, as ``sts:AssumeRole`` answers them."""

    role_arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime.datetime

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a process signs as this role."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


def set_endpoint_url(url: str | None) -> None:
    """Remember where this process serves (``None``: no longer), and drop cached clients."""
    global _endpoint_url
    with _lock:
        _endpoint_url = url
        _clients.clear()
        _roles.clear()


def endpoint_url() -> str:
    """Return the address of the running server, for example ``http://127.0.0.1:4566``.

    :raises RuntimeError: no server runs in this process.
    """
    if _endpoint_url is None:
        raise RuntimeError("No local_aws server runs in this process: call local_aws.core.server.start() first.")
    return _endpoint_url


def assume_role(role_arn: str, session_name: str, region: str, seconds: int = _SESSION_SECONDS) -> RoleCredentials:
    """Take temporary credentials of a role for one of AWS's own services.

    The service principals (states, glue, …) assume the role inside AWS, so this does not go through
    the front. Whether the role trusts the service is for the caller to check.

    :param role_arn: the role that the state machine or job was given.
    :param session_name: session name in the caller's ARN.
    :param region: region whose partition is used.
    :param seconds: how long the credentials are valid.
    """
    from moto.sts.models import sts_backends
    from moto.utilities.utils import get_partition

    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else ""
    backend = sts_backends[account or DEFAULT_ACCOUNT_ID][get_partition(region)]
    role = backend.assume_role(region, session_name[:64], role_arn, "", seconds, "")
    return RoleCredentials(
        role_arn=role_arn,
        access_key_id=role.access_key_id,
        secret_access_key=role.secret_access_key,
        session_token=role.session_token,
        expiration=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds),
    )


def role_credentials(role_arn: str, session_name: str, region: str = DEFAULT_REGION) -> RoleCredentials:
    """Return credentials as `assume_role` does, cached until shortly before they expire.

    :param role_arn: see `assume_role`.
    :param session_name: see `assume_role`.
    :param region: see `assume_role`.
    """
    key = (role_arn, session_name)
    with _lock:
        cached = _roles.get(key)
        if cached is not None and cached.expiration - _RENEW_BEFORE > datetime.datetime.now(datetime.UTC):
            _roles.move_to_end(key)
            return cached
        credentials = _roles[key] = assume_role(role_arn, session_name, region)
        while len(_roles) > _MAX_CLIENTS:
            _roles.popitem(last=False)
        return credentials


def client(service: str, credentials: RoleCredentials | None = None, *, region: str = DEFAULT_REGION) -> Any:
    """Return a boto3 client for this server that does not retry, cached (clients are thread-safe).

    :param service: botocore service name, for example ``stepfunctions``.
    :param credentials: whose calls these are; the account's root without it.
    :param region: AWS region name.
    """
    key = (service, credentials.access_key_id if credentials else "", region)
    with _lock:
        found = _clients.get(key)
        if found is not None:
            _clients.move_to_end(key)
            return found
        made = _clients[key] = new_client(service, credentials, region=region, endpoint_url=endpoint_url())
        while len(_clients) > _MAX_CLIENTS:
            _clients.popitem(last=False)
        return made


def new_client(
    service: str,
    credentials: RoleCredentials | None,
    *,
    region: str,
    endpoint_url: str,
    max_attempts: int = 1,
    read_timeout_seconds: int = _READ_TIMEOUT_SECONDS,
) -> Any:
    """Make a boto3 client; the API models are loaded once for all of them.

    :param service: botocore service name.
    :param credentials: whose calls these are; the account's root without it.
    :param region: AWS region name.
    :param endpoint_url: address of the server.
    :param max_attempts: total attempts, the first one included; 1 means that errors are not
        retried.
    :param read_timeout_seconds: seconds to wait for an answer.
    """
    import boto3
    from botocore.config import Config

    global _session
    with _lock:
        if _session is None:
            _session = boto3.session.Session(region_name=region)
        return _session.client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id=credentials.access_key_id if credentials else "LOCALAWSROOT00000000",
            aws_secret_access_key=credentials.secret_access_key if credentials else "local",
            aws_session_token=credentials.session_token if credentials else None,
            config=Config(
                retries={"total_max_attempts": max_attempts, "mode": "standard"},
                max_pool_connections=64,
                read_timeout=read_timeout_seconds,
                s3={"addressing_style": "path"},
                proxies={},
            ),
        )
