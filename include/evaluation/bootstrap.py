"""Bootstrap resamples of validation rows, as weightings.

Resamples are drawn within each class, as pROC does by default (Robin et al., BMC Bioinformatics
12:77, 2011), so that each has positives and negatives however rare they are. Intervals are
percentile intervals (Efron & Tibshirani, 1993). Must not import anything outside the standard
library and numpy.
"""

from __future__ import annotations

from typing import Iterator

import numpy as np

#: Keeps the arrays of one batch of resamples at about 100 MB.
CELLS_AT_ONCE = 4_000_000


def resamples(labels: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Yield resamples in batches.

    :param labels: Shape ``(rows,)``, bool, both classes present.
    :param count: Number of resamples.
    :param seed: The same seed gives the same resamples.
    :returns: Arrays of shape ``(resamples, rows)``: how often each row was drawn.
    """
    generator = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels), np.flatnonzero(~labels)]
    batch = max(1, min(count, CELLS_AT_ONCE // labels.size))
    done = 0
    while done < count:
        size = min(batch, count - done)
        weights = np.zeros((size, labels.size))
        for members in classes:
            drawn = generator.integers(0, members.size, size=(size, members.size))
            drawn += np.arange(size)[:, None] * members.size
            counted = np.bincount(drawn.ravel(), minlength=size * members.size)
            weights[:, members] = counted.reshape(size, members.size)
        yield weights
        done += size


def interval(samples: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of a statistic.

    :param samples: Shape ``(resamples,)``.
    :param confidence: Two-sided coverage, e.g. 0.95.
    """
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(samples, (tail, 1.0 - tail))
    return float(low), float(high)
