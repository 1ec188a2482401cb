"""Profiles of features, and how far one window's distribution has moved from another's.

The measure is the population stability index, PSI = Σ (a − e)·ln(a / e) over bins, where e is the
champion's share of rows and a this window's (Siddiqi, Credit Risk Scorecards, Wiley 2006; his rule
of thumb: below 0.1 stable, above 0.25 shifted). Bins are those of the champion's profile. Must not
import anything outside the standard library and numpy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

PROFILE_LAYOUT = 1
STABLE_BELOW = 0.1
SHIFTED_ABOVE = 0.25
_MOST_VALUES = 20  # up to this many distinct values a feature is profiled by value
_QUANTILES = 10
_SMALLEST_SHARE = 1e-4  # of an empty bin, whose logarithm would be infinite
_ONCE_IN_10_000 = 3.7190  # standard normal quantile of 0.9999


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


@dataclass(frozen=True)
class SharedBins:
    """One feature of two windows, both counted over the bins of the champion's profile.

    :param name: The feature's name.
    :param kind: ``values`` or ``ranges``, see :func:`feature_profile`.
    :param bins: The values or the inner edges.
    :param before: Rows of the champion's window by bin, one count more than bins.
    :param before_missing: Rows of the champion's window without a value.
    :param before_mean: Mean of its values; ``None`` if it has none.
    :param now: Rows of this window by bin.
    :param now_missing: Rows of this window without a value.
    """

    name: str
    kind: str
    bins: list[float]
    before: list[int]
    before_missing: int
    before_mean: float | None
    now: list[int]
    now_missing: int


def count_over_bins_of(reference: dict[str, Any], names: list[str], features: np.ndarray) -> list[SharedBins]:
    """Count a window over the bins of a profile.

    :param reference: What :func:`profile_rows` returned for the champion's window, after JSON.
    :param names: Names of this window's features; those that the profile lacks are left out.
    :param features: Shape ``(rows, features)``.
    :raises ValueError: If the profile is not of this layout, or an entry makes no sense.
    :raises KeyError: If an entry lacks a member.
    :raises TypeError: If a member has another type.
    """
    if not isinstance(reference, dict) or reference.get("layout") != PROFILE_LAYOUT:
        raise ValueError(f"the profile is not of layout {PROFILE_LAYOUT}")
    known = {entry["name"]: entry for entry in reference["features"]}
    shared = []
    for index, name in enumerate(names):
        before = known.get(name)
        if before is None:
            continue
        shared.append(_shared_bins(before, np.asarray(features[:, index], dtype=np.float64)))
    return shared


def _shared_bins(entry: dict[str, Any], column: np.ndarray) -> SharedBins:
    bins = [float(value) for value in entry["bins"]]
    before = [int(count) for count in entry["counts"]]
    missing = int(entry["missing"])
    mean = None if entry["mean"] is None else float(entry["mean"])
    numbers = bins if mean is None else [*bins, mean]
    if (
        entry["kind"] not in ("values", "ranges")
        or len(before) != len(bins) + 1
        or min(*before, missing) < 0
        or sum(before) + missing == 0
        or not all(math.isfinite(number) for number in numbers)
    ):
        raise ValueError(f"its entry of {entry['name']} makes no sense")
    now, now_missing = _count(entry, column)
    return SharedBins(str(entry["name"]), entry["kind"], bins, before, missing, mean, now, now_missing)


def drift(reference: dict[str, Any], shared: list[SharedBins], labels: np.ndarray) -> dict[str, Any]:
    """Compare a window with a profile.

    :param reference: What :func:`profile_rows` returned for the champion's window, after JSON.
    :param shared: From :func:`count_over_bins_of`.
    :param labels: Shape ``(rows,)``, bool, of this window.
    :returns: ``features``: list of ``name``, ``psi``, ``level``, most shifted first; ``label``: the
        same for the label.
    :raises ValueError: If the profile has no rows, or more positives than rows.
    """
    if not 0 <= reference["positives"] <= reference["rows"]:
        raise ValueError(f"it has {reference['positives']} positives of {reference['rows']} rows")
    compared: list[dict[str, Any]] = []
    for pair in shared:
        psi = population_stability_index([*pair.before, pair.before_missing], [*pair.now, pair.now_missing])
        compared.append({"name": pair.name, "psi": psi, "level": level(psi)})
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


def beyond_chance(before: list[int], now: list[int]) -> bool:
    """Whether two windows differ more than two samples of one distribution do once in 10,000 times.

    The index of such samples is about chi-squared, with one degree of freedom less than bins, times
    1/rows before + 1/rows now (Yurdakul & Naranjo, Statistical properties of the population
    stability index, Journal of Risk Model Validation 14(4), 2020). Half a row is added to each bin,
    as is usual for odds of few rows: a bin that is empty by chance counts for much otherwise. The
    quantile is Wilson and Hilferty's approximation.

    :param before: Rows of the reference by bin, at least one in all.
    :param now: Rows now by bin, at least one in all.
    """
    used = [pair for pair in zip(before, now) if any(pair)]
    freedom = len(used) - 1
    if freedom == 0:
        return False
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + _ONCE_IN_10_000 * math.sqrt(spread)) ** 3
    smoothed = np.array(used, dtype=np.float64).T + 0.5
    index = population_stability_index(smoothed[0], smoothed[1])
    return bool(index > quantile * (1 / sum(before) + 1 / sum(now)))


def level(psi: float) -> str:
    """Name a PSI: ``stable``, ``moderate`` or ``shifted``.

    :param psi: From :func:`population_stability_index`; ``nan`` counts as shifted.
    """
    if math.isnan(psi) or psi > SHIFTED_ABOVE:
        return "shifted"
    return "stable" if psi < STABLE_BELOW else "moderate"
