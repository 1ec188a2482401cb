"""Compare the recipe runner on the seed's recipe with pandas, PySpark and the floor.

The floor is polars reading and writing the same CSV with no step. Every contender runs in its own
process, so that its peak memory can be told; figures are medians, and what counts are the ratios
within one run. `python -m benchmarks.recipes --rows 50000000` adds the big size, which needs 22 GB
of disk. PySpark takes part if there is a Java, from its own environment in var/.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import describe_machine, paragraph

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPE = REPOSITORY / "include" / "recipes" / "bank_marketing_seed.json"
REPORT = REPOSITORY / "docs" / "benchmarks" / "recipes.md"
BLOCK = 5_000_000
BYTES_PER_ROW = 150  # of the sample, a little more than it takes
PYSPARK = "pyspark==4.0.1"
SIZES = (41_188, 1_000_000, 5_000_000)
REPEATS = {41_188: 5, 1_000_000: 3, 5_000_000: 3}


def runner(source: Path, target: Path) -> None:
    """Run the recipe as local_aws does."""
    from datetime import UTC, datetime

    from recipe_runner.api import run_recipe

    steps = json.loads(RECIPE.read_text())
    run_recipe(
        steps,
        [source],
        input_format="CSV",
        input_options={"Csv": {"Delimiter": ";", "HeaderRow": True}},
        output_dir=target,
        outputs=[{"Format": "CSV", "Overwrite": True}],
        job_name="bench",
        started_at=datetime.now(UTC),
    )


def floor(source: Path, target: Path) -> None:
    """Read and write the file with polars, with no step."""
    import polars as pl

    # The economic indicators are whole numbers in the first rows and not further down.
    doubles = ("emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed")
    frame = pl.scan_csv(source, separator=";", schema_overrides=dict.fromkeys(doubles, pl.Float64))
    frame.sink_csv(target / "floor.csv")


def pandas_by_hand(source: Path, target: Path) -> None:
    """Make the same result in pandas, written by hand."""
    import pandas as pd

    frame = pd.read_csv(source, sep=";")
    frame["y_output"] = frame["y"].map({"no": 0, "yes": 1})
    for value in sorted(frame["marital"].dropna().unique()):
        frame[f"marital_{value}"] = (frame["marital"] == value).astype(int)
    frame["long_call"] = (frame["duration"] > 300).astype(int)
    bins = pd.cut(frame["age"], [float("-inf"), 22, 42.394, float("inf")], right=False, labels=["1", "2", "3"])
    frame["age_binning"] = bins.astype(object).where(frame["loan"] == "no")
    frame = frame[frame["default"] != "yes"]
    flagged = frame["housing"].str.contains("yes").map({True: "1", False: "0"})
    frame = frame.assign(house_without_loan=flagged.where(frame["loan"] == "no"))
    marital = [name for name in frame.columns if name.startswith("marital_")]
    kept = ["y_output", "age_binning", *marital, "house_without_loan", "duration", "long_call"]
    frame[kept].to_csv(target / "pandas.csv", index=False)


def pyspark_local(source: Path, target: Path) -> None:
    """Make the same result in PySpark on this machine's cores."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.csv(str(source), sep=";", header=True, inferSchema=True)
    frame = frame.withColumn("y_output", F.when(F.col("y") == "no", 0).when(F.col("y") == "yes", 1))
    for row in sorted(row[0] for row in frame.select("marital").distinct().collect()):
        frame = frame.withColumn(f"marital_{row}", (F.col("marital") == row).cast("int"))
    frame = frame.withColumn("long_call", (F.col("duration") > 300).cast("int"))
    no_loan = F.col("loan") == "no"
    bins = F.when(F.col("age") < 22, "1").when(F.col("age") < 42.394, "2").otherwise("3")
    frame = frame.withColumn("age_binning", F.when(no_loan, bins)).filter(F.col("default") != "yes")
    flag = F.when(F.col("housing").rlike("yes"), "1").otherwise("0")
    frame = frame.withColumn("house_without_loan", F.when(no_loan, flag))
    marital = [name for name in frame.columns if name.startswith("marital_")]
    frame.select("y_output", "age_binning", *marital, "house_without_loan", "duration", "long_call").coalesce(
        1
    ).write.csv(str(target / "spark"), header=True, mode="overwrite")
    spark.stop()


CONTENDERS: dict[str, Callable[[Path, Path], None]] = {
    "runner": runner,
    "floor": floor,
    "pandas": pandas_by_hand,
    "pyspark": pyspark_local,
}


