"""A whole Airflow on this machine, as processes: its components, PostgreSQL and local_aws.

`make up` leaves it running in the background; the integration tests start one for a session. Each
process is identified by its id **and** its start time, written to a file when it starts. So
stopping never touches another process that got the same id later. Must not import Airflow or
local_aws: it starts programs.
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

from tools.airflow_env import ROOT, AwsLogin, Secrets, airflow_environment, write_private
from tools.airflow_principal import make_airflow_login
from tools.component_health import LOCAL_AWS, complaint, get_json
from tools.local_aws_clients import local_clients
from tools.metadata_database import start_postgres, stop_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AIRFLOW_COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    # A log server would listen on every network address; the api-server reads the log files itself.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Airflow's components in order of start, with the arguments of ``airflow`` that start them."""

_HEALTH_KEYS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.25
_POSTGRES = "postgres"


class StackError(Exception):
    """The stack cannot start or stop; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1 of the api-server (with the UI) and of local_aws."""

    api: int = 8080
    local_aws: int = 4566

    @classmethod
    def free(cls) -> Ports:
        """Return two ports that are free now."""
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            return cls(first.getsockname()[1], second.getsockname()[1])


@dataclasses.dataclass(frozen=True)
class RunningProcess:
    """A process that this stack started.

    :ivar started: Its creation time by the operating system, in seconds since the epoch.
    """

    name: str
    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """Return the live process, or ``None`` if it has ended, even if its id is in use again."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > 0.05 or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process


def record_process(folder: Path, name: str, pid: int) -> None:
    """Record that the stack of `folder` started process `pid`, so that stopping finds it."""
    records = folder / "processes"
    records.mkdir(parents=True, exist_ok=True)
    started = psutil.Process(pid).create_time()
    write_private(records / f"{name}.json", json.dumps({"pid": pid, "started": started}) + "\n")


class LocalStack:
    """Start, watch and stop the processes of one folder.

    :param folder: Holds everything: ``airflow/``, ``postgres/``, ``local_aws/``,
        ``log/<component>.log``, ``processes/``.
    :param use_postgres: Whether to use PostgreSQL where it can run; otherwise SQLite.
    :param enforce_iam: Whether policies are enforced; Airflow then signs as a user that may only
        assume `brewtrain-airflow`.
    :param dag_folders: Further DAG folders by bundle name.
    :param overrides: Environment variables of the Airflow components that win over
        `tools.airflow_env`.
    :param report: Gets one line per step.
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
        """The Airflow home folder."""
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
        """Return the log file of one component."""
        return self.folder / "log" / f"{name}.log"

    # starting

    def start(self, prepare: Callable[[str], object] | None = None, timeout_seconds: float = 180.0) -> None:
        """Start everything and wait until each component reports that it is healthy.

        On any exception, everything that was started is stopped again.

        :param prepare: Called with the endpoint URL when local_aws is healthy and Airflow starts.
        :raises StackError: A port is in use, or a component ends or is not healthy in time.
        """
        if running := self.running():
            raise StackError(f"{', '.join(sorted(running))} already run from {self.folder}; run make down first.")
        self._refuse_used_ports()
        try:
            self._start_all(prepare, time.monotonic() + timeout_seconds)
        except BaseException:
            self.stop()
            raise

    def _start_all(self, prepare: Callable[[str], object] | None, deadline: float) -> None:
        for name in ("airflow", "log", "processes", "local_aws"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        local_environment = airflow_environment(airflow_home=self.airflow_home, endpoint_url=self.aws_endpoint_url)
        self._spawn(LOCAL_AWS, self._local_aws_command(), _without_airflow(local_environment))
        if self._enforce_iam:
            self._wait(LOCAL_AWS, self._local_aws_is_healthy, deadline)
            self._login = make_airflow_login(local_clients(self.aws_endpoint_url))
        environment = self.environment(self._start_database())
        self._report("database: migrating it and creating the pools")
        self._prepare_database(environment)
        for name, arguments in AIRFLOW_COMPONENTS.items():
            self._spawn(name, [sys.executable, "-m", "airflow", *arguments], environment)
        self._wait(LOCAL_AWS, self._local_aws_is_healthy, deadline)
        if prepare is not None:
            prepare(self.aws_endpoint_url)
        self._wait_for_component("api-server", deadline)
        for name in _HEALTH_KEYS:
            self._wait_for_component(name, deadline)

    def _local_aws_command(self) -> list[str]:
        return [
            sys.executable, "-m", "local_aws", "--port", str(self.ports.local_aws),
            "--state-dir", str(self.folder / "local_aws"), "--iam", "enforce" if self._enforce_iam else "allow",
        ]  # fmt: skip

    def environment(self, database_url: str | None) -> dict[str, str]:
        """Return the environment of the Airflow components, or of an ``airflow`` command.

        :param database_url: Of the metadata database; ``None`` for SQLite.
        """
        return airflow_environment(
            airflow_home=self.airflow_home, endpoint_url=self.aws_endpoint_url, database_url=database_url,
            api_port=self.ports.api, dag_folders=self._dag_folders, overrides=self._overrides, login=self._login,
        )  # fmt: skip

    def _start_database(self) -> str | None:
        if not self._use_postgres:
            return None
        try:
            url, pid = start_postgres(self.folder / "postgres", Secrets.of(self.airflow_home).database_password)
        except RuntimeError as error:
            # SQLite is good enough for one person.
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

        :raises StackError: It still runs, or is not healthy in time.
        """
        if name in self.running():
            raise StackError(f"{name} still runs from {self.folder}; stop it before starting it again.")
        if (child := self._children.pop(name, None)) is not None:
            child.wait()
        self._spawn(
            name, [sys.executable, "-m", "airflow", *AIRFLOW_COMPONENTS[name]], self.environment(self._start_database())
        )
        self._wait_for_component(name, time.monotonic() + timeout_seconds)

    def _prepare_database(self, environment: dict[str, str]) -> None:
        log = self.log_file("migrate")
        with log.open("ab") as output:
            completed = subprocess.run(
                [sys.executable, "-m", "tools.airflow_metadata"],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                check=False,
            )  # fmt: skip
        if completed.returncode != 0:
            raise StackError(f"the database could not be prepared (code {completed.returncode}); its log is {log}.")

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        # In its own session, so that Ctrl-C reaches only this program, which then stops its
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

    def _wait_for_component(self, name: str, deadline: float) -> None:
        self._wait(name, lambda: self._airflow_is_healthy(name), deadline)

    def _airflow_is_healthy(self, name: str) -> bool:
        return self._beats(name, _HEALTH_KEYS[name]) if name in _HEALTH_KEYS else self._health() is not None

    def _local_aws_is_healthy(self) -> bool:
        return complaint(LOCAL_AWS, self.aws_endpoint_url) is None

    def _health(self) -> dict[str, Any] | None:
        """Return what the api-server reports, or ``None`` if it does not respond or is not healthy.

        https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/check-health.html
        """
        try:
            answer = get_json(f"{self.api_url}/api/v2/monitor/health")
        except (OSError, ValueError):
            return None
        return answer if answer["metadatabase"]["status"] == "healthy" else None

    def _beats(self, name: str, key: str) -> bool:
        """Return whether the newest heartbeat is that of the process that runs now.

        After a restart, the last heartbeat of the previous process still counts as healthy for a
        while.
        """
        part = (self._health() or {}).get(key) or {}
        beat = part.get(f"latest_{key}_heartbeat")
        running = self.running().get(name)
        if part.get("status") != "healthy" or not beat or running is None:
            return False
        return datetime.datetime.fromisoformat(beat).timestamp() >= running.started

    def health(self) -> dict[str, bool]:
        """Return whether each component runs and is healthy, by name."""
        running = self.running()
        states = {LOCAL_AWS: self._local_aws_is_healthy()}
        states |= {name: self._airflow_is_healthy(name) for name in AIRFLOW_COMPONENTS}
        if _POSTGRES in running:
            states[_POSTGRES] = True
        return {name: name in running and healthy for name, healthy in states.items()}

    def running(self) -> dict[str, RunningProcess]:
        """Return the live processes that were started from this folder, by name."""
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
        """Stop exactly what was started from this folder, and return the names of what still ran.

        The Airflow components stop first, then local_aws, then the database, so that no component
        loses a service that it uses. Stopping twice is not an error.

        :raises StackError: A process cannot be stopped.
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
        """Ask the processes to end, then kill them and the children that they have left behind."""
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
                f"processes {', '.join(str(process.pid) for process in alive)} cannot be stopped; check them with ps."
            )
        for name, child in list(self._children.items()):
            if child.pid in {process.pid for process in parents}:
                child.wait()
                del self._children[name]


def _without_airflow(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("AIRFLOW")}


def _last_line(log: Path) -> str:
    """Return the last line of a log that is not empty, for a message."""
    with contextlib.suppress(OSError):
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 20_000))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        if said:
            return f"{said[-1][:300]} (log: {log})"
    return f"its log is empty ({log})"
