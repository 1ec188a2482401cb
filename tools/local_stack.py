"""A whole Airflow on this machine as processes: PostgreSQL, local_aws, api-server, scheduler, dag-processor, triggerer.

`make up` leaves it running behind a person's back; the integration tests start one for a session.
Every process is known by its id **and** its start time, written to a file when it starts, so that
stopping touches exactly what was started here and never a stranger that was given the same id
later. Must not import Airflow or local_aws: it starts programs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tools.airflow_env import (
    LOCAL_ACCESS_KEY_ID,
    LOCAL_SECRET_ACCESS_KEY,
    REGION,
    ROOT,
    AwsLogin,
    Secrets,
    airflow_environment,
    write_private,
)
from tools.airflow_principal import make_airflow_login
from tools.component_health import LOCAL_AWS, complaint, get_json
from tools.metadata_database import start_postgres, stop_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AIRFLOW_COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    # Log servers would listen on every network address; the api-server reads the same files itself.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Airflow's components and the arguments of ``airflow`` that start them, in order of start."""

_HEALTH_KEYS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.25
_POSTGRES = "postgres"


class StackError(Exception):
    """The stack cannot start or stop; the message is one sentence for the person who asked."""


@dataclasses.dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1 of the api-server (with the UI) and of local_aws."""

    api: int = 8080
    local_aws: int = 4566

    @classmethod
    def free(cls) -> Ports:
        """Two that nobody uses now."""
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            return cls(first.getsockname()[1], second.getsockname()[1])


@dataclasses.dataclass(frozen=True)
class RunningProcess:
    """A process that was started here.

    `started` is its creation time as the operating system tells it, in seconds since the epoch.
    """

    name: str
    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """The live process, or None if it has ended, even if its id is in use again."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > 0.05 or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process


def record_process(folder: Path, name: str, pid: int) -> None:
    """Write down that `folder`'s stack started process `pid`, so that stopping finds it."""
    records = folder / "processes"
    records.mkdir(parents=True, exist_ok=True)
    started = psutil.Process(pid).create_time()
    write_private(records / f"{name}.json", json.dumps({"pid": pid, "started": started}) + "\n")


