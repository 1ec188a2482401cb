"""The environment variables under which Airflow runs on this machine, against local_aws.

One place for `make run`, `make up` and the integration tests, so that they cannot drift apart.
Everything is set by environment variables, as on MWAA; nothing is written but the secrets, once,
readable by their owner only. Must not import Airflow: the environment has to be complete before
Airflow's first import.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import secrets as randomness
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
CONNECTION_ID = "brewtrain_aws"
ADMIN = "admin"
# local_aws takes any key for the account's root. These are no secret, and real ones must never
# reach it.
LOCAL_ACCESS_KEY_ID = "local"
LOCAL_SECRET_ACCESS_KEY = "local"

# What a person's shell may hold and what must not leak in: another Airflow's settings, and real AWS
# credentials.
_FOREIGN_PREFIXES = ("AIRFLOW", "_AIRFLOW", "AWS_")


@dataclasses.dataclass(frozen=True)
class Secrets:
    """What only this Airflow knows: keys made at first start, and the password of the user `admin`."""

    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    admin_password: str
    database_password: str

    @classmethod
    def generate(cls) -> Secrets:
        """New ones, from the operating system's randomness."""
        return cls(
            fernet_key=base64.urlsafe_b64encode(randomness.token_bytes(32)).decode(),
            jwt_secret=randomness.token_urlsafe(64),
            api_secret_key=randomness.token_urlsafe(32),
            admin_password=randomness.token_urlsafe(12),
            database_password=randomness.token_urlsafe(24),
        )

    @classmethod
    def of(cls, airflow_home: Path) -> Secrets:
        """Those of an Airflow home; made at its first start, in ``secrets.json``, readable by the owner only.

        Raises ValueError, in one sentence, if the file is there and is not what this wrote.
        """
        path = airflow_home / "secrets.json"
        airflow_home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_private(path, json.dumps(dataclasses.asdict(cls.generate()), indent=2) + "\n")
        try:
            return cls(**json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is not the file of secrets it should be ({error}); delete {airflow_home}."
            ) from error


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, complete or absent, readable and writable by the owner only."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)


@dataclasses.dataclass(frozen=True)
class AwsLogin:
    """Keys that the connection signs with, and the role that it assumes with them, if any."""

    access_key_id: str = LOCAL_ACCESS_KEY_ID
    secret_access_key: str = dataclasses.field(default=LOCAL_SECRET_ACCESS_KEY, repr=False)
    role_arn: str | None = None


def connection(endpoint_url: str | None, region: str = REGION, login: AwsLogin | None = None) -> str:
    """The Airflow connection `brewtrain_aws` as JSON. Without an endpoint URL it means real AWS and
    boto3's own credentials; without a login, the account's root in local_aws.
    """
    value: dict[str, object] = {"conn_type": "aws", "extra": {"region_name": region}}
    if endpoint_url:
        login = login or AwsLogin()
        value |= {"login": login.access_key_id, "password": login.secret_access_key}
        extra: dict[str, object] = {"region_name": region, "endpoint_url": endpoint_url}
        if login.role_arn:
            # The provider asks STS for a role at the address of its service_config only, never at
            # endpoint_url.
            extra |= {"role_arn": login.role_arn, "service_config": {"sts": {"endpoint_url": endpoint_url}}}
        value["extra"] = extra
    return json.dumps(value)


def airflow_environment(
    *,
    airflow_home: Path,
    endpoint_url: str | None,
    database_url: str | None = None,
    api_port: int = 8080,
    dag_folders: Mapping[str, Path] | None = None,
    overrides: Mapping[str, str] | None = None,
    login: AwsLogin | None = None,
) -> dict[str, str]:
    """The whole environment of an Airflow component, this process's own variables included.

    Parameters: `airflow_home`, created if absent; `endpoint_url` of local_aws, or None for real
    AWS; `database_url`, an SQLAlchemy URL, SQLite in `airflow_home` if None; `api_port`, where the
    api-server listens on 127.0.0.1; `dag_folders`, more DAG folders by bundle name; `overrides`,
    variables that win over everything else; `login`, how the connection signs, as local_aws's root
    if None. Raises ValueError if the secrets in `airflow_home` are damaged. Settings:
    https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html
    """
    home = airflow_home.resolve()
    secrets = Secrets.of(home)
    passwords = home / "simple_auth_manager_passwords.json"
    if not passwords.exists():
        write_private(passwords, json.dumps({ADMIN: secrets.admin_password}) + "\n")
    api_url = f"http://127.0.0.1:{api_port}"
    folders = {"dags-folder": ROOT / "dags", **(dag_folders or {})}
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path)},
        }
        for name, path in folders.items()
    ]
    settings = {
        "AIRFLOW_HOME": str(home),
        f"AIRFLOW_CONN_{CONNECTION_ID.upper()}": connection(endpoint_url, login=login),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # Stages wait in the triggerer, so few tasks need a worker; the default starts 32 processes.
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api_url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        # The default asks DNS for the full name, which stalls on a machine without one.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url or f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(api_port),
        "AIRFLOW__API__BASE_URL": api_url,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        # Pipeline files are edited while this runs: look for new ones twice a minute and not every
        # five minutes.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # Takes more than half a second off every step between two tasks; less than this takes a
        # tenth of a core.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    if endpoint_url:
        # A boto3 client made without the connection must fail rather than look for credentials
        # outside this machine.
        settings["AWS_EC2_METADATA_DISABLED"] = "true"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    else:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES[:2])}
    return {**inherited, **settings, **(overrides or {})}
