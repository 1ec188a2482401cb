"""Finds features that died or changed: what the gate's rule ``features`` reads.

A feature is dead when no model can learn from it: it has no value in any row, it has the same value
in every row, or the transform no longer makes it. It changed when its share of rows without a value
rose, or the shares of its categories moved, by more than a population stability index; a feature of
few values, such as a label code or a 0/1 column of a one-hot encoding, is a category. What is
measured is the whole window, training and validation rows, against the window of the champion. Must
not import anything outside the standard library and numpy, but for the modules beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import gate
from drift import SharedBins, beyond_chance, population_stability_index


@dataclass(frozen=True)
class Side:
    """A feature in one window.

    :param null_share: Share of rows without a value.
    :param values: Number of different values; ``None`` if there are more than 20, or none is known.
    :param mean: Mean of the values; ``None`` without values.
    :param value: The value that the change is about: the constant, or the category that moved most;
        ``None`` for all values that the champion's window lacks.
    :param share: That value's share of the rows with a value; ``None`` if it is not known.
    """

    null_share: float
    values: int | None
    mean: float | None
    value: float | None = None
    share: float | None = None


@dataclass(frozen=True)
class FeatureChange:
    """One feature that is dead or has changed.

    :param name: The feature's name.
    :param change: One of :data:`gate.FEATURE_CHANGES`.
    :param became: Whether the champion's window did not have it; ``None`` if that is not known.
    :param before: In the champion's window, if that is known.
    :param now: In this window; ``None`` for a feature that it lacks.
    :param psi: Population stability index of what changed, if it was measured.
    """

    name: str
    change: str
    became: bool | None
    before: Side | None
    now: Side | None
    psi: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the change as evaluation.json holds it."""
        return asdict(self)


def find_changes(
    profile: dict[str, Any], shared: list[SharedBins] | None, gone: list[str], *, max_psi: float
) -> list[FeatureChange]:
    """Find every feature that is dead or has changed.

    :param profile: Of this window, from :func:`drift.profile_rows`.
    :param shared: Both windows; ``None`` if the champion's is not known.
    :param gone: Features of the champion that this window lacks although the recipe is the same.
    :param max_psi: Largest index that is no change.
    :returns: In order of :data:`gate.FEATURE_CHANGES`, within each those that changed most first.
    """
    pairs = {pair.name: pair for pair in shared or ()}
    found = [FeatureChange(name, gate.GONE, True, None, None) for name in gone]
    for entry in profile["features"]:
        pair = pairs.get(entry["name"])
        dead = _death(entry, pair)
        if dead is not None:
            found.append(dead)
        elif pair is not None:
            changes = (_more_nulls(entry, pair, max_psi), _other_categories(entry, pair, max_psi))
            found += [change for change in changes if change is not None]
    order = {change: place for place, change in enumerate(gate.FEATURE_CHANGES)}
    return sorted(found, key=lambda change: (order[change.change], -(change.psi or 0.0), change.name))


def _is_constant(kind: str, bins: list[float], missing: int) -> bool:
    # One value and gaps is no constant: a tree can ask whether the value is there.
    return kind == "values" and len(bins) == 1 and missing == 0


def _death(entry: dict[str, Any], pair: SharedBins | None) -> FeatureChange | None:
    if sum(entry["counts"]) == 0:
        became = None if pair is None else sum(pair.before) > 0
        before = None if pair is None else _before(pair)
        return FeatureChange(entry["name"], gate.ALL_NULL, became, before, _now(entry))
    if not _is_constant(entry["kind"], entry["bins"], entry["missing"]):
        return None
    value = entry["bins"][0]
    if pair is None:
        return FeatureChange(entry["name"], gate.CONSTANT, None, None, _now(entry, value, 1.0))
    became = not _is_constant(pair.kind, pair.bins, pair.before_missing)
    share = _share_of(value, pair)
    return FeatureChange(entry["name"], gate.CONSTANT, became, _before(pair, value, share), _now(entry, value, 1.0))


def _more_nulls(entry: dict[str, Any], pair: SharedBins, max_psi: float) -> FeatureChange | None:
    before = [sum(pair.before), pair.before_missing]
    now = [sum(pair.now), pair.now_missing]
    if sum(before) == 0 or now[1] * sum(before) <= before[1] * sum(now):
        return None
    psi = _index_beyond(before, now, max_psi)
    if psi is None:
        return None
    return FeatureChange(entry["name"], gate.MORE_NULLS, True, _before(pair), _now(entry), psi)


def _other_categories(entry: dict[str, Any], pair: SharedBins, max_psi: float) -> FeatureChange | None:
    if pair.kind != "values" or sum(pair.before) == 0 or sum(pair.now) == 0:
        return None
    psi = _index_beyond(pair.before, pair.now, max_psi)
    if psi is None:
        return None
    before = [count / sum(pair.before) for count in pair.before]
    now = [count / sum(pair.now) for count in pair.now]
    place = max(range(len(now)), key=lambda index: abs(now[index] - before[index]))
    value = pair.bins[place] if place < len(pair.bins) else None
    return FeatureChange(
        entry["name"],
        gate.OTHER_CATEGORIES,
        True,
        _before(pair, value, before[place]),
        _now(entry, value, now[place]),
        psi,
    )


def _index_beyond(before: list[int], now: list[int], max_psi: float) -> float | None:
    """Return the index if it is above the bound and above what chance makes of as few rows."""
    psi = population_stability_index(before, now)
    return psi if psi > max_psi and beyond_chance(before, now) else None


def _before(pair: SharedBins, value: float | None = None, share: float | None = None) -> Side:
    rows = sum(pair.before) + pair.before_missing
    values = len(pair.bins) if pair.kind == "values" else None
    return Side(pair.before_missing / rows if rows else 0.0, values, pair.before_mean, value, share)


def _now(entry: dict[str, Any], value: float | None = None, share: float | None = None) -> Side:
    rows = sum(entry["counts"]) + entry["missing"]
    values = len(entry["bins"]) if entry["kind"] == "values" else None
    return Side(entry["missing"] / rows, values, entry["mean"], value, share)


def _share_of(value: float, pair: SharedBins) -> float | None:
    rows = sum(pair.before)
    if pair.kind != "values" or rows == 0:
        return None
    return pair.before[pair.bins.index(value)] / rows if value in pair.bins else 0.0
