"""Draws the plots of one evaluation, and of many over time, from evaluation.json alone.

Must not import anything outside the standard library and matplotlib, and never pyplot, which keeps
state. Colours are those of Okabe & Ito, which colour-blind people tell apart.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

CHALLENGER = "#0072B2"
CHAMPION = "#D55E00"
NEUTRAL = "#6b7280"
_LEVEL_COLOURS = {"stable": "#009E73", "moderate": "#E69F00", "shifted": "#D55E00"}
_MOST_FEATURES = 25
_DOTS_PER_INCH = 110


def draw_evaluation(document: dict[str, Any]) -> dict[str, bytes]:
    """Draw every plot of one evaluation.

    :param document: Content of evaluation.json.
    :returns: File name → PNG. ``drift.png`` is there only if drift was measured.
    """
    models = [("candidate", CHALLENGER, document["challenger"])]
    if document["champion"] is not None and document["champion"]["metrics"] is not None:
        models.append(("champion", CHAMPION, document["champion"]))
    images = {
        "roc.png": _roc(document, models),
        "pr.png": _pr(document, models),
        "calibration.png": _calibration(document, models),
        "lift.png": _lift(document, models),
    }
    if document["drift"] is not None:
        images["drift.png"] = draw_drift(document)
    return images


def _figure(width: float = 6.4, height: float = 5.0) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    axes = figure.add_subplot(1, 1, 1)
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.grid(True, color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.tight_layout()
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)  # print_png has no type information
    # No Software entry: the same evaluation gives the same bytes.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _title(axes: Any, title: str, document: dict[str, Any], detail: str | None = None) -> None:
    data = document["data"]
    if detail is None:
        detail = f"{data['validation_rows']:,} validation rows, {data['validation_positives']:,} positive"
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", pad=22)
    axes.annotate(
        f"{document['run']['id']} · {detail}",
        xy=(0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 8),
        textcoords="offset points",
        fontsize=8.5,
        color=NEUTRAL,
    )


def _with_interval(name: str, metric: str, model: dict[str, Any]) -> str:
    measured = model["metrics"][metric]
    return f"{name}: {metric} {measured['value']:.3f} ({measured['low']:.3f}–{measured['high']:.3f})"


def _roc(document: dict[str, Any], models: list[tuple[str, str, dict[str, Any]]]) -> bytes:
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=":", label="chance")
    for name, colour, model in models:
        curve = model["curves"]["roc"]
        axes.fill_between(curve["x"], curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(curve["x"], curve["y"], color=colour, linewidth=1.8, label=_with_interval(name, "auc", model))
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.005))
    axes.set_aspect("equal")
    axes.legend(loc="lower right", frameon=False, fontsize=8.5)
    _title(axes, "ROC curve", document)
    return _png(figure)


def _pr(document: dict[str, Any], models: list[tuple[str, str, dict[str, Any]]]) -> bytes:
    figure, axes = _figure()
    share = document["baseline"]["positive_share"]
    axes.axhline(share, color=NEUTRAL, linewidth=1, linestyle=":", label=f"chance: share of positives {share:.3f}")
    for name, colour, model in models:
        curve = model["curves"]["pr"]
        axes.fill_between(curve["x"], curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0, step="post")
        label = _with_interval(name, "aucpr", model)
        axes.step(curve["x"], curve["y"], color=colour, linewidth=1.8, label=label, where="post")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="upper right", frameon=False, fontsize=8.5)
    _title(axes, "Precision and recall", document)
    return _png(figure)


def _calibration(document: dict[str, Any], models: list[tuple[str, str, dict[str, Any]]]) -> bytes:
    figure, axes = _figure()
    top = max(max(bin_["high"], bin_["mean_score"]) for _, _, model in models for bin_ in model["reliability"])
    top = min(1.0, top * 1.08)
    axes.plot([0, top], [0, top], color=NEUTRAL, linewidth=1, linestyle=":", label="perfectly calibrated")
    for name, colour, model in models:
        bins = model["reliability"]
        scores = [bin_["mean_score"] for bin_ in bins]
        observed = [bin_["observed"] for bin_ in bins]
        # A rounding error may put the observed share just outside its interval.
        below = [max(0.0, bin_["observed"] - bin_["low"]) for bin_ in bins]
        above = [max(0.0, bin_["high"] - bin_["observed"]) for bin_ in bins]
        axes.errorbar(
            scores,
            observed,
            yerr=[below, above],
            color=colour,
            ecolor=colour,
            elinewidth=1,
            capsize=2.5,
            marker="o",
            markersize=5,
            linestyle="none",
            alpha=0.85,
            label=_with_interval(name, "ece", model),
        )
    axes.set(
        xlabel="mean predicted probability of the bin",
        ylabel="observed share of positives",
        xlim=(0, top),
        ylim=(0, top),
    )
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)
    _title(axes, "Calibration, ten bins of equal size", document)
    return _png(figure)


def _lift(document: dict[str, Any], models: list[tuple[str, str, dict[str, Any]]]) -> bytes:
    figure, axes = _figure()
    width = 0.8 / len(models)
    for index, (name, colour, model) in enumerate(models):
        offset = (index - (len(models) - 1) / 2) * width
        places = [group["decile"] + offset for group in model["lift"]]
        lifts = [group["lift"] for group in model["lift"]]
        # A percentile interval need not contain the estimate of a skewed statistic.
        below = [max(0.0, group["lift"] - group["low"]) for group in model["lift"]]
        above = [max(0.0, group["high"] - group["lift"]) for group in model["lift"]]
        label = f"{name}: {lifts[0]:.2f} in the first tenth"
        axes.bar(places, lifts, width=width * 0.92, color=colour, alpha=0.85, label=label)
        axes.errorbar(places, lifts, yerr=[below, above], fmt="none", ecolor="#374151", elinewidth=1, capsize=2)
    axes.axhline(1.0, color=NEUTRAL, linewidth=1, linestyle=":", label="as good as chance")
    axes.set(xlabel="tenth of the rows, highest scores first", ylabel="lift: share of positives over that of all rows")
    axes.set_xticks(range(1, 11))
    axes.set_ylim(bottom=0)
    axes.grid(False, axis="x")
    axes.legend(loc="upper right", frameon=False, fontsize=8.5)
    _title(axes, "Lift by tenths", document)
    return _png(figure)


def draw_drift(document: dict[str, Any]) -> bytes:
    """Draw the population stability index of the most shifted features.

    :param document: Content of evaluation.json, with a drift.
    :returns: PNG.
    """
    from matplotlib.patches import Patch

    entries = [*document["drift"]["features"], document["drift"]["label"]]
    entries.sort(key=lambda entry: -entry["psi"])
    shown = entries[:_MOST_FEATURES][::-1]
    figure, axes = _figure(height=max(2.6, 1.5 + 0.24 * len(shown)))
    names = [_label(entry["name"]) for entry in shown]
    places = range(len(shown))
    axes.barh(places, [entry["psi"] for entry in shown], color=[_LEVEL_COLOURS[entry["level"]] for entry in shown])
    axes.set_yticks(list(places))
    axes.set_yticklabels(names, fontsize=8)
    for bound in (0.1, 0.25):
        axes.axvline(bound, color=NEUTRAL, linewidth=1, linestyle=":")
    texts = {"stable": "stable, below 0.1", "moderate": "moderate", "shifted": "shifted, above 0.25"}
    keys = [Patch(color=_LEVEL_COLOURS[level], label=text) for level, text in texts.items()]
    axes.legend(handles=keys, loc="lower right", frameon=False, fontsize=8.5)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlim(0, max(0.3, shown[-1]["psi"] * 1.05))
    axes.set_xlabel("population stability index against the champion's window")
    axes.grid(False, axis="y")
    detail = f"window of {document['data']['window_rows']:,} rows against {document['drift']['reference_rows']:,}"
    most = f", the {len(shown)} most shifted of {len(entries)}" if len(shown) < len(entries) else ""
    _title(axes, f"Drift by feature{most}", document, detail)
    return _png(figure)


def _label(name: str) -> str:
    """Shorten a feature's name, and keep its dollar signs from starting a formula."""
    short = name if len(name) <= 32 else name[:31] + "…"
    return short.replace("$", "\\$")