class LocalStack:
    """Starts, watches and stops the processes of one folder.

    Parameters: `folder` keeps everything: ``airflow/``, ``postgres/``, ``local_aws/``,
    ``log/<component>.log``, ``processes/``; `ports`; `use_postgres`, or else SQLite; `enforce_iam`,
    and Airflow signs as a user that may only assume `brewtrain-airflow`; `dag_folders`, more DAG
    folders by bundle name; `overrides`, environment variables of the Airflow components that win
    over `tools.airflow_env`; `report` gets one line a step.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports | None = None,
        *,
        use_postgres: bool = True,
        enforce_iam: bool = False,
        dag_folders: Mapping[str, Path] | None = None,
        overrides: Mapping[str, str] | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder = folder.resolve()
        self.ports = ports or Ports()
        self._use_postgres = use_postgres
        self._enforce_iam = enforce_iam
        self._login: AwsLogin | None = None
        self._dag_folders = dict(dag_folders or {})
        self._overrides = dict(overrides or {})
        self._report = report
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def airflow_home(self) -> Path:
        """Airflow's home folder."""
        return self.folder / "airflow"

    @property
    def api_url(self) -> str:
        """Address of the api-server and its UI."""
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def aws_endpoint_url(self) -> str:
        """Address of local_aws."""
        return f"http://127.0.0.1:{self.ports.local_aws}"

    @property
    def admin_password(self) -> str:
        """Password of the user `admin`."""
        return Secrets.of(self.airflow_home).admin_password

    def log_file(self, name: str) -> Path:
        """Log of one component."""
        return self.folder / "log" / f"{name}.log"

    # starting

    def start(self, prepare: Callable[[str], None] | None = None, timeout_seconds: float = 180.0) -> None:
        """Start everything and wait until every component says that it is healthy.

        `prepare` is called with the endpoint URL once local_aws answers, while Airflow is being
        started. Raises StackError if a port is in use, a component ends or is not healthy in time;
        then everything started is stopped again, as it is on any exception.
        """
        if running := self.running():
            raise StackError(f"{', '.join(sorted(running))} already run from {self.folder}; run make down first.")
        self._refuse_used_ports()
        try:
            self._start_all(prepare, time.monotonic() + timeout_seconds)
        except BaseException:
            self.stop()
            raise

    def _start_all(self, prepare: Callable[[str], None] | None, deadline: float) -> None:
        for name in ("airflow", "log", "processes", "local_aws"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        local_environment = airflow_environment(airflow_home=self.airflow_home, endpoint_url=self.aws_endpoint_url)
        self._spawn(
            LOCAL_AWS,
            [
                sys.executable,
                "-m",
                "local_aws",
                "--port",
                str(self.ports.local_aws),
                "--state-dir",
                str(self.folder / "local_aws"),
                "--iam",
                "enforce" if self._enforce_iam else "allow",
            ],
            {name: value for name, value in local_environment.items() if not name.startswith("AIRFLOW")},
        )
        if self._enforce_iam:
            self._wait(LOCAL_AWS, self._local_aws_is_healthy, deadline)
            self._login = make_airflow_login(self._root_client)
        environment = self.environment(self._start_database())
        self._report("database: migrating, and making the pools")
        self._prepare_database(environment)
        for name, arguments in AIRFLOW_COMPONENTS.items():
            self._spawn(name, [sys.executable, "-m", "airflow", *arguments], environment)
        self._wait(LOCAL_AWS, self._local_aws_is_healthy, deadline)
        if prepare is not None:
            prepare(self.aws_endpoint_url)
        self._wait("api-server", lambda: self._health() is not None, deadline)
        for name, key in _HEALTH_KEYS.items():
            self._wait(name, lambda name=name, key=key: self._beats(name, key), deadline)  # type: ignore[misc]

    def environment(self, database_url: str | None) -> dict[str, str]:
        """Environment of the Airflow components, and of an ``airflow`` command that is to work on the same database."""
        return airflow_environment(
            airflow_home=self.airflow_home, endpoint_url=self.aws_endpoint_url, database_url=database_url,
            api_port=self.ports.api, dag_folders=self._dag_folders, overrides=self._overrides, login=self._login,
        )  # fmt: skip

    def _root_client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service, region_name=REGION, endpoint_url=self.aws_endpoint_url,
            aws_access_key_id=LOCAL_ACCESS_KEY_ID, aws_secret_access_key=LOCAL_SECRET_ACCESS_KEY,
        )  # fmt: skip

    def _start_database(self) -> str | None:
        if not self._use_postgres:
            return None
        try:
            url, pid = start_postgres(self.folder / "postgres", Secrets.of(self.airflow_home).database_password)
        except RuntimeError as error:
            # SQLite serves one person well enough, and says so.
            self._report(f"database: SQLite, because {error}")
            return None
        record_process(self.folder, _POSTGRES, pid)
        self._report("database: PostgreSQL")
        return url

    def _refuse_used_ports(self) -> None:
        for what, port in (("the UI", self.ports.api), (LOCAL_AWS, self.ports.local_aws)):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    raise StackError(
                        f"port {port} of 127.0.0.1, which {what} needs, is in use; stop what uses it, "
                        "or choose others: make up PORT=… LOCAL_AWS_PORT=…"
                    ) from None

    def restart(self, name: str, timeout_seconds: float = 120.0) -> None:
        """Start an Airflow component again that has ended, and wait until it is healthy.

        Raises StackError if it still runs, or is not healthy in time.
        """
        if name in self.running():
            raise StackError(f"{name} still runs from {self.folder}; stop it before starting it again.")
        if (child := self._children.pop(name, None)) is not None:
            child.wait()
        self._spawn(
            name, [sys.executable, "-m", "airflow", *AIRFLOW_COMPONENTS[name]], self.environment(self._start_database())
        )
        deadline = time.monotonic() + timeout_seconds
        if name in _HEALTH_KEYS:
            self._wait(name, lambda: self._beats(name, _HEALTH_KEYS[name]), deadline)
        else:
            self._wait(name, lambda: self._health() is not None, deadline)

    def _prepare_database(self, environment: dict[str, str]) -> None:
        log = self.log_file("migrate")
        with log.open("ab") as output:
            completed = subprocess.run(
                [sys.executable, "-m", "tools.airflow_metadata"],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                check=False,
            )  # fmt: skip
        if completed.returncode != 0:
            raise StackError(
                f"the database could not be prepared (code {completed.returncode}); what was said is in {log}."
            )

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        # A session of its own: Ctrl-C in the terminal reaches this program, which stops its
        # components in order.
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self._children[name] = process
        record_process(self.folder, name, process.pid)

    # health

    def _wait(self, name: str, healthy: Callable[[], bool], deadline: float) -> None:
        while not healthy():
            child = self._children.get(name)
            if child is not None and child.poll() is not None:
                raise StackError(f"{name} ended with code {child.returncode}: {_last_line(self.log_file(name))}")
            if time.monotonic() > deadline:
                raise StackError(f"{name} is not healthy in time; its log is {self.log_file(name)}.")
            time.sleep(_POLL_SECONDS)
        self._report(f"{name}: healthy")

    def _local_aws_is_healthy(self) -> bool:
        return complaint(LOCAL_AWS, self.aws_endpoint_url) is None

    def _health(self) -> dict[str, Any] | None:
        """What the api-server says: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/check-health.html"""
        try:
            answer = get_json(f"{self.api_url}/api/v2/monitor/health")
        except (OSError, ValueError):
            return None
        return answer if answer["metadatabase"]["status"] == "healthy" else None

    def _beats(self, name: str, key: str) -> bool:
        """Whether the component's newest heartbeat is of the process that runs now, and not of one before a restart."""
        part = (self._health() or {}).get(key) or {}
        beat = part.get(f"latest_{key}_heartbeat")
        running = self.running().get(name)
        if part.get("status") != "healthy" or not beat or running is None:
            return False
        return datetime.datetime.fromisoformat(beat).timestamp() >= running.started

    def health(self) -> dict[str, bool]:
        """Whether each component runs and says that it is healthy, by name."""
        running = self.running()
        states = {LOCAL_AWS: self._local_aws_is_healthy(), "api-server": self._health() is not None}
        states |= {name: self._beats(name, key) for name, key in _HEALTH_KEYS.items()}
        if _POSTGRES in running:
            states[_POSTGRES] = True
        return {name: name in running and healthy for name, healthy in states.items()}

    def running(self) -> dict[str, RunningProcess]:
        """The live processes that were started from this folder, by name."""
        found = {}
        for file in sorted((self.folder / "processes").glob("*.json")):
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                record = json.loads(file.read_text())
                candidate = RunningProcess(file.stem, int(record["pid"]), float(record["started"]))
                if candidate.process() is not None:
                    found[file.stem] = candidate
        return found

    # stopping

    def stop(self) -> list[str]:
        """Stop exactly what was started from this folder; returns the names of what still ran.

        The Airflow components first, then local_aws, then the database, so that nobody loses what
        it works on. Stopping twice is no error. Raises StackError if a process cannot be stopped.
        """
        running = self.running()
        airflow = [running[name] for name in reversed(AIRFLOW_COMPONENTS) if name in running]
        self._terminate(airflow)
        self._terminate([running[LOCAL_AWS]] if LOCAL_AWS in running else [])
        try:
            stop_postgres(self.folder / "postgres")
        except RuntimeError as error:
            raise StackError(str(error)) from error
        self._terminate(list(self.running().values()))
        for file in (self.folder / "processes").glob("*.json"):
            file.unlink(missing_ok=True)
        return sorted(running)

    def _terminate(self, processes: list[RunningProcess]) -> None:
        """Ask the processes to end, then make them and whatever they have left behind."""
        parents = [process for entry in processes if (process := entry.process()) is not None]
        family: list[psutil.Process] = []
        for parent in parents:
            with contextlib.suppress(psutil.NoSuchProcess):
                family.extend(parent.children(recursive=True))
        for parent in parents:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent.send_signal(signal.SIGTERM)
        _, stubborn = psutil.wait_procs(parents, timeout=_STOP_SECONDS)
        for process in [*stubborn, *family]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _, alive = psutil.wait_procs([*stubborn, *family], timeout=5)
        if alive:
            raise StackError(
                f"processes {', '.join(str(process.pid) for process in alive)} cannot be stopped; look at them with ps."
            )
        for name, child in list(self._children.items()):
            if child.pid in {process.pid for process in parents}:
                child.wait()
                del self._children[name]


def _last_line(log: Path) -> str:
    """The last line of a log that says something, for a message; the whole is in the file."""
    with contextlib.suppress(OSError):
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 20_000))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return f"{said[-1][:300]} (log: {log})"
    return f"it said nothing (log: {log})"
