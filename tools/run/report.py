"""The summary of one run, as a page in the terminal and as var/last_run.json.

Must not call AWS: the results are passed in.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Outcome = Literal["promoted", "rejected", "pending", "broken"]
_STYLES = {"promoted": "green", "rejected": "yellow", "pending": "yellow", "broken": "red"}


@dataclass
class RunReport:
    """The content of var/last_run.json.

    :param outcome: ``promoted``: the endpoint serves the new model; ``rejected``: the gate refused
        it; ``pending``: a person must approve it; ``broken``: the run failed.
    :param reason: One sentence.
    :param stages: ``{"name", "seconds"}`` of each stage that ran, in order.
    :param metrics: Value by the metric's name.
    :param thresholds: ``{"min": …}`` or ``{"max": …}`` by the metric's name.
    :param majority_class_error: Error of always predicting the more common class, on the validation
        rows.
    :param evaluation: Path of the evaluation's page, with curves, calibration, lift and the gate's
        reasons.
    :param endpoint: ``name``, ``config`` and ``model`` of the endpoint as it serves.
    :param predictions: ``{"label", "score"}`` of rows on which the model was not trained.
    :param seconds: ``setup``, ``deploy``, ``retrain``, ``total``.
    """

    outcome: Outcome
    reason: str
    pipeline: str
    interval: str | None = None
    data: str | None = None
    execution_arn: str | None = None
    stages: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)
    majority_class_error: float | None = None
    evaluation: str | None = None
    endpoint: dict[str, str | None] = field(default_factory=lambda: {"name": None, "config": None, "model": None})
    predictions: list[dict[str, float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 for ``broken``, 0 for every other outcome."""
        return 1 if self.outcome == "broken" else 0


def write(report: RunReport, path: Path) -> None:
    """Write the report as JSON, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(asdict(report), stream, indent=2)
            stream.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def show(report: RunReport, console: Console, *, where_next: list[str], detail: str = "") -> None:
    """Print the summary.

    :param where_next: Lines that say what to do next.
    :param detail: Further text about a problem.
    """
    style = _STYLES[report.outcome]
    parts: list[Any] = [Text.assemble((report.outcome.upper(), f"bold {style}"), "  ", report.reason), Text("")]
    if detail:
        parts += [Text(detail, style="red"), Text("")]
    if report.stages:
        parts += [_stages(report), Text("")]
    if report.metrics:
        parts += [_metrics(report), Text("")]
    if report.endpoint["model"]:
        parts.append(
            Text.assemble(
                ("endpoint  ", "bold"), f"{report.endpoint['name']} serves {report.endpoint['model']}\n",
                ("config    ", "bold"), str(report.endpoint["config"]),
            )
        )  # fmt: skip
        parts.append(Text(""))
    if report.predictions:
        parts += [_predictions(report), Text("")]
    seconds = "   ".join(f"{name} {value:.1f} s" for name, value in report.seconds.items())
    parts.append(Text.assemble(("time      ", "bold"), seconds))
    parts += [
        Text.assemble(("next      " if index == 0 else " " * 10, "bold"), line) for index, line in enumerate(where_next)
    ]
    title = f"{report.pipeline}" + (f" · {report.interval}" if report.interval else "")
    console.print(Panel(Group(*parts), title=title, border_style=style, padding=(1, 2)))


def _stages(report: RunReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("")
    longest = max(stage["seconds"] for stage in report.stages) or 1.0
    for stage in report.stages:
        table.add_row(stage["name"], f"{stage['seconds']:.2f}", "━" * max(1, round(30 * stage["seconds"] / longest)))
    return table


def _metrics(report: RunReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading, justify in (("metric", "left"), ("value", "right"), ("must be", "left"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for name, value in report.metrics.items():
        bounds = report.thresholds.get(name, {})
        wanted = " and ".join(f"{'≥' if bound == 'min' else '≤'} {limit:g}" for bound, limit in bounds.items())
        passes = all(value >= limit if bound == "min" else value <= limit for bound, limit in bounds.items())
        mark = "" if not bounds else "[green]✓[/]" if passes else "[red]✗[/]"
        table.add_row(name, f"{value:.4f}", wanted, mark)
    if report.majority_class_error is not None:
        table.add_row(
            "[dim]majority class error[/]", f"[dim]{report.majority_class_error:.4f}[/]", "[dim]baseline[/]", ""
        )
    return table


def _predictions(report: RunReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("of 100 rows not used in training")
    table.add_column("label", justify="right")
    table.add_column("score", justify="right")
    table.add_column("")
    for name, row in zip(("highest score", "middle", "lowest"), report.predictions, strict=False):
        table.add_row(name, f"{row['label']:g}", f"{row['score']:.4f}", "▇" * max(1, round(20 * row["score"])))
    return table
