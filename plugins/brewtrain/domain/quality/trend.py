"""How each rule did in the last runs: one small JSON document a pipeline.

Must not import Airflow or boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from brewtrain.domain.quality.report import QualityReport

#: Results that are kept of a rule on a column.
KEPT = 90
VERSION = 1


def with_results(document: object, report: QualityReport, *, run_id: str, data_date: date) -> dict[str, Any]:
    """Return the trend with the results of one run.

    A run that is validated again replaces its results; runs stand in the order of their data, so
    that a backfill goes to its place. A rule that is gone keeps what it had.

    :param document: The trend so far, parsed; ``None``, or what cannot be read, begins a new one.
    :param report: What became of the run's rules.
    :param run_id: The run.
    :param data_date: Its newest day.
    """
    rules = {key: list(series) for key, series in _series(document).items()}
    for result in report.results:
        key = result.rule if result.column is None else f"{result.rule} · {result.column}"
        point = {
            "run": run_id,
            "data_date": data_date.isoformat(),
            "outcome": result.outcome,
            "rows": result.rows,
            "failing_rows": result.failing_rows,
        }
        others = [one for one in rules.get(key, []) if one.get("run") != run_id]
        rules[key] = sorted([*others, point], key=lambda one: (str(one.get("data_date")), str(one.get("run"))))[-KEPT:]
    return {"version": VERSION, "rules": rules}


def _series(document: object) -> dict[str, list[dict[str, Any]]]:
    found = document.get("rules") if isinstance(document, Mapping) and document.get("version") == VERSION else None
    if not isinstance(found, Mapping):
        return {}
    return {
        str(key): [dict(one) for one in series if isinstance(one, Mapping)]
        for key, series in found.items()
        if isinstance(series, list)
    }
