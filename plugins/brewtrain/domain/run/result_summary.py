"""The end of a run in a few lines for its log: candidate and champion side by side.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brewtrain.domain.evaluation.gate import WARN
from brewtrain.domain.evaluation.metrics import short_name

_HEADER = ("metric", "candidate", "champion", "difference")


def metric_rows(
    metrics: Mapping[str, float], champion: Mapping[str, float], evaluation: Mapping[str, Any] | None
) -> list[tuple[str, str, str, str]]:
    """Return a row for each metric: name, candidate, champion, difference.

    :param metrics: Metric, e.g. ``validation:auc`` → the candidate's value.
    :param champion: The same of the champion; empty unless compared.
    :param evaluation: evaluation.json, which has the intervals; ``None`` where there is none.
    """
    document = evaluation or {}
    measured = _part(document, "challenger", "metrics")
    of_champion = _part(document, "champion", "metrics")
    differences = _part(document, "comparison", "differences")
    known = {short_name(name): value for name, value in champion.items()}
    rows = []
    for name, value in sorted(metrics.items()):
        short = short_name(name)
        served = known.get(short)
        difference = differences.get(short) or ({} if served is None else {"value": value - served})
        rows.append(
            (
                name,
                _shown(value, measured.get(short)),
                "–" if served is None else _shown(served, of_champion.get(short)),
                _shown(difference["value"], difference, sign=True) if "value" in difference else "–",
            )
        )
    return rows


def table(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    """Return rows as aligned lines under a header; none if there are none."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (_HEADER, *rows)) for column in range(len(_HEADER))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEADER, *rows)
    ]


def gate_warnings(evaluation: Mapping[str, Any] | None) -> list[str]:
    """Return what the gate warned of without refusing the model for it.

    :param evaluation: evaluation.json; ``None`` where there is none.
    """
    checks = _part(evaluation or {}, "gate").get("checks") or ()
    return [str(check["sentence"]) for check in checks if check["outcome"] == WARN]


def _part(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _shown(value: float, interval: Any, *, sign: bool = False) -> str:
    text = f"{value:+.4f}" if sign else f"{value:.4f}"
    low, high = (interval.get("low"), interval.get("high")) if isinstance(interval, Mapping) else (None, None)
    if low is None or high is None:
        return text
    return f"{text} [{low:+.4f}, {high:+.4f}]" if sign else f"{text} [{low:.4f}, {high:.4f}]"
