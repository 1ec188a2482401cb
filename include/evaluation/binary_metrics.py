"""Metrics of a binary classifier's probabilities, for many weightings of the same rows at once.

A weighting is a vector of non-negative counts, one a row; a bootstrap resample is a weighting. One
pass over the sorted scores then gives every metric of every resample. Must not import anything
outside the standard library and numpy.

Definitions and their sources:

- ``auc``: area under the ROC curve with ties counted half (Hanley & McNeil, Radiology 143, 1982).
- ``aucpr``: average precision, the step-wise area Σ (Rᵢ − Rᵢ₋₁)·Pᵢ over distinct scores (Davis &
  Goadrich, ICML 2006, on why not to interpolate linearly). XGBoost's own ``aucpr`` interpolates and
  differs in the third digit.
- ``logloss``, ``error``: as XGBoost's metrics of that name (probabilities at least 1e-16; positive
  above 0.5).
- ``brier``: mean squared error of the probability (Brier, Monthly Weather Review 78, 1950).
- ``ece``: expected calibration error over ten bins of equal numbers of rows (Naeini et al., AAAI
  2015).
- ``lift_top_decile``: share of positives in the tenth of rows with the highest scores, divided by
  the share in all rows; positives count evenly over rows with the same score.
"""

from __future__ import annotations

import math

import numpy as np

METRICS = ("auc", "aucpr", "logloss", "error", "brier", "ece", "lift_top_decile")
CALIBRATION_BINS = 10
LIFT_GROUPS = 10
_LOGLOSS_EPSILON = 1e-16


class ScoredRows:
    """Labels and probabilities of one model on one data set, sorted once.

    :param labels: Shape ``(rows,)``, bool; both classes present.
    :param scores: Shape ``(rows,)``, probabilities of class 1.
    :raises ValueError: If they are not vectors of the same length.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        scores = np.asarray(scores, dtype=np.float64)
        labels = np.asarray(labels, dtype=bool)
        if labels.shape != scores.shape or labels.ndim != 1:
            raise ValueError("labels and scores must be vectors of the same length")
        self.order = np.argsort(-scores, kind="stable")  # highest score first
        self.labels = labels[self.order]
        self.scores = scores[self.order]
        #: Index, in sorted order, of the first row of each group of equal scores.
        self.starts = np.flatnonzero(np.concatenate(([True], self.scores[1:] != self.scores[:-1])))
        #: Calibration bin of each row, in sorted order; ties stay together.
        self.bins = _equal_count_bins(self.starts, self.scores.size, CALIBRATION_BINS)
        self.row_losses = _log_losses(self.labels, self.scores)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.scores.size)

    def group_weights(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight of positives and of all rows in each group of equal scores.

        :param weights: Shape ``(weightings, rows)``, in sorted order.
        :returns: Two arrays of shape ``(weightings, groups)``, highest score first.
        """
        if self.starts.size == self.rows:
            return weights * self.labels, weights
        positive = np.add.reduceat(weights * self.labels, self.starts, axis=1)
        return positive, np.add.reduceat(weights, self.starts, axis=1)


def _equal_count_bins(starts: np.ndarray, rows: int, bins: int) -> np.ndarray:
    sizes = np.diff(np.append(starts, rows))
    middle = starts + (sizes - 1) / 2.0
    of_group = np.minimum((middle * bins / rows).astype(int), bins - 1)
    return np.repeat(of_group, sizes)


