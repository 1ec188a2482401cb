"""Draws metrics over time from several evaluation.json files, and writes the table behind the plot.

    python include/evaluation/over_time.py --output over-time runs/*/evaluation/evaluation.json

Must not import anything outside the standard library and matplotlib.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import plots
from evaluation_errors import DataError, EvaluationError

LAYOUT = 1
DEFAULT_METRICS = ("auc", "aucpr", "logloss", "error")


def load_evaluations(paths: list[Path]) -> list[dict[str, Any]]:
    """Read evaluations of one pipeline.

    :param paths: Files evaluation.json.
    :returns: Their contents in order of data date, then of run id.
    :raises DataError: If a file is not an evaluation of this layout, or two belong to different
        pipelines.
    """
    documents = []
    for path in paths:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise DataError(f"{path} is not readable JSON; name evaluation.json files") from None
        if not isinstance(document, dict) or document.get("layout") != LAYOUT or "challenger" not in document:
            raise DataError(f"{path} is not an evaluation of layout {LAYOUT}; name evaluation.json files")
        documents.append(document)
    if not documents:
        raise DataError("no evaluation was named; name at least one evaluation.json")
    pipelines = sorted({document["run"]["pipeline"] for document in documents})
    if len(pipelines) > 1:
        raise DataError(
            f"the evaluations belong to several pipelines ({', '.join(pipelines)}); name those of one pipeline"
        )
    return sorted(documents, key=lambda document: (document["run"]["data_date"], document["run"]["id"]))


def table(documents: list[dict[str, Any]], metrics: list[str]) -> list[dict[str, Any]]:
    """Make the table behind the plots, one row a run.

    :param documents: Contents of evaluation.json.
    :param metrics: Metrics that get a column each, and two for the interval.
    """
    rows = []
    for document in documents:
        row = {
            "data_date": document["run"]["data_date"],
            "run_id": document["run"]["id"],
            "validation_rows": document["data"]["validation_rows"],
            "positive_share": document["baseline"]["positive_share"],
            "outcome": document["gate"]["outcome"],
        }
        for metric in metrics:
            measured = document["challenger"]["metrics"][metric]
            row[metric] = measured["value"]
            row[f"{metric}_low"] = measured["low"]
            row[f"{metric}_high"] = measured["high"]
        rows.append(row)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Write one PNG a metric and ``over_time.csv``.

    :param arguments: The command's arguments; default: those of this process.
    :returns: The exit code: 0, or 1 after an error, of which standard error has the sentence.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("evaluations", nargs="+", type=Path)
    parser.add_argument("--metric", action="append", dest="metrics", help="may come several times")
    parser.add_argument("--output", type=Path, default=Path())
    options = parser.parse_args(arguments)
    metrics = options.metrics or list(DEFAULT_METRICS)
    try:
        documents = load_evaluations(options.evaluations)
        known = set(documents[0]["challenger"]["metrics"])
        for metric in metrics:
            if metric not in known:
                raise DataError(f"metric {metric!r} is not known; write one of {', '.join(sorted(known))}")
        images = {f"{metric}_over_time.png": plots.draw_over_time(documents, metric) for metric in metrics}
        rows = table(documents, metrics)
    except EvaluationError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    options.output.mkdir(parents=True, exist_ok=True)
    for name, content in images.items():
        (options.output / name).write_bytes(content)
    with (options.output / "over_time.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} runs: {', '.join(sorted(images))}, over_time.csv in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
