"""Backfill every month of the bank marketing data through a real Airflow, and write a page.

    python -m tools.backfill_report [--data FILE] [--at-once N]

The page is docs/backfill-report.md. Everything is started in ``var/backfill-report/`` on free ports
and stopped at the end; its logs stay there. The monthly pipeline is a copy of a pipeline file with
another name, schedule, endpoint and pool, made for this run only. Must not import Airflow, nor do
what the DAGs are there to do.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tools.airflow_api import ENDED, AirflowApi, AirflowApiError
from tools.airflow_env import REGION, ROOT
from tools.airflow_metadata import RETRAINING_POOL
from tools.backfill_report.page import Measured, MonthOfData, MonthReport, months_of, render
from tools.bank_marketing import CALL_MONTHS
from tools.bootstrap import BootstrapError, bootstrap
from tools.fetch_data import TARGET as FULL_FILE
from tools.load_data import LoadError, load, partition, read_file
from tools.local_aws_clients import local_clients
from tools.local_stack import LocalStack, Ports, StackError
from tools.stack_guard import start_guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from brewtrain.domain.pipeline.file import Pipeline

FOLDER = ROOT / "var" / "backfill-report"
PAGE = ROOT / "docs" / "backfill-report.md"
PLOT = "backfill-report-auc.png"
SUFFIX = "_monthly"
METRIC = "auc"
DEPLOY_SECONDS = 600.0
POLL_SECONDS = 3.0
# Longer than any month takes, however busy the machine is.
QUIET_SECONDS = 1800.0


class ReportError(Exception):
    """The report cannot be made; the message is one sentence for the user."""


def choose_data(path: Path | None) -> tuple[bytes, str]:
    """Choose the data to backfill.

    It is the named file, or else the full file if `make data` has downloaded it, or else generated
    rows.

    :returns: The data, and a sentence that says what it is.
    :raises LoadError: The named file cannot be read.
    """
    if path is None and not FULL_FILE.exists():
        from tools.sample_data import DEFAULT_SEED, write_csv

        made = write_csv(FOLDER / "sample.csv", seed=DEFAULT_SEED)
        data = made.read_bytes()
        return (
            data,
            f"invented by the sample generator ({_rows(data)}, seed {DEFAULT_SEED}): no file was named or downloaded.",
        )
    data = read_file(path or FULL_FILE)
    if path is None or path.resolve() == FULL_FILE:
        return data, f"UCI Bank Marketing, the full file ({_rows(data)}), in order of time."
    return data, (
        f"`{path.name}` ({_rows(data)}), its rows dated by month and economic indicators and put in order of time"
        f"{', the 4,119-row sample of UCI Bank Marketing' if _is_uci_sample(data) else ''}."
    )


def _rows(data: bytes) -> str:
    return f"{len(data.splitlines()) - 1:,} rows"


def _is_uci_sample(data: bytes) -> bool:
    from tools.bank_marketing import COLUMNS, DELIMITER

    header = tuple(name.strip('"') for name in data.splitlines()[0].decode("utf-8", "replace").split(DELIMITER))
    return header == COLUMNS and len(data.splitlines()) == 4120


def monthly_include(include: Path, pipeline: str, folder: Path) -> str:
    """Copy include/ with a monthly copy of one pipeline as its only pipeline.

    :param folder: The new include folder.
    :returns: Name of the monthly pipeline.
    """
    shutil.copytree(include, folder, dirs_exist_ok=True)
    source = include / "pipelines" / f"{pipeline}.yaml"
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    for file in (folder / "pipelines").glob("*.yaml"):
        file.unlink()
    name = f"{pipeline}{SUFFIX}"
    document |= {
        "name": name,
        "description": f"A monthly copy of {pipeline}, for the backfill report",
        "schedule": "@monthly",
        "endpoint": {**document.get("endpoint", {}), "name": name.replace("_", "-")},
        "pool": RETRAINING_POOL,
    }
    (folder / "pipelines" / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return name


class MonthlyBackfill:
    """The backfill in a running stack.

    :param pipeline: The monthly pipeline.
    :param clients: Makes a boto3 client of the stack's local_aws by service name.
    """

    def __init__(self, stack: LocalStack, pipeline: Pipeline, clients: Callable[[str], Any]) -> None:
        self._api = AirflowApi(stack.api_url, stack.admin_password)
        self._pipeline = pipeline
        self._clients = clients
        self.dag_id = f"{pipeline.name}__retrain"

    def deploy(self) -> None:
        """Run the deploy DAG.

        :raises ReportError: It fails.
        """
        dag_id = f"{self._pipeline.name}__deploy"
        run_id = self._api.trigger(dag_id)
        state = self._api.wait_for_run(dag_id, run_id, timeout_seconds=DEPLOY_SECONDS)["state"]
        if state != "success":
            raise ReportError(f"{dag_id} is {state}: {self._failure(dag_id, run_id)[1]}")

    def run(self, first: datetime.date, last: datetime.date, *, at_once: int) -> list[dict[str, Any]]:
        """Backfill the months from `first` to `last`, and wait until all runs have ended.

        :param at_once: Number of runs at once.
        :returns: The DAG runs in order.
        :raises ReportError: No run has ended for half an hour.
        """
        backfill = self._api.backfill(self.dag_id, f"{first}T00:00:00Z", f"{last}T00:00:00Z", max_active_runs=at_once)
        _tell(f"backfill {backfill} of {self.dag_id}: {first:%Y-%m} to {last:%Y-%m}, {at_once} at once")
        ended: dict[str, str] = {}
        moved = time.monotonic()
        while True:
            runs = self._api.runs(self.dag_id, run_type="backfill")
            for run in runs:
                if run["state"] in ENDED and run["dag_run_id"] not in ended:
                    ended[run["dag_run_id"]] = run["state"]
                    moved = time.monotonic()
                    _tell(f"{_month_of(run):%Y-%m}  {run['state']:8} {len(ended)} of {len(runs)}")
            if runs and len(ended) == len(runs):
                return runs
            if time.monotonic() - moved > QUIET_SECONDS:
                waiting = [run["dag_run_id"] for run in runs if run["state"] not in ENDED]
                raise ReportError(
                    f"no run of {self.dag_id} has ended for {QUIET_SECONDS / 60:.0f} minutes; {waiting[0]} and "
                    f"{len(waiting) - 1} more are still running. See the logs in {FOLDER}/log."
                )
            time.sleep(POLL_SECONDS)

    def month(self, run: dict[str, Any], data: MonthOfData, evaluations: Path) -> MonthReport:
        """Read the results of one run.

        :param evaluations: Folder into which the run's evaluation.json is copied, if there is one.
        """
        month = _month_of(run)
        if run["state"] != "success":
            task, reason = self._failure(self.dag_id, run["dag_run_id"])
            return MonthReport(month, data, run["state"], reason=f"{task}: {reason}")
        recorded = self._api.xcom(self.dag_id, run["dag_run_id"], "record_result")
        result = json.loads(self._read(recorded["result"]))
        package = result.get("model_package_arn")
        model = package.rsplit(":", 1)[-1].partition("/")[2] if package else result.get("training_job_name")
        evaluation = (result.get("evaluation") or {}).get("uri")
        auc = Measured(result["metrics"][f"validation:{METRIC}"]) if result["metrics"] else None
        if evaluation:
            uri = evaluation if evaluation.endswith(".json") else f"{evaluation.rstrip('/')}/evaluation.json"
            text = self._read(uri)
            (evaluations / f"{month:%Y-%m}.json").write_text(text, encoding="utf-8")
            measured = json.loads(text)["challenger"]["metrics"][METRIC]
            auc = Measured(measured["value"], measured["low"], measured["high"])
        return MonthReport(
            month, data, run["state"], recorded["outcome"], recorded["message"], model, auc,
            (result.get("split") or {}).get("validation_rows"),
        )  # fmt: skip

    def _read(self, uri: str) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self._clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body.decode("utf-8")

    def _failure(self, dag_id: str, run_id: str) -> tuple[str, str]:
        """Return the first task that failed, and the reason that its log gives last."""
        instances = self._api.task_instances(dag_id, run_id).values()
        failed = sorted((item for item in instances if item["state"] == "failed"), key=lambda item: item["end_date"])
        if not failed:
            return "?", "no task has failed"
        task = failed[0]["task_id"]
        with contextlib.suppress(AirflowApiError):
            lines = self._api.task_log(dag_id, run_id, task, failed[0]["try_number"]).splitlines()
            said = [line for line in lines if "deliver" in line or "Error" in line]
            if said:
                return task, said[-1].split("; deliver")[0].strip()
        return task, "see its log"


def _month(text: str) -> datetime.date:
    return datetime.datetime.strptime(text, "%Y-%m").date()


def _month_of(run: dict[str, Any]) -> datetime.date:
    return datetime.datetime.fromisoformat(run["data_interval_start"]).date()


def draw(evaluations: Path, output: Path) -> bool:
    """Draw the metric over time from the evaluations.

    :param output: The image to write.
    :returns: Whether there were any evaluations.
    :raises ReportError: The plot cannot be drawn.
    """
    files = sorted(evaluations.glob("*.json"))
    if not files:
        return False
    script = ROOT / "include" / "evaluation" / "over_time.py"
    command = [sys.executable, str(script), "--metric", METRIC, "--output", str(evaluations), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReportError(f"the plot could not be drawn: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    shutil.copyfile(evaluations / f"{METRIC}_over_time.png", output)
    return True


def make(options: argparse.Namespace) -> Path:
    """Backfill the data and write the page.

    :returns: The page.
    :raises ReportError: The data cannot be dated, a run fails, or a month with data has no model.
    """
    from benchmarks.machine import describe_machine

    evaluations = _empty_folder()
    data, sentence = choose_data(options.data)
    partitions = partition(data)
    if not partitions.dated:
        raise ReportError(f"{options.data}: {partitions.warnings[0]}")
    pipeline = _monthly_pipeline(options.pipeline)
    months, seconds = _backfill(pipeline, data, months_of(partitions.content), evaluations, options)
    drawn = draw(evaluations, options.output.with_name(PLOT))
    settings = [
        f"recipe `{pipeline.recipe}`",
        f"window {pipeline.window_days} days",
        f"pool `{pipeline.pool}`",
        f"{options.at_once} interval{'s' if options.at_once > 1 else ''} at once, oldest first",
    ]
    page = render(
        months, data=sentence, pipeline=pipeline.name, settings=settings, machine=describe_machine() + ".",
        seconds=seconds, plot=PLOT if drawn else None,
    )  # fmt: skip
    scratch = options.output.with_name(f".{options.output.name}.part")
    scratch.write_text(page, encoding="utf-8")
    scratch.replace(options.output)
    broken = [month for month in months if month.data.rows and month.model is None]
    if broken:
        raise ReportError(
            f"{options.output} is written, but {len(broken)} month(s) with data have no model, the first "
            f"{broken[0].month:%Y-%m}: {broken[0].reason}"
        )
    return Path(options.output)


def _empty_folder() -> Path:
    """Delete what an earlier report left behind, and return the folder of the evaluations."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if LocalStack(FOLDER).running():
        raise ReportError(f"another report is being made in {FOLDER}; wait until it ends, or delete the folder.")
    for name in ("airflow", "postgres", "local_aws", "include", "evaluations", "log"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    evaluations = FOLDER / "evaluations"
    evaluations.mkdir()
    return evaluations


def _monthly_pipeline(pipeline: str) -> Pipeline:
    include = FOLDER / "include"
    name = monthly_include(ROOT / "include", pipeline, include)
    os.environ["BREWTRAIN_INCLUDE"] = str(include)
    from brewtrain import resources

    return resources.find_pipeline(name)


def _backfill(
    pipeline: Pipeline,
    data: bytes,
    by_month: Mapping[datetime.date, MonthOfData],
    evaluations: Path,
    options: argparse.Namespace,
) -> tuple[list[MonthReport], float]:
    """Backfill in a stack of its own, and return the months and the seconds that it took."""
    stack = LocalStack(FOLDER, Ports.free(), overrides={"BREWTRAIN_INCLUDE": str(FOLDER / "include")}, report=_tell)
    clients = local_clients(stack.aws_endpoint_url)
    guard = start_guard(FOLDER)
    try:
        stack.start(prepare=lambda endpoint_url: bootstrap(clients))
        bucket = pipeline.source.bucket(f"brewtrain-{clients('sts').get_caller_identity()['Account']}-{REGION}")
        file = FOLDER / "data.csv"
        file.write_bytes(data)
        loaded = load(file, bucket, pipeline.source.layout.pattern, clients("s3"))
        _tell(f"{loaded.rows:,} rows in {loaded.partitions} partitions, {loaded.first_date} to {loaded.last_date}")
        backfill = MonthlyBackfill(stack, pipeline, clients)
        backfill.deploy()
        _tell(f"{pipeline.name} is deployed; Airflow's UI is {stack.api_url}")
        began = time.monotonic()
        runs = backfill.run(options.first, options.last, at_once=options.at_once)
        seconds = time.monotonic() - began
        months = [backfill.month(run, by_month.get(_month_of(run), MonthOfData()), evaluations) for run in runs]
    finally:
        stack.stop()
        guard.communicate()
    return months, seconds


def _tell(line: str) -> None:
    print(f"backfill-report: {line}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Make the report.

    :returns: The exit code: 0 made, 1 not made or a month has no model, 130 interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.backfill_report", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--data", type=Path, help="file to backfill (default: UCI's if downloaded, else generated rows)"
    )
    parser.add_argument("--pipeline", default="bank_marketing", help="pipeline to copy (default %(default)s)")
    parser.add_argument(
        "--at-once", type=int, default=1, help="number of intervals at once (default %(default)s: in order)"
    )
    first, last = (datetime.date(month.year, month.month, 1) for month in (CALL_MONTHS[0], CALL_MONTHS[-1]))
    parser.add_argument(
        "--first", type=_month, default=first, metavar="YYYY-MM", help=f"first month (default {first:%Y-%m})"
    )
    parser.add_argument(
        "--last", type=_month, default=last, metavar="YYYY-MM", help=f"last month (default {last:%Y-%m})"
    )
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write (default %(default)s)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        page = make(options)
    except (ReportError, LoadError, StackError, BootstrapError, AirflowApiError, TimeoutError) as error:
        print(f"backfill-report: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbackfill-report: interrupted; everything that was started has been stopped.", file=sys.stderr)
        return 130
    _tell(f"{page} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
