"""The environment variables under which Airflow runs on this machine, against local_aws.

`make run`, `make up` and the integration tests share it, so that they cannot drift apart.
Everything is set by environment variables, as on MWAA. Only the secrets are written to disk, once,
readable by their owner only. Must not import Airflow: the environment must be complete before
Airflow is first imported.
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
ADMIN = "admin"
# local_aws accepts any key as the account's root. These are not secret; real keys must never reach
# it.
LOCAL_ACCESS_KEY_ID = "local"
LOCAL_SECRET_ACCESS_KEY = "local"

# A person's shell may hold settings of another Airflow and real AWS credentials; neither may leak
# in.
_AIRFLOW_PREFIXES = ("AIRFLOW", "_AIRFLOW")
_AWS_PREFIX = "AWS_"
# The same whatever the stack is started for.
_FIXED_SETTINGS = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    # Stages wait in the triggerer, so few tasks need a worker; the default starts 32 processes.
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
    # The default asks DNS for the full host name, which hangs on a machine without DNS.
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "AIRFLOW__API__HOST": "127.0.0.1",
    # Pipeline files are edited while Airflow runs: look for new ones twice a minute, not every five
    # minutes.
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    # Saves more than half a second between two tasks; a shorter sleep would use a tenth of a core.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "SCARF_ANALYTICS": "false",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


@dataclasses.dataclass(frozen=True)
class Secrets:
    """Keys and passwords of one Airflow, generated at its first start."""

    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    admin_password: str
    database_password: str

    @classmethod
    def generate(cls) -> Secrets:
        """Generate new secrets from the operating system's randomness."""
        return cls(
            fernet_key=base64.urlsafe_b64encode(randomness.token_bytes(32)).decode(),
            jwt_secret=randomness.token_urlsafe(64),
            api_secret_key=randomness.token_urlsafe(32),
            admin_password=randomness.token_urlsafe(12),
            database_password=randomness.token_urlsafe(24),
        )

    @classmethod
    def of(cls, airflow_home: Path) -> Secrets:
        """Return the secrets of an Airflow home, generated when there are none yet.

        They are in ``secrets.json``, readable by the owner only.

        :raises ValueError: The file exists but does not hold them; the message is one sentence.
        """
        path = airflow_home / "secrets.json"
        airflow_home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_private(path, json.dumps(dataclasses.asdict(cls.generate()), indent=2) + "\n")
        try:
            return cls(**json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error}); delete {airflow_home} and start again.") from error


def write_private(path: Path, text: str) -> None:
    """Write a file completely or not at all, readable and writable by its owner only."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)


@dataclasses.dataclass(frozen=True)
class AwsLogin:
    """The keys that the connection signs with, and the role that it assumes, if any."""

    access_key_id: str = LOCAL_ACCESS_KEY_ID
    secret_access_key: str = dataclasses.field(default=LOCAL_SECRET_ACCESS_KEY, repr=False)
    role_arn: str | None = None


def connection(endpoint_url: str | None, region: str = REGION, login: AwsLogin | None = None) -> str:
    """Return the Airflow connection `brewtrain_aws` as JSON.

    :param endpoint_url: Of local_aws; ``None`` for real AWS with boto3's own credentials.
    :param login: How the connection signs; by default as the account's root in local_aws.
    """
    value: dict[str, object] = {"conn_type": "aws", "extra": {"region_name": region}}
    if endpoint_url:
        login = login or AwsLogin()
        value |= {"login": login.access_key_id, "password": login.secret_access_key}
        extra: dict[str, object] = {"region_name": region, "endpoint_url": endpoint_url}
        if login.role_arn:
            # The provider ignores endpoint_url when it calls STS to assume a role; it reads
            # service_config only.
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
    """Return all environment variables of an Airflow component, inherited ones included.

    https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html

    :param airflow_home: Created if it does not exist.
    :param endpoint_url: Of local_aws, or ``None`` for real AWS.
    :param database_url: An SQLAlchemy URL; by default SQLite in `airflow_home`.
    :param api_port: Port of the api-server on 127.0.0.1.
    :param dag_folders: Further DAG folders by bundle name.
    :param overrides: Variables that win over all others.
    :param login: How the connection signs; by default as local_aws's root.
    :raises ValueError: The secrets in `airflow_home` are damaged.
    """
    # In Docker, init-keys has this module without plugins/.
    from brewtrain.domain.names import CONNECTION_ID

    home = airflow_home.resolve()
    secrets = Secrets.of(home)
    passwords = home / "simple_auth_manager_passwords.json"
    if not passwords.exists():
        write_private(passwords, json.dumps({ADMIN: secrets.admin_password}) + "\n")
    api_url = f"http://127.0.0.1:{api_port}"
    settings = {
        "AIRFLOW_HOME": str(home),
        f"AIRFLOW_CONN_{CONNECTION_ID.upper()}": connection(endpoint_url, login=login),
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api_url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url or f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__PORT": str(api_port),
        "AIRFLOW__API__BASE_URL": api_url,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": _bundles(
            {"dags-folder": ROOT / "dags", **(dag_folders or {})}
        ),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    foreign: tuple[str, ...] = _AIRFLOW_PREFIXES
    if endpoint_url:
        foreign += (_AWS_PREFIX,)
        # A boto3 client made without the connection must fail. It must not look for credentials
        # outside this machine.
        settings["AWS_EC2_METADATA_DISABLED"] = "true"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**inherited, **_FIXED_SETTINGS, **settings, **(overrides or {})}


def _bundles(folders: Mapping[str, Path]) -> str:
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [{"name": name, "classpath": classpath, "kwargs": {"path": str(path)}} for name, path in folders.items()]
    return json.dumps(bundles)
