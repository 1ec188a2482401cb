"""Writes the evaluation as one HTML page that needs no other file: tables and the plots inline.

Every text is escaped: names of features come from the data. Must not import anything outside the
standard library, but for the sentences about features.
"""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import feature_sentences

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #111827; max-width: 1060px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.quiet { color: #6b7280; }
.verdict { border-left: 5px solid; padding: .5rem 1rem; background: #f9fafb; margin: 1rem 0; }
.pass { border-color: #009e73; } .refuse { border-color: #d55e00; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } caption { text-align: left; color: #6b7280; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e5e7eb; vertical-align: top; }
td.number, th.number { text-align: right; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots img { max-width: 500px; width: 100%; height: auto; }
"""
_PLOT_TEXTS = {
    "roc.png": "ROC curve of the candidate and the champion",
    "pr.png": "Precision over recall of the candidate and the champion",
    "calibration.png": "Observed share of positives over predicted probability",
    "lift.png": "Lift by tenths of the rows",
    "drift.png": "Population stability index by feature",
}


def render_page(document: dict[str, Any], images: dict[str, bytes]) -> str:
    """Render the page of one evaluation.

    :param document: Content of evaluation.json.
    :param images: File name → PNG, as :func:`plots.draw_evaluation` returns them.
    :returns: HTML.
    """
    run, data, gate = document["run"], document["data"], document["gate"]
    title = f"Evaluation of {run['id']}"
    passed = gate["outcome"] == "pass"
    verdict = "The gate passed the candidate." if passed else "The gate refused the candidate."
    reasons = "".join(f"<li>{escape(_sentence(reason))}</li>" for reason in gate["reasons"])
    notes = "".join(f"<li>{escape(_sentence(note))}</li>" for note in document["comparison"]["notes"])
    pictures = "".join(_picture(name, png) for name, png in images.items())
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">pipeline {escape(run["pipeline"])} · data up to {escape(run["data_date"])} · '
        f"recipe version {escape(run['recipe_version'])} · {data['validation_rows']:,} validation rows, "
        f"{data['validation_positives']:,} positive</p>",
        f'<div class="verdict {"pass" if passed else "refuse"}"><strong>{verdict}</strong>',
        f"<ul>{reasons}</ul>" if reasons else "",
        "</div>",
        "<h2>Metrics</h2>",
        _metrics_table(document),
        f"<ul>{notes}</ul>" if notes else "",
        "<h2>Gate</h2>",
        _checks_table(gate),
        "<h2>Features that died or changed</h2>",
        _changes_table(document),
        "<h2>Plots</h2>",
        f'<div class="plots">{pictures}</div>',
        "<h2>Drift</h2>",
        _drift_table(document),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _picture(name: str, png: bytes) -> str:
    content = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(_PLOT_TEXTS.get(name, name))}" src="data:image/png;base64,{content}">'


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _range(measured: dict[str, float] | None, sign: str = "") -> str:
    if measured is None:
        return '<td class="number quiet">–</td>'
    value, low, high = (format(measured[key], f"{sign}.4f") for key in ("value", "low", "high"))
    return f'<td class="number">{value} <span class="quiet">({low} to {high})</span></td>'


def _metrics_table(document: dict[str, Any]) -> str:
    champion = document["champion"]["metrics"] if document["champion"] is not None else None
    differences = document["comparison"]["differences"]
    lines = []
    for metric, measured in document["challenger"]["metrics"].items():
        cells = _range(measured) + _range(champion[metric] if champion else None)
        lines.append(f"<tr><th>{escape(metric)}</th>{cells}{_range(differences.get(metric), '+')}</tr>")
    bootstrap = document["bootstrap"]
    baseline = document["baseline"]["majority_class_error"]
    return (
        f"<table><caption>{bootstrap['confidence']:.0%} intervals from {bootstrap['resamples']} resamples. "
        f"Always predicting the more frequent class has error {baseline:.4f}.</caption>"
        '<tr><th>metric</th><th class="number">candidate</th><th class="number">champion</th>'
        '<th class="number">candidate − champion</th></tr>' + "".join(lines) + "</table>"
    )


def _checks_table(gate: dict[str, Any]) -> str:
    if not gate["checks"]:
        return '<p class="quiet">The pipeline has no rules.</p>'
    lines = "".join(
        f"<tr><td>{escape(check['outcome'])}</td><td>{escape(check['rule'].replace('_', ' '))}</td>"
        f"<td>{escape(_sentence(check['sentence']))}</td></tr>"
        for check in gate["checks"]
    )
    return f"<table><tr><th>outcome</th><th>rule</th><th>found</th></tr>{lines}</table>"


def _changes_table(document: dict[str, Any]) -> str:
    found = document["feature_changes"]
    against = (
        f"Dead, or moved by a population stability index above {found['max_psi']:g} against the champion's window."
        if found["compared"]
        else f"Not compared with a champion's window: {found['reason'] or 'no champion serves'}."
    )
    if not found["changes"]:
        return f'<p class="quiet">None. {escape(against)}</p>'
    lines = "".join(_change_row(change) for change in found["changes"])
    return (
        f"<table><caption>{escape(against)}</caption><tr><th>feature</th><th>what</th><th>champion's window</th>"
        f'<th>this window</th><th class="number">PSI</th><th>since</th></tr>{lines}</table>'
    )


def _change_row(change: dict[str, Any]) -> str:
    since = {True: "new", False: "as in the champion's window", None: "not known"}[change["became"]]
    psi = "–" if change["psi"] is None else f"{change['psi']:.4f}"
    sides = "".join(f"<td>{escape(feature_sentences.side_text(change, side))}</td>" for side in ("before", "now"))
    return (
        f"<tr><td>{escape(change['name'])}</td><td>{escape(feature_sentences.title(change['change']))}</td>{sides}"
        f'<td class="number">{psi}</td><td>{since}</td></tr>'
    )


def _drift_table(document: dict[str, Any]) -> str:
    drift = document["drift"]
    if drift is None:
        return '<p class="quiet">Not measured: no profile of a champion\'s window is there to compare with.</p>'
    lines = "".join(
        f'<tr><td>{escape(entry["name"])}</td><td class="number">{entry["psi"]:.4f}</td>'
        f"<td>{escape(entry['level'])}</td></tr>"
        for entry in [drift["label"], *drift["features"]]
    )
    return (
        f"<table><caption>Against the champion's window of {drift['reference_rows']:,} rows.</caption>"
        f'<tr><th>feature</th><th class="number">PSI</th><th>level</th></tr>{lines}</table>'
    )
