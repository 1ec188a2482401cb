"""The life of a run, from assuming its role to saying how it ended.

One daemon thread per run. A service gives a `RunPlan` and three callbacks; it alone knows its
states' names.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from local_aws.core import clients

from . import knobs, workers
from .logs import LogStream, LogTail
from .roles import SERVICE_PRINCIPALS, image_problem, role_problem

logger = logging.getLogger(__name__)

OutcomeKind = Literal["succeeded", "failed", "stopped", "timeout", "error"]

_LOG_INTERVAL_SECONDS = 1.0
_TAIL_BYTES = 4096
_CREDENTIALS_SECONDS = 43_200


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    :param kind: what the service maps to its own terminal state; ``error`` is a failure of local
        AWS itself, not of the job.
    :param message: one sentence for a failure, as the worker gave it; empty otherwise.
    :param result: what the worker returned (JSON object), also for a failure.
    :param seconds: wall time from the worker's start.
    :param log_tail: the last 4 KB that the worker printed.
    """

    kind: OutcomeKind
    message: str
    result: dict[str, Any]
    seconds: float
    log_tail: bytes = b""


@dataclass
class RunPlan:
    """All that the engine needs to execute a run.

    :param service: whose delay applies, see `knobs.SERVICES`.
    :param worker_kind: which zygote forks the worker: a key of `workers.ZYGOTES`.
    :param entry: ``module:function`` that the worker calls.
    :param payload: what the worker's function is called with.
    :param role_arn: role whose keys the worker gets.
    :param session_name: name of the role's session.
    :param endpoint_url: address of AWS for the worker.
    :param region: region of the run.
    :param timeout_seconds: wall time after which it is stopped as a timeout; None for no limit.
    :param stdout_log: group and stream in CloudWatch Logs.
    :param stderr_log: group and stream of the error output; None joins both outputs.
    :param environment: further variables of the worker.
    :param write_logs: false when the job's owner wants no log in CloudWatch.
    :param source_arn: for which job or function the role is assumed (``aws:SourceArn`` of trust
        policies).
    :param image: container image that the role has to be able to pull.
    """

    service: str
    worker_kind: str
    entry: str
    payload: dict[str, Any]
    role_arn: str
    session_name: str
    endpoint_url: str
    region: str
    timeout_seconds: float | None
    stdout_log: tuple[str, str]
    stderr_log: tuple[str, str] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    write_logs: bool = True
    source_arn: str | None = None
    image: str = ""


