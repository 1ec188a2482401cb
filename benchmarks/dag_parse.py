"""Compare the processor time to parse each of this project's DAG files with that of an empty one.

Airflow's own parser is measured twice. *Fresh*: an interpreter starts, Airflow fills a DagBag from
the file, the interpreter ends; the command line pays this. *Forked*, as in the DAG processor: a
process that has imported Airflow, and the Airflow modules that the file names, forks; the child
fills a DagBag, serialises the DAGs and ends; every parse of a running Airflow pays this. Parsing
waits for nothing, so its processor time is its time on an idle machine. Run it with ``make bench
BENCH=dag_parse``; the page is docs/benchmarks/dag_parse.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import describe_machine, paragraph

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks" / "dag_parse.md"
AIM = 1.2
EMPTY = "from airflow.sdk import DAG\n\nwith DAG(dag_id='empty', schedule=None):\n    pass\n"
FRESH = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
sys.exit(str(bag.import_errors) if bag.import_errors else 0)
"""
# The DAG processor imports these before it forks for the first file.
WARM = (
    "import airflow.dag_processing.manager, airflow.dag_processing.processor, airflow.serialization.serialized_objects"
)


def _parse_in_child(file: Path, bundle: Path) -> float:
    """Fork, parse one file in the child, and return the processor seconds it took."""
    import structlog
    from airflow.dag_processing import processor

    child = os.fork()
    if child == 0:
        code = 1
        try:
            request = processor.DagFileParseRequest(
                file=str(file), bundle_path=bundle, bundle_name="dags-folder", callback_requests=[]
            )
            result = processor._parse_file(request, structlog.get_logger())
            code = 0 if result is not None and not result.import_errors else 2
        finally:
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"{file.name} does not parse (status {os.waitstatus_to_exitcode(status)})")
    return usage.ru_utime + usage.ru_stime


def measure_forked(rounds: int) -> dict[str, list[float]]:
    """Return the processor seconds of each file in a fork of one process, the empty file first.

    The files are measured in turns, so that other load affects all of them alike.
    """
    import structlog
    from airflow.dag_processing.processor import _pre_import_airflow_modules

    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty_dag.py"
        empty.write_text(EMPTY)
        files = [empty, *sorted((ROOT / "dags").glob("*.py"))]
        for file in files:
            _pre_import_airflow_modules(str(file), structlog.get_logger())
        seconds: dict[str, list[float]] = {file.name: [] for file in files}
        for turn in range(rounds + 1):
            for file in files:
                taken = _parse_in_child(file, file.parent)
                # The first turn fills the page cache and writes the byte code.
                if turn:
                    seconds[file.name].append(taken)
    return seconds


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure_fresh(rounds: int) -> dict[str, list[float]]:
    """Return the processor seconds of a whole interpreter for each file, the empty file first.

    The files are measured in turns, as in :func:`measure_forked`.
    """
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty_dag.py"
        empty.write_text(EMPTY)
        files = [empty, *sorted((ROOT / "dags").glob("*.py"))]
        seconds: dict[str, list[float]] = {file.name: [] for file in files}
        for turn in range(rounds + 1):
            for file in files:
                before = _children_seconds()
                subprocess.run([sys.executable, "-c", FRESH, str(file)], check=True, stdout=subprocess.DEVNULL)
                if turn:
                    seconds[file.name].append(_children_seconds() - before)
    return seconds


def _table(seconds: dict[str, list[float]]) -> str:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    empty = medians["empty_dag.py"]
    own = [value for name, value in medians.items() if name != "empty_dag.py"]
    rows = [f"| `{name}` | {1000 * value:.0f} | {value / empty:.2f} |" for name, value in medians.items()]
    mean = statistics.mean(own)
    return "\n".join(
        [
            "| file | milliseconds | ÷ empty |",
            "|---|---:|---:|",
            *rows,
            f"| **mean of the project's files** (aim ≤ {AIM}) | {1000 * mean:.0f} | **{mean / empty:.2f}** |",
        ]
    )


def report(fresh: dict[str, list[float]], forked: dict[str, list[float]], rounds: int) -> str:
    """Return the page as Markdown."""
    return f"""# DAG parse: this project's files against an empty one

{paragraph(f"{describe_machine()}. Processor time, medians of {rounds} parses each, in turns.")}

## In a fresh interpreter

{_table(fresh)}

## In a fork of the DAG processor

An empty file costs almost nothing here, so read the milliseconds rather than the ratio. The rest is
mostly pydantic building the pipeline's model and Airflow serialising the tasks.

{_table(forked)}
"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dag_parse", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="parses of each file (default %(default)s)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        exec(WARM)
        page = report(measure_fresh(arguments.rounds), measure_forked(arguments.rounds), arguments.rounds)
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_text(page)
        print(page)
        return
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        }
        command = [sys.executable, "-m", "benchmarks.dag_parse", "--inside", "--rounds", str(arguments.rounds)]
        raise SystemExit(subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