def spark_python() -> Path | None:
    """Return an interpreter with PySpark, made once in var/; None if there is no Java."""
    if shutil.which("java") is None:
        return None
    folder = REPOSITORY / "var" / "venv-bench-spark"
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), PYSPARK], check=True)
        (folder / ".complete").touch()
    return python


def measure(contender: str, source: Path) -> tuple[float, float]:
    """Run a contender in its own process.

    :returns: wall seconds of the work without imports, and peak memory in GB.
    """
    python = spark_python() if contender == "pyspark" else Path(sys.executable)
    with tempfile.TemporaryDirectory(dir=source.parent) as target:
        command = [str(python), "-m", "benchmarks.recipes", "--one", contender, str(source), target]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{contender} failed: {done.stderr[-2000:]}")
        seconds, peak = json.loads(done.stdout.strip().splitlines()[-1])
        return float(seconds), float(peak)


def run_one(contender: str, source: Path, target: Path) -> None:
    """Run a contender in this process, and print its seconds and peak memory for the parent."""
    if contender in ("runner", "floor"):
        import polars  # noqa: F401 - imports are not what is compared

        import recipe_runner.api  # noqa: F401
    elif contender == "pandas":
        import pandas  # noqa: F401
    start = time.perf_counter()
    CONTENDERS[contender](source, target)
    seconds = time.perf_counter() - start
    who = resource.RUSAGE_CHILDREN if contender == "pyspark" else resource.RUSAGE_SELF
    print(json.dumps([seconds, resource.getrusage(who).ru_maxrss / 1024**2]))


def compile_milliseconds(steps: int = 100) -> float:
    """Return the milliseconds to validate a recipe and build its plan; best of five."""
    import polars as pl

    from recipe_runner.checking import typed_steps
    from recipe_runner.plan import build_plan
    from recipe_runner.tables.table import Table

    kinds: list[Callable[[int], tuple[str, dict[str, str]]]] = [
        lambda n: ("BINARIZATION", {"sourceColumn": "x", "targetColumn": f"b{n}", "threshold": "3", "flip": "false"}),
        lambda n: (
            "CATEGORICAL_MAPPING",
            {
                "sourceColumn": "c",
                "targetColumn": f"m{n}",
                "categoryMap": '{"a":"1"}',
                "mapType": "NUMERIC",
                "other": "0",
            },
        ),
        lambda n: ("FLAG_COLUMN_FROM_PATTERN", {"sourceColumn": "c", "targetColumn": f"f{n}", "pattern": "a.*"}),
        lambda n: ("MOVE_TO_END", {"sourceColumn": "x"}),
        lambda n: ("REPLACE_TEXT", {"sourceColumn": "c", "pattern": "a", "value": "a"}),
    ]
    document = []
    for number in range(steps):
        operation, parameters = kinds[number % len(kinds)](number)
        document.append({"Action": {"Operation": operation, "Parameters": parameters}})
    times = []
    for _ in range(5):
        table = Table.of(pl.LazyFrame({"x": [1, 2], "c": ["a", "b"]}))
        start = time.perf_counter()
        build_plan(typed_steps(document), table)
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def overhead_milliseconds(folder: Path) -> float:
    """Return the milliseconds beyond polars itself at 1,000 rows, warm; median of nine."""
    source = sample(1_000, folder)
    differences = []
    for _ in range(9):
        start = time.perf_counter()
        runner(source, folder)
        middle = time.perf_counter()
        floor(source, folder)
        differences.append((middle - start) - (time.perf_counter() - middle))
    return statistics.median(differences) * 1000