class Run:
    """A run under supervision; made by `start_run`."""

    def __init__(self, plan: RunPlan, on_running: Callable[[], None], on_end: Callable[[Outcome], None]) -> None:
        self.plan = plan
        self._on_running = on_running
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"run-{plan.service}", daemon=True)

    def start(self) -> None:
        """Start the run and return at once."""
        with _active_lock:
            _active.add(self)
        self._thread.start()

    def stop(self) -> None:
        """Ask the run to stop and return at once; `on_end` is called when it has."""
        self._stop.set()

    def join(self, timeout_seconds: float | None = None) -> None:
        """Wait until the run has ended."""
        self._thread.join(timeout_seconds)

    def _supervise(self) -> None:
        try:
            outcome = self._execute()
        except Exception as error:
            logger.exception("run of %s could not be executed", self.plan.service)
            outcome = Outcome("error", f"InternalError: {type(error).__name__}: {error}", {}, 0.0)
        finally:
            with _active_lock:
                _active.discard(self)
        try:
            self._on_end(outcome)
        except Exception:
            logger.exception("the end of a run of %s could not be recorded", self.plan.service)

    def _execute(self) -> Outcome:
        plan = self.plan
        # Checked again: the role may have changed since the service accepted the request.
        problem = role_problem(plan.role_arn, SERVICE_PRINCIPALS[plan.service], plan.source_arn)
        problem = problem or image_problem(plan.role_arn, plan.session_name, plan.image)
        if problem is not None:
            return Outcome("failed", problem, {"kind": "ClientError"}, 0.0)
        credentials = clients.assume_role(plan.role_arn, plan.session_name, plan.region, _CREDENTIALS_SECONDS)
        directory = Path(tempfile.mkdtemp(prefix=f"local-aws-{plan.service}-"))
        try:
            return self._work(credentials, directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _tails(self, credentials: clients.RoleCredentials, stdout: Path, stderr: Path) -> list[LogTail]:
        plan = self.plan
        client = clients.new_client(
            "logs",
            credentials,
            region=plan.region,
            endpoint_url=plan.endpoint_url,
            max_attempts=5,
            read_timeout_seconds=30,
        )
        tails = [LogTail(stdout, LogStream(client, *plan.stdout_log))]
        if plan.stderr_log:
            tails.append(LogTail(stderr, LogStream(client, *plan.stderr_log)))
        return tails

    def _work(self, credentials: clients.RoleCredentials, directory: Path) -> Outcome:
        plan = self.plan
        began = time.monotonic()
        self._on_running()
        if self._stop.wait(knobs.delay_seconds(plan.service)):
            return Outcome("stopped", "", {}, time.monotonic() - began)
        work = directory / "work"
        work.mkdir()
        result_path = directory / "result.json"
        stdout = directory / "stdout.log"
        stderr = directory / "stderr.log" if plan.stderr_log else stdout
        keys = credentials.environment()
        worker = workers.start(
            plan.worker_kind,
            plan.entry,
            {**plan.payload, "result_path": str(result_path)},
            environment=clean_environment(plan.endpoint_url, plan.region, work) | keys | plan.environment,
            directory=work,
            stdout=stdout,
            stderr=stderr,
        )
        tails = self._tails(credentials, stdout, stderr) if plan.write_logs else []
        ended_by = self._watch(worker, tails, began)
        seconds = time.monotonic() - began
        for tail in tails:
            tail.pump(final=True)
            if tail.problem is not None:
                logger.warning("run of %s: %s", plan.service, tail.problem)
        result = _read_result(result_path)
        kind, message = _verdict(worker.code, ended_by, result, stderr)
        return Outcome(kind, message, result, seconds, _tail(stdout))

    def _watch(self, worker: workers.Worker, tails: list[LogTail], began: float) -> OutcomeKind | None:
        """Wait until the worker has ended, and write its log meanwhile.

        :returns: how the run was ended from here, ``None`` if the worker ended by itself.
        """
        limit = self.plan.timeout_seconds
        deadline = None if limit is None else began + limit
        next_log = time.monotonic() + _LOG_INTERVAL_SECONDS
        while not worker.exited.is_set():
            moment = time.monotonic()
            ended_by: OutcomeKind | None = None
            if self._stop.is_set():
                ended_by = "stopped"
            elif deadline is not None and moment >= deadline:
                ended_by = "timeout"
            if ended_by is not None:
                worker.terminate()
                return ended_by
            if moment >= next_log:
                for tail in tails:
                    tail.pump()
                next_log = time.monotonic() + _LOG_INTERVAL_SECONDS
            _wait_either(worker.exited, self._stop, None if deadline is None else deadline - moment)
        return None


def start_run(plan: RunPlan, on_running: Callable[[], None], on_end: Callable[[Outcome], None]) -> Run:
    """Execute a plan in the background.

    :param plan: what to do.
    :param on_running: called when the role has been assumed and the work begins.
    :param on_end: called once, with the outcome, after the log is complete.
    """
    run = Run(plan, on_running, on_end)
    run.start()
    return run


def stop_all(timeout_seconds: float = 10.0) -> None:
    """Stop every run and wait until each has recorded its end."""
    with _active_lock:
        active = list(_active)
    for run in active:
        run.stop()
    deadline = time.monotonic() + timeout_seconds
    for run in active:
        run.join(max(0.0, deadline - time.monotonic()))


def clean_environment(endpoint_url: str, region: str, home: Path) -> dict[str, str]:
    """Return the whole environment of a worker, with nothing of the server's.

    :param endpoint_url: address of AWS.
    :param region: region of the run.
    :param home: the run's private directory.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "4",
        "AWS_RETRY_MODE": "standard",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name in ("LD_LIBRARY_PATH", "JAVA_HOME"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


_active: set[Run] = set()
_active_lock = threading.Lock()


def _wait_either(exited: threading.Event, stop: threading.Event, limit_seconds: float | None) -> None:
    # Only one event can be waited for: a stop is noticed after at most one interval.
    interval = 0.1 if limit_seconds is None else max(0.0, min(0.1, limit_seconds))
    if not stop.is_set():
        exited.wait(interval)


def _verdict(
    code: int | None, ended_by: OutcomeKind | None, result: dict[str, Any], stderr: Path
) -> tuple[OutcomeKind, str]:
    """Say how a run ended, and with which message.

    :param code: the worker's exit code.
    :param ended_by: how the run was ended from outside, if it was.
    :param result: what the worker returned.
    :param stderr: the worker's error output.
    """
    if code == 0 and (ended_by is None or result):
        return "succeeded", ""
    if ended_by is not None:
        return ended_by, ""
    if code is not None and code < 0:
        return "error", f"InternalError: the process was ended by signal {-code}"
    return "failed", str(result.get("error") or _death_notice(code, stderr))


def _read_result(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def _tail(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read()


def _death_notice(code: int | None, stderr: Path) -> str:
    lines = (
        [line for line in stderr.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        if stderr.exists()
        else []
    )
    return lines[-1].strip() if lines else f"the process ended with exit code {code}"
