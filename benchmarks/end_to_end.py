"""Compare an execution on local AWS with the same work in one fresh Python process.

Both apply the same recipe with the same engine, split the same rows by the same hash, train XGBoost
with the same hyperparameters, and evaluate the model with the same script, plots included, beside a
champion (the peer's is its own model again; the execution's also has a profile to measure drift
against). The peer has no services, no state machine and no IAM; the ratio shows what they cost. Run
it with ``make bench BENCH=end_to_end``; the page is docs/benchmarks/end_to_end.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine, paragraph
from tools.bank_marketing import FULL_ROWS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks" / "end_to_end.md"
AIM = 1.5
HYPERPARAMETERS = {
    "num_round": "100", "max_depth": "5", "eta": "0.1", "gamma": "4", "min_child_weight": "6", "subsample": "0.8",
    "objective": "binary:logistic", "eval_metric": "auc,aucpr,error,logloss", "seed": "0",
}  # fmt: skip


def same_work(data: Path) -> None:
    """Do the work of one execution in this process, and print the metrics as JSON."""
    import hashlib

    import polars as pl
    import xgboost

    from recipe_runner.api import run_recipe

    with tempfile.TemporaryDirectory() as folder:
        steps = json.loads((ROOT / "include" / "recipes" / "bank_marketing.json").read_text())
        from datetime import UTC, datetime

        run_recipe(
            steps, [data], input_format="CSV", input_options={"Csv": {"Delimiter": ";", "HeaderRow": True}},
            output_dir=Path(folder), outputs=[{"Format": "CSV", "Overwrite": True}], job_name="bench",
            started_at=datetime.now(UTC),
        )  # fmt: skip
        written = next(path for path in Path(folder).rglob("*") if path.is_file())
        table = pl.read_csv(written, infer_schema=False)
    threshold = f"{int(0.3 * 16**32):032x}"
    joined = table.select(pl.concat_str(pl.all().fill_null("\\N"), separator="\x1f")).to_series()
    side = [hashlib.md5(row.encode()).hexdigest() < threshold for row in joined]
    numbers = table.cast(pl.Float64)
    parts = {"train": numbers.filter(~pl.Series(side)), "validation": numbers.filter(pl.Series(side))}
    matrices = {
        name: xgboost.DMatrix(part.drop("y_output").to_numpy(), label=part["y_output"].to_numpy())
        for name, part in parts.items()
    }
    settings: dict[str, Any] = dict(HYPERPARAMETERS)
    rounds, metrics = int(settings.pop("num_round")), settings.pop("eval_metric").split(",")
    booster = xgboost.train(
        settings | {"eval_metric": metrics}, matrices["train"], rounds,
        evals=[(matrices["train"], "train"), (matrices["validation"], "validation")], verbose_eval=False,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        verdict = _evaluate(Path(folder), parts, bytes(booster.save_raw("ubj")))
    print(json.dumps(verdict["metrics"]))


def _evaluate(folder: Path, parts: dict[str, Any], model: bytes) -> dict[str, Any]:
    """Run the evaluation's script in this process, on files as in its container."""
    import io
    import tarfile

    sys.path[:0] = [str(ROOT / "plugins"), str(ROOT / "include" / "evaluation")]
    from brewtrain.domain.evaluation import gate

    features = [name for name in parts["train"].columns if name != "y_output"]
    for name, part in parts.items():
        (folder / name).mkdir()
        part.select("y_output", *features).write_csv(folder / name / "part-0.csv", include_header=False)
    (folder / "split.json").write_text(json.dumps({"features": features}))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(model)
        archive.addfile(member, io.BytesIO(model))
    sys.modules["gate"] = gate
    import evaluate

    verdict: dict[str, Any] = evaluate.evaluate(
        evaluate.parse_arguments(
            ["--run-id", "bench", "--pipeline", "bench", "--data-date", "2026-01-01", "--recipe-version", "1.0",
             "--validation-fraction", "0.3", "--champion", str(folder / "model.tar.gz"),
             "--validation", str(folder / "validation"),
             "--train", str(folder / "train"), "--challenger", str(folder / "model.tar.gz"),
             "--summary", str(folder / "split.json"), "--output", str(folder / "evaluation")]
        )
    )  # fmt: skip
    return verdict


def _peer_seconds(data: Path) -> tuple[float, dict[str, float]]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.end_to_end", "--same-work", str(data)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return time.perf_counter() - began, json.loads(done.stdout)


def main() -> None:
    """Measure, print the table and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--same-work", type=Path, help="only do the peer's work on this file")
    parser.add_argument("--rows", type=int, default=FULL_ROWS, help="generated rows (default %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default %(default)s)")
    options = parser.parse_args()
    if options.same_work is not None:
        same_work(options.same_work)
        return

    from benchmarks.installation import Installation
    from tools.sample_data import write_csv

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "sample.csv"
        write_csv(data, options.rows, 0)
        with Installation(data, HYPERPARAMETERS) as installation:
            installation.run()
            rows = []
            for _ in range(options.runs):
                execution, states, found = installation.run()
                peer, expected = _peer_seconds(data)
                rows.append((execution, peer, states, found, expected))
    ours = statistics.median(row[0] for row in rows)
    peer = statistics.median(row[1] for row in rows)
    ratio = statistics.median(row[0] / row[1] for row in rows)
    states = {name: statistics.median(row[2].get(name, 0.0) for row in rows) for name in rows[0][2]}
    found, expected = rows[0][3], rows[0][4]
    lines = [
        "# End to end: the state machine against the same work in one process", "",
        paragraph(
            f"{describe_machine()}. {options.rows:,} rows, {options.runs} runs side by side, medians, warm server."
        ), "",
        "| | seconds |", "|---|---:|",
        f"| the execution on local AWS | {ours:.2f} |",
        f"| the same work in one fresh Python process | {peer:.2f} |",
        f"| **ratio** (aim ≤ {AIM}) | **{ratio:.2f}** |", "",
        "Where the execution's time goes:", "", "| state | seconds |", "|---|---:|",
        *(f"| {name} | {seconds:.2f} |" for name, seconds in states.items()), "",
        paragraph(
            "Metrics, execution / peer: "
            + ", ".join(f"{name} {found[name]:.4f} / {expected[name]:.4f}" for name in expected) + "."
        ),
        "",
    ]  # fmt: skip
    print("\n".join(lines))
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