def _log_losses(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    chosen = np.where(labels, scores, 1.0 - scores)
    return -np.log(np.maximum(chosen, _LOGLOSS_EPSILON))


def metrics(scored: ScoredRows, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Compute every metric.

    :param scored: The model's scores.
    :param weights: Shape ``(weightings, rows)`` in the rows' original order, each with weight in
        both classes; default: one weighting of ones.
    :returns: Metric → shape ``(weightings,)``.
    """
    if weights is None:
        weights = np.ones((1, scored.rows))
    weights = np.asarray(weights, dtype=np.float64)[:, scored.order]
    total = weights.sum(axis=1)
    positive, every = scored.group_weights(weights)
    positives = positive.sum(axis=1)
    negatives = total - positives
    found_positive = np.cumsum(positive, axis=1)
    found = np.cumsum(every, axis=1)

    # A positive outranks all negatives below it and half of those with its score.
    negative = every - positive
    negatives_above = found - found_positive - negative
    outranked = negatives[:, None] - negatives_above - negative / 2.0
    auc = (positive * outranked).sum(axis=1) / (positives * negatives)

    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(found > 0, found_positive / found, 0.0)
    aucpr = (positive * precision).sum(axis=1) / positives

    predicted = scored.scores > 0.5
    wrong = (predicted != scored.labels).astype(np.float64)
    squared = (scored.scores - scored.labels) ** 2
    means = weights @ np.stack((scored.row_losses, wrong, squared), axis=1) / total[:, None]

    _, bin_positives, bin_scores = _bin_sums(scored, weights)
    ece = np.abs(bin_positives - bin_scores).sum(axis=1) / total

    gain = _gain_at(found, found_positive, total / LIFT_GROUPS)
    lift = gain / positives * LIFT_GROUPS
    return {
        "auc": auc,
        "aucpr": aucpr,
        "logloss": means[:, 0],
        "error": means[:, 1],
        "brier": means[:, 2],
        "ece": ece,
        "lift_top_decile": lift,
    }


def _bin_sums(scored: ScoredRows, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    membership = scored.bins[:, None] == np.arange(CALIBRATION_BINS)[None, :]
    stacked = np.concatenate(
        (membership, membership * scored.labels[:, None], membership * scored.scores[:, None]), axis=1
    )
    sums = weights @ stacked
    return sums[:, :CALIBRATION_BINS], sums[:, CALIBRATION_BINS:-CALIBRATION_BINS], sums[:, -CALIBRATION_BINS:]


def _gain_at(found: np.ndarray, found_positive: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Count the positives among the ``depth`` highest scores, interpolated within equal scores."""
    before = (found < depth[:, None]).sum(axis=1)
    before = np.minimum(before, found.shape[1] - 1)
    line = np.arange(found.shape[0])
    x1, y1 = found[line, before], found_positive[line, before]
    x0 = np.where(before > 0, found[line, before - 1], 0.0)
    y0 = np.where(before > 0, found_positive[line, before - 1], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(x1 > x0, (depth - x0) / (x1 - x0), 1.0)
    gain: np.ndarray = y0 + share * (y1 - y0)
    return gain


def curves(scored: ScoredRows, weights: np.ndarray, grid: np.ndarray) -> dict[str, np.ndarray]:
    """Sample the curves of every weighting on a grid, for bands around them.

    :param scored: The model's scores.
    :param weights: Shape ``(weightings, rows)`` in original order.
    :param grid: Shape ``(points,)``, from 0 to 1: false positive rates of ``roc``, recalls of
        ``pr``.
    :returns: ``roc`` (true positive rate) and ``pr`` (precision), shape ``(weightings, points)``,
        and ``lift`` (lift of each tenth of the rows, highest scores first), shape ``(weightings,
        10)``.
    """
    weights = np.asarray(weights, dtype=np.float64)[:, scored.order]
    positive, every = scored.group_weights(weights)
    found_positive = np.cumsum(positive, axis=1)
    found = np.cumsum(every, axis=1)
    count = weights.shape[0]
    roc, pr = np.empty((count, grid.size)), np.empty((count, grid.size))
    lift = np.empty((count, LIFT_GROUPS))
    for line in range(count):
        hits, looked = found_positive[line], found[line]
        misses = looked - hits
        recall = hits / hits[-1]
        roc[line] = np.interp(grid, np.append(0.0, misses / misses[-1]), np.append(0.0, recall))
        seen = looked > 0
        precision = hits[seen] / looked[seen]
        # The precision at a recall is that of the first depth which reaches it: a step, as in
        # average precision.
        at = np.minimum(np.searchsorted(recall[seen], grid - 1e-12, side="left"), precision.size - 1)
        pr[line] = precision[at]
        depths = looked[-1] * np.arange(LIFT_GROUPS + 1) / LIFT_GROUPS
        gain = np.interp(depths, np.append(0.0, looked), np.append(0.0, hits))
        lift[line] = np.diff(gain) / hits[-1] * LIFT_GROUPS
    return {"roc": roc, "pr": pr, "lift": lift}


def reliability(scored: ScoredRows) -> list[dict[str, float]]:
    """Compare predicted with observed shares of positives in ten bins, lowest scores first.

    :param scored: The model's scores.
    :returns: One entry a bin that has rows: ``rows``, ``positives``, ``mean_score``, ``observed``
        and, as ``low`` and ``high``, the 95 % Wilson score interval of the observed share (Wilson,
        JASA 22, 1927).
    """
    rows, positives, scores = (sums[0] for sums in _bin_sums(scored, np.ones((1, scored.rows))))
    table = []
    for index in range(CALIBRATION_BINS - 1, -1, -1):
        if not rows[index]:
            continue
        low, high = _wilson(positives[index], rows[index])
        table.append(
            {
                "rows": int(rows[index]),
                "positives": int(positives[index]),
                "mean_score": float(scores[index] / rows[index]),
                "observed": float(positives[index] / rows[index]),
                "low": low,
                "high": high,
            }
        )
    return table


def _wilson(successes: float, trials: float, z: float = 1.959963984540054) -> tuple[float, float]:
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
