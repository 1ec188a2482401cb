"""Measures models on the validation rows, each figure with its bootstrap interval.

All models see the same resamples, so that differences between them are paired. Must not import
anything outside the standard library and numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import binary_metrics
import bootstrap
import numpy as np

_CURVE_POINTS = 101


@dataclass(frozen=True)
class Measurement:
    """One model on the validation rows and on every resample of them.

    :param point: Metric → value on the rows.
    :param samples: Metric → shape ``(resamples,)``.
    :param section: Its metrics, curves, reliability and lift as evaluation.json holds them.
    """

    point: dict[str, float]
    samples: dict[str, np.ndarray]
    section: dict[str, Any]


def measure(
    labels: np.ndarray, scores: dict[str, np.ndarray], *, resamples: int, confidence: float, seed: int
) -> dict[str, Measurement]:
    """Measure every model.

    :param labels: Shape ``(rows,)``, bool, both classes present.
    :param scores: Role → shape ``(rows,)``, probabilities of class 1.
    :param resamples: Number of bootstrap resamples.
    :param confidence: Two-sided coverage of the intervals, e.g. 0.95.
    :param seed: The same seed draws the same resamples.
    :returns: Role → measurement.
    """
    grid = np.linspace(0.0, 1.0, _CURVE_POINTS)
    sorted_once = {role: binary_metrics.ScoredRows(labels, values) for role, values in scores.items()}
    drawn: dict[str, list[dict[str, np.ndarray]]] = {role: [] for role in scores}
    bands: dict[str, list[dict[str, np.ndarray]]] = {role: [] for role in scores}
    for weights in bootstrap.resamples(labels, resamples, seed):
        for role, scored in sorted_once.items():
            drawn[role].append(binary_metrics.metrics(scored, weights))
            bands[role].append(binary_metrics.curves(scored, weights, grid))
    measured = {}
    for role, scored in sorted_once.items():
        point = {name: float(value[0]) for name, value in binary_metrics.metrics(scored).items()}
        samples = _joined(drawn[role])
        section = {
            "metrics": {name: _with_interval(value, samples[name], confidence) for name, value in point.items()},
            **_curves(scored, grid, _joined(bands[role]), confidence),
            "reliability": binary_metrics.reliability(scored),
        }
        measured[role] = Measurement(point, samples, section)
    return measured


def paired_differences(
    challenger: Measurement, champion: Measurement, confidence: float
) -> dict[str, dict[str, float]]:
    """Return the difference challenger − champion of every metric, with its own interval.

    :param challenger: Measured on the same resamples as the champion.
    :param champion: Measured on the same resamples as the challenger.
    :param confidence: Two-sided coverage of the intervals.
    """
    return {
        name: _with_interval(
            challenger.point[name] - champion.point[name],
            challenger.samples[name] - champion.samples[name],
            confidence,
        )
        for name in binary_metrics.METRICS
    }


def _curves(
    scored: binary_metrics.ScoredRows, grid: np.ndarray, band: dict[str, np.ndarray], confidence: float
) -> dict[str, Any]:
    """Sample the curves on a grid, with the band that their resamples fill.

    :param band: Curve → shape ``(resamples, points)``.
    """
    curve = binary_metrics.curves(scored, np.ones((1, scored.rows)), grid)
    tail = (1.0 - confidence) / 2.0
    low, high = ({name: np.quantile(band[name], q, axis=0) for name in band} for q in (tail, 1.0 - tail))
    return {
        "curves": {
            name: {
                "x": _rounded(grid),
                "y": _rounded(curve[name][0]),
                "low": _rounded(low[name]),
                "high": _rounded(high[name]),
            }
            for name in ("roc", "pr")
        },
        "lift": [
            {
                "decile": index + 1,
                "lift": float(curve["lift"][0][index]),
                "low": float(low["lift"][index]),
                "high": float(high["lift"][index]),
            }
            for index in range(binary_metrics.LIFT_GROUPS)
        ],
    }


def _joined(batches: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _with_interval(value: float, samples: np.ndarray, confidence: float) -> dict[str, float]:
    low, high = bootstrap.interval(samples, confidence)
    return {"value": value, "low": low, "high": high}


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
