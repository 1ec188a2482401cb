"""Makes the files that an evaluation leaves, and writes them all at once.

Must not import anything outside the standard library and numpy, but for the modules beside it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import gate
import numpy as np
import plots
import report_page

LAYOUT = 1
VERDICT_BYTES = 8192
SMOKE_ROWS = 20
_REASON_CHARACTERS = 500


def make_verdict(document: dict[str, Any]) -> dict[str, Any]:
    """Shorten an evaluation to what the state machine reads, at most 8 KiB of JSON.

    :param document: Content of evaluation.json.
    """
    decision = document["gate"]
    champion = document["champion"]
    verdict = {
        "layout": LAYOUT,
        "outcome": decision["outcome"],
        "red": decision["red"],
        "below_bounds": decision["below_bounds"],
        "message": _message(decision),
        "reasons": [reason[:_REASON_CHARACTERS] for reason in decision["reasons"]],
        "metrics": {name: value["value"] for name, value in document["challenger"]["metrics"].items()},
        "majority_class_error": document["baseline"]["majority_class_error"],
        "champion_status": document["comparison"]["status"],
        "champion_metrics": (
            {name: value["value"] for name, value in champion["metrics"].items()}
            if champion is not None and champion["metrics"] is not None
            else {}
        ),
        "validation_rows": document["data"]["validation_rows"],
        "validation_positives": document["data"]["validation_positives"],
    }
    while len(json.dumps(verdict).encode("utf-8")) > VERDICT_BYTES and len(verdict["reasons"]) > 1:
        verdict["reasons"].pop()
    return verdict


def _message(decision: dict[str, Any]) -> str:
    warnings = [check["sentence"] for check in decision["checks"] if check["outcome"] == gate.WARN]
    if decision["outcome"] == gate.PASS:
        warned = f" with {len(warnings)} warning{'s' if len(warnings) > 1 else ''}" if warnings else ""
        return f"The candidate passed the quality gate{warned}."
    more = len(decision["reasons"]) - len(warnings) - 1
    also = f", and {more} more reason{'s' if more > 1 else ''}" if more else ""
    return f"The quality gate refused the candidate: {decision['reasons'][0][:_REASON_CHARACTERS]}{also}."


def make_smoke_test(features: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Choose rows whose scores the endpoint must repeat once it serves the candidate.

    :param features: Shape ``(rows, features)``, float32, ``nan`` for missing.
    :param scores: Shape ``(rows,)``, of the candidate.
    :returns: Content of smoke.json: CSV rows as the endpoint takes them, evenly over the range of
        scores.
    """
    usable = np.flatnonzero(~np.isnan(features).all(axis=1))  # a line without any number is no row
    by_score = usable[np.argsort(scores[usable], kind="stable")]
    chosen = by_score[np.unique(np.linspace(0, len(by_score) - 1, SMOKE_ROWS).round().astype(int))]
    return {
        "layout": LAYOUT,
        "content_type": "text/csv",
        # Nine digits bring back the very float32 that was scored.
        "rows": [",".join("" if np.isnan(value) else f"{value:.9g}" for value in features[row]) for row in chosen],
        "scores": [float(scores[row]) for row in chosen],
    }


def remove_old_outputs(folder: Path) -> None:
    """Remove the results of an earlier attempt, so that none survive an error of this one.

    :param folder: The output folder; made if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.iterdir():
        if stale.is_file():
            stale.unlink()


def write_outputs(
    folder: Path, document: dict[str, Any], profile: dict[str, Any], smoke: dict[str, Any], verdict: dict[str, Any]
) -> None:
    """Write every file under a temporary name first, then rename them, ``verdict.json`` last.

    So where there is a verdict, the other files are there too and complete.

    :param folder: The output folder.
    :param document: Content of evaluation.json, from which plots and page are drawn.
    :param profile: Content of profile.json.
    :param smoke: Content of smoke.json.
    :param verdict: Content of verdict.json.
    :raises OSError: If one cannot be written; no file is left then.
    """
    images = plots.draw_evaluation(document)
    files: dict[str, bytes] = {
        "evaluation.json": _json(document),
        "profile.json": _json(profile),
        "smoke.json": _json(smoke),
        **images,
        "report.html": report_page.render_page(document, images).encode("utf-8"),
        "verdict.json": _json(verdict),
    }
    # Parts lie in the output folder itself: each output of a processing job is a mount of its own.
    parts = {name: folder / f".{name}.part" for name in files}
    try:
        for name, content in files.items():
            parts[name].write_bytes(content)
        for name, part in parts.items():
            os.replace(str(part), str(folder / name))
    except OSError:
        for path in [*parts.values(), *(folder / name for name in files)]:
            if path.exists():
                path.unlink()
        raise


def _json(document: dict[str, Any]) -> bytes:
    # allow_nan=False: NaN is not JSON, and Step Functions would fail on it much later.
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n").encode("utf-8")
