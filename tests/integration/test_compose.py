"""Starts every service of docker-compose.yaml without Docker: its command, environment and check.

Only what containers would give is mapped: host names and ports to free ports of 127.0.0.1, volumes
and ``/opt/brewtrain`` to folders. The PostgreSQL image's entry point is replaced by the
embedded server's own programs, with the variables that the file sets.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.fixtures.airflow_stacks import guarded_folder
from tests.fixtures.places import REPOSITORY
from tests.fixtures.postgres_programs import postgres_program
from tests.fixtures.waiting import wait_until
from tools.airflow_api import AirflowApi
from tools.local_stack import record_process

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())["services"]
HEALTHY_SECONDS = 180

pytestmark = pytest.mark.slow


class NativeCompose:
    """The services as processes of this machine, in the order of their dependencies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.completed: dict[str, int] = {}
        with socket.socket() as api, socket.socket() as aws, socket.socket() as database:
            sockets = (api, aws, database)
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            self.api_port, self.aws_port, self.database_port = (one.getsockname()[1] for one in sockets)
        self._paths = {f"/{name}": str(folder / name) for name in ("keys", "login", "logs", "state")}
        for path in self._paths.values():
            Path(path).mkdir()
        self._paths["/opt/brewtrain"] = str(REPOSITORY)

    def native(self, text: str, service: str) -> str:
        """Return a text of the file with hosts, ports and paths of this machine."""
        for host, port, mine in (
            ("api-server", 8080, self.api_port),
            ("local-aws", 4566, self.aws_port),
            ("postgres", 5432, self.database_port),
            ("127.0.0.1", 8080, self.api_port),
            ("127.0.0.1", 4566, self.aws_port),
        ):
            text = text.replace(f"{host}:{port}", f"127.0.0.1:{mine}")
        if text in {"8080", "4566", "5432"}:
            return str({"8080": self.api_port, "4566": self.aws_port, "5432": self.database_port}[text])
        text = text.replace("0.0.0.0", "127.0.0.1").replace("/opt/airflow", str(self._folder / f"home-{service}"))
        for path, mine in self._paths.items():
            text = text.replace(f"{path}/", f"{mine}/") if f"{path}/" in text else text
            text = mine if text == path else text
        return text

    def environment(self, service: str) -> dict[str, str]:
        """Return the service's environment, and of this process's only what any program needs."""
        own = SERVICES[service].get("environment", {})
        assert all(isinstance(value, str) for value in own.values()), f"{service}: quote every value in the file"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        base = {"PATH": path, "HOME": str(self._folder), "LANG": "C.UTF-8", "NO_PROXY": "*", "no_proxy": "*"}
        return base | {name: self.native(value, service) for name, value in own.items()}

    def command(self, service: str, words: list[str]) -> list[str]:
        """Return a command of the file, with this environment's program."""
        program, *arguments = [self.native(word, service) for word in words]
        if program == "pg_isready":
            return [str(postgres_program("pg_isready")), *arguments]
        assert program == "python", f"{service}: {program} is not a program that the test knows"
        return [sys.executable, *arguments]

    def log(self, service: str) -> Path:
        """Return where a service's output goes."""
        return self._folder / f"{service}.log"

    def start(self, service: str) -> None:
        """Start what it depends on, wait as the file says, then start it."""
        if service in self._processes or service in self.completed:
            return
        for needed, how in SERVICES[service].get("depends_on", {}).items():
            self.start(needed)
            if how["condition"] == "service_healthy":
                self.wait_until_healthy(needed)
            else:
                assert self.completed[needed] == 0, f"{needed} failed: {self.log(needed).read_text()[-3000:]}"
        if service == "postgres":
            self._start_postgres()
        elif "healthcheck" in SERVICES[service]:
            self._processes[service] = self._spawn(service)
            record_process(self._folder, service, self._processes[service].pid)
        else:
            self.completed[service] = self._spawn(service).wait(timeout=HEALTHY_SECONDS)

    def _spawn(self, service: str) -> subprocess.Popen[bytes]:
        home = self._folder / f"home-{service}"
        home.mkdir(exist_ok=True)
        with self.log(service).open("wb") as log:
            return subprocess.Popen(
                self.command(service, SERVICES[service]["command"]),
                cwd=REPOSITORY,
                env=self.environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_healthy(self, service: str) -> bool:
        """Run the service's own health check once."""
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        check = subprocess.run(
            self.command(service, words),
            cwd=REPOSITORY,
            env=self.environment(service),
            capture_output=True,
            check=False,
        )
        return check.returncode == 0

    def wait_until_healthy(self, service: str) -> None:
        """Wait until the health check passes."""

        def end_of_log() -> str:
            return self.log(service).read_text()[-3000:]

        def healthy() -> bool:
            if self.is_healthy(service):
                return True
            process = self._processes[service]
            assert process.poll() is None, f"{service} ended with {process.returncode}: {end_of_log()}"
            return False

        wait_until(healthy, seconds=HEALTHY_SECONDS, what=lambda: f"{service} is healthy: {end_of_log()}", pause=0.5)

    def alive(self) -> set[str]:
        """Return the names of the services that run."""
        return {name for name, process in self._processes.items() if process.poll() is None}

    def _start_postgres(self) -> None:
        """Do what the image's entry point does with the POSTGRES_… variables."""
        own = self.environment("postgres")
        data = self._folder / "database"
        data.mkdir(mode=0o700)
        password = self._folder / "database-password"
        password.write_text(Path(own["POSTGRES_PASSWORD_FILE"]).read_text())
        user = None
        if os.geteuid() == 0:
            user = "nobody"  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam(user)
            for path in (data, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        common: dict[str, Any] = {"cwd": str(data), "env": own, "user": user, "stdin": subprocess.DEVNULL}
        with self.log("postgres").open("wb") as log:
            subprocess.run(
                [postgres_program("initdb"), "-D", data, "-U", own["POSTGRES_USER"], "--pwfile", password,
                 "--auth=scram-sha-256", "--encoding=utf8", "--no-sync"],
                check=True, stdout=log, stderr=log, **common,
            )  # fmt: skip
            single = "\n".join([f'CREATE DATABASE "{own["POSTGRES_DB"]}";', ""])
            common.pop("stdin")
            subprocess.run(
                [postgres_program("postgres"), "--single", "-D", data, "postgres"],
                check=True, stdout=log, stderr=log, input=single.encode(), **common,
            )  # fmt: skip
            self._processes["postgres"] = subprocess.Popen(
                [postgres_program("postgres"), "-D", data, "-h", "127.0.0.1", "-p", str(self.database_port),
                 "-k", data],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **common,
            )  # fmt: skip
        record_process(self._folder, "postgres", self._processes["postgres"].pid)

    def stop(self) -> None:
        """Stop everything and what it has left behind.

        The database comes last, because the others use it until their end.
        """
        others = [name for name in self._processes if name != "postgres"]
        for names, number in ((others, signal.SIGTERM), (["postgres"], signal.SIGINT)):
            processes = [self._processes[name] for name in names if name in self._processes]
            running = [psutil.Process(process.pid) for process in processes if process.poll() is None]
            family = [child for parent in running for child in parent.children(recursive=True)]
            for parent in running:
                parent.send_signal(number)
            _, stubborn = psutil.wait_procs(running, timeout=20)
            for process in [*stubborn, *family]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            for child in processes:
                child.wait()


@pytest.fixture(scope="module")
def compose() -> Iterator[NativeCompose]:
    with guarded_folder() as folder:
        services = NativeCompose(folder)
        try:
            for name in SERVICES:
                services.start(name)
            for name, service in SERVICES.items():
                if "healthcheck" in service:
                    services.wait_until_healthy(name)
            yield services
        finally:
            services.stop()


def test_every_service_starts_and_is_healthy(compose: NativeCompose) -> None:
    assert compose.completed == {"init-keys": 0, "bootstrap": 0, "migrate": 0}
    assert compose.alive() == set(SERVICES) - compose.completed.keys()


def test_the_login_that_init_keys_made_works(compose: NativeCompose) -> None:
    password = json.loads(Path(compose.native("/login/passwords.json", "api-server")).read_text())["admin"]
    api = AirflowApi(f"http://127.0.0.1:{compose.api_port}", password)
    assert api.import_errors() == {}


def test_a_second_init_keeps_the_keys(compose: NativeCompose) -> None:
    keys = Path(compose.native("/keys", "init-keys"))
    before = {path.name: path.read_text() for path in keys.iterdir()}
    assert before.keys() == {"api_secret_key", "database_password", "database_url", "fernet_key", "jwt_secret"}
    again = subprocess.run(
        compose.command("init-keys", SERVICES["init-keys"]["command"]),
        cwd=REPOSITORY, env=compose.environment("init-keys"), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "kept the keys" in again.stdout
    assert {path.name: path.read_text() for path in keys.iterdir()} == before
    assert not [value for value in before.values() if value in again.stdout]
