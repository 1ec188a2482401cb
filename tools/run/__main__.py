"""`make run`: deploy, retrain, ask the endpoint, tell. Everything it starts, it stops.

Order of work: local_aws, Airflow's database and the data side by side; then the deploy DAG and the
retrain DAG of the newest interval, through Airflow; then the summary. Must not do anything the DAGs
are there to do.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import IO, Any

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "plugins"))

from brewtrain import resources  # noqa: E402
from brewtrain.domain import names  # noqa: E402
from brewtrain.domain.errors import BrewtrainError, PipelineFileError  # noqa: E402
from brewtrain.domain.pipeline.file import Pipeline  # noqa: E402
from brewtrain.domain.run import stages  # noqa: E402
from brewtrain.domain.run.interval import DataInterval, days_newest_first, newest_complete, newest_day  # noqa: E402
from tools.airflow_principal import make_airflow_login  # noqa: E402
from tools.bootstrap import BootstrapError, bootstrap  # noqa: E402
from tools.load_data import LoadError, load  # noqa: E402
from tools.run import findings, report  # noqa: E402
from tools.run.processes import Processes, free_port  # noqa: E402
from tools.run.progress import Progress  # noqa: E402

VAR = ROOT / "var"
WORK = VAR / "run"
LAST_RUN = VAR / "last_run.json"
REGION = "us-east-1"
READY_SECONDS = 60.0
INTERVALS_LOOKED_AT = 400
PAGE_WIDTH = 110
SAMPLE_ROWS = 41_188
STARTED_VARIABLE = "BREWTRAIN_RUN_STARTED"
QUALITY_GATE_ERROR = "Brewtrain.QualityGateFailed"


class RunError(Exception):
    """The run cannot go on; the message says what, where and what to do."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.run", description=__doc__)
    parser.add_argument(
        "--data", type=Path, metavar="CSV", help="file to train on (default: the seeded sample generator)"
    )
    parser.add_argument(
        "--rows", type=int, default=SAMPLE_ROWS, help="rows of the sample generator (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample generator (default %(default)s)")
    parser.add_argument("--pipeline", default="bank_marketing", help="pipeline file to run (default %(default)s)")
    parser.add_argument(
        "--iam", choices=["allow", "enforce"], default="allow",
        help="enforce: every call is checked against include/cloudformation/roles.yaml (default %(default)s)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run it all; return the exit code."""
    options = parse_arguments(arguments)
    console = Console() if sys.stdout.isatty() else Console(width=PAGE_WIDTH)
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell that starts this in the background has its children ignore Ctrl-C.
    signal.signal(signal.SIGINT, _interrupt)
    result = report.RunReport(outcome="broken", reason="", pipeline=options.pipeline, data=_data_shown(options))
    try:
        with _only_one():
            LAST_RUN.unlink(missing_ok=True)
            try:
                return _run(options, console, result)
            finally:
                # Complete also where the run ended before it had anything to show.
                if not LAST_RUN.exists():
                    with contextlib.suppress(OSError):
                        report.write(result, LAST_RUN)
    except RunError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1


def _run(options: argparse.Namespace, console: Console, result: report.RunReport) -> int:
    code = 1
    try:
        if options.data is not None and not options.data.is_file():
            raise RunError(
                f"DATA={options.data} is not a file; name a CSV file, or leave DATA out for the sample generator."
            )
        return Run(options, console).execute(result)
    except (RunError, PipelineFileError) as error:
        result.reason = str(error)
    except KeyboardInterrupt:
        result.reason, code = "Interrupted; everything that was started has been stopped.", 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            result.reason = f"No space left on the disk of {VAR}; free some and run it again."
        else:
            result.reason = _unexpected(error)
    except Exception as error:  # noqa: BLE001 - a person gets a sentence, and the traceback is kept
        result.reason = _unexpected(error)
    console.print(result.reason, style="red", markup=False, highlight=False)
    return code


def _unexpected(error: Exception) -> str:
    log = WORK / "log" / "run.log"
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    text = " ".join(str(error).split())
    return f"make run stopped at something unexpected ({type(error).__name__}: {text}); {_shown(log)} has the details."


def _data_shown(options: argparse.Namespace) -> str:
    return str(options.data) if options.data else f"sample generator, {options.rows} rows, seed {options.seed}"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    VAR.mkdir(exist_ok=True)
    with (VAR / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError("Another `make run` is at work in this checkout; wait for it or stop it.") from None
        yield


class Run:
    """One `make run`.

    :param options: The command line.
    :param console: Where a person looks.
    """

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options = options
        self._console = console
        self._began = float(os.environ.get(STARTED_VARIABLE) or time.time())
        self._pipeline: Pipeline = resources.find_pipeline(options.pipeline)
        self._progress = Progress(console)
        self._problem: dict[str, str] | None = None
        self._events: Iterator[dict[str, Any]]

    def execute(self, result: report.RunReport) -> int:
        """Run, write var/last_run.json, print the summary.

        :param result: What is known so far; filled on the way.
        """
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        result.thresholds = self._thresholds()
        self._console.print(f"{self._pipeline.name} · data: {result.data}", style="bold", markup=False, highlight=False)
        detail = ""
        with Processes() as processes, self._progress:
            try:
                detail = self._work(processes, result)
            except (RunError, BrewtrainError, BootstrapError, LoadError) as error:
                result.reason = str(error)
        result.seconds["total"] = round(time.time() - self._began, 1)
        if result.outcome == "broken" and "\n" in result.reason:
            detail, result.reason = result.reason, result.reason.strip().splitlines()[0]
        report.write(result, LAST_RUN)
        report.show(result, self._console, where_next=self._where_next(result), detail=detail)
        return result.exit_code

    def _work(self, processes: Processes, result: report.RunReport) -> str:
        setup = "set up"
        self._progress.announce(setup, "local AWS", "account", "data", "Airflow")
        child, endpoint_url = self._start(processes)
        with ThreadPoolExecutor(max_workers=2) as pool:
            account = pool.submit(self._set_up_account, endpoint_url)
            interval = account.result()
            self._wait_for_airflow()
        identity = names.RunIdentity(self._pipeline.name, interval.start, interval.end, "0")
        result.interval = f"{interval.start:%Y-%m-%d %H:%M} → {interval.end:%Y-%m-%d %H:%M} UTC"
        now = time.time()
        result.seconds["setup"] = round(now - self._began, 1)

        state = self._run_dag(child, f"{self._pipeline.name}__deploy", interval.end, "deploy")
        result.seconds["deploy"] = round(time.time() - now, 1)
        now = time.time()
        if state != "success":
            return self._broken(result, "deploy")
        state = self._run_dag(child, f"{self._pipeline.name}__retrain", interval.end, "retrain")
        result.seconds["retrain"] = round(time.time() - now, 1)
        return self._read_back(result, identity, endpoint_url, state)

    def _start(self, processes: Processes) -> tuple[subprocess.Popen[str], str]:
        from tools.airflow_env import airflow_environment

        port = free_port()
        endpoint_url = f"http://127.0.0.1:{port}"
        self._progress.set("set up", "local AWS", "running")
        server = processes.start(
            [sys.executable, "-m", "local_aws", "--port", str(port), "--iam", self._options.iam],
            log_file=WORK / "log" / "local_aws.log", environment=dict(os.environ),
        )  # fmt: skip
        login = None
        if self._options.iam == "enforce":
            _wait_until_healthy(server, endpoint_url)
            login = make_airflow_login(lambda service: self._client(service, endpoint_url))
        environment = airflow_environment(airflow_home=WORK / "airflow", endpoint_url=endpoint_url, login=login)
        self._progress.set("set up", "Airflow", "running")
        read_end, write_end = os.pipe()
        child = processes.start(
            [sys.executable, "-m", "tools.run.airflow_child", "--events", str(write_end)],
            log_file=WORK / "log" / "airflow.log", environment=environment, stdin=True, pass_fds=[write_end],
        )  # fmt: skip
        os.close(write_end)
        self._events = _events(os.fdopen(read_end, encoding="utf-8"))
        _wait_until_healthy(server, endpoint_url)
        enforced = ", policies enforced" if login is not None else ""
        self._progress.set("set up", "local AWS", "success", endpoint_url + enforced)
        return child, endpoint_url

    def _set_up_account(self, endpoint_url: str) -> DataInterval:
        from tools.sample_data import generate

        self._progress.set("set up", "account", "running")
        s3 = self._client("s3", endpoint_url)
        account = self._account(endpoint_url)
        bootstrap(lambda service: self._client(service, endpoint_url))
        self._progress.set("set up", "account", "success", f"{account.account_id} {account.region}: storage and roles")
        self._progress.set("set up", "data", "running", "" if self._options.data else "making the sample")
        data = self._options.data or generate(rows=self._options.rows, seed=self._options.seed)
        bucket = self._pipeline.source.bucket(self._pipeline.bucket_name(account))
        newest = newest_complete(self._pipeline.cron, datetime.now(UTC))
        loaded = load(
            data, bucket, self._pipeline.source.key("{date}"), s3, undated=newest_day(newest),
            on_progress=lambda done, total: self._progress.set("set up", "data", "running", f"{done} of {total} days"),
        )  # fmt: skip
        note = f"{loaded.rows:,} rows in {loaded.partitions} days, {loaded.first_date} … {loaded.last_date}"
        self._progress.set("set up", "data", "success", note if loaded.dated else f"one partition, {loaded.last_date}")
        for warning in loaded.warnings:
            self._console.print(warning, style="yellow", markup=False, highlight=False)
        return self._newest_interval(s3, bucket, loaded.last_date)

    def _newest_interval(self, s3: Any, bucket: str, last_date: date) -> DataInterval:
        """The newest interval of the pipeline's schedule that has data."""
        at = datetime.combine(last_date + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
        for _ in range(INTERVALS_LOOKED_AT):
            interval = newest_complete(self._pipeline.cron, at)
            if interval.end.date() < self._pipeline.start_date:
                break
            for day in days_newest_first(interval):
                prefix = self._pipeline.source.key(day.isoformat())
                if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]:
                    return interval
            at = interval.end - timedelta(seconds=1)
        raise RunError(
            f"No interval of schedule {self._pipeline.schedule!r} from {self._pipeline.start_date} on has "
            f"data (newest: {last_date}); change start_date or schedule in the pipeline file, or the data."
        )

    def _wait_for_airflow(self) -> None:
        for event in self._events:
            if event["event"] == "import_error":
                raise RunError(f"{Path(event['file']).name} cannot be imported: {event['message']}")
            if event["event"] == "ready":
                self._progress.set("set up", "Airflow", "success", f"{len(event['dag_ids'])} DAGs")
                return
        raise RunError(f"Airflow did not start; its log is {_shown(WORK / 'log' / 'airflow.log')}.")

    def _run_dag(self, child: subprocess.Popen[str], dag_id: str, logical_date: datetime, group: str) -> str:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"dag_id": dag_id, "logical_date": logical_date.isoformat()}) + "\n")
        child.stdin.flush()
        for event in self._events:
            if event["event"] == "task":
                note = event.get("message", "").strip().splitlines()
                self._progress.set(group, event["task_id"], event["state"], note[0] if note else "")
                if event["state"] == "failed" and (self._problem is None or group != self._problem["group"]):
                    self._problem = {"group": group, "task": event["task_id"], "message": event.get("message", "")}
            elif event["event"] == "dag_run":
                for task_id, state in event.get("tasks", {}).items():
                    if state in ("success", "skipped", "failed"):
                        self._progress.set(group, task_id, state)
                return str(event["state"])
        raise RunError(f"Airflow stopped in the middle of {dag_id}; its log is {_shown(WORK / 'log' / 'airflow.log')}.")

    def _broken(self, result: report.RunReport, group: str) -> str:
        log = _shown(WORK / "log" / "airflow.log")
        problem = self._problem or {"task": group, "message": ""}
        lines = problem["message"].strip().splitlines() or [f"failed without a word; {log} has the details"]
        result.outcome, result.reason = "broken", f"{problem['task']}: {lines[0]}"
        return "\n".join(lines[1:])

    def _read_back(self, result: report.RunReport, identity: names.RunIdentity, endpoint_url: str, state: str) -> str:
        account = self._account(endpoint_url)
        states = self._client("stepfunctions", endpoint_url)
        execution_arn = account.execution_arn(identity.pipeline, identity.run_id)
        execution = findings.describe_execution(states, execution_arn)
        detail = ""
        if execution is not None:
            result.execution_arn = execution_arn
            result.stages = findings.stage_seconds(states, execution_arn, stages.stage_of)
            output = findings.output_of(execution)
            result.metrics = {name: value for name, value in output.get("metrics", {}).items() if value is not None}
            result.majority_class_error = output.get("split", {}).get("majority_class_error")
            evaluated = output.get("evaluation", {}).get("uri")
            if evaluated:
                page = findings.save_evaluation(self._client("s3", endpoint_url), evaluated, WORK / "evaluation")
                result.evaluation = None if page is None else _shown(page)
            result.outcome = output.get("outcome", "broken")
            result.reason = output.get("message", "")
        if state != "success" or execution is None:
            detail = self._broken(result, "retrain")
            if execution is not None and execution.get("error") == QUALITY_GATE_ERROR:
                result.outcome = "rejected"
        result.endpoint = findings.serving(self._client("sagemaker", endpoint_url), self._pipeline.endpoint_name)
        if result.endpoint["model"]:
            result.predictions = findings.predictions(
                self._client("s3", endpoint_url), self._client("sagemaker-runtime", endpoint_url),
                bucket=self._pipeline.bucket_name(account), identity=identity,
                endpoint_name=self._pipeline.endpoint_name,
            )  # fmt: skip
        return detail

    def _client(self, service: str, endpoint_url: str) -> Any:
        import boto3

        # Keys of the local AWS, which checks none: real ones must never reach it.
        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
        return session.client(service, endpoint_url=endpoint_url)

    def _account(self, endpoint_url: str) -> names.Account:
        return names.Account(self._client("sts", endpoint_url).get_caller_identity()["Account"], REGION)

    def _thresholds(self) -> dict[str, dict[str, float]]:
        return {
            metric: {bound: value for bound, value in threshold.model_dump().items() if value is not None}
            for metric, threshold in self._pipeline.gate.metrics.items()
        }

    def _where_next(self, result: report.RunReport) -> list[str]:
        lines = [f"{_shown(LAST_RUN)} has these numbers, {_shown(WORK / 'log')}/ the logs"]
        if result.evaluation is not None:
            lines.append(f"{result.evaluation} shows the evaluation and why the gate decided so")
        if result.outcome == "broken":
            return [*lines, "mend what is said above and run it again"]
        return [
            *lines,
            "make up starts the same in Airflow's own UI",
            f"include/pipelines/{self._pipeline.name}.yaml is what to edit",
        ]


def _wait_until_healthy(server: subprocess.Popen[str], endpoint_url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{endpoint_url}/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise RunError(f"local_aws did not start; its log is {_shown(WORK / 'log' / 'local_aws.log')}.")


def _events(stream: IO[str]) -> Iterator[dict[str, Any]]:
    with stream:
        for line in stream:
            yield json.loads(line)


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


if __name__ == "__main__":
    sys.exit(main())
