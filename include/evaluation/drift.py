"""Profiles of features, and how far one window's distribution has moved from another's.

The measure is the population stability index, PSI = Σ (a − e)·ln(a / e) over bins, where e is the
champion's share of rows and a this window's (Siddiqi, Credit Risk Scorecards, Wiley 2006; his rule
of thumb: below 0.1 stable, above 0.25 shifted). Bins are those of the champion's profile. Must not
import anything outside the standard library and numpy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

PROFILE_LAYOUT = 1
STABLE_BELOW = 0.1
SHIFTED_ABOVE = 0.25
_MOST_VALUES = 20  # up to this many distinct values a feature is profiled by value
_QUANTILES = 10
_SMALLEST_SHARE = 1e-4  # of an empty bin, whose logarithm would be infinite


def feature_profile(name: str, column: np.ndarray) -> dict[str, Any]:
    """Make the profile of one feature.

    :param name: The feature's name.
    :param column: Shape ``(rows,)``, ``nan`` for missing.
    :returns: ``kind`` is ``values`` (``bins`` are the values, a last count is for all others) or
        ``ranges`` (``bins`` are inner edges, value ≤ edge; one count more than edges); ``counts``;
        ``missing``; ``mean``.
    """
    column = np.asarray(column, dtype=np.float64)
    present = column[np.isfinite(column)]
    values = np.unique(present)
    if values.size <= _MOST_VALUES:
        kind, bins = "values", values
    else:
        inner = np.arange(1, _QUANTILES) / _QUANTILES
        edges = np.unique(np.quantile(present, inner))
        # An edge at the largest value would leave the bin above it always empty.
        kind, bins = "ranges", edges[edges < values[-1]]
    profile: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "bins": [float(value) for value in bins],
        "mean": float(present.mean()) if present.size else None,
    }
    counts, missing = _count(profile, column)
    profile["counts"] = counts
    profile["missing"] = missing
    return profile


def _count(profile: dict[str, Any], column: np.ndarray) -> tuple[list[int], int]:
    present = column[np.isfinite(column)]
    bins = np.asarray(profile["bins"], dtype=np.float64)
    if profile["kind"] == "ranges":
        where = np.searchsorted(bins, present, side="left")
        return [int(n) for n in np.bincount(where, minlength=bins.size + 1)], int(column.size - present.size)
    where = np.searchsorted(bins, present, side="left")
    known = np.zeros(present.size, dtype=bool)
    inside = where < bins.size
    known[inside] = bins[where[inside]] == present[inside]
    counts = np.bincount(where[known], minlength=bins.size) if bins.size else np.zeros(0, dtype=int)
    return [int(n) for n in counts] + [int((~known).sum())], int(column.size - present.size)


def profile_rows(names: list[str], features: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Make the profile of a window: of every feature and the label.

    :param names: Names of the features, in order.
    :param features: Shape ``(rows, features)``.
    :param labels: Shape ``(rows,)``, bool.
    """
    return {
        "layout": PROFILE_LAYOUT,
        "rows": int(labels.size),
        "positives": int(labels.sum()),
        "features": [feature_profile(name, features[:, index]) for index, name in enumerate(names)],
    }


def population_stability_index(expected: np.ndarray | list[int], actual: np.ndarray | list[int]) -> float:
    """Measure how far one distribution is from another, over the same bins.

    An empty bin counts as a share of 0.0001, so that a value that appears or disappears gives a
    large index and not an infinite one.

    :param expected: Shape ``(bins,)``, counts of the reference.
    :param actual: Shape ``(bins,)``, counts now.
    :raises ValueError: If either has no rows.
    """
    shares = []
    for counts in (expected, actual):
        counts = np.asarray(counts, dtype=np.float64)
        if counts.sum() <= 0:
            raise ValueError("a distribution without rows has no stability index")
        floored = np.maximum(counts / counts.sum(), _SMALLEST_SHARE)
        shares.append(floored / floored.sum())
    before, now = shares
    return float(((now - before) * np.log(now / before)).sum())


def drift(reference: dict[str, Any], names: list[str], features: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Compare a window with a profile.

    :param reference: What :func:`profile_rows` returned for the champion's window, after JSON.
    :param names: Names of this window's features; those that the profile lacks are left out.
    :param features: Shape ``(rows, features)``.
    :param labels: Shape ``(rows,)``, bool.
    :returns: ``features``: list of ``name``, ``psi``, ``level``, most shifted first; ``label``: the
        same for the label.
    :raises ValueError: If the profile is not of this layout.
    """
    if not isinstance(reference, dict) or reference.get("layout") != PROFILE_LAYOUT:
        raise ValueError(f"the profile is not of layout {PROFILE_LAYOUT}")
    known = {entry["name"]: entry for entry in reference["features"]}
    compared: list[dict[str, Any]] = []
    for index, name in enumerate(names):
        before = known.get(name)
        if before is None:
            continue
        counts, missing = _count(before, np.asarray(features[:, index], dtype=np.float64))
        psi = population_stability_index([*before["counts"], before["missing"]], [*counts, missing])
        compared.append({"name": name, "psi": psi, "level": level(psi)})
    positives = int(labels.sum())
    label = population_stability_index(
        [reference["positives"], reference["rows"] - reference["positives"]], [positives, labels.size - positives]
    )
    compared.sort(key=lambda entry: (-entry["psi"], entry["name"]))
    return {
        "reference_rows": int(reference["rows"]),
        "features": compared,
        "label": {"name": "(label)", "psi": label, "level": level(label)},
    }


def level(psi: float) -> str:
    """Name a PSI: ``stable``, ``moderate`` or ``shifted``.

    :param psi: From :func:`population_stability_index`; ``nan`` counts as shifted.
    """
    if math.isnan(psi) or psi > SHIFTED_ABOVE:
        return "shifted"
    return "stable" if psi < STABLE_BELOW else "moderate"