def draw_over_time(documents: list[dict[str, Any]], metric: str) -> bytes:
    """Draw one metric over the data dates of many evaluations, the share of positives below it.

    :param documents: Contents of evaluation.json, in order of data date.
    :param metric: One of the metrics in them.
    :returns: PNG.
    """
    from matplotlib.figure import Figure

    dates = [datetime.strptime(document["run"]["data_date"], "%Y-%m-%d") for document in documents]
    figure = Figure(figsize=(8.6, 5.4), dpi=_DOTS_PER_INCH)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    for axes in (upper, lower):
        axes.spines["top"].set_visible(False)
        axes.spines["right"].set_visible(False)
        axes.grid(True, color="#e5e7eb", linewidth=0.8)
    _candidates_over_time(upper, dates, documents, metric)
    _champions_over_time(upper, dates, documents, metric)
    upper.set_ylabel(metric)
    upper.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        ncol=4,
        frameon=False,
        fontsize=8,
        columnspacing=1,
        handlelength=1.5,
    )
    upper.set_title(f"{metric} on each run's validation rows", loc="left", fontsize=12, fontweight="bold", pad=24)
    shares = [document["baseline"]["positive_share"] for document in documents]
    lower.plot(dates, shares, color=NEUTRAL, linewidth=1.4, marker=".")
    lower.set_ylabel("share of\npositives")
    lower.set_ylim(bottom=0)
    lower.set_xlabel("data date of the run")
    figure.autofmt_xdate()
    return _png(figure)


def _candidates_over_time(axes: Any, dates: list[datetime], documents: list[dict[str, Any]], metric: str) -> None:
    measured = [document["challenger"]["metrics"][metric] for document in documents]
    values = [entry["value"] for entry in measured]
    low, high = ([entry[end] for entry in measured] for end in ("low", "high"))
    axes.fill_between(dates, low, high, color=CHALLENGER, alpha=0.15, linewidth=0)
    axes.plot(dates, values, color=CHALLENGER, linewidth=1.6, label="candidate, with interval")
    outcomes = (("pass", "o", CHALLENGER, "passed the gate"), ("refuse", "X", CHAMPION, "refused by the gate"))
    for outcome, marker, colour, label in outcomes:
        at = [index for index, document in enumerate(documents) if document["gate"]["outcome"] == outcome]
        if at:
            points = [dates[index] for index in at], [values[index] for index in at]
            axes.plot(*points, marker, color=colour, markersize=6, label=label, markeredgecolor="white")


def _champions_over_time(axes: Any, dates: list[datetime], documents: list[dict[str, Any]], metric: str) -> None:
    compared = [
        (date, document["champion"]["metrics"][metric]["value"])
        for date, document in zip(dates, documents)
        if document["champion"] is not None and document["champion"]["metrics"] is not None
    ]
    if compared:
        label = "champion of the day, same rows"
        axes.plot(*zip(*compared), color=NEUTRAL, linewidth=1.2, linestyle="--", label=label)