def sample(rows: int, folder: Path) -> Path:
    """Return a sample file of so many rows, made once.

    Beyond five million rows, it repeats the sample of that size.

    :raises SystemExit: the disk has no room for it and for the outputs.
    """
    path = folder / f"bank-{rows}.csv"
    if path.exists():
        return path
    needed = 3 * rows * BYTES_PER_ROW
    if (free := shutil.disk_usage(folder).free) < needed:
        raise SystemExit(f"{rows:,} rows need {needed / 1e9:.0f} GB in {folder}, which has {free / 1e9:.0f} GB")
    if rows > BLOCK and rows % BLOCK == 0:
        header, _, body = sample(BLOCK, folder).read_bytes().partition(b"\n")
        with path.open("wb") as stream:
            stream.write(header + b"\n")
            for _ in range(rows // BLOCK):
                stream.write(body)
        return path
    command = [sys.executable, "-m", "tools.sample_data", "--rows", str(rows), "--seed", "1", "--out", str(path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    return path


def contenders() -> list[str]:
    """Return the contenders that can run on this machine."""
    names = ["runner", "floor"]
    if subprocess.run([sys.executable, "-c", "import pandas"], capture_output=True, check=False).returncode == 0:
        names.append("pandas")
    if spark_python() is not None:
        names.append("pyspark")
    else:
        print("PySpark is left out: there is no Java on this machine", flush=True)
    return names


def compare(names: list[str], rows: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Return the median seconds and the peak memory in GB of each contender at one size."""
    source = sample(rows, folder)
    results: dict[str, tuple[float, float]] = {}
    for name in names:
        if rows > 10_000_000 and name in ("pandas", "pyspark"):
            continue
        runs = [measure(name, source) for _ in range(REPEATS.get(rows, 1))]
        results[name] = (statistics.median(run[0] for run in runs), max(run[1] for run in runs))
    return results


def table_rows(rows: int, results: dict[str, tuple[float, float]]) -> list[str]:
    """Return the report's table rows of one size."""
    own = results["runner"][0]
    lines = []
    for name, (seconds, peak) in results.items():
        ratio = {"runner": "", "floor": f"{own / seconds:.2f} × the floor's time"}.get(
            name, f"{seconds / own:.1f} × faster"
        )
        # PySpark's JVM outlives the measured process.
        memory = "" if name == "pyspark" else f"{peak:.2f}"
        lines.append(f"| {rows:,} | {name} | {seconds:.2f} | {memory} | {ratio} |")
    return lines


def facts(folder: Path, peaks: dict[int, float]) -> list[str]:
    """Return the report's list of what is measured beside the table.

    :param folder: where the sample files are.
    :param peaks: the runner's peak memory in GB by rows.
    """
    found = [
        f"- Overhead at 1,000 rows beyond polars: {overhead_milliseconds(folder):.0f} ms (aim 50).",
        f"- Validating a 100-step recipe and building its plan: {compile_milliseconds():.0f} ms (aim 100).",
    ]
    if BLOCK in peaks:
        found.append(f"- Peak memory at {BLOCK:,} rows: {peaks[BLOCK]:.2f} GB (aim 1.2).")
        found.extend(
            f"- Peak memory at {rows:,} rows: {peak / peaks[BLOCK]:.2f} × that (aim 1.5)."
            for rows, peak in peaks.items()
            if rows > BLOCK
        )
    return found


def report(sizes: list[int], folder: Path) -> list[str]:
    """Measure all sizes, print the figures, and return the lines of the report."""
    lines = [
        "# Speed of the recipe runner",
        "",
        paragraph(
            "The seed's recipe on `tools/sample_data.py` (seed 1; beyond five million rows, that sample repeated). "
            f"{describe_machine()}. Load average when it began: {os.getloadavg()[0]:.1f}."
        ),
        "",
        "| rows | contender | seconds | peak GB | runner is |",
        "|---:|---|---:|---:|---|",
    ]
    names = contenders()
    peaks: dict[int, float] = {}
    for rows in sizes:
        results = compare(names, rows, folder)
        peaks[rows] = results["runner"][1]
        found = table_rows(rows, results)
        print("\n".join(found), flush=True)
        lines += found
    measured = facts(folder, peaks)
    print("\n".join(measured))
    aims = (
        "Aims: at 5,000,000 rows at least 3.5 × faster than pandas, at most 1.3 × the floor. The runner reads "
        "files over 256 MiB piece by piece; the floor maps its input, whose pages count as its memory."
    )
    return [*lines, "", *measured, "", *textwrap.wrap(aims, width=100)]


def main() -> None:
    """Run the benchmark, or one contender in the child process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, metavar=("CONTENDER", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, action="append", help="further sizes")
    parser.add_argument("--quick", action="store_true", help="the smallest size only, and no report")
    parser.add_argument("--folder", type=Path, help="where the sample files are kept; default: a temporary folder")
    options = parser.parse_args()
    if options.one:
        run_one(options.one[0], Path(options.one[1]), Path(options.one[2]))
        return
    sizes = [SIZES[0]] if options.quick else [*SIZES, *(options.rows or [])]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        lines = report(sizes, folder)
    if not options.quick:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("POLARS_VERBOSE", "0")
    main()
