"""Render docs/backfill-report.md from the results of the backfill.

Must not call AWS or Airflow: the results are passed in.
"""

from __future__ import annotations

import dataclasses
import datetime
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from tools.bank_marketing import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class MonthOfData:
    """The rows that were delivered for one month.

    :ivar positives: How many of them are clients who said yes.
    """

    rows: int = 0
    positives: int = 0


@dataclasses.dataclass(frozen=True)
class Measured:
    """A metric with its 95 % interval; `low` and `high` are ``None`` where none was measured."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class MonthReport:
    """The result of one month's run.

    :ivar month: The month's first day.
    :ivar state: State of the DAG run.
    :ivar outcome: ``promoted``, ``rejected`` …; ``None`` where nothing was recorded.
    :ivar reason: Why, in words.
    :ivar model: The model package's version or the training job.
    :ivar validation_rows: Validation rows of the whole training window.
    """

    month: datetime.date
    data: MonthOfData
    state: str
    outcome: str | None = None
    reason: str = ""
    model: str | None = None
    auc: Measured | None = None
    validation_rows: int | None = None


def months_of(content: Mapping[datetime.date, bytes], label: str = "y") -> dict[datetime.date, MonthOfData]:
    """Return rows and positives of each month, by its first day.

    :param content: Partitions as :func:`tools.load_data.partition` returns them.
    """
    found: dict[datetime.date, MonthOfData] = {}
    for day, data in content.items():
        header, *lines = data.decode("utf-8").splitlines()
        place = [name.strip().strip('"') for name in header.split(DELIMITER)].index(label)
        values = [line.split(DELIMITER)[place].strip().strip('"') for line in lines if line.strip()]
        month = found.get(day.replace(day=1), MonthOfData())
        found[day.replace(day=1)] = MonthOfData(
            month.rows + len(values), month.positives + sum(value == "yes" for value in values)
        )
    return found


_MADE = (
    "Written by `make backfill-report`, which starts Airflow and local_aws, loads the data as daily partitions "
    "(docs/backfill.md has the rule), and backfills a monthly copy of the pipeline with Airflow's own backfill. "
    "Run it again to renew this page."
)
_READ = (
    "`rows` and `yes` count the month alone. A model is trained on the whole window that ends with the month, and "
    "measured on the window's validation rows, on which no model of this recipe was trained."
)


def render(
    months: Sequence[MonthReport],
    *,
    data: str,
    pipeline: str,
    settings: Sequence[str],
    machine: str,
    seconds: float,
    plot: str | None,
) -> str:
    """Return the page as Markdown.

    :param months: In order.
    :param data: One sentence that says which data was used.
    :param settings: Facts about the pipeline.
    :param machine: Where and when it was measured.
    :param seconds: Duration of the backfill itself.
    :param plot: File name of the plot beside the page, if there is one.
    """
    models = sum(month.model is not None for month in months)
    with_data = [month for month in months if month.data.rows]
    outcomes = Counter(month.outcome for month in with_data if month.outcome)
    found = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
    lines = [
        "# A backfill of every month",
        "",
        textwrap.fill(_MADE, _WIDTH),
        "",
        _bullet("Data", data),
        _bullet("Pipeline", f"`{pipeline}`; {'; '.join(settings)}."),
        _bullet(
            "Result",
            f"{len(months)} intervals, all ended; {models} models recorded for {len(with_data)} months with "
            f"data{f' ({found})' if found else ''}.",
        ),
        *_exceptions(months),
        _bullet(
            "Time",
            f"{seconds / 60:.0f} minutes for the backfill, {seconds / max(len(with_data), 1):.0f} s a month "
            f"with data. {machine}",
        ),
        "",
        textwrap.fill(_READ, _WIDTH),
        "",
        "| month | rows | yes | validation rows | AUC | 95 % interval | outcome | why | model |",
        "|---|---:|---:|---:|---:|---|---|---|---|",
        *(_row(month) for month in months),
    ]
    if plot:
        drawn = "Drawn by `include/evaluation/over_time.py` from the runs' own evaluation.json."
        lines += ["", f"![AUC over time]({plot})", "", drawn]
    return "\n".join(lines) + "\n"


def _bullet(name: str, text: str) -> str:
    return textwrap.fill(f"- **{name}**: {text}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _exceptions(months: Sequence[MonthReport]) -> list[str]:
    lines = []
    if empty := sum(not month.data.rows for month in months):
        what = (
            "There were no calls in them; `check_input` refuses such an interval, so its run fails and starts nothing."
        )
        lines.append(_bullet("Months without data", f"{empty}. {what}"))
    if failed := [f"{month.month:%Y-%m}" for month in months if month.data.rows and month.state != "success"]:
        lines.append(_bullet("Broken", f"{', '.join(failed)}."))
    return lines


def _row(month: MonthReport) -> str:
    data = month.data
    share = f"{data.positives / data.rows:.1%}" if data.rows else "–"
    auc = f"{month.auc.value:.3f}" if month.auc else "–"
    interval = (
        f"{month.auc.low:.3f} – {month.auc.high:.3f}"
        if month.auc and month.auc.low is not None and month.auc.high is not None
        else "–"
    )
    outcome = month.outcome or ("no data" if not data.rows else f"broken ({month.state})")
    validation = f"{month.validation_rows:,}" if month.validation_rows is not None else "–"
    reason = month.reason.replace("|", "\\|").replace("\n", " ")
    model = f"`{month.model}`" if month.model else "–"
    rows = f"{data.rows:,}"
    cells = [f"{month.month:%Y-%m}", rows, share, validation, auc, interval, outcome, reason, model]
    return f"| {' | '.join(cells)} |"
