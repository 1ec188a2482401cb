"""Retrain once on this machine, from data to endpoint, and print a summary.

local_aws, Airflow's database and the data are prepared side by side. Then Airflow runs the deploy
DAG and the retrain DAG of the newest interval. Whatever is started here is stopped here. Must not
do what the DAGs are there to do.
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
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from brewtrain import resources
from brewtrain.domain import names
from brewtrain.domain.errors import BrewtrainError, PipelineFileError
from brewtrain.domain.failure import error_names
from brewtrain.domain.pipeline.file import Pipeline
from brewtrain.domain.run import stages
from brewtrain.domain.run.identity import identity_for_start
from brewtrain.domain.run.interval import DataInterval
from tools.airflow_env import REGION, ROOT, airflow_environment
from tools.airflow_principal import make_airflow_login
from tools.bank_marketing import FULL_ROWS
from tools.bootstrap import BootstrapError, bootstrap
from tools.days import newest_interval
from tools.load_data import LoadError, load
from tools.local_aws_clients import local_clients
from tools.local_aws_process import launch_local_aws, wait_until_healthy
from tools.run import findings, report
from tools.run.processes import Processes
from tools.run.progress import Progress

VAR = ROOT / "var"
WORK = VAR / "run"
LAST_RUN = VAR / "last_run.json"
INTERVALS_SEARCHED = 400
PAGE_WIDTH = 110
STARTED_VARIABLE = "BREWTRAIN_RUN_STARTED"


class RunError(Exception):
    """The run cannot continue; the message says what is wrong, where, and what to do."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    :param arguments: ``None`` for ``sys.argv``.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, metavar="CSV", help="file to train on (default: generated rows)")
    parser.add_argument("--rows", type=int, default=FULL_ROWS, help="number of generated rows (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated rows (default %(default)s)")
    parser.add_argument("--pipeline", default="bank_marketing", help="pipeline file to run (default %(default)s)")
    parser.add_argument(
        "--iam", choices=["allow", "enforce"], default="allow",
        help="enforce: check every call against include/cloudformation/roles.yaml (default %(default)s)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Retrain, print the summary and write var/last_run.json.

    :returns: The exit code: 0 retrained, 1 broken, 130 interrupted.
    """
    options = parse_arguments(arguments)
    console = Console() if sys.stdout.isatty() else Console(width=PAGE_WIDTH)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell makes its background children ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    result = report.RunReport(outcome="broken", reason="", pipeline=options.pipeline, data=_data_shown(options))
    try:
        with _only_one():
            LAST_RUN.unlink(missing_ok=True)
            try:
                return _run(options, console, result)
            finally:
                # Also written where the run ended before it had any results.
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
                f"DATA={options.data} is not a file; name a CSV file, or leave DATA out to use generated rows."
            )
        return Run(options, console).execute(result)
    except (RunError, PipelineFileError) as error:
        result.reason = str(error)
    except KeyboardInterrupt:
        result.reason, code = "Interrupted; everything that was started has been stopped.", 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            result.reason = f"No space left on the disk of {VAR}; free some space and run it again."
        else:
            result.reason = _unexpected(error)
    except Exception as error:  # noqa: BLE001 - the user gets a sentence, the log gets the traceback
        result.reason = _unexpected(error)
    console.print(result.reason, style="red", markup=False, highlight=False)
    return code


def _unexpected(error: Exception) -> str:
    log = WORK / "log" / "run.log"
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    text = " ".join(str(error).split())
    return f"make run failed unexpectedly ({type(error).__name__}: {text}); {_shown(log)} has the details."


def _data_shown(options: argparse.Namespace) -> str:
    return str(options.data) if options.data else f"sample generator, {options.rows} rows, seed {options.seed}"


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    VAR.mkdir(exist_ok=True)
    with (VAR / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError("Another `make run` is active in this checkout; wait until it ends, or stop it.") from None
        yield


def newest_interval_with_data(pipeline: Pipeline, s3: Any, bucket: str, last_date: date) -> DataInterval:
    """Return the newest interval of the pipeline's schedule that has data.

    :param s3: A boto3 S3 client.
    :param last_date: Date of the newest partition.
    :raises RunError: No interval from the pipeline's start date on has data.
    """
    interval = newest_interval(pipeline, last_date)
    for _ in range(INTERVALS_SEARCHED):
        if interval.end.date() < pipeline.start_date:
            break
        for day in pipeline.data_days.of_interval(interval):
            prefix = pipeline.source.layout.prefix(day)
            if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]:
                return interval
        interval = pipeline.run_schedule.newest_complete(interval.end - timedelta(seconds=1))
    raise RunError(
        f"No interval of schedule {pipeline.schedule!r} from {pipeline.start_date} on has data (newest: {last_date}); "
        "change start_date or schedule in the pipeline file, or the data."
    )


class Run:
    """One `make run`.

    :param options: The command line.
    :param console: Gets the progress and the summary.
    """

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options = options
        self._console = console
        self._began = float(os.environ.get(STARTED_VARIABLE) or time.time())
        self._pipeline: Pipeline = resources.find_pipeline(options.pipeline)
        self._progress = Progress(console)
        self._problem: dict[str, str] | None = None
        self._events: Iterator[dict[str, Any]]
        self._client: Callable[[str], Any]

    def execute(self, result: report.RunReport) -> int:
        """Run, write var/last_run.json and print the summary.

        :param result: Filled as results become known.
        :returns: The exit code.
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
        child = self._start(processes)
        interval = self._set_up_account()
        self._wait_for_airflow()
        identity = identity_for_start(self._pipeline, interval, clear_number=0, rerun_mode="auto", dag_run_id="")
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
        return self._read_results(result, identity, state)

    def _start(self, processes: Processes) -> subprocess.Popen[str]:
        """Start local_aws and Airflow, and wait for local_aws."""
        self._progress.set("set up", "local AWS", "running")
        log = WORK / "log" / "local_aws.log"
        server, endpoint_url = launch_local_aws(processes, log, "--iam", self._options.iam)
        self._client = local_clients(endpoint_url)
        login = None
        if self._options.iam == "enforce":
            _wait_for_local_aws(server, endpoint_url, log)
            login = make_airflow_login(self._client)
        environment = airflow_environment(airflow_home=WORK / "airflow", endpoint_url=endpoint_url, login=login)
        self._progress.set("set up", "Airflow", "running")
        read_end, write_end = os.pipe()
        child = processes.start(
            [sys.executable, "-m", "tools.run.airflow_child", "--events", str(write_end)],
            log_file=WORK / "log" / "airflow.log", environment=environment, stdin=True, pass_fds=[write_end],
        )  # fmt: skip
        os.close(write_end)
        self._events = _events(os.fdopen(read_end, encoding="utf-8"))
        _wait_for_local_aws(server, endpoint_url, log)
        enforced = ", policies enforced" if login is not None else ""
        self._progress.set("set up", "local AWS", "success", endpoint_url + enforced)
        return child

    def _set_up_account(self) -> DataInterval:
        """Deploy the account's stacks and load the data; return the newest interval with data."""
        from tools.sample_data import generate

        self._progress.set("set up", "account", "running")
        s3 = self._client("s3")
        account = self._account()
        bootstrap(self._client)
        self._progress.set("set up", "account", "success", f"{account.account_id} {account.region}: storage and roles")
        self._progress.set("set up", "data", "running", "" if self._options.data else "generating rows")
        data = self._options.data or generate(rows=self._options.rows, seed=self._options.seed)
        bucket = self._pipeline.source.bucket(self._pipeline.bucket_name(account))
        newest = self._pipeline.run_schedule.newest_complete(datetime.now(UTC))
        loaded = load(
            data, bucket, self._pipeline.source.layout.pattern, s3, undated=self._pipeline.data_days.newest(newest.end),
            on_progress=lambda done, total: self._progress.set("set up", "data", "running", f"{done} of {total} days"),
        )  # fmt: skip
        note = f"{loaded.rows:,} rows in {loaded.partitions} days, {loaded.first_date} … {loaded.last_date}"
        self._progress.set("set up", "data", "success", note if loaded.dated else f"one partition, {loaded.last_date}")
        for warning in loaded.warnings:
            self._console.print(warning, style="yellow", markup=False, highlight=False)
        return newest_interval_with_data(self._pipeline, s3, bucket, loaded.last_date)

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
        raise RunError(
            f"Airflow stopped while {dag_id} was running; its log is {_shown(WORK / 'log' / 'airflow.log')}."
        )

    def _broken(self, result: report.RunReport, group: str) -> str:
        log = _shown(WORK / "log" / "airflow.log")
        problem = self._problem or {"task": group, "message": ""}
        lines = problem["message"].strip().splitlines() or [f"failed without a message; {log} has the details"]
        result.outcome, result.reason = "broken", f"{problem['task']}: {lines[0]}"
        return "\n".join(lines[1:])

    def _read_results(self, result: report.RunReport, identity: names.RunIdentity, state: str) -> str:
        account = self._account()
        execution_arn = account.execution_arn(identity.pipeline, identity.run_id)
        execution = findings.describe_execution(self._client("stepfunctions"), execution_arn)
        detail = ""
        if execution is not None:
            self._read_execution(result, execution, execution_arn)
        if state != "success" or execution is None:
            detail = self._broken(result, "retrain")
            if execution is not None and execution.get("error") == error_names.QUALITY_GATE_FAILED:
                result.outcome = "rejected"
        result.endpoint = findings.serving(self._client("sagemaker"), self._pipeline.endpoint_name)
        if result.endpoint["model"]:
            result.predictions = findings.predictions(
                self._client("s3"), self._client("sagemaker-runtime"), bucket=self._pipeline.bucket_name(account),
                identity=identity, endpoint_name=self._pipeline.endpoint_name,
            )  # fmt: skip
        return detail

    def _read_execution(self, result: report.RunReport, execution: dict[str, Any], execution_arn: str) -> None:
        result.execution_arn = execution_arn
        result.stages = findings.stage_seconds(self._client("stepfunctions"), execution_arn, stages.stage_of)
        output = findings.output_of(execution)
        result.metrics = {name: value for name, value in output.get("metrics", {}).items() if value is not None}
        result.majority_class_error = output.get("split", {}).get("majority_class_error")
        evaluated = output.get("evaluation", {}).get("uri")
        if evaluated:
            page = findings.save_evaluation(self._client("s3"), evaluated, WORK / "evaluation")
            result.evaluation = None if page is None else _shown(page)
        result.outcome = output.get("outcome", "broken")
        result.reason = output.get("message", "")

    def _account(self) -> names.Account:
        return names.Account(self._client("sts").get_caller_identity()["Account"], REGION)

    def _thresholds(self) -> dict[str, dict[str, float]]:
        return {
            metric: {bound: value for bound, value in threshold.model_dump().items() if value is not None}
            for metric, threshold in self._pipeline.gate.metrics.items()
        }

    def _where_next(self, result: report.RunReport) -> list[str]:
        lines = [f"{_shown(LAST_RUN)} has these numbers, {_shown(WORK / 'log')}/ has the logs"]
        if result.evaluation is not None:
            lines.append(f"{result.evaluation} shows the evaluation and the gate's reasons")
        if result.outcome == "broken":
            return [*lines, "fix the problem above and run it again"]
        return [
            *lines,
            "make up runs the same in Airflow with its UI",
            f"edit include/pipelines/{self._pipeline.name}.yaml to change the pipeline",
        ]


def _wait_for_local_aws(server: subprocess.Popen[str], endpoint_url: str, log: Path) -> None:
    try:
        wait_until_healthy(server, endpoint_url, log)
    except RuntimeError as error:
        raise RunError(str(error)) from None


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
