"""The page docs/backfill-report.md, from what the backfill left behind.

Must not call AWS or Airflow: it is handed what was found.
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

_WIDTH = 118


@dataclasses.dataclass(frozen=True)
class MonthOfData:
    """What was delivered of one month: `rows`, and how many of them are `positives` (clients who said yes)."""

    rows: int = 0
    positives: int = 0


@dataclasses.dataclass(frozen=True)
class Measured:
    """A metric with its 95 % interval; `low` and `high` are None where the run measured none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclasses.dataclass(frozen=True)
class MonthReport:
    """What became of one month's run.

    `month` is its first day; `state`, the DAG run's; `outcome`, ``promoted``, ``rejected`` … or
    None where nothing was recorded; `reason` says why in words; `model` names what was recorded:
    the model package's version or the training job; `validation_rows` are those of the whole
    training window.
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
    """Rows and positives of each month, by its first day, of the loader's partitions (`tools.load_data.partition`)."""
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
    """The page as Markdown.

    Parameters: `months` in order; `data`, one sentence on which data was used; `settings`, facts
    about the pipeline; `machine`, where and when; `seconds`, how long the backfill itself took;
    `plot`, file name of the plot beside the page, if there is one.
    """
    models = sum(month.model is not None for month in months)
    with_data = [month for month in months if month.data.rows]
    outcomes = Counter(month.outcome for month in with_data if month.outcome)
    found = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
    made = (
        "Made by `make backfill-report`, which starts Airflow with its own scheduler, and local_aws, loads the data as "
        "daily partitions (docs/backfill.md has the rule), and backfills a monthly copy of the pipeline through "
        "Airflow's own backfill. Run it again to make this page anew."
    )
    read = (
        "`rows` and `yes` are the month's own; a model is trained on the whole window that ends with the month, and "
        "measured on the window's validation rows, which no model of this recipe has trained on."
    )
    lines = [
        "# A backfill of every month",
        "",
        textwrap.fill(made, _WIDTH),
        "",
        f"- **Data**: {data}",
        f"- **Pipeline**: `{pipeline}`; {'; '.join(settings)}.",
        f"- **Result**: {len(months)} intervals, all ended; {models} models recorded for {len(with_data)} months with "
        f"data{f' ({found})' if found else ''}.",
        *_exceptions(months),
        f"- **Time**: {seconds / 60:.0f} minutes for the backfill, {seconds / max(len(with_data), 1):.0f} s a month "
        f"with data. {machine}",
        "",
        textwrap.fill(read, _WIDTH),
        "",
        "| month | rows | yes | validation rows | AUC | 95 % interval | outcome | why | model |",
        "|---|---:|---:|---:|---:|---|---|---|---|",
        *(_row(month) for month in months),
    ]
    if plot:
        drawn = "Drawn by `include/evaluation/over_time.py` from the runs' own evaluation.json."
        lines += ["", f"![AUC over time]({plot})", "", drawn]
    return "\n".join(lines) + "\n"


def _exceptions(months: Sequence[MonthReport]) -> list[str]:
    lines = []
    if empty := sum(not month.data.rows for month in months):
        lines.append(
            f"- **Months without data**: {empty}. Nobody was called in them; `check_input` refuses such an interval, "
            "so its run is failed and nothing was started for it."
        )
    if failed := [f"{month.month:%Y-%m}" for month in months if month.data.rows and month.state != "success"]:
        lines.append(f"- **Broken**: {', '.join(failed)}.")
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
